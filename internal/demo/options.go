package demo

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/evac-io/evac/examples"
	"github.com/evac-io/evac/internal/demo/shop"
	"github.com/evac-io/evac/internal/demo/world"
	"github.com/evac-io/evac/internal/fault"
)

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

// lifetime ends a world in which nothing happens.
const lifetime = time.Hour

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

// How many orders and looks come a second.
const (
	fullOrders, fullReads   = 220, 400
	smallOrders, smallReads = 50, 50
)
