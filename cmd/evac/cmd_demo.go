package main

import (
	"context"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/evac-io/evac/internal/conduct"
	"github.com/evac-io/evac/internal/demo"
	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/forecast"
	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/servers/standin"
	"github.com/evac-io/evac/internal/view"
)

func (a *app) demoCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "demo", GroupID: groupRun, Short: "Whole nights on real servers of this machine"}
	cmd.AddCommand(a.demoMoveCommand(), a.demoResultCommand(), a.demoEndCommand(), demoWorldCommand(), demoGatewayCommand())
	return cmd
}

func (a *app) demoMoveCommand() *cobra.Command {
	o := demo.Options{}
	var fail []string
	var catalog string
	cmd := &cobra.Command{
		Use: "move", Args: cobra.NoArgs,
		Short: "Move a live web shop from one PostgreSQL to a newer one, under orders",
		RunE: func(cmd *cobra.Command, _ []string) error {
			faults, err := readFaults(fail)
			if err != nil {
				return err
			}
			if catalog != "" {
				text, err := readRegular(catalog)
				if err != nil {
					return fault.Wrap(fault.Invalid, "read catalog queries", err, "")
				}
				o.Catalog = string(text)
			}
			o.Progress = a.view.Logs()
			o.Conduct = func(ctx context.Context, scene demo.Scene) error { return a.conductScene(ctx, scene, faults) }
			o.Report = a.reportScene
			result, err := demo.Move(cmd.Context(), o)
			return a.showDemo(result, err)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Dir, "dir", "", "where to work (default: a new ./evac-demo-…)")
	flags.BoolVar(&o.Small, "small", false, "a small shop, over in seconds")
	flags.BoolVar(&o.Keep, "keep", false, "keep the databases up afterwards, to look by hand")
	flags.StringVar(&o.Gateway, "gateway", "", "haproxy or standin (default: HAProxy if it can be had)")
	flags.StringVar(&catalog, "catalog", "", "SQL file whose answers must be the same on both sides (default: a list of its own)")
	flags.StringArrayVar(&fail, "fail", nil, "make a step fail, STEP[:start|middle|verify], and see hold, undo and resume")
	return cmd
}

func (a *app) demoResultCommand() *cobra.Command {
	return &cobra.Command{
		Use: "result DIR", Args: cobra.ExactArgs(1), Short: "Wait for the figures of a demo that was held and goes on elsewhere",
		RunE: func(cmd *cobra.Command, args []string) error {
			result, err := demo.Await(cmd.Context(), demo.Options{Dir: args[0], Report: a.reportScene, Progress: a.view.Logs()})
			return a.showDemo(result, err)
		},
	}
}

func (a *app) demoEndCommand() *cobra.Command {
	return &cobra.Command{
		Use: "end DIR", Args: cobra.ExactArgs(1), Short: "End a demo's servers that were left up",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := demo.End(cmd.Context(), args[0]); err != nil {
				return err
			}
			return a.say("ended: no process is left", nil)
		},
	}
}

func demoWorldCommand() *cobra.Command {
	return &cobra.Command{
		Use: "world DIR", Args: cobra.ExactArgs(1), Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error { return demo.World(cmd.Context(), args[0], os.Stderr) },
	}
}

func demoGatewayCommand() *cobra.Command {
	return &cobra.Command{
		Use: "gateway CONFIG", Args: cobra.ExactArgs(1), Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error { return standin.Serve(cmd.Context(), args[0], os.Stderr) },
	}
}

// conductScene runs the demo's runbook as its runner. It waits where the
// runbook waits, since the demo's people answer there, and ends at a hold.
func (a *app) conductScene(ctx context.Context, scene demo.Scene, faults map[string]string) error {
	runner := *a
	runner.home, runner.as = scene.Home, scene.Runner
	src, err := readSource(scene.Runbook)
	if err != nil {
		return err
	}
	values := map[string]any{}
	for name, text := range scene.Variables {
		values[name] = text
	}
	for name, text := range scene.Secrets {
		values[name] = text
	}
	bound, err := runner.bind(src, variableFlags{}, "", values)
	if err != nil {
		return err
	}
	program, err := runner.program(bound, scene.Runbook)
	if err != nil {
		return err
	}
	return runner.withJournal(ctx, func(j *journal.Journal) error {
		checked, err := conduct.Check(ctx, program, defaultParallel)
		if err != nil {
			return err
		}
		s := runner.newShow(program.Secrets)
		o := s.options(ctx, j)
		o.Parallel, o.Faults, o.StayAtGates, o.OnHold = defaultParallel, faults, true, nil
		o.Expect = forecast.Read(nil).Fill
		_, err = conduct.Start(ctx, o, program, checked)
		return err
	})
}

// reportScene writes the after-action report beside the demo's journal.
func (a *app) reportScene(ctx context.Context, scene demo.Scene, result demo.Result) error {
	j, err := journal.OpenRead(ctx, scene.Home)
	if err != nil {
		return err
	}
	text, err := a.reportText(ctx, j, "", demoExtra(result))
	if err := errors.Join(err, j.Close()); err != nil {
		return err
	}
	return replaceOrCreate(scene.Report, text)
}

// showDemo makes the demo's figures the command's result.
func (a *app) showDemo(result demo.Result, err error) error {
	if result.Result == "" {
		return err
	}
	if a.json {
		result.Seconds = nil
		a.result = view.Result{Data: result}
		return err
	}
	return errors.Join(demo.Print(a.out, result), err)
}
