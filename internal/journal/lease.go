package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/evac-io/evac/internal/fault"
)

// ErrLeaseLost means that another conductor has taken the run, or that this
// one has let it go: nothing may be done in its name any more.
var ErrLeaseLost = errors.New("the lease is lost")

// clockSlack is how far the clock may go back without a note.
const clockSlack = time.Second

// Lease is the right of one conductor to write a run's events. A lock on a
// file keeps others out and is freed by the kernel when the process ends; the
// epoch, checked in every append, fences off one that has lost its lock file.
type Lease struct {
	journal *Journal
	run     string
	epoch   int64
	holder  Holder

	mu   sync.Mutex
	file *os.File // nil after Release
	// lag is how far the clock was behind the chain when that was last noted.
	lag time.Duration
}

// Take makes the caller the run's conductor. If there is another one, the
// error is a fault.Busy that says who, since when, and what to do. The caller
// appends RunTaken.
func (j *Journal) Take(ctx context.Context, run, runner string) (*Lease, error) {
	op := fmt.Sprintf("take run %q", run)
	if j.write == nil {
		return nil, errReadOnly(op)
	}
	if _, err := j.info(ctx, run); err != nil {
		return nil, err
	}
	l := &Lease{journal: j, run: run}
	if err := l.lock(ctx, runner); err != nil {
		return nil, explain(op, j.home, err)
	}
	err := j.write.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, "UPDATE runs SET epoch = epoch + 1 WHERE run = ? RETURNING epoch", run).Scan(&l.epoch)
	})
	if err != nil {
		return nil, explain(op, j.home, errors.Join(err, l.file.Close()))
	}
	return l, nil
}

// lock takes the lock file and writes into it who holds it.
func (l *Lease) lock(ctx context.Context, runner string) error {
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(l.journal.RunDir(l.run), 0o700); err != nil {
		return err
	}
	path := l.journal.lockPath(l.run)
	f, err := lockFile(ctx, path, lockPatience)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return fault.New(fault.Busy, fmt.Sprintf("run %q is conducted by %s", l.run, readHolder(path)),
			fmt.Sprintf("follow it with `evac status %s --watch`; `evac hold --run %s` makes it wait", l.run, l.run))
	}
	if err != nil {
		return err
	}
	l.holder = Holder{Runner: runner, Host: host, PID: os.Getpid(), Since: l.journal.wall()}
	if err := writeHolder(f, l.holder); err != nil {
		return errors.Join(err, f.Close())
	}
	l.file = f
	return nil
}

func (j *Journal) lockPath(run string) string { return filepath.Join(j.RunDir(run), "lock") }

// Run is the run's id.
func (l *Lease) Run() string { return l.run }

// Epoch counts the run's conductors, from 1.
func (l *Lease) Epoch() int64 { return l.epoch }

// Holder is what others are told about this conductor.
func (l *Lease) Holder() Holder { return l.holder }

// Append writes events, all or none, and returns when they are on disk: one
// commit, one fsync. It gives them back with Run, Seq, At, Epoch, Prev and
// Hash; a note that the clock went back may follow them. The error wraps
// ErrLeaseLost if another conductor has taken over.
func (l *Lease) Append(ctx context.Context, events ...Event) ([]Event, error) {
	if len(events) == 0 {
		return nil, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var lag time.Duration
	written, err := l.journal.append(ctx, l.run, l.epoch, events, func(t tip) ([]Event, error) {
		if l.file == nil || t.epoch != l.epoch {
			return nil, l.lost(t.epoch)
		}
		lag = max(0, t.at.Sub(l.journal.wall()))
		if lag <= l.lag+clockSlack {
			return nil, nil
		}
		text := fmt.Sprintf("the clock went back by %s: times stand still at %s until it has caught up", lag.Round(time.Second), t.at.Format(time.RFC3339))
		return []Event{NewEvent(RunNote, "evac", "", 0, NoteBody{Text: text})}, nil
	})
	if err == nil && (lag == 0 || lag > l.lag+clockSlack) {
		l.lag = lag
	}
	return written, err
}

func (l *Lease) lost(epoch int64) error {
	err := fmt.Errorf("%w: it was released", ErrLeaseLost)
	if l.file != nil {
		err = fmt.Errorf("%w: conductor %d has taken over from %d: %s", ErrLeaseLost, epoch, l.epoch, readHolder(l.journal.lockPath(l.run)))
	}
	return fault.Wrap(fault.Busy, fmt.Sprintf("append to the journal of run %q", l.run), err, fmt.Sprintf("evac status %s", l.run))
}

// Release lets the run go. A second call does nothing.
func (l *Lease) Release() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	f := l.file
	l.file = nil
	return errors.Join(f.Truncate(0), f.Close())
}
