package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/dustin/go-humanize"

	"github.com/evac-io/evac/internal/demo/world"
	"github.com/evac-io/evac/internal/fault"
)

// Result is what a demo comes to, in the form promised to scripts.
type Result = world.Result

// Move makes a world, has it moved, and gives the result; the world has ended
// then. When the run holds (fault.Held) the world stays up for `evac resume`
// and `evac undo`, and Await gives the result.
func Move(ctx context.Context, o Options) (Result, error) {
	if err := o.prepare(); err != nil {
		return Result{}, err
	}
	// An interrupt ends what is waited for here; while Conduct works it is
	// Conduct's to notice. From now on none ends this process halfway.
	waiting, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	p, err := o.start()
	if err != nil {
		return Result{}, err
	}
	result, err := o.move(ctx, waiting, p)
	switch {
	case fault.KindOf(err) == fault.Held:
		fmt.Fprint(o.Progress, o.heldHelp())
		return result, err
	case o.Keep && err == nil:
		fmt.Fprint(o.Progress, o.keptHelp())
		return result, nil
	}
	return result, errors.Join(err, p.end(), world.End(ctx, o.Dir))
}

func (o Options) move(ctx, waiting context.Context, p *process) (Result, error) {
	info, err := p.ready(waiting, o)
	if err != nil {
		return Result{}, err
	}
	scene, err := o.scene(info)
	if err != nil {
		return Result{}, err
	}
	fmt.Fprintf(o.Progress, "PostgreSQL %s → %s behind %s, about %s rows; customers order at %s\n",
		info.Source.Version, info.Target.Version, info.Gateway, humanize.Comma((info.Rows+500)/1000*1000), info.PublicURL)
	if err := o.Conduct(ctx, scene); err != nil {
		return Result{}, err
	}
	if o.Home {
		return o.goHome(ctx, waiting, scene)
	}
	return o.conclude(waiting, scene)
}

// homeStage is the first stage of the night: what is before it stays while the
// customers go home.
const homeStage = "close"

// goHome takes the customers back once they have ordered in the new place. The
// world looks for their orders on both sides; then the rest is undone.
func (o Options) goHome(ctx, waiting context.Context, scene Scene) (Result, error) {
	if err := awaitSettled(waiting, o.Dir); err != nil {
		return Result{}, err
	}
	fmt.Fprintln(o.Progress, "customers have ordered in the new place; now everything goes back: evac undo --to "+homeStage)
	if err := o.Undo(ctx, scene, homeStage); err != nil {
		return Result{}, err
	}
	if _, err := awaitResult(waiting, o.Dir); err != nil {
		return Result{}, err
	}
	fmt.Fprintln(o.Progress, "all orders are looked for; now the copy goes too: evac undo")
	if err := o.Undo(ctx, scene, ""); err != nil {
		return Result{}, err
	}
	return o.conclude(waiting, scene)
}

// Await waits for the result of the world in o.Dir, whose run somebody goes on
// with, and has the report written. The world has ended then, unless it is kept.
func Await(ctx context.Context, o Options) (Result, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return Result{}, err
	}
	o.Dir = dir
	paths := world.Paths{Dir: dir}
	scene := Scene{Dir: dir, Home: paths.Home(), Report: paths.Report(), Runner: runner}
	result, err := o.conclude(ctx, scene)
	if result.Kept {
		return result, err
	}
	return result, errors.Join(err, world.Ended(ctx, dir))
}

func (o Options) conclude(ctx context.Context, scene Scene) (Result, error) {
	result, err := awaitResult(ctx, o.Dir)
	if err != nil {
		return result, err
	}
	if o.Report != nil {
		if err := o.Report(ctx, scene, result); err != nil {
			return result, fmt.Errorf("write the report: %w", err)
		}
	}
	if !result.Sound() {
		return result, fault.New(fault.Different, "the move lost, doubled or changed something", "read "+world.Paths{Dir: o.Dir}.Result())
	}
	return result, nil
}

// World is the world's process: what Options.Self with "world DIR" runs. It
// ends by itself when the run has ended, and on SIGTERM.
func World(ctx context.Context, dir string, log io.Writer) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer stop()
	return world.Run(ctx, dir, slog.New(slog.NewJSONHandler(log, nil)))
}

// End ends a world that was left behind; without one it does nothing.
func End(ctx context.Context, dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, endTime)
	defer cancel()
	return world.End(ctx, dir)
}
