package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/evac-io/evac/internal/conduct"
	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/secret"
)

// resumeFlags say how a run that has no conductor gets one again.
type resumeFlags struct {
	variableFlags
	run    string
	wait   bool
	accept bool
	// backward tells that nothing new is done: a changed runbook needs no
	// consent.
	backward bool
	// ends tells that the run only ends: no step is looked at, and no secret
	// needed.
	ends    bool
	pass    bool
	confirm []string
}

func (f *resumeFlags) add(cmd *cobra.Command) {
	f.variableFlags.add(cmd)
	addRunFlag(cmd, &f.run)
	flags := cmd.Flags()
	flags.BoolVar(&f.wait, "wait", false, "stay while the run waits for people, and take orders")
	flags.BoolVar(&f.accept, "accept-change", false, "go on with the runbook (and the files that its commands name) as it is now, although it was changed")
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
	cmd.Flags().StringArrayVar(&f.confirm, "confirm", nil, "confirm a step that cannot be undone")
	return cmd
}

func (a *app) resume(ctx context.Context, f resumeFlags) error {
	return a.withRuns(ctx, func(j *journal.Journal) error {
		run, err := a.unfinished(ctx, j, f.run)
		if err != nil {
			return err
		}
		living, err := holder(ctx, j, run)
		switch {
		case err != nil:
			return err
		case living != nil && len(f.confirm) == 0:
			return conductedBy(run, living)
		case living != nil:
			return a.confirmSteps(ctx, j, run, f.confirm)
		}
		r, err := a.prepare(ctx, j, run, f)
		if err != nil {
			return err
		}
		if err := a.confirmSteps(ctx, j, run, f.confirm); err != nil {
			return err
		}
		return r.conduct(ctx, true)
	})
}

// conductedBy refuses what only a run's conductor may do.
func conductedBy(run string, by *journal.Holder) error {
	return fault.New(fault.Busy, fmt.Sprintf("run %q is conducted by %s", run, by),
		fmt.Sprintf("follow it with evac status %s --watch; evac hold --run %s makes it wait", run, run))
}

// confirmSteps lets lasting steps run; a living conductor goes on with them.
func (a *app) confirmSteps(ctx context.Context, j *journal.Journal, run string, ids []string) error {
	st, err := j.Load(ctx, run)
	if err != nil {
		return err
	}
	for _, id := range trimSteps(ids) {
		if st.Node(id) == nil {
			return fault.New(fault.Invalid, fmt.Sprintf("no step %q to confirm in run %q", id, run), "evac status "+run)
		}
		asked, err := j.Request(ctx, run, journal.NewEvent(journal.AskConfirm, a.actor(), id, 0, journal.NoteBody{}))
		if err != nil {
			return err
		}
		answer, err := awaitAnswer(ctx, j, run, asked)
		if err := errors.Join(err, a.answered(run, answer)); err != nil {
			return err
		}
	}
	return nil
}

// resumption is a run that is ready to go on under this process.
type resumption struct {
	*show
	j        *journal.Journal
	run      string
	program  *conduct.Program
	flags    resumeFlags
	changed  bool // the program is not the one in the journal
	parallel int
}

// prepare makes all that could still refuse before anything is written:
// runbook and variables.
func (a *app) prepare(ctx context.Context, j *journal.Journal, run string, f resumeFlags) (*resumption, error) {
	st, err := j.Load(ctx, run)
	if err != nil {
		return nil, err
	}
	program, changed, err := a.programOf(st, f)
	if err != nil {
		return nil, err
	}
	return &resumption{show: a.newShow(program.Secrets), j: j, run: run, program: program, flags: f, changed: changed, parallel: st.Body.Parallel}, nil
}

// conduct takes the run over.
func (r *resumption) conduct(ctx context.Context, goOn bool) error {
	o := r.options(ctx, r.j)
	o.Stay, o.PassGates = r.flags.wait || r.interactive(), r.flags.pass
	if r.changed {
		checked, err := conduct.Check(ctx, r.program, r.parallel)
		if err != nil {
			return err
		}
		if err := conduct.Change(ctx, o, r.program, r.run, checked); err != nil {
			return err
		}
		r.changed = false
	}
	if err := r.resumed(ctx, r.j, r.run); err != nil {
		return err
	}
	return r.close(r.run, conduct.Resume(ctx, o, r.program, r.run, goOn))
}

// programOf makes the program of a run from its journal, or from the file if
// that was changed and the change is accepted.
func (a *app) programOf(st *journal.State, f resumeFlags) (p *conduct.Program, changed bool, err error) {
	if st.Body.Mode == journal.Alone {
		return nil, false, fault.New(fault.Invalid, fmt.Sprintf("run %q is one step by itself", st.Run), "give the same command again: it goes on where it stopped")
	}
	if f.ends {
		return &conduct.Program{Secrets: &secret.Redactor{}}, false, nil
	}
	now, err := readRegular(st.Body.File)
	switch {
	case errors.Is(err, os.ErrNotExist): // the journal has it whole
		now = []byte(st.Body.Text)
	case err != nil && !f.backward:
		return nil, false, fault.Wrap(fault.Invalid, "read runbook", err, "")
	}
	textChanged := string(now) != st.Body.Text
	if textChanged && f.backward && !f.accept {
		fmt.Fprintf(a.err, "evac: the runbook was changed since the run began: what was done is undone by the text that it was done by\n")
		textChanged = false
	}
	old, err := a.programFrom(&st.Body, f)
	if err != nil || !textChanged && !f.accept {
		return old, false, err
	}
	p = old
	if textChanged {
		body := st.Body
		body.Text = string(now)
		if p, err = a.programFrom(&body, f); err != nil {
			return nil, true, err
		}
	}
	files, err := p.FilesChanged(st.Body.Frozen)
	if err != nil || !textChanged && len(files) == 0 {
		return p, false, err
	}
	what := change{st: st, old: old, now: p, text: textChanged, files: files, back: f.backward || st.Undo != nil}.lines()
	if !f.accept {
		return nil, true, fault.New(fault.Invalid,
			fmt.Sprintf("runbook %q was changed since the run began:\n%s", filepath.Base(st.Body.File), what),
			fmt.Sprintf("evac resume --accept-change --run %s, or put the old text back", st.Run))
	}
	fmt.Fprintf(a.err, "the change is accepted:\n%s\n", what)
	return p, true, nil
}

// programFrom makes the program of a runbook as the journal has it.
func (a *app) programFrom(body *journal.RunBody, f resumeFlags) (*conduct.Program, error) {
	values := body.Variables
	if body.Drill != "" {
		values = body.Given
	}
	bound, err := a.bind(source{file: body.File, text: []byte(body.Text)}, f.variableFlags, body.Drill, values)
	if err != nil {
		return nil, err
	}
	p := conduct.FromRunbook(bound, filepath.Dir(body.File), body.File, a.kinds)
	p.Past = func(past *journal.RunBody) (*conduct.Program, error) { return a.programFrom(past, f) }
	return p, p.Keep(body.Only, body.From)
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
