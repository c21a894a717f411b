package journal

import (
	"context"
	"fmt"
	"time"

	"github.com/evac-io/evac/internal/fault"
)

// pollEvery is how often Wait looks: SQLite does not tell one process what
// another has written.
const pollEvery = 100 * time.Millisecond

// Events gives the run's events with a seq above after, in order.
func (j *Journal) Events(ctx context.Context, run string, after int64) ([]Event, error) {
	events, err := j.events(ctx, run, after)
	if err != nil {
		return nil, explain(fmt.Sprintf("read the journal of run %q", run), j.home, err)
	}
	return events, nil
}

func (j *Journal) events(ctx context.Context, run string, after int64, types ...Type) ([]Event, error) {
	var events []Event
	err := scan(ctx, j.read, run, after, types, func(r row) error {
		e, err := r.event()
		events = append(events, e)
		return err
	})
	return events, err
}

// Load folds all the run's events. It notices a gap in the chain; whether the
// events are unchanged only Verify tells.
func (j *Journal) Load(ctx context.Context, run string) (*State, error) {
	s := &State{}
	err := scan(ctx, j.read, run, 0, nil, func(r row) error {
		e, err := r.event()
		if err != nil {
			return err
		}
		if e.Seq != s.Seq+1 || e.Prev != s.Head {
			return fault.New(fault.Different, fmt.Sprintf("event %d does not follow event %d: the journal was altered", e.Seq, s.Seq),
				"evac journal verify "+run)
		}
		return fault.Wrap(fault.Different, "", s.Apply(e), "evac journal verify "+run)
	})
	if err != nil {
		return nil, explain(fmt.Sprintf("read the journal of run %q", run), j.home, err)
	}
	if s.Seq == 0 {
		return nil, noRun(run)
	}
	return s, nil
}

// Wait returns when the run has an event with a seq above after, whichever
// process wrote it, or when ctx ends.
func (j *Journal) Wait(ctx context.Context, run string, after int64) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		var more bool
		err := j.read.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM events WHERE run = ? AND seq > ?)", run, after).Scan(&more)
		if err != nil {
			return explain(fmt.Sprintf("wait for the journal of run %q", run), j.home, err)
		}
		if more {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
