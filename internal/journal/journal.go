package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/evac-io/evac/internal/fault"
)

// Options are what a Journal takes from outside. The zero value is right.
type Options struct {
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Filesystem gives the type of the file system that holds path ("ext4",
	// "nfs"); nil asks the operating system.
	Filesystem func(path string) (string, error)
}

// Journal is an open journal. Its methods may be called from any goroutine.
type Journal struct {
	home     string
	now      func() time.Time
	write    *writer // nil if opened by OpenRead
	read     *sql.DB
	closers  []func() error
	progress progress
}

const (
	databaseFile = "evac.db"
	progressFile = "evac-progress.db"
	runsDir      = "runs"
	setupLock    = "evac.lock"
)

// Open opens the journal in home for writing and makes it if there is none. It
// refuses network file systems: their locks do not keep a second conductor out
// and their caches lose what was synced.
func Open(ctx context.Context, home string, o Options) (*Journal, error) {
	home, err := filepath.Abs(home)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	if err := refuseNetwork(home, o.Filesystem); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(home, 0o700); err != nil {
		return nil, explain("make the journal's directory", home, err)
	}
	j := newJournal(home)
	if o.Now != nil {
		j.now = o.Now
	}
	if err := j.openWrite(ctx); err != nil {
		return nil, errors.Join(explain("open journal", home, err), j.Close())
	}
	return j, nil
}

// OpenRead opens the journal in home for reading, also on a read-only medium
// and while a conductor writes. Methods that write return an error.
func OpenRead(ctx context.Context, home string) (*Journal, error) {
	home, err := filepath.Abs(home)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	path := filepath.Join(home, databaseFile)
	j := newJournal(home)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, j.none()
	}
	if err := j.openRead(ctx, path); err != nil {
		return nil, errors.Join(explain("open journal", home, err), j.Close())
	}
	return j, nil
}

func newJournal(home string) *Journal {
	return &Journal{home: home, now: time.Now, progress: progress{path: filepath.Join(home, progressFile)}}
}

// openWrite sets the database up under a lock, so that two first commands at
// once do not meet half a journal.
func (j *Journal) openWrite(ctx context.Context) error {
	lock, err := lockFile(ctx, filepath.Join(j.home, setupLock), setupPatience)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }() // nothing was written to it
	path := filepath.Join(j.home, databaseFile)
	if err := j.lost(); err != nil {
		return err
	}
	if err := createFile(path); err != nil {
		return err
	}
	j.write, err = newWriter(ctx, path)
	if err != nil {
		return err
	}
	j.closers = append(j.closers, j.write.close)
	return j.openRead(ctx, path)
}

func (j *Journal) openRead(ctx context.Context, path string) error {
	db, done, err := openReader(ctx, path)
	if err != nil {
		return err
	}
	j.read = db
	j.closers = append(j.closers, done)
	n, err := checkVersion(ctx, db, path)
	if err == nil && n == 0 {
		return j.none()
	}
	return err
}

// none says that there is no journal, or that it is lost.
func (j *Journal) none() error {
	if err := j.lost(); err != nil {
		return err
	}
	return noJournal(j.home)
}

// lost refuses a home where runs were begun and whose journal is missing or
// empty: to begin a new one there would forget what is still under way.
func (j *Journal) lost() error {
	info, err := os.Stat(filepath.Join(j.home, databaseFile))
	if err == nil && info.Size() > 0 || err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	runs, err := os.ReadDir(j.RunDir(""))
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(runs) == 0 {
		return nil
	}
	return errors.Join(err, fault.New(fault.Different, fmt.Sprintf("the journal in %q is lost: runs were begun there, and %s is missing or empty", j.home, databaseFile),
		fmt.Sprintf("put it back from a copy, or begin anew with `mv %s %s.lost`", j.home, j.home)))
}

func noJournal(home string) error {
	return fault.New(fault.Invalid, fmt.Sprintf("there is no journal in %q", home),
		"start a run (`evac run RUNBOOK`), or set EVAC_HOME to the directory that holds "+databaseFile)
}

// Close lets the files go. A lease must be released before. The writer goes
// last: only it can put the WAL back into the file.
func (j *Journal) Close() error {
	err := j.progress.close()
	for _, done := range slices.Backward(j.closers) {
		err = errors.Join(err, done())
	}
	j.closers = nil
	return err
}

// RunDir is the directory for a run's scratch files. NewRun makes it.
func (j *Journal) RunDir(run string) string { return filepath.Join(j.home, runsDir, run) }

// createFile makes an empty file that only its owner may read, on disk when it
// returns. It does not touch one that is there: closing a file that SQLite has
// open in this process would drop SQLite's locks (POSIX fcntl).
func createFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), syncDir(filepath.Dir(path)), syncDir(filepath.Dir(filepath.Dir(path))))
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
