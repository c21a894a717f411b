package pg

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
)

// Warming reads what the users will need, hottest first, so that it is in
// memory before they come. What was hot is asked of another server that has
// served them: by its buffers where the two are physical twins, else by its
// statistics. Nothing is written: where pg_prewarm is not installed, a
// superuser borrows it in transactions that are rolled back, and anyone else
// reads by ordinary scans.

// warmApplication is how a warming shows in pg_stat_activity.
const warmApplication = "evac warm"

// Layout says whether the blocks of the two databases are the same.
type Layout string

// The layouts. With LayoutAuto the system identifier decides.
const (
	LayoutAuto     Layout = "auto"
	LayoutPhysical Layout = "yes"
	LayoutLogical  Layout = "no"
)

// WarmOptions say what to warm and how.
type WarmOptions struct {
	Database secret.DSN
	// From is the database whose hot set counts; empty: Database's own
	// statistics.
	From secret.DSN
	// Physical tells whether Database has the same blocks as From.
	Physical Layout
	// Jobs is how many pieces are read at once.
	Jobs int
	// MaxRate bounds the reading, in bytes a second; 0: no bound.
	MaxRate int64
	// Until is when it ends, complete or not; zero: only when all is read.
	Until time.Time
	// State is what an earlier call saved.
	State WarmState
	// Save keeps the state, every few seconds and at the end.
	Save func(context.Context, WarmState) error
	// Total is told how many bytes there are, Read how many more were read.
	Total, Read func(bytes int64)
	// Note says in a few words how far it is.
	Note func(string)
}

// WarmState is how far a warming came.
type WarmState struct {
	// Server is when the server was started: a restart loses what was read.
	Server time.Time `json:"server"`
	// Read is how many blocks of a relation, by OID, were read from its
	// beginning. Only the largest are kept.
	Read map[uint32]int64 `json:"read,omitempty"`
	// ColdUS is what the first read of a page took at the very beginning.
	ColdUS float64 `json:"cold_us"`
	// Bytes and Seconds are sums over all calls.
	Bytes   int64   `json:"bytes"`
	Seconds float64 `json:"seconds"`
}

// WarmResult is what a warming reached.
type WarmResult struct {
	// Way says how pages were read, Heat what the hot set rests on.
	Way, Heat string
	// Complete tells that all was read, or else the time was up.
	Complete bool
	// Relations counts those that were read whole; Bytes and Seconds are sums
	// over all calls.
	Relations int
	Bytes     int64
	Seconds   float64
	// HotPercent is how much of the hot set was read, Percent how much of all.
	HotPercent, Percent float64
	// ColdUS is what the first read of a hot page took before, and Now what it
	// takes at the end.
	ColdUS float64
	Now    Temperature
	// LeftOut says what could not be read, and why.
	LeftOut []string
}

// errWarmTime ends a warming whose time is up.
var errWarmTime = errors.New("the time to warm is up")

// warmer is one warming under way.
type warmer struct {
	o    WarmOptions
	conn *pgx.Conn
	warmSet
	way   warmWay
	meter *warmMeter
}

// openWarmer connects and reads what there is to warm.
func openWarmer(ctx context.Context, o WarmOptions) (w *warmer, err error) {
	w = &warmer{o: o}
	if w.conn, err = w.connect(ctx); err != nil {
		return nil, err
	}
	if w.way, err = chooseWay(ctx, w.conn); err == nil {
		w.warmSet, err = readWarmSet(ctx, w.conn, w.way, o)
	}
	if err != nil {
		return nil, errors.Join(fault.Wrap(fault.KindOf(err), "warm "+o.Database.String(), err, ""), hangUp(ctx, w.conn))
	}
	return w, nil
}

func (w *warmer) connect(ctx context.Context) (*pgx.Conn, error) {
	return Connect(ctx, w.o.Database, ConnOptions{Application: warmApplication, Side: Target, Settings: warmSettings()})
}

// Warm reads the database, hottest first. It goes on from what an earlier call
// has saved, unless the server was restarted since.
func Warm(ctx context.Context, o WarmOptions) (r WarmResult, err error) {
	w, err := openWarmer(ctx, o)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, hangUp(ctx, w.conn)) }()
	op := "warm " + o.Database.String()
	if err := w.begin(ctx); err != nil {
		return r, fault.Wrap(fault.KindOf(err), op, err, "")
	}
	complete, err := w.readAll(ctx)
	if err != nil {
		return r, fault.Wrap(fault.KindOf(err), op, err, "")
	}
	r = w.meter.result()
	r.Complete = complete
	r.Way, r.Heat = w.way.String(), w.Heat
	if r.Now, err = w.sample(ctx, w.conn, samplePages); err != nil {
		return r, fault.Wrap(fault.KindOf(err), op, err, "")
	}
	return r, nil
}

// begin compares the saved state with the server and takes its temperature.
func (w *warmer) begin(ctx context.Context) error {
	var started time.Time
	if err := w.conn.QueryRow(ctx, "select pg_postmaster_start_time()").Scan(&started); err != nil {
		return fmt.Errorf("read when the server was started: %w", err)
	}
	if !w.o.State.Server.Equal(started) {
		w.o.State = WarmState{Server: started}
	}
	if err := w.cutUp(ctx); err != nil {
		return err
	}
	w.meter = newWarmMeter(&w.warmSet, w.way, w.o)
	if w.meter.coldUS == 0 {
		cold, err := w.sample(ctx, w.conn, samplePages)
		if err != nil {
			return err
		}
		w.meter.coldUS = cold.FirstUS
	}
	return w.meter.save(ctx)
}

// readAll reads every piece by as many sessions as there are jobs, until all
// is read or time is up.
func (w *warmer) readAll(ctx context.Context) (complete bool, err error) {
	if !w.o.Until.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadlineCause(ctx, w.o.Until, errWarmTime)
		defer cancel()
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var work, watch sync.WaitGroup
	start := func(group *sync.WaitGroup, f func() error) {
		group.Go(func() {
			if err := f(); err != nil {
				stop(err) // only the first one counts
			}
		})
	}
	pieces := make(chan piece)
	for range w.o.Jobs {
		start(&work, func() error { return w.work(ctx, pieces) })
	}
	watched, done := context.WithCancel(ctx)
	start(&watch, func() error { return w.watch(watched) })
	w.deal(ctx, pieces)
	work.Wait()
	done()
	watch.Wait()
	err = context.Cause(ctx)
	complete = err == nil
	if errors.Is(err, errWarmTime) {
		err = nil
	}
	// What was read since the last time is worth keeping, however it ended.
	return complete, errors.Join(err, w.meter.save(context.WithoutCancel(ctx)))
}

// deal hands the pieces out in their order, and closes the channel.
func (w *warmer) deal(ctx context.Context, pieces chan<- piece) {
	defer close(pieces)
	for p := range w.pieces(w.way, w.o.MaxRate, w.o.State.Read) {
		select {
		case pieces <- p:
		case <-ctx.Done():
			return
		}
	}
}
