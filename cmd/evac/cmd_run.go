package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/evac-io/evac/internal/conduct"
	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/forecast"
	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/step"
)

// defaultParallel is how many steps of a stage run at once unless said
// otherwise.
const defaultParallel = 8

// runFlags are the flags of run and drill.
type runFlags struct {
	variableFlags
	only     []string
	from     string
	parallel int
	wait     bool
	fail     []string
	confirm  []string
	drill    string
	pass     bool
}

func (f *runFlags) add(cmd *cobra.Command) {
	f.variableFlags.add(cmd)
	flags := cmd.Flags()
	flags.StringArrayVar(&f.only, "only", nil, "run only this step (KIND.NAME); may be repeated")
	flags.StringVar(&f.from, "from", "", "begin with this stage")
	flags.IntVar(&f.parallel, "parallel", defaultParallel, "steps of a stage that run at once")
	flags.BoolVar(&f.wait, "wait", false, "stay while the run waits for people, and take orders")
	flags.StringArrayVar(&f.fail, "fail", nil, "make a step fail, STEP[:start|middle|verify]; start if not said")
	flags.StringArrayVar(&f.confirm, "confirm", nil, "confirm a step that cannot be undone, ahead")
}

func (a *app) runCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use: "run RUNBOOK", GroupID: groupRun, Args: cobra.ExactArgs(1),
		Short: "Do it, live",
		RunE:  func(cmd *cobra.Command, args []string) error { return a.runRunbook(cmd.Context(), args[0], f) },
	}
	f.add(cmd)
	return cmd
}

func (a *app) drillCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use: "drill RUNBOOK", GroupID: groupRun, Args: cobra.ExactArgs(1),
		Short: "Rehearse it against stand-ins; every step timed",
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.drill == "" {
				name, err := a.onlyDrill(args[0])
				if err != nil {
					return err
				}
				f.drill = name
			}
			return a.runRunbook(cmd.Context(), args[0], f)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&f.drill, "name", "", "which drill block (default: the only one)")
	cmd.Flags().BoolVar(&f.pass, "pass-gates", false, "let gates and checklists pass by themselves, recorded as drill")
	return cmd
}

// onlyDrill is the name of the runbook's one drill block.
func (a *app) onlyDrill(file string) (string, error) {
	src, err := readSource(file)
	if err != nil {
		return "", err
	}
	book, err := a.parse(src)
	if err != nil {
		return "", err
	}
	names := make([]string, len(book.Drills))
	for i, d := range book.Drills {
		names[i] = d.Name
	}
	switch len(names) {
	case 0:
		return "", fault.New(fault.Invalid, fmt.Sprintf("runbook %q has no drill block, which maps its targets to stand-ins", book.Name), `add drill "NAME" { variables = { … } }`)
	case 1:
		return names[0], nil
	}
	return "", fault.New(fault.Invalid, "there are several drills: "+strings.Join(names, ", "), "evac drill "+file+" --name "+names[0])
}

// runRunbook checks a runbook and conducts it.
func (a *app) runRunbook(ctx context.Context, file string, f runFlags) error {
	if f.parallel < 1 {
		return fault.New(fault.Invalid, fmt.Sprintf("--parallel %d: at least one step must run at a time", f.parallel), "--parallel 1 runs one after the other")
	}
	src, err := readSource(file)
	if err != nil {
		return err
	}
	bound, err := a.bind(src, f.variableFlags, f.drill, nil)
	if err != nil {
		return err
	}
	if len(bound.NotRehearsed) > 0 {
		fmt.Fprintf(a.err, "evac: warning: without a drill command, and so not rehearsed: %s\n", strings.Join(bound.NotRehearsed, ", "))
	}
	program, err := a.program(bound, file)
	if err != nil {
		return err
	}
	if err := program.Keep(trimSteps(f.only), f.from); err != nil {
		return err
	}
	faults, err := readFaults(f.fail)
	if err != nil {
		return err
	}
	j, err := a.openWrite(ctx)
	if err != nil {
		return err
	}
	return errors.Join(a.checkAndStart(ctx, j, program, f, faults), j.Close())
}

func (a *app) checkAndStart(ctx context.Context, j *journal.Journal, program *conduct.Program, f runFlags, faults map[string]string) error {
	if err := refuseUnfinished(ctx, j, program.Body.Runbook); err != nil {
		return err
	}
	checked, err := a.checkSteps(ctx, program, f.parallel)
	if err != nil {
		return err
	}
	if err := conduct.Problems(checked); err != nil {
		return err
	}
	history, err := j.Practice(ctx, program.Body.Runbook)
	if err != nil {
		return err
	}
	confirmed, err := a.confirm(checked, trimSteps(f.confirm))
	if err != nil {
		return err
	}
	s := a.newShow(program.Secrets)
	o := s.options(ctx, j)
	o.Parallel, o.PassGates, o.Faults, o.Confirmed = f.parallel, f.pass, faults, confirmed
	o.Stay, o.Expect = f.wait || a.interactive(), forecast.Read(history).Fill
	run, err := conduct.Start(ctx, o, program, checked)
	return s.close(run, err)
}

// refuseUnfinished keeps two runs of one runbook from being open at once.
func refuseUnfinished(ctx context.Context, j *journal.Journal, runbook string) error {
	run, err := j.NewestOf(ctx, runbook, true)
	if errors.Is(err, journal.ErrNoRun) {
		return nil
	}
	if err != nil {
		return err
	}
	by, err := holder(ctx, j, run)
	if err != nil {
		return err
	}
	if by != nil {
		return conductedBy(run, by)
	}
	return fault.New(fault.Held, fmt.Sprintf("run %q of this runbook is not finished", run),
		fmt.Sprintf("evac status %s, then evac resume, evac undo or evac abort --run %s", run, run))
}

// confirm asks the person at the terminal for each step that cannot be undone;
// elsewhere the run will hold before it.
func (a *app) confirm(checked []conduct.Checked, ahead []string) ([]string, error) {
	confirmed := slices.Clone(ahead)
	if !a.interactive() {
		return confirmed, nil
	}
	for _, c := range checked {
		if c.Effect != step.Lasting || slices.Contains(ahead, c.Node.ID) {
			continue
		}
		fmt.Fprintf(a.err, "step %s cannot be undone. Type its name to confirm, or nothing to be asked again when it is due: ", c.Node.ID)
		answer, err := a.line()
		if err != nil {
			return nil, err
		}
		if answer == c.Node.ID {
			confirmed = append(confirmed, c.Node.ID)
		}
	}
	return confirmed, nil
}

// readFaults reads --fail STEP[:WHERE].
func readFaults(texts []string) (map[string]string, error) {
	faults := map[string]string{}
	for _, text := range texts {
		id, where := text, "start"
		if i := strings.LastIndex(text, ":"); i >= 0 {
			id, where = text[:i], text[i+1:]
		}
		faults[trimStep(id)] = where
	}
	return faults, nil
}

// trimStep accepts step.KIND.NAME for KIND.NAME.
func trimStep(id string) string { return strings.TrimPrefix(id, "step.") }

func trimSteps(ids []string) []string {
	trimmed := make([]string, len(ids))
	for i, id := range ids {
		trimmed[i] = trimStep(id)
	}
	return trimmed
}
