package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/step"
)

func (a *app) approveCommand() *cobra.Command {
	var run, note, expires string
	cmd := &cobra.Command{
		Use: "approve GATE", GroupID: groupOrder, Args: cobra.ExactArgs(1),
		Short: "Say yes at a gate, to the plan as it stands",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.word(cmd.Context(), run, func(st *journal.State) (journal.Event, error) {
				gate, err := a.gate(st, args[0])
				if err != nil {
					return journal.Event{}, err
				}
				body := journal.ApproveBody{Plan: st.PlanHash(), Note: note, Claimed: a.as != ""}
				if body.Expires, err = a.expiry(expires, gate); err != nil {
					return journal.Event{}, err
				}
				return journal.NewEvent(journal.AskApprove, a.actor(), gate.ID, 0, body), nil
			})
		},
	}
	addRunFlag(cmd, &run)
	cmd.Flags().StringVar(&note, "note", "", "a word for the report")
	cmd.Flags().StringVar(&expires, "expires", "", "how long an approval ahead of time counts, as \"2h\" (default: 12h before the gate is reached)")
	return cmd
}

// preApproval is how long an approval counts that is given before its gate is
// reached.
const preApproval = 12 * time.Hour

func (a *app) expiry(text string, gate *journal.NodeState) (time.Time, error) {
	after := preApproval
	switch {
	case text != "":
		d, err := step.ParseDuration(text)
		if err != nil {
			return time.Time{}, fault.Wrap(fault.Invalid, "--expires", err, "")
		}
		after = d
	case gate.Phase == journal.Waiting:
		return time.Time{}, nil
	}
	return a.now().Add(after), nil
}

// gate finds a gate that the person may approve.
func (a *app) gate(st *journal.State, name string) (*journal.NodeState, error) {
	gate := st.Node("gate." + strings.TrimPrefix(name, "gate."))
	if gate == nil {
		return nil, fault.New(fault.Invalid, fmt.Sprintf("no gate %q in run %q", name, st.Run), "the gates are: "+strings.Join(nodesOf(st, journal.ClassGate), ", "))
	}
	if !st.MayApprove(gate, a.actor()) {
		return nil, fault.New(fault.Denied, fmt.Sprintf("%q may not approve %q: %s", a.actor(), gate.ID, whyNot(st, gate, a.actor())), "evac approve "+name+" --as NAME")
	}
	if gate.Phase == journal.Refused {
		return nil, fault.New(fault.Invalid, fmt.Sprintf("%q was %s and asks nobody", gate.ID, gate.Reason), "evac retry "+gate.ID+" asks again")
	}
	if gate.Settled() {
		return nil, fault.New(fault.Invalid, fmt.Sprintf("%q has passed already", gate.ID), "")
	}
	return gate, nil
}

func whyNot(st *journal.State, gate *journal.NodeState, who string) string {
	if who == st.Body.Runner || slices.Contains(st.Runners, who) {
		return "whoever runs the run does not approve its gates"
	}
	if _, known := st.Body.People[who]; !known {
		return "not among the runbook's people"
	}
	return "the gate asks " + strings.Join(gate.Gate.People, ", ")
}

func nodesOf(st *journal.State, class string) []string {
	var ids []string
	for _, n := range st.Nodes {
		if n.Class == class {
			ids = append(ids, n.ID)
		}
	}
	return ids
}

func (a *app) rejectCommand() *cobra.Command {
	var run, reason string
	cmd := &cobra.Command{
		Use: "reject GATE", GroupID: groupOrder, Args: cobra.ExactArgs(1),
		Short: "Say no at a gate: the run holds",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.word(cmd.Context(), run, func(st *journal.State) (journal.Event, error) {
				gate := st.Node("gate." + strings.TrimPrefix(args[0], "gate."))
				if gate == nil {
					return journal.Event{}, fault.New(fault.Invalid, fmt.Sprintf("no gate %q in run %q", args[0], st.Run), "the gates are: "+strings.Join(nodesOf(st, journal.ClassGate), ", "))
				}
				if err := a.known(st); err != nil {
					return journal.Event{}, err
				}
				return journal.NewEvent(journal.AskReject, a.actor(), gate.ID, 0, journal.NoteBody{Text: reason, Claimed: a.as != ""}), nil
			})
		},
	}
	addRunFlag(cmd, &run)
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the report")
	return cmd
}

// known refuses somebody who is not among the runbook's people.
func (a *app) known(st *journal.State) error {
	if _, known := st.Body.People[a.actor()]; known {
		return nil
	}
	return fault.New(fault.Denied, fmt.Sprintf("%q is not among the runbook's people", a.actor()), "--as NAME")
}

func (a *app) tickCommand() *cobra.Command {
	var run, result, evidence string
	cmd := &cobra.Command{
		Use: "tick CHECKLIST.ITEM", GroupID: groupOrder, Args: cobra.ExactArgs(1),
		Short: "Say how a checklist's item stands",
		Long:  "Say how a checklist's item stands: ok or failed; a failed item goes on to fixed, then retested.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.word(cmd.Context(), run, func(st *journal.State) (journal.Event, error) {
				list, item, err := a.item(st, args[0])
				if err != nil {
					return journal.Event{}, err
				}
				body := journal.TickBody{Item: item.Name, Result: result, Evidence: evidence, Claimed: a.as != ""}
				if !body.Allowed(item.Result) {
					return journal.Event{}, fault.New(fault.Invalid, fmt.Sprintf("item %q is %s: %q cannot follow", item.Name, orOpen(item.Result), result), "ok or failed; after failed: fixed; after fixed: retested or failed")
				}
				return journal.NewEvent(journal.AskTick, a.actor(), list.ID, 0, body), nil
			})
		},
	}
	addRunFlag(cmd, &run)
	cmd.Flags().StringVar(&result, "result", journal.ItemOK, "ok, failed, fixed or retested")
	cmd.Flags().StringVar(&evidence, "evidence", "", "what was seen, for the report")
	return cmd
}

func orOpen(result string) string {
	if result == "" {
		return "open"
	}
	return result
}

// item finds CHECKLIST.ITEM in a run.
func (a *app) item(st *journal.State, ref string) (*journal.NodeState, *journal.ItemState, error) {
	if err := a.known(st); err != nil {
		return nil, nil, err
	}
	name, itemName, ok := strings.Cut(strings.TrimPrefix(ref, "checklist."), ".")
	list := st.Node("checklist." + name)
	if !ok || list == nil {
		return nil, nil, fault.New(fault.Invalid, fmt.Sprintf("no checklist item %q in run %q", ref, st.Run), "the checklists are: "+strings.Join(nodesOf(st, journal.ClassChecklist), ", "))
	}
	i := slices.IndexFunc(list.Ticks, func(i *journal.ItemState) bool { return i.Name == itemName })
	if i < 0 {
		return nil, nil, fault.New(fault.Invalid, fmt.Sprintf("checklist %q has no item %q", name, itemName), fmt.Sprintf("evac add-item %s.%s --text … adds it", name, itemName))
	}
	return list, list.Ticks[i], nil
}

func (a *app) itemCommand() *cobra.Command {
	var run, text, owner string
	cmd := &cobra.Command{
		Use: "add-item CHECKLIST.ITEM", GroupID: groupOrder, Args: cobra.ExactArgs(1),
		Short: "Add an item to a checklist while the run goes on",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.word(cmd.Context(), run, func(st *journal.State) (journal.Event, error) {
				if err := a.known(st); err != nil {
					return journal.Event{}, err
				}
				name, item, ok := strings.Cut(strings.TrimPrefix(args[0], "checklist."), ".")
				list := st.Node("checklist." + name)
				if !ok || item == "" || list == nil || list.Settled() {
					return journal.Event{}, fault.New(fault.Invalid, fmt.Sprintf("no open checklist for %q in run %q", args[0], st.Run), "")
				}
				if owner == "" {
					owner = a.actor()
				}
				return journal.NewEvent(journal.AskItem, a.actor(), list.ID, 0, journal.ItemBody{Name: item, Text: text, Owner: owner}), nil
			})
		},
	}
	addRunFlag(cmd, &run)
	cmd.Flags().StringVar(&text, "text", "", "what is to be looked at")
	cmd.Flags().StringVar(&owner, "owner", "", "whose it is (default: yours)")
	return cmd
}
