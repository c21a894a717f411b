package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/evac-io/evac/internal/fault"
)

// checkpointPages is after how many pages of WAL SQLite copies them back: each
// time costs some fsyncs more, and a kill leaves that much to read again.
const checkpointPages = "2000"

// writer is the one connection that writes, with its statements.
type writer struct {
	db                    *sql.DB
	tip, insert, setIndex *sql.Stmt
	kill                  killpoint
}

func newWriter(ctx context.Context, path string) (*writer, error) {
	db, err := openDatabase(path, 1, url.Values{
		"_journal_mode": {"WAL"},
		"_synchronous":  {"FULL"},
		"_txlock":       {"immediate"},
		"_pragma":       {"wal_autocheckpoint(" + checkpointPages + ")"},
	})
	if err != nil {
		return nil, err
	}
	w := &writer{db: db}
	if err = setup(ctx, db, path); err == nil {
		err = w.prepare(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return w, nil
}

func (w *writer) prepare(ctx context.Context) (err error) {
	for stmt, query := range map[**sql.Stmt]string{
		&w.tip: `SELECT r.epoch, r.seq, r.head, r.ended, r.result, coalesce(e.seq, 0), coalesce(e.at, ''), coalesce(e.hash, '')
			FROM runs r LEFT JOIN events e ON e.run = r.run WHERE r.run = ? ORDER BY e.seq DESC LIMIT 1`,
		&w.insert: `INSERT INTO events (run, seq, at, epoch, actor, type, step, attempt, body, prev, hash)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		&w.setIndex: `UPDATE runs SET seq = ?, head = ?, ended = ?, result = ? WHERE run = ?`,
	} {
		if *stmt, err = w.db.PrepareContext(ctx, query); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) close() error { return w.db.Close() }

// transact runs do in one transaction, synced to disk when it returns nil. A
// context that ends does not cut it off halfway: then nobody would know
// whether it is on disk.
func (w *writer) transact(ctx context.Context, do func(context.Context, *sql.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	tx, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(ctx, tx); err != nil {
		_ = tx.Rollback() // what is not committed is gone in any case, and err says why
		return err
	}
	w.kill.before()
	if err := tx.Commit(); err != nil {
		return err
	}
	w.kill.after()
	return nil
}

// tip is where a run's chain ends, and what the index says of the run.
type tip struct {
	seq    int64
	hash   string
	at     time.Time // zero if the run has no events
	epoch  int64
	ended  string
	result string
}

func (w *writer) readTip(ctx context.Context, tx *sql.Tx, run string) (t tip, err error) {
	var seq int64
	var head, at string
	err = tx.StmtContext(ctx, w.tip).QueryRowContext(ctx, run).Scan(&t.epoch, &seq, &head, &t.ended, &t.result, &t.seq, &at, &t.hash)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return t, noRun(run)
	case err != nil:
		return t, err
	case t.seq != seq || t.hash != head:
		return t, fault.New(fault.Different, fmt.Sprintf("the journal of run %q was altered: it ends with event %d, and the index says %d", run, t.seq, seq),
			"evac journal verify "+run)
	case at != "":
		t.at, err = time.Parse(time.RFC3339Nano, at)
	}
	return t, err
}

// append adds events to a run's chain in one transaction. admit sees where the
// chain ends, may refuse, and says what epoch to write; it may add events.
func (j *Journal) append(ctx context.Context, run string, epoch int64, events []Event, admit func(tip) ([]Event, error)) ([]Event, error) {
	op := fmt.Sprintf("append to the journal of run %q", run)
	if j.write == nil {
		return nil, errReadOnly(op)
	}
	written := make([]Event, 0, len(events)+1)
	err := j.write.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		t, err := j.write.readTip(ctx, tx, run)
		if err != nil {
			return err
		}
		more, err := admit(t)
		if err != nil {
			return err
		}
		at := latest(j.wall(), t.at)
		for _, e := range append(events[:len(events):len(events)], more...) {
			r, err := link(e, run, epoch, t.seq+1, at, t.hash)
			if err != nil {
				return err
			}
			if err := j.write.put(ctx, tx, r); err != nil {
				return err
			}
			if err := t.follow(r); err != nil {
				return err
			}
			written = append(written, r.Event)
		}
		_, err = tx.StmtContext(ctx, j.write.setIndex).ExecContext(ctx, t.seq, t.hash, t.ended, t.result, run)
		return err
	})
	if err != nil {
		return nil, explain(op, j.home, err)
	}
	return written, nil
}

func (w *writer) put(ctx context.Context, tx *sql.Tx, r row) error {
	_, err := tx.StmtContext(ctx, w.insert).ExecContext(ctx,
		r.Run, r.Seq, r.at, r.Epoch, r.Actor, string(r.Type), r.Step, r.Attempt, string(r.Body), r.Prev, r.Hash)
	return err
}

// follow moves the tip to the next row.
func (t *tip) follow(r row) error {
	t.seq, t.hash = r.Seq, r.Hash
	switch r.Type {
	case RunDone, RunAborted:
		var end EndBody
		if err := readBody(r.Event, &end); err != nil {
			return fmt.Errorf("body of %s event: %w", r.Type, err)
		}
		t.ended, t.result = r.at, end.Result
	case UndoStarted:
		t.ended, t.result = "", ""
	}
	return nil
}

// wall is the clock's time as it can be stored.
func (j *Journal) wall() time.Time { return j.now().Round(0).UTC() }

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func errReadOnly(op string) error { return fmt.Errorf("%s: it is open for reading only", op) }

func noRun(run string) error {
	return fault.Wrap(fault.Invalid, "", fmt.Errorf("%w %q in the journal", ErrNoRun, run), "see `evac runs`")
}
