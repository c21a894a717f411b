package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/journal"
)

// order is a request to a run. A living conductor obeys it; without one the
// orders that change the run's course make this process the conductor.
type order struct {
	resumeFlags
	event journal.Event
	// conducts tells that without a conductor this process becomes one.
	conducts bool
}

// give appends the request and sees to it that it is obeyed.
func (a *app) give(ctx context.Context, o order) error {
	return a.withJournal(ctx, func(j *journal.Journal) error {
		run, err := a.orderedRun(ctx, j, o)
		if err != nil {
			return err
		}
		asked, err := j.Request(ctx, run, o.event)
		if err != nil {
			return err
		}
		if o.conducts {
			err := a.conductAgain(ctx, j, run, o.resumeFlags, false)
			if fault.KindOf(err) != fault.Busy {
				return err
			}
		}
		return a.awaitAnswer(ctx, j, run, asked)
	})
}

// orderedRun finds the run; an undo may also turn back a finished one.
func (a *app) orderedRun(ctx context.Context, j *journal.Journal, o order) (string, error) {
	run, err := a.unfinished(ctx, j, o.run)
	if err != nil && o.event.Type == journal.AskUndo && o.run == "" {
		return j.Newest(ctx, false)
	}
	return run, err
}

// awaitAnswer waits until the living conductor has answered the request.
func (a *app) awaitAnswer(ctx context.Context, j *journal.Journal, run string, asked journal.Event) error {
	info, err := holder(ctx, j, run)
	if err != nil {
		return err
	}
	if info == nil {
		return a.say("noted; it takes effect when the run goes on: evac resume --run "+run, map[string]any{"run": run})
	}
	seen := asked.Seq
	for {
		events, err := j.Events(ctx, run, seen)
		if err != nil {
			return err
		}
		for _, e := range events {
			seen = e.Seq
			var body journal.AnswerBody
			if e.Type != journal.AskAnswered || e.Decode(&body) != nil || body.Seq != asked.Seq {
				continue
			}
			if !body.Done {
				return fault.New(fault.Invalid, fmt.Sprintf("run %q refuses: %s", run, body.Reason), "evac status "+run)
			}
			return a.say("done by "+info.Runner+"'s conductor", map[string]any{"run": run})
		}
		if err := j.Wait(ctx, run, seen); err != nil {
			return err
		}
	}
}

func holder(ctx context.Context, j *journal.Journal, run string) (*journal.Holder, error) {
	runs, err := j.Runs(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range runs {
		if r.ID == run {
			return r.Holder, nil
		}
	}
	return nil, fmt.Errorf("run %q: %w", run, journal.ErrNoRun)
}

// runOrder makes a command that asks something of the run as a whole.
func (a *app) runOrder(use, short string, t journal.Type, conducts bool) *cobra.Command {
	o := order{conducts: conducts}
	var text string
	cmd := &cobra.Command{
		Use: use, GroupID: groupOrder, Args: cobra.NoArgs, Short: short,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.event = journal.NewEvent(t, a.actor(), "", 0, journal.NoteBody{Text: text})
			return a.give(cmd.Context(), o)
		},
	}
	o.resumeFlags.add(cmd)
	cmd.Flags().StringVar(&text, "reason", "", "why, for the report")
	return cmd
}

func (a *app) holdCommand() *cobra.Command {
	return a.runOrder("hold", "Let running steps end and begin no other", journal.AskHold, false)
}

func (a *app) releaseCommand() *cobra.Command {
	return a.runOrder("release", "End a hold", journal.AskRelease, true)
}

func (a *app) abortCommand() *cobra.Command {
	return a.runOrder("abort", "End the run for good and leave everything as it stands", journal.AskAbort, true)
}

func (a *app) undoCommand() *cobra.Command {
	o := order{conducts: true}
	var to string
	cmd := &cobra.Command{
		Use: "undo", GroupID: groupOrder, Args: cobra.NoArgs,
		Short: "Take back what was done, newest first",
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.event = journal.NewEvent(journal.AskUndo, a.actor(), "", 0, journal.UndoBody{To: to})
			return a.give(cmd.Context(), o)
		},
	}
	o.resumeFlags.add(cmd)
	cmd.Flags().StringVar(&to, "to", "", "undo back to this stage, which is undone too; the run then holds before it")
	return cmd
}

// stepOrder makes a command that asks something about one step.
func (a *app) stepOrder(use, short string, t journal.Type, needReason bool) *cobra.Command {
	o := order{conducts: true}
	var reason string
	cmd := &cobra.Command{
		Use: use, GroupID: groupOrder, Args: cobra.ExactArgs(1), Short: short,
		RunE: func(cmd *cobra.Command, args []string) error {
			if needReason && reason == "" {
				return fault.New(fault.Invalid, "a reason is required", cmd.CommandPath()+" "+args[0]+" --reason \"…\"")
			}
			o.event = journal.NewEvent(t, a.actor(), trimStep(args[0]), 0, journal.NoteBody{Text: reason})
			return a.give(cmd.Context(), o)
		},
	}
	o.resumeFlags.add(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the report")
	return cmd
}

func (a *app) retryCommand() *cobra.Command {
	return a.stepOrder("retry STEP", "Try a failed step (or a refused gate) again", journal.AskRetry, false)
}

func (a *app) skipCommand() *cobra.Command {
	return a.stepOrder("skip STEP", "Leave a step out, with a reason", journal.AskSkip, true)
}

func (a *app) noteCommand() *cobra.Command {
	var run string
	cmd := &cobra.Command{
		Use: "note TEXT", GroupID: groupOrder, Args: cobra.ExactArgs(1),
		Short: "Write a remark into the run's timeline",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.word(cmd.Context(), run, func(*journal.State) (journal.Event, error) {
				return journal.NewEvent(journal.AskNote, a.actor(), "", 0, journal.NoteBody{Text: args[0], Claimed: a.as != ""}), nil
			})
		},
	}
	addRunFlag(cmd, &run)
	return cmd
}

// word appends what a person says; it counts at once, conductor or not.
func (a *app) word(ctx context.Context, run string, say func(*journal.State) (journal.Event, error)) error {
	return a.withJournal(ctx, func(j *journal.Journal) error {
		run, err := a.unfinished(ctx, j, run)
		if err != nil {
			return err
		}
		st, err := j.Load(ctx, run)
		if err != nil {
			return err
		}
		if st.Finished() {
			return fault.New(fault.Invalid, fmt.Sprintf("run %q has ended: %s", run, st.Result), "")
		}
		event, err := say(st)
		if err != nil {
			return err
		}
		if _, err := j.Request(ctx, run, event); err != nil {
			return err
		}
		return a.say("written", map[string]any{"run": run})
	})
}
