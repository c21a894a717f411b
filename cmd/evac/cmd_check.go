package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/evac-io/evac/internal/conduct"
	"github.com/evac-io/evac/internal/view"
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
	bound, err := a.bind(src, vars, drill, nil)
	if err != nil {
		return err
	}
	program, err := a.program(bound, file)
	if err != nil {
		return err
	}
	if script {
		return a.printScript(bound)
	}
	checked, err := conduct.Check(ctx, program, defaultParallel)
	if err != nil {
		return err
	}
	program.Body.Runner, program.Body.Parallel = a.actor(), defaultParallel
	book, err := a.book(ctx, program.Body.Runbook)
	if err != nil {
		return err
	}
	var problems []view.Problem
	for _, c := range checked {
		problems = append(problems, view.ProblemsOf(c.Node.ID, c.Err)...)
	}
	a.view.Show(view.Checked(program.Record(checked), book, problems))
	if err := conduct.Problems(checked); err != nil {
		return saidError{err} // the page shows each where it belongs
	}
	return nil
}
