package conduct

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/journal"
)

// Options are what a conductor needs besides the program.
type Options struct {
	Journal *journal.Journal
	// Runner is who runs: a name in people, or the system's user.
	Runner   string
	Version  string
	Parallel int
	// Stay keeps the conductor waiting for people instead of ending with
	// fault.Held; StayAtGates only where the runbook says so, not when a hold
	// stops it.
	Stay, StayAtGates bool
	// PassGates lets gates and checklists of a drill pass by themselves.
	PassGates bool
	// Faults maps steps to where they shall fail: start, middle or verify.
	Faults map[string]string
	// Confirmed are lasting steps that may run.
	Confirmed []string
	// Expect writes what drills say of durations into the nodes of a new run;
	// may be nil.
	Expect func([]journal.NodeBody)
	// Stop delivers the operator's interrupts: the first lets running steps
	// end, the second cancels them.
	Stop <-chan struct{}
	// OnEvent sees every new event when it is on disk; OnProgress sees the
	// running steps' counts now and then; OnHold is told when the run begins
	// to wait for a person, and again after each order that left it waiting.
	// They are called by the conductor's own goroutine, must be quick and must
	// not keep the state. Any may be nil.
	OnEvent    func(journal.Event)
	OnProgress func(map[string]journal.ProgressRow)
	OnHold     func(*journal.State)
	Log        *slog.Logger
	Now        func() time.Time
}

// conductor walks one run. All its fields belong to the loop's goroutine.
type conductor struct {
	o     Options
	p     *Program
	run   string
	lease *journal.Lease
	st    *journal.State
	ctx   context.Context // of the work; cancelled by the second interrupt
	stop  context.CancelCauseFunc

	// past is the runbook before a change, pastOf what the journal has of it.
	past   *Program
	pastOf *journal.RunBody

	msgs   chan message
	active map[string]*worker
	agenda *agenda // nil: to be made anew

	batch  []journal.Event
	commit []func(error) // called when the batch is on disk, or could not be
	urgent bool          // somebody waits for the commit
	since  time.Time     // of the oldest event in the batch
	seen   atomic.Int64  // seq of the newest event taken in

	interrupts int
	ending     *journal.HeldBody // why the conductor lets go; nil: it does not
	heldTold   bool
	wrote      time.Time // of the last progress rows
}

// linger is how long a proof may wait for company before it is written: it
// shares its commit with the next step's intent, which saves a disk sync.
const linger = 2 * time.Millisecond

// progressEvery is how often counts of running steps are written and shown.
const progressEvery = 250 * time.Millisecond

var errInterrupted = fault.New(fault.Interrupted, "interrupted by the operator", "")

func (c *conductor) actor() string { return c.o.Runner }

// conduct goes on until the run ends or waits for somebody who is not here.
func (c *conductor) conduct(ctx context.Context) error {
	ctx, c.stop = context.WithCancelCause(ctx)
	defer c.stop(nil)
	c.ctx = ctx
	watching, unwatch := context.WithCancel(ctx)
	defer unwatch()
	news := make(chan error, 1)
	go c.watch(watching, news)
	for {
		if err := c.decide(); err != nil {
			return c.abandon(err)
		}
		if len(c.batch) > 0 && (c.urgent || c.idle()) {
			if err := c.flush(); err != nil {
				return c.abandon(err)
			}
			continue // what is on disk may let more begin
		}
		if over, err := c.over(); over {
			return err
		}
		if err := c.receive(news); err != nil {
			return c.abandon(err)
		}
	}
}

// idle tells that no worker can bring company for the batch.
func (c *conductor) idle() bool { return len(c.active) == 0 }

// watch tells the loop about events that other processes append.
func (c *conductor) watch(ctx context.Context, news chan<- error) {
	for {
		err := c.o.Journal.Wait(ctx, c.run, c.seen.Load())
		if ctx.Err() != nil {
			return
		}
		select {
		case news <- err:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// receive waits for the next thing to happen and takes in all that has.
func (c *conductor) receive(news <-chan error) error {
	timer := time.NewTimer(c.nextWake())
	defer timer.Stop()
	select {
	case m := <-c.msgs:
		c.handle(m)
	case err := <-news:
		if err != nil {
			return err
		}
		if err := c.takeNews(); err != nil {
			return err
		}
	case _, open := <-c.o.Stop:
		if open {
			c.interrupt()
		}
	case <-c.ctx.Done():
		return c.cancelled()
	case <-timer.C:
	}
	c.showProgress()
	c.drain()
	c.urgent = c.urgent || len(c.batch) > 0 && time.Since(c.since) >= linger
	return nil
}

// drain takes in all that workers have said by now, to write it as one.
func (c *conductor) drain() {
	for {
		select {
		case m := <-c.msgs:
			c.handle(m)
		default:
			return
		}
	}
}

// nextWake is how long the loop may sleep if nobody speaks.
func (c *conductor) nextWake() time.Duration {
	wake := time.Minute // a gate's time is the wall clock's, which may be put forward
	if len(c.batch) > 0 {
		wake = linger
	} else if len(c.active) > 0 {
		wake = progressEvery
	}
	if at := c.agenda.deadline(c.st); !at.IsZero() {
		wake = min(wake, max(at.Sub(c.o.Now()), time.Millisecond))
	}
	return wake
}

func (c *conductor) interrupt() {
	c.interrupts++
	reason := &journal.HeldBody{Reason: "stopped by " + c.o.Runner, CauseExit: fault.Interrupted.Code(), Hint: c.onHint()}
	c.ending = reason
	if c.interrupts == 1 {
		c.o.Log.Warn("running steps are being finished; interrupt again to cancel them")
		return
	}
	for _, w := range c.active {
		w.cancel(errInterrupted)
	}
}

// cancelled ends the loop when the context from outside is done.
func (c *conductor) cancelled() error {
	for _, w := range c.active {
		w.cancel(errInterrupted)
	}
	return context.Cause(c.ctx)
}

// showProgress writes and shows the running steps' counts.
func (c *conductor) showProgress() {
	now := c.o.Now()
	if len(c.active) == 0 || now.Sub(c.wrote) < progressEvery {
		return
	}
	c.wrote = now
	rows := make(map[string]journal.ProgressRow, len(c.active))
	for id, w := range c.active {
		unit, note, done, total := w.read()
		rows[id] = journal.ProgressRow{At: now, Unit: unit, Done: done, Total: total, Note: c.p.Secrets.Text(note)}
		if err := c.o.Journal.SetProgress(c.ctx, c.run, id, rows[id]); err != nil {
			// Progress may be lost; the run must not suffer from it.
			c.o.Log.Debug("progress not written", "error", err)
		}
	}
	if c.o.OnProgress != nil {
		c.o.OnProgress(rows)
	}
}
