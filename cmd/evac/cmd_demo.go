package main

import (
	"context"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/evac-io/evac/internal/conduct"
	"github.com/evac-io/evac/internal/demo"
	"github.com/evac-io/evac/internal/demo/wreck"
	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/forecast"
	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/servers/standin"
	"github.com/evac-io/evac/internal/step"
	"github.com/evac-io/evac/internal/view"
)

func (a *app) demoCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "demo", GroupID: groupRun, Short: "Whole nights on real servers of this machine"}
	cmd.AddCommand(a.demoMoveCommand(), a.demoSalvageCommand(), a.demoResultCommand(), a.demoEndCommand(), demoWorldCommand(), demoGatewayCommand())
	return cmd
}

func (a *app) demoMoveCommand() *cobra.Command {
	o := demo.Options{}
	var fail []string
	var catalog, size string
	cmd := &cobra.Command{
		Use: "move", Args: cobra.NoArgs,
		Short: "Move a live web shop from one PostgreSQL to a newer one, under orders",
		Long: `Move a live web shop from one PostgreSQL to a newer one, under orders. By
itself the database is copied while writes are stopped; with --follow it is
copied before and follows, and writes stop for seconds.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			faults, err := readFaults(fail)
			if err != nil {
				return err
			}
			if size != "" {
				bytes, err := step.ParseSize(size)
				if err != nil {
					return fault.Wrap(fault.Invalid, "--size", err, "")
				}
				o.Bytes = int64(bytes)
			}
			o.Follow = o.Follow || o.Home
			o.Undo = a.undoScene
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
	flags.BoolVar(&o.Follow, "follow", false, "copy before the night and follow: writes stop for seconds")
	flags.BoolVar(&o.Home, "home", false, "like --follow, and take the customers back to the old database in the end")
	flags.StringVar(&size, "size", "", "about how large the database is, like 5GB (default: 180MB)")
	flags.Float64Var(&o.Rate, "rate", 0, "orders a second (default: 220)")
	flags.BoolVar(&o.Small, "small", false, "a small shop, over in seconds")
	flags.BoolVar(&o.Keep, "keep", false, "keep the databases up afterwards, to look by hand")
	flags.StringVar(&o.Gateway, "gateway", "", "haproxy or standin (default: HAProxy if it can be had)")
	flags.StringVar(&catalog, "catalog", "", "SQL file whose answers must be the same on both sides (default: a list of its own)")
	flags.StringArrayVar(&fail, "fail", nil, "make a step fail, STEP[:start|middle|verify], and see hold, undo and resume")
	return cmd
}

func (a *app) demoSalvageCommand() *cobra.Command {
	o := wreck.Options{}
	cmd := &cobra.Command{
		Use: "salvage", Args: cobra.NoArgs,
		Short: "Take the rows out of a small dead CockroachDB cluster, into PostgreSQL",
		Long: `Take the rows out of a small dead CockroachDB cluster, into PostgreSQL. The raw
stores of three nodes that were killed while they wrote come with this program;
one of them is damaged on purpose. They are surveyed and salvaged, the rows are
loaded into a PostgreSQL server that is started for it, and each is held against
what the living database showed.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Progress = a.view.Logs()
			r, err := wreck.Run(cmd.Context(), o)
			switch {
			case r.Result == "":
				return err
			case a.json:
				a.result = view.Result{Data: r}
				return err
			}
			return errors.Join(wreck.Print(a.out, r), err)
		},
	}
	cmd.Flags().StringVar(&o.Dir, "dir", "", "where to work (default: a new ./evac-demo-…)")
	cmd.Flags().BoolVar(&o.Keep, "keep", false, "keep the database up afterwards, to look by hand")
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
			if err := errors.Join(demo.End(cmd.Context(), args[0]), wreck.End(cmd.Context(), args[0])); err != nil {
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
	runner, program, err := a.inScene(scene)
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

// inScene is this program as the demo's runner, with the demo's runbook.
func (a *app) inScene(scene demo.Scene) (*app, *conduct.Program, error) {
	runner := *a
	runner.home, runner.as = scene.Home, scene.Runner
	src, err := readSource(scene.Runbook)
	if err != nil {
		return nil, nil, err
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
		return nil, nil, err
	}
	program, err := runner.program(bound, scene.Runbook)
	return &runner, program, err
}

// undoScene takes back what was done in the demo, as `evac undo --to STAGE`
// does, or all of it. That the run holds before the stage is as it shall be.
func (a *app) undoScene(ctx context.Context, scene demo.Scene, stage string) error {
	runner, program, err := a.inScene(scene)
	if err != nil {
		return err
	}
	return runner.withJournal(ctx, func(j *journal.Journal) error {
		run, err := j.Newest(ctx, false)
		if err != nil {
			return err
		}
		if _, err := j.Request(ctx, run, journal.NewEvent(journal.AskUndo, runner.actor(), "", 0, journal.UndoBody{To: stage})); err != nil {
			return err
		}
		s := runner.newShow(program.Secrets)
		o := s.options(ctx, j)
		o.OnHold = nil
		if err := s.resumed(ctx, j, run); err != nil {
			return err
		}
		err = conduct.Resume(ctx, o, program, run, false)
		st, wrong := j.Load(ctx, run)
		if wrong == nil && fault.KindOf(err) == fault.Held && stage != "" && st.Undo == nil {
			return nil
		}
		return errors.Join(err, wrong)
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
