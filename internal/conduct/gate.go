package conduct

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/runbook"
)

// reachGate begins to wait at a gate; its timeout counts from here, over
// resumes too.
func (c *conductor) reachGate(n *journal.NodeState) {
	if n.Phase == journal.Refused {
		c.hold(refusal(n), fault.Held, c.refusedHint(n))
		return
	}
	if n.Phase != journal.Waiting {
		body := journal.GateBody{Plan: c.st.PlanHash()}
		if n.Gate.TimeoutMS > 0 {
			body.Until = c.o.Now().Add(time.Duration(n.Gate.TimeoutMS) * time.Millisecond)
		}
		c.event(journal.GateWaits, n.ID, 0, body)
	}
	c.agenda.waiting[n.ID] = true
	c.lookGate(n)
}

// lookGate lets the run through if the time has come and enough people have
// agreed to the plan as it stands.
func (c *conductor) lookGate(n *journal.NodeState) {
	now := c.o.Now()
	by := c.st.Approvers(n, now)
	switch {
	case c.o.PassGates && c.p.Body.Mode == journal.Drill:
		c.passGate(n, journal.GatePassBody{How: "drill"})
	case vetoed(c.st, n) != "":
		c.refuseGate(n, "rejected by "+vetoed(c.st, n))
	case !n.Until.IsZero() && !now.Before(n.Until) && len(by) < n.Gate.Approvals:
		c.gateTimedOut(n)
	case now.Before(gateOpens(n)) || len(by) < n.Gate.Approvals:
		return
	case n.Gate.Approvals == 0:
		c.passGate(n, journal.GatePassBody{How: "time"})
	default:
		c.passGate(n, journal.GatePassBody{How: "approved", By: by})
	}
}

// vetoed names a person whose newest word on the gate is no.
func vetoed(st *journal.State, n *journal.NodeState) string {
	newest := map[string]bool{}
	for _, v := range n.Votes {
		newest[v.By] = v.Yes
	}
	for _, by := range slices.Sorted(maps.Keys(newest)) {
		if _, known := st.Body.People[by]; known && !newest[by] {
			return by
		}
	}
	return ""
}

func gateOpens(n *journal.NodeState) time.Time {
	if n.Gate == nil || n.Gate.At == "" {
		return time.Time{}
	}
	at, err := time.Parse(timeLayout, n.Gate.At)
	if err != nil {
		return time.Time{} // gateRule wrote it in this very layout
	}
	return at
}

func (c *conductor) passGate(n *journal.NodeState, body journal.GatePassBody) {
	c.event(journal.GatePassed, n.ID, 0, body)
	c.agenda.settle(n.ID)
}

func (c *conductor) refuseGate(n *journal.NodeState, why string) {
	c.event(journal.GateRefused, n.ID, 0, journal.NoteBody{Text: why})
	c.hold(refusal(n), fault.Held, c.refusedHint(n))
	c.agenda = nil
}

func refusal(n *journal.NodeState) string { return fmt.Sprintf("%q was %s", n.ID, n.Reason) }

func (c *conductor) refusedHint(n *journal.NodeState) string {
	return fmt.Sprintf("evac retry %s to ask again, evac undo, or evac abort, each with --run %s", n.ID, c.run)
}

func (c *conductor) gateTimedOut(n *journal.NodeState) {
	switch n.Gate.OnTimeout {
	case runbook.OnTimeoutContinue:
		c.passGate(n, journal.GatePassBody{How: "timeout"})
	case runbook.OnTimeoutUndo:
		c.event(journal.GateRefused, n.ID, 0, journal.NoteBody{Text: "not approved in time: everything is undone"})
		c.event(journal.UndoStarted, "", 0, journal.UndoBody{})
		c.agenda = nil
	default:
		c.refuseGate(n, "not approved in time")
	}
}

func (c *conductor) reachChecklist(n *journal.NodeState) {
	if n.Phase != journal.Waiting {
		c.event(journal.ListWaits, n.ID, 0, nil)
	}
	c.agenda.waiting[n.ID] = true
	c.lookChecklist(n)
}

func (c *conductor) lookChecklist(n *journal.NodeState) {
	if !(c.o.PassGates && c.p.Body.Mode == journal.Drill) && len(openItems(n)) > 0 {
		return
	}
	c.event(journal.ListPassed, n.ID, 0, nil)
	c.agenda.settle(n.ID)
}

func openItems(n *journal.NodeState) []string {
	var open []string
	for _, item := range n.Ticks {
		if !item.Settled() {
			open = append(open, item.Name)
		}
	}
	return open
}

// waitsForPeople says for whom the run waits when nothing will happen by
// itself; nil if a time or a retry will move it on.
func (c *conductor) waitsForPeople() *journal.HeldBody {
	if c.agenda == nil {
		return nil
	}
	var reasons, hints []string
	for _, id := range slices.Sorted(maps.Keys(c.agenda.waiting)) {
		n := c.st.Node(id)
		switch n.Class {
		case journal.ClassChecklist:
			reasons = append(reasons, fmt.Sprintf("%q waits for %s", id, strings.Join(openItems(n), ", ")))
			hints = append(hints, fmt.Sprintf("evac tick %s.ITEM --as NAME", strings.TrimPrefix(id, "checklist.")))
		case journal.ClassGate:
			missing := n.Gate.Approvals - len(c.st.Approvers(n, c.o.Now()))
			if missing <= 0 {
				return nil // only its time has not come
			}
			reasons = append(reasons, fmt.Sprintf("%q waits for %d more approval(s)", id, missing))
			hints = append(hints, fmt.Sprintf("evac approve %s --as NAME", strings.TrimPrefix(id, "gate.")))
		default:
			return nil // a retry is due by itself
		}
	}
	if len(reasons) == 0 {
		return nil
	}
	return &journal.HeldBody{
		Reason: strings.Join(reasons, "; "), CauseExit: fault.Held.Code(),
		Hint: strings.Join(hints, "; ") + "; then evac resume --run " + c.run,
	}
}
