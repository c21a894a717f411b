package journal

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/evac-io/evac/internal/fault"
)

// schemaVersion is the newest layout of the tables that this evac knows. It
// stands in the database as user_version.
const schemaVersion = 1

//go:embed schema.sql
var schema string

// busyMS is how long a writer waits for another process's commit.
const busyMS = 10_000

// openDatabase opens a SQLite file; params are SQLite's URI parameters and
// the driver's.
func openDatabase(path string, conns int, params url.Values) (*sql.DB, error) {
	if !params.Has("_busy_timeout") {
		params.Set("_busy_timeout", strconv.Itoa(busyMS))
	}
	name := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: params.Encode()}
	connector, err := sqlite.NewConnector(name.String())
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db, nil
}

// openReader opens a file for reading only. SQLite must put a small index file
// beside a WAL; where it cannot (a read-only medium), a copy of the file and
// its WAL is read instead. The function that comes back closes everything.
func openReader(ctx context.Context, path string) (*sql.DB, func() error, error) {
	db, err := tryReader(ctx, path)
	if err == nil {
		return db, db.Close, nil
	}
	if code := sqliteCode(err); code != sqlite3.SQLITE_CANTOPEN && code != sqlite3.SQLITE_READONLY {
		return nil, nil, err
	}
	dir, err := os.MkdirTemp("", "evac-journal-")
	if err != nil {
		return nil, nil, err
	}
	remove := func() error { return os.RemoveAll(dir) }
	if err := copyDatabase(path, dir); err != nil {
		return nil, nil, errors.Join(err, remove())
	}
	db, err = tryReader(ctx, filepath.Join(dir, filepath.Base(path)))
	if err != nil {
		return nil, nil, errors.Join(err, remove())
	}
	return db, func() error { return errors.Join(db.Close(), remove()) }, nil
}

func tryReader(ctx context.Context, path string) (*sql.DB, error) {
	db, err := openDatabase(path, 4, url.Values{"mode": {"ro"}})
	if err != nil {
		return nil, err
	}
	// The first read opens the WAL, and that is what may be impossible.
	if _, err := db.ExecContext(ctx, "SELECT count(*) FROM sqlite_schema"); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func copyDatabase(path, dir string) error {
	for _, suffix := range []string{"", "-wal"} {
		err := copyFile(path+suffix, filepath.Join(dir, filepath.Base(path)+suffix))
		if suffix != "" && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func copyFile(source, target string) error {
	in, err := os.Open(source)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // only read
	out, err := os.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// checkVersion gives the version of the tables, 0 if there are none, and
// refuses what a newer evac wrote: its tables may mean something else.
func checkVersion(ctx context.Context, db *sql.DB, path string) (n int, err error) {
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&n); err != nil {
		return 0, err
	}
	if n > schemaVersion {
		return n, fault.New(fault.Invalid, fmt.Sprintf("journal %q has version %d, and this evac knows versions up to %d", path, n, schemaVersion),
			"use the evac that wrote it or a newer one (`evac --version`)")
	}
	return n, nil
}

// setup makes the tables of a new database, all or none.
func setup(ctx context.Context, db *sql.DB, path string) error {
	n, err := checkVersion(ctx, db, path)
	if err != nil || n == schemaVersion {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	if _, err := tx.ExecContext(ctx, schema+fmt.Sprintf("PRAGMA user_version = %d;", schemaVersion)); err != nil {
		return err
	}
	return tx.Commit()
}

// sqliteCode is SQLite's primary result code, 0 if err is not SQLite's.
func sqliteCode(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}
