package servers

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/evac-io/evac/internal/fault"
)

// CacheDir is where downloads are kept: EVAC_CACHE, else the user's cache
// directory. Root's own is closed to the unprivileged accounts that servers
// run as, so root keeps them in /var/cache/evac.
func CacheDir() (string, error) {
	if dir := os.Getenv("EVAC_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	if os.Geteuid() == 0 {
		return "/var/cache/evac", nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fault.Wrap(fault.Invalid, "find the cache directory", err, "set EVAC_CACHE to a directory")
	}
	return filepath.Join(dir, "evac"), nil
}

// lockEvery is how often a held lock is tried again.
const lockEvery = 50 * time.Millisecond

// lock takes an exclusive lock on a file in dir, waiting for other processes;
// the kernel frees it when its holder dies.
func lock(ctx context.Context, dir, name string) (unlock func(), err error) {
	if err := mkdirOpen(dir); err != nil {
		return nil, fmt.Errorf("create cache: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, name+".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	err = until(ctx, lockEvery, func() (bool, error) {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if errors.Is(err, unix.EWOULDBLOCK) {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %q: %w", f.Name(), err), f.Close())
	}
	return func() { _ = f.Close() }, nil
}

// mkdirOpen makes a directory and those above it for everybody to read,
// whatever the umask: the account that servers run as is another one.
func mkdirOpen(dir string) error {
	err := os.Mkdir(dir, 0o755)
	if errors.Is(err, fs.ErrNotExist) {
		if err = mkdirOpen(filepath.Dir(dir)); err == nil {
			err = os.Mkdir(dir, 0o755)
		}
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.Chmod(dir, 0o755)
}

// until calls done now and then every so often until it says yes, fails, or
// ctx ends.
func until(ctx context.Context, every time.Duration, done func() (bool, error)) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

// place makes dir by calling fill on a directory beside it, which takes its
// name only when it is complete: a dir that exists is complete.
func place(ctx context.Context, dir string, fill func(part string) error) error {
	parent, name := filepath.Split(dir)
	unlock, err := lock(ctx, parent, "."+name)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	part := filepath.Join(parent, ".part-"+name)
	if err := os.RemoveAll(part); err != nil { // of a process that was killed
		return err
	}
	err = mkdirOpen(part)
	if err == nil {
		err = fill(part)
	}
	if err == nil {
		err = os.Rename(part, dir)
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(part))
	}
	return nil
}
