package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

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

// give appends the request and sees to it that it is answered: by the living
// conductor, else by this process.
func (a *app) give(ctx context.Context, o order) error {
	return a.withRuns(ctx, func(j *journal.Journal) error {
		run, err := a.orderedRun(ctx, j, o)
		if err != nil {
			return err
		}
		if err := mayOrder(ctx, j, run, o.event); err != nil {
			return err
		}
		if err := refuseUnheard(ctx, j, run, o); err != nil {
			return err
		}
		ready, err := a.readyFor(ctx, j, run, o)
		if err != nil {
			return err
		}
		asked, err := j.Request(ctx, run, o.event)
		if err != nil {
			return err
		}
		for {
			if answer, err := awaitAnswer(ctx, j, run, asked); answer != nil || err != nil {
				return errors.Join(err, a.answered(run, answer))
			}
			if !o.conducts {
				return a.say("noted; it takes effect when the run goes on: evac resume --run "+run, map[string]any{"run": run})
			}
			if ready == nil { // there was a conductor, and it has gone
				if ready, err = a.prepare(ctx, j, run, o.resumeFlags); err != nil {
					return err
				}
			}
			if err := ready.conduct(ctx, false); fault.KindOf(err) != fault.Busy {
				return a.unlessRefused(ctx, j, run, asked, err)
			}
		}
	})
}

// refuseUnheard refuses a hold that no conductor would hear: a run without one
// stands still already, and resume is the word that it may go on.
func refuseUnheard(ctx context.Context, j *journal.Journal, run string, o order) error {
	living, err := holder(ctx, j, run)
	if err != nil || living != nil || o.conducts {
		return err
	}
	return fault.New(fault.Invalid, fmt.Sprintf("nobody conducts run %q: it stands still until somebody resumes it", run), "evac note TEXT --run "+run+" leaves word for whoever does")
}

// readyFor makes ready to conduct the run before the order is written: an
// order whose command then fails must not wait for the next conductor. nil if
// a living conductor will obey, who has all that it needs.
func (a *app) readyFor(ctx context.Context, j *journal.Journal, run string, o order) (*resumption, error) {
	living, err := holder(ctx, j, run)
	if err != nil || living != nil || !o.conducts {
		return nil, err
	}
	return a.prepare(ctx, j, run, o.resumeFlags)
}

// mayOrder refuses orders about a step that there is not, and to a run that
// has ended; one that was done may still
// be undone.
func mayOrder(ctx context.Context, j *journal.Journal, run string, e journal.Event) error {
	st, err := j.Load(ctx, run)
	if err != nil {
		return err
	}
	if e.Step != "" && st.Node(e.Step) == nil {
		return fault.New(fault.Invalid, fmt.Sprintf("no step %q in run %q", e.Step, run), "the steps are: "+strings.Join(nodesOf(st, journal.ClassStep), ", "))
	}
	if !st.Finished() || e.Type == journal.AskUndo && st.Result == journal.ResultDone {
		return nil
	}
	return fault.New(fault.Invalid, fmt.Sprintf("run %q has ended: %s", run, st.Result), "evac report "+run)
}

// orderedRun finds the run; an undo may also turn back a finished one.
func (a *app) orderedRun(ctx context.Context, j *journal.Journal, o order) (string, error) {
	run, err := a.unfinished(ctx, j, o.run)
	if err != nil && o.event.Type == journal.AskUndo && o.run == "" {
		return j.Newest(ctx, false)
	}
	return run, err
}

// answer is what a conductor made of a request.
type answer struct {
	journal.AnswerBody
	by string
}

// awaitAnswer waits until the living conductor has answered the request; nil
// if none lives.
func awaitAnswer(ctx context.Context, j *journal.Journal, run string, asked journal.Event) (*answer, error) {
	for {
		// Who holds the run is looked up first: a conductor that is gone by
		// then has left its answer behind.
		living, err := holder(ctx, j, run)
		if err != nil {
			return nil, err
		}
		found, newest, err := answerTo(ctx, j, asked)
		if found != nil || living == nil || err != nil {
			return found, err
		}
		tick, cancel := context.WithTimeout(ctx, watchEvery)
		err = j.Wait(tick, run, newest)
		cancel()
		if err != nil && (ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded)) {
			return nil, err
		}
	}
}

// answerTo finds the answer to a request, and the newest event's number.
func answerTo(ctx context.Context, j *journal.Journal, asked journal.Event) (*answer, int64, error) {
	newest := asked.Seq
	events, err := j.Events(ctx, asked.Run, asked.Seq)
	for _, e := range events {
		newest = e.Seq
		a := &answer{by: e.Actor}
		if e.Type == journal.AskAnswered && e.Decode(&a.AnswerBody) == nil && a.Seq == asked.Seq {
			return a, newest, nil
		}
	}
	return nil, newest, err
}

// answered makes another conductor's answer the command's result.
func (a *app) answered(run string, answer *answer) error {
	switch {
	case answer == nil:
		return nil
	case !answer.Done:
		return refused(run, answer)
	}
	return a.say("done by "+answer.by+"'s conductor", map[string]any{"run": run})
}

func refused(run string, answer *answer) error {
	return fault.New(fault.Invalid, fmt.Sprintf("run %q refuses: %s", run, answer.Reason), "evac status "+run)
}

// unlessRefused gives err, how the run went on under this process, unless the
// request itself was refused.
func (a *app) unlessRefused(ctx context.Context, j *journal.Journal, run string, asked journal.Event, err error) error {
	answer, _, wrong := answerTo(ctx, j, asked)
	switch {
	case wrong != nil || answer == nil:
		return errors.Join(err, wrong)
	case !answer.Done:
		a.result.Sentence = ""
		return refused(run, answer)
	case asked.Type == journal.AskAbort:
		return nil // the run has ended as it was told to
	}
	return err
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
	return nil, fault.Wrap(fault.Invalid, fmt.Sprintf("find run %q", run), journal.ErrNoRun, "evac runs")
}

// runOrder makes a command that asks something of the run as a whole.
func (a *app) runOrder(use, short string, t journal.Type, o order) (*cobra.Command, *order) {
	var text string
	cmd := &cobra.Command{
		Use: use, GroupID: groupOrder, Args: cobra.NoArgs, Short: short,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.event = journal.NewEvent(t, a.actor(), "", 0, journal.NoteBody{Text: text})
			return a.give(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&text, "reason", "", "why, for the report")
	return cmd, &o
}

func (a *app) holdCommand() *cobra.Command {
	cmd, o := a.runOrder("hold", "Let running steps end and begin no other", journal.AskHold, order{})
	addRunFlag(cmd, &o.run)
	return cmd
}

func (a *app) releaseCommand() *cobra.Command {
	cmd, o := a.runOrder("release", "End a hold", journal.AskRelease, order{conducts: true})
	o.resumeFlags.add(cmd)
	return cmd
}

func (a *app) abortCommand() *cobra.Command {
	cmd, o := a.runOrder("abort", "End the run for good and leave everything as it stands", journal.AskAbort, order{conducts: true, resumeFlags: resumeFlags{ends: true}})
	addRunFlag(cmd, &o.run)
	return cmd
}

func (a *app) undoCommand() *cobra.Command {
	o := order{conducts: true}
	o.backward = true
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
	return a.withRuns(ctx, func(j *journal.Journal) error {
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
