package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/evac-io/evac/internal/conduct"
	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/runbook"
	"github.com/evac-io/evac/internal/view"
	"github.com/evac-io/evac/internal/view/text"
)

func (a *app) checkCommand() *cobra.Command {
	var vars variableFlags
	var drill string
	var script bool
	cmd := &cobra.Command{
		Use: "check RUNBOOK", GroupID: groupRun, Args: cobra.ExactArgs(1),
		Short: "Say what would happen, what refuses and how long it takes; read-only",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.check(cmd.Context(), args[0], vars, drill, script)
		},
	}
	vars.add(cmd)
	cmd.Flags().StringVar(&drill, "drill", "", "check the drill of that name")
	cmd.Flags().BoolVar(&script, "script", false, "print each step's own command, for a night without the conductor")
	return cmd
}

func (a *app) check(ctx context.Context, file string, vars variableFlags, drill string, script bool) error {
	src, err := readSource(file)
	if err != nil {
		return err
	}
	bound, err := a.bindPlan(src, vars, drill)
	if err != nil {
		return err
	}
	program, err := a.program(bound, file)
	if err != nil {
		return err
	}
	if script {
		if err := missingVariables(bound); err != nil {
			return err
		}
		return a.printScript(bound)
	}
	checked, err := a.checkSteps(ctx, program, defaultParallel)
	if err != nil {
		return err
	}
	program.Body.Runner, program.Body.Parallel = a.actor(), defaultParallel
	book, err := a.book(ctx, program.Body.Runbook)
	if err != nil {
		return err
	}
	missing := missingVariables(bound)
	problems := view.ProblemsOf("", missing)
	for _, c := range checked {
		problems = append(problems, view.ProblemsOf(c.Node.ID, c.Err)...)
	}
	page := view.Checked(program.Record(checked), book, problems)
	a.view.Show(page)
	a.result = checkResult(page)
	if err := errors.Join(missing, conduct.Problems(checked)); err != nil {
		return saidError{err} // the page shows each where it belongs
	}
	return nil
}

// missingVariables says which variables a run would still need.
func missingVariables(bound *runbook.Bound) error {
	var errs []error
	for _, v := range bound.Missing {
		hint := fmt.Sprintf("--var %s=… or export EVAC_VAR_%s=…", v.Name, v.Name)
		if v.Secret {
			hint = fmt.Sprintf("export EVAC_VAR_%s=…, or --var-file FILE", v.Name)
		}
		errs = append(errs, fault.New(fault.Invalid, fmt.Sprintf("variable %q has no value yet", v.Name), hint))
	}
	return errors.Join(errs...)
}

// checkResult sums a check up.
func checkResult(page view.CheckPage) view.Result {
	steps := 0
	for _, stage := range page.Stages {
		for _, n := range stage.Nodes {
			if n.Class == journal.ClassStep {
				steps++
			}
		}
	}
	unknown := len(page.Whole.Unknown)
	r := view.Result{Data: map[string]any{"steps": steps, "problems": len(page.Problems), "unrehearsed": unknown}}
	switch {
	case page.Mode == journal.Alone && len(page.Problems) == 0:
		r.Sentence = "checked: it would run"
	case len(page.Problems) > 0:
		r.Sentence = fmt.Sprintf("refused: %s; nothing would run", text.Plural(len(page.Problems), "problem"))
	case unknown > 0:
		r.Sentence = fmt.Sprintf("checked: %s would run, %d never rehearsed as they stand", text.Plural(steps, "step"), unknown)
	default:
		r.Sentence = fmt.Sprintf("checked: %s would run in about %s, by drills", text.Plural(steps, "step"), text.Millis(page.Whole.TotalMS))
	}
	return r
}

// checkSteps checks every step of a program until it is interrupted.
func (a *app) checkSteps(ctx context.Context, program *conduct.Program, parallel int) ([]conduct.Checked, error) {
	checking, stop := a.untilInterrupted(ctx)
	defer stop()
	checked, err := conduct.Check(checking, program, parallel)
	if checking.Err() != nil {
		return nil, fault.New(fault.Interrupted, "interrupted while the steps were checked: nothing was begun", "")
	}
	return checked, err
}
