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
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/evac-io/evac/examples"
	"github.com/evac-io/evac/internal/demo/shop"
	"github.com/evac-io/evac/internal/demo/world"
	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
)

// Result is what a demo comes to, in the form promised to scripts.
type Result = world.Result

// Options say what demo there shall be. Conduct is required; the zero value of
// all else is right.
type Options struct {
	// Dir is the demo's directory; empty makes evac-demo-DATE-TIME here.
	Dir string
	// Self starts this program again: Self world DIR must call World, and
	// Self gateway CONFIG standin.Serve. Empty is this program's "demo".
	Self []string
	// Small makes a tiny shop with few customers, for tests.
	Small bool
	// Bytes is about how large the database is, Rate how many orders come a
	// second; 0 is as Small says.
	Bytes int64
	Rate  float64
	// Follow moves with a copy that follows, so that writes stop for seconds.
	Follow bool
	// Home takes the customers back once they have ordered in the new place,
	// and then undoes everything. It needs Follow and Undo.
	Home bool
	// Gateway is "haproxy" or "standin"; empty takes HAProxy if it can be had.
	Gateway string
	// Keep leaves the databases running after the result is known.
	Keep bool
	// Catalog is SQL that prints facts of a database, to be the same on both
	// sides; empty takes evac's own.
	Catalog string
	// Progress is told what goes on, in lines; nil tells nobody.
	Progress io.Writer
	// Conduct runs the moving day in the scene to its end, whatever that is,
	// and returns nil then. It waits for the people at checklists and gates,
	// whom the world plays. A fault.Held means that the run holds.
	Conduct func(context.Context, Scene) error
	// Undo takes back what Conduct has done, back to the stage, which is undone
	// too, or everything. It returns nil if the run holds before that stage.
	Undo func(ctx context.Context, s Scene, stage string) error
	// Report writes the run's report to Scene.Report; nil writes none.
	Report func(context.Context, Scene, Result) error
}

// Scene is what a conductor needs to know of the demo.
type Scene struct {
	Dir     string
	Home    string // the journal's directory
	Runbook string // the runbook's path
	Report  string // where the report belongs
	Runner  string // in whose name it is run
	// Variables and Secrets are the runbook's.
	Variables map[string]string
	Secrets   map[string]secret.String
	Info      world.Info
}

// runner is the person who runs the moving day.
const runner = "kim"

// How many orders and looks come a second.
const (
	fullOrders, fullReads   = 220, 400
	smallOrders, smallReads = 50, 50
)

// lifetime ends a world in which nothing happens.
const lifetime = time.Hour

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

// prepare makes the directory, which must be new or empty, and fills in what
// is not given.
func (o *Options) prepare() error {
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	if len(o.Self) == 0 {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		o.Self = []string{self, "demo"}
	}
	if err := o.sound(); err != nil {
		return err
	}
	if o.Dir == "" {
		o.Dir = time.Now().Format("evac-demo-20060102-150405")
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return err
	}
	o.Dir = dir
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	there, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(there) > 0 {
		return fault.New(fault.Invalid, fmt.Sprintf("make a demo in %q: it is not empty", dir), "name another directory with --dir")
	}
	name, text := o.runbook()
	return os.WriteFile(name, text, 0o644)
}

// runbook is the path and the text of the runbook that is run.
func (o Options) runbook() (path string, text []byte) {
	if o.Follow {
		return filepath.Join(o.Dir, "moving-day-follow.hcl"), examples.MovingDayFollow
	}
	return filepath.Join(o.Dir, "moving-day.hcl"), examples.MovingDay
}

// leastBytes is the smallest database that can be asked for.
const leastBytes = 10 << 20

// sound refuses options that cannot be meant.
func (o Options) sound() error {
	switch {
	case !slices.Contains([]string{"", world.HAProxy, world.StandIn}, o.Gateway):
		return fault.New(fault.Invalid, fmt.Sprintf("unknown gateway %q", o.Gateway), "take "+world.HAProxy+" or "+world.StandIn)
	case o.Home && !o.Follow:
		return fault.New(fault.Invalid, "go home from a move by copy: there is no way home", "--follow --home")
	case o.Bytes != 0 && o.Bytes < leastBytes:
		return fault.New(fault.Invalid, fmt.Sprintf("make a shop of %d bytes: the smallest has %s", o.Bytes, humanize.IBytes(leastBytes)), "--size 1GB")
	case o.Rate < 0:
		return fault.New(fault.Invalid, fmt.Sprintf("let %g orders come a second", o.Rate), "--rate 500")
	}
	return nil
}

func (o Options) self(args ...string) []string {
	return append(o.Self[1:len(o.Self):len(o.Self)], args...)
}

// worldOptions is what the world's process is told.
func (o Options) worldOptions() world.Options {
	w := world.Options{
		Size: shop.Full(), Orders: fullOrders, Reads: fullReads, Linger: 3 * time.Second, Lifetime: lifetime,
		StandIn: append([]string{o.Self[0]}, o.self("gateway")...), Gateway: o.Gateway, Keep: o.Keep, Catalog: o.Catalog,
		Follow: o.Follow, Home: o.Home,
	}
	if o.Small {
		w.Size, w.Orders, w.Reads, w.Linger = shop.Small(), smallOrders, smallReads, time.Second
	}
	if o.Bytes > 0 {
		w.Size = shop.Of(o.Bytes)
	}
	if o.Rate > 0 {
		w.Orders = o.Rate
	}
	return w
}

func (o Options) scene(info world.Info) (Scene, error) {
	env, err := world.ReadEnv(o.Dir)
	if err != nil {
		return Scene{}, err
	}
	paths := world.Paths{Dir: o.Dir}
	file, _ := o.runbook()
	s := Scene{
		Dir: o.Dir, Home: paths.Home(), Runbook: file, Report: paths.Report(), Runner: runner,
		Variables: info.Variables, Secrets: map[string]secret.String{}, Info: info,
	}
	for name, value := range env {
		variable, ok := strings.CutPrefix(name, world.VariablePrefix)
		if _, open := info.Variables[variable]; ok && !open {
			s.Secrets[variable] = secret.New(value)
		}
	}
	return s, nil
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
