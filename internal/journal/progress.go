package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"sync"
	"time"

	sqlite3 "modernc.org/sqlite/lib"
)

// ProgressRow is how far a step is.
type ProgressRow struct {
	At    time.Time `json:"at"`
	Unit  string    `json:"unit,omitempty"`
	Done  int64     `json:"done"`
	Total int64     `json:"total,omitempty"`
	Note  string    `json:"note,omitempty"`
}

// progress is the database beside the journal: never synced, so that it can
// be written as often as one likes without slowing the chain. It may be lost
// or found damaged after a power cut, and is then begun anew.
type progress struct {
	path string

	mu    sync.Mutex
	write *sql.DB
	read  *sql.DB
	done  func() error // closes read
}

const progressSchema = `CREATE TABLE IF NOT EXISTS progress (
	run TEXT, step TEXT, at TEXT, unit TEXT, done INTEGER, total INTEGER, note TEXT, PRIMARY KEY (run, step)) STRICT, WITHOUT ROWID`

// SetProgress replaces what is known of a step's progress. An error concerns
// the display alone; the run goes on without.
func (j *Journal) SetProgress(ctx context.Context, run, step string, p ProgressRow) error {
	op := fmt.Sprintf("note the progress of step %q", step)
	if j.write == nil {
		return errReadOnly(op)
	}
	db, err := j.progress.writer(ctx)
	if err == nil {
		_, err = db.ExecContext(ctx, "INSERT OR REPLACE INTO progress VALUES (?, ?, ?, ?, ?, ?, ?)",
			run, step, p.At.UTC().Format(time.RFC3339Nano), p.Unit, p.Done, p.Total, p.Note)
	}
	return explain(op, j.home, err)
}

// Progress gives what is known of the progress of a run's steps, by step. That
// may be nothing.
func (j *Journal) Progress(ctx context.Context, run string) (map[string]ProgressRow, error) {
	found := map[string]ProgressRow{}
	err := j.progress.scan(ctx, run, func(step string, p ProgressRow) { found[step] = p })
	return found, explain(fmt.Sprintf("read the progress of run %q", run), j.home, err)
}

func (p *progress) scan(ctx context.Context, run string, each func(string, ProgressRow)) error {
	db, err := p.reader(ctx)
	if db == nil || err != nil {
		return err
	}
	rows, err := db.QueryContext(ctx, "SELECT step, at, unit, done, total, note FROM progress WHERE run = ?", run)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // rows.Err tells all
	for rows.Next() {
		var step, at string
		var r ProgressRow
		if err := rows.Scan(&step, &at, &r.Unit, &r.Done, &r.Total, &r.Note); err != nil {
			return err
		}
		if r.At, err = time.Parse(time.RFC3339Nano, at); err != nil {
			return err
		}
		each(step, r)
	}
	return rows.Err()
}

func (p *progress) writer(ctx context.Context) (*sql.DB, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.write != nil {
		return p.write, nil
	}
	db, err := p.open(ctx)
	if code := sqliteCode(err); code == sqlite3.SQLITE_CORRUPT || code == sqlite3.SQLITE_NOTADB {
		if err := p.remove(); err != nil {
			return nil, err
		}
		db, err = p.open(ctx)
	}
	p.write = db
	return db, err
}

func (p *progress) open(ctx context.Context) (*sql.DB, error) {
	if err := createFile(p.path); err != nil {
		return nil, err
	}
	db, err := openDatabase(p.path, 1, url.Values{"_busy_timeout": {"100"}, "_journal_mode": {"WAL"}, "_synchronous": {"OFF"}})
	if err != nil {
		return nil, err
	}
	if _, err := db.ExecContext(ctx, progressSchema); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func (p *progress) remove() (err error) {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if e := os.Remove(p.path + suffix); !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// reader is nil while nobody has written any progress.
func (p *progress) reader(ctx context.Context) (*sql.DB, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.write != nil {
		return p.write, nil
	}
	if p.read != nil {
		return p.read, nil
	}
	if _, err := os.Stat(p.path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	db, done, err := openReader(ctx, p.path)
	if err != nil {
		return nil, err
	}
	var made bool
	err = db.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'progress')").Scan(&made)
	if err != nil || !made {
		return nil, errors.Join(err, done())
	}
	p.read, p.done = db, done
	return db, nil
}

func (p *progress) close() (err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.read != nil {
		err = p.done()
	}
	if p.write != nil {
		err = errors.Join(err, p.write.Close())
	}
	p.read, p.write = nil, nil
	return err
}
