package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/evac-io/evac/internal/conduct"
	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/runbook"
)

// resumeFlags say how a run that has no conductor gets one again.
type resumeFlags struct {
	variableFlags
	run     string
	wait    bool
	accept  bool
	pass    bool
	confirm []string
}

func (f *resumeFlags) add(cmd *cobra.Command) {
	f.variableFlags.add(cmd)
	addRunFlag(cmd, &f.run)
	flags := cmd.Flags()
	flags.BoolVar(&f.wait, "wait", false, "stay while the run waits for people, and take orders")
	flags.BoolVar(&f.pass, "pass-gates", false, "in a drill: let gates and checklists pass by themselves")
}

func addRunFlag(cmd *cobra.Command, run *string) {
	cmd.Flags().StringVar(run, "run", "", "which run (default: the newest unfinished one)")
}

func (a *app) resumeCommand() *cobra.Command {
	var f resumeFlags
	cmd := &cobra.Command{
		Use: "resume", GroupID: groupRun, Args: cobra.NoArgs,
		Short: "Go on with a run that was held, stopped or cut off",
		Long: `Go on with a run that was held, stopped or cut off. Failed steps are tried
again, never one with repeatable = false. Secret variables are asked again:
from EVAC_VAR_NAME, --var-file or the prompt.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.resume(cmd.Context(), f) },
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&f.accept, "accept-change", false, "go on with the runbook as it is now, although it was changed")
	cmd.Flags().StringArrayVar(&f.confirm, "confirm", nil, "confirm a step that cannot be undone")
	return cmd
}

func (a *app) resume(ctx context.Context, f resumeFlags) error {
	return a.withRuns(ctx, func(j *journal.Journal) error {
		run, err := a.unfinished(ctx, j, f.run)
		if err != nil {
			return err
		}
		for _, id := range f.confirm {
			if _, err := j.Request(ctx, run, journal.NewEvent(journal.AskConfirm, a.actor(), trimStep(id), 0, journal.NoteBody{})); err != nil {
				return err
			}
		}
		return a.conductAgain(ctx, j, run, f, true)
	})
}

// conductAgain makes this process the run's conductor.
func (a *app) conductAgain(ctx context.Context, j *journal.Journal, run string, f resumeFlags, goOn bool) error {
	st, err := j.Load(ctx, run)
	if err != nil {
		return err
	}
	program, changed, err := a.programOf(st, f)
	if err != nil {
		return err
	}
	s := a.newShow(program.Secrets)
	o := s.options(ctx, j)
	o.Stay, o.PassGates = f.wait || a.interactive(), f.pass
	if changed {
		checked, err := conduct.Check(ctx, program, st.Body.Parallel)
		if err != nil {
			return err
		}
		if err := conduct.Change(ctx, o, program, run, checked); err != nil {
			return err
		}
	}
	if err := s.resumed(ctx, j, run); err != nil {
		return err
	}
	return s.close(run, conduct.Resume(ctx, o, program, run, goOn))
}

// programOf makes the program of a run from its journal, or from the file if
// that was changed and the change is accepted.
func (a *app) programOf(st *journal.State, f resumeFlags) (p *conduct.Program, changed bool, err error) {
	if st.Body.Mode == journal.Alone {
		return nil, false, fault.New(fault.Invalid, fmt.Sprintf("run %q is one step by itself", st.Run), "give the same command again: it goes on where it stopped")
	}
	src := source{file: st.Body.File, text: []byte(st.Body.Text)}
	now, err := readRegular(st.Body.File)
	switch {
	case errors.Is(err, os.ErrNotExist): // the journal has it whole
	case err != nil:
		return nil, false, fault.Wrap(fault.Invalid, "read runbook", err, "")
	case string(now) != st.Body.Text:
		changed = true
	}
	old, err := a.programFrom(src, st, f)
	if err != nil || !changed {
		return old, false, err
	}
	if p, err = a.programFrom(source{file: st.Body.File, text: now}, st, f); err != nil {
		return nil, true, err
	}
	if !f.accept {
		return nil, true, fault.New(fault.Invalid,
			fmt.Sprintf("runbook %q was changed since the run began:\n%s", filepath.Base(src.file), changes(old, p)),
			fmt.Sprintf("evac resume --accept-change --run %s, or put the old text back", st.Run))
	}
	fmt.Fprintf(a.err, "runbook changed, and the change is accepted:\n%s\n", changes(old, p))
	return p, true, nil
}

func (a *app) programFrom(src source, st *journal.State, f resumeFlags) (*conduct.Program, error) {
	values := st.Body.Variables
	if st.Body.Drill != "" {
		values = st.Body.Given
	}
	bound, err := a.bind(src, f.variableFlags, st.Body.Drill, values)
	if err != nil {
		return nil, err
	}
	p := conduct.FromRunbook(bound, filepath.Dir(src.file), src.file, a.kinds)
	return p, p.Keep(st.Body.Only, st.Body.From)
}

// changes lists which steps' definitions differ between two programs.
func changes(old, now *conduct.Program) string {
	var lines []string
	for _, n := range old.Nodes {
		switch other := now.Node(n.ID); {
		case other == nil:
			lines = append(lines, "  - "+n.ID+" is gone")
		case other.Def != n.Def || !sameGate(other, n):
			lines = append(lines, "  ~ "+n.ID+" is different")
		}
	}
	for _, n := range now.Nodes {
		if old.Node(n.ID) == nil {
			lines = append(lines, "  + "+n.ID+" is new")
		}
	}
	if len(lines) == 0 {
		return "  no step is different (texts, people, window or comments are)"
	}
	return strings.Join(lines, "\n")
}

func sameGate(a, b *runbook.Node) bool {
	return a.Stage == b.Stage && fmt.Sprint(a.Gate, a.Items, a.After) == fmt.Sprint(b.Gate, b.Items, b.After)
}

// unfinished finds the run that an order is meant for.
func (a *app) unfinished(ctx context.Context, j *journal.Journal, run string) (string, error) {
	if run != "" {
		return run, nil
	}
	run, err := j.Newest(ctx, true)
	if errors.Is(err, journal.ErrNoRun) {
		return "", fault.Wrap(fault.Invalid, "", errors.New("no unfinished run in "+a.homeDir()), "evac runs lists all runs")
	}
	return run, err
}

// withRuns is withJournal for what acts on runs that are there: it makes no
// journal.
func (a *app) withRuns(ctx context.Context, call func(*journal.Journal) error) error {
	there, err := a.openRead(ctx)
	if err != nil {
		return err
	}
	if err := there.Close(); err != nil {
		return err
	}
	return a.withJournal(ctx, call)
}

// withJournal opens the journal for writing around a call.
func (a *app) withJournal(ctx context.Context, call func(*journal.Journal) error) error {
	j, err := a.openWrite(ctx)
	if err != nil {
		return err
	}
	return errors.Join(call(j), j.Close())
}
