package pg

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/evac-io/evac/internal/fault"
)

// Lag is how far a follower is behind.
type Lag struct {
	// Bytes of the publisher's log are not applied and confirmed yet.
	Bytes int64
	// Time is how old the oldest of these bytes is, as far as it was watched.
	Time time.Duration
	// Kept is how many bytes of log the publisher keeps on disk for it.
	Kept int64
	// Streaming tells that the follower is connected.
	Streaming bool
}

// String is "3.1 MiB, 1.2s behind".
func (l Lag) String() string {
	text := humanize.IBytes(uint64(max(l.Bytes, 0))) + ", " + l.Time.Round(100*time.Millisecond).String() + " behind"
	if !l.Streaming {
		text += ", not connected now"
	}
	return text
}

// lagWatch follows a slot and remembers when the log had reached where.
type lagWatch struct {
	stream *replication
	seen   []moment
	// moved is when the follower got on last, broken whether it was not
	// connected since.
	moved     time.Time
	confirmed int64
	broken    bool
}

// stuckLimit is how long a follower that loses its connection again and again
// may take without getting on.
const stuckLimit = 20 * time.Second

// stuck refuses to wait for a follower that does not get on: one whose worker
// fails is started again by its server every few seconds.
func (w *lagWatch) stuck(slot slotState) error {
	if w.moved.IsZero() || slot.confirmedBytes > w.confirmed || slot.behind <= 0 {
		w.moved, w.confirmed, w.broken = time.Now(), slot.confirmedBytes, false
	}
	w.broken = w.broken || !slot.active
	if !w.broken || time.Since(w.moved) < stuckLimit {
		return nil
	}
	subscriber := w.stream.subscriber.side
	return fault.New(fault.Failed, fmt.Sprintf("the %s has not got on for %s: its worker for subscription %q fails or cannot connect", subscriber, stuckLimit, w.stream.name),
		fmt.Sprintf("the log of the %s's server says why; put that right and run this again, or undo and follow anew", subscriber))
}

// moment is when the end of the log was where.
type moment struct {
	at  time.Time
	end int64 // bytes from the log's beginning
}

// look reads the lag now. The log's position at past looks tells its age.
func (w *lagWatch) look(ctx context.Context) (Lag, error) {
	slot, err := w.stream.slot(ctx, "")
	if err != nil {
		return Lag{}, err
	}
	now := moment{at: time.Now(), end: slot.confirmedBytes + max(slot.behind, 0)}
	for len(w.seen) > 0 && w.seen[0].end <= slot.confirmedBytes {
		w.seen = w.seen[1:]
	}
	lag := Lag{Bytes: max(slot.behind, 0), Kept: slot.kept, Streaming: slot.active}
	if err := w.stuck(slot); err != nil {
		return lag, err
	}
	if len(w.seen) > 0 {
		lag.Time = now.at.Sub(w.seen[0].at)
	}
	if len(w.seen) == 0 || now.end > w.seen[len(w.seen)-1].end {
		w.seen = append(w.seen, now)
	}
	return lag, nil
}

// lagPause is the time between two looks at the lag while the follower
// catches up.
const lagPause = 200 * time.Millisecond

// lagNotes is the time between two notes of the lag.
const lagNotes = 2 * time.Second

// catchUp waits until the follower is less than max_lag behind.
func (f *follower) catchUp(ctx context.Context) (Lag, error) {
	w := lagWatch{stream: &f.stream}
	tick := time.NewTicker(lagPause)
	defer tick.Stop()
	var noted time.Time
	var o orphan
	for {
		lag, err := w.look(ctx)
		if err != nil {
			return lag, err
		}
		if lag.Streaming && lag.Bytes <= f.MaxLag {
			return lag, nil
		}
		if time.Since(noted) >= lagNotes {
			f.Progress.Note("catching up: " + lag.String())
			noted = time.Now()
			if err := o.end(ctx, &f.stream); err != nil {
				return lag, err
			}
		}
		if err := f.bounded(ctx, lag.Kept); err != nil {
			return lag, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return lag, fmt.Errorf("catch up with source (%s behind): %w", lag, context.Cause(ctx))
		}
	}
}

// guardPause is the time between two looks at what the slot keeps.
const guardPause = time.Second

// guarded does something long while the slot is watched, and ends it rather
// than let the slot fill the source's disk.
func (f *follower) guarded(ctx context.Context, do func(context.Context) error) error {
	watcher, err := openEnd(ctx, f.From, Source)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	ended := make(chan error, 1)
	go func() {
		err := f.guard(ctx, watcher)
		cancel(err) // nil: the work has ended
		ended <- errors.Join(err, watcher.close(ctx))
	}()
	err = do(ctx)
	cancel(nil)
	if guard := <-ended; guard != nil {
		return guard
	}
	return err
}

func (f *follower) guard(ctx context.Context, watcher *end) error {
	s := replication{name: f.stream.name, publisher: watcher}
	tick := time.NewTicker(guardPause)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		slot, err := s.slot(ctx, "")
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("watch the slot: %w", err)
		}
		if err := f.bounded(ctx, slot.kept); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// bounded refuses to let the source keep more log than is allowed.
func (f *follower) bounded(ctx context.Context, kept int64) error {
	if f.MaxSlot <= 0 || kept <= f.MaxSlot {
		return nil
	}
	text := fmt.Sprintf("the source keeps %s of its log for the target (max_slot is %s), and its disk could fill",
		humanize.IBytes(uint64(kept)), humanize.IBytes(uint64(f.MaxSlot)))
	if !f.DropSlot {
		return fault.New(fault.Failed, text, "undo this step, which drops the slot and frees the log; or raise max_slot and run it again; or drop_slot = true lets evac drop the slot at once")
	}
	s := f.stream
	publisher, err := openEnd(ctx, f.From, Source)
	if err == nil {
		s.publisher = publisher
		err = errors.Join(s.dropSlot(ctx), publisher.close(ctx))
	}
	return errors.Join(fault.New(fault.Failed, text+"; the slot is dropped", "the same step begins again"), err)
}
