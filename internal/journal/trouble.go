package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/evac-io/evac/internal/fault"
)

// explain gives an error of the operating system or of SQLite its kind and
// says what to do about it. One that has a kind already stays as it is.
func explain(op, home string, err error) error {
	var classified *fault.Error
	if err == nil || errors.As(err, &classified) {
		return err
	}
	switch code := sqliteCode(err); {
	case code == sqlite3.SQLITE_FULL || noRoomForIndex(err) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT):
		return fault.Wrap(fault.Failed, op, fmt.Errorf("the disk is full: %w", err),
			fmt.Sprintf("free space on the file system of %q, then `evac resume`", home))
	case errors.Is(err, unix.ENOTDIR):
		return fault.Wrap(fault.Invalid, op, fmt.Errorf("%q is no directory: %w", home, err), "set EVAC_HOME (or --home) to the directory of the journal")
	case errors.Is(err, unix.EROFS):
		return fault.Wrap(fault.Denied, op, fmt.Errorf("%q cannot be written: %w", home, err),
			"a disk that fails turns read-only by itself: look at `dmesg`, then `mount -o remount,rw`, or set EVAC_HOME to a directory elsewhere")
	case code == sqlite3.SQLITE_READONLY || code == sqlite3.SQLITE_CANTOPEN || code == sqlite3.SQLITE_PERM ||
		errors.Is(err, fs.ErrPermission):
		return fault.Wrap(fault.Denied, op, fmt.Errorf("%q cannot be written: %w", home, err),
			"make it writable for this user, or set EVAC_HOME to a directory that is")
	case code == sqlite3.SQLITE_BUSY:
		return fault.Wrap(fault.Busy, op, fmt.Errorf("another process keeps the journal locked: %w", err),
			fmt.Sprintf("find it with `fuser -v %s`, then try again", filepath.Join(home, databaseFile)))
	case code == sqlite3.SQLITE_CORRUPT || code == sqlite3.SQLITE_NOTADB || code == sqlite3.SQLITE_ERROR: // the last: its tables are not those that were made
		return fault.Wrap(fault.Different, op, fmt.Errorf("%q is damaged: %w", filepath.Join(home, databaseFile), err),
			"keep a copy of it with its -wal file and go on by hand: `evac check RUNBOOK --script` prints each step's command")
	case code == sqlite3.SQLITE_IOERR:
		return fault.Wrap(fault.Failed, op, fmt.Errorf("the disk of %q does not answer as it should: %w", home, err),
			"look at the disk (`dmesg`), then `evac resume`")
	}
	return fmt.Errorf("%s: %w", op, err)
}

// noRoomForIndex tells that SQLite could not make its index file larger, which
// it calls an I/O error and not a full disk.
func noRoomForIndex(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && (e.Code() == sqlite3.SQLITE_IOERR_SHMSIZE || e.Code() == sqlite3.SQLITE_IOERR_SHMMAP)
}
