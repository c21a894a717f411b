package haproxy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// SaveState writes what HAProxy knows of its servers to the file that a
// reload reads: of one backend if it keeps a file of its own, of all if
// backend is "". The file is replaced whole or not at all, and keeps its
// owner and mode. Those who save the same file wait for each other, so that an
// older state never replaces a newer.
func (c *Client) SaveState(ctx context.Context, backend, file string) error {
	if err := c.saveState(ctx, backend, file); err != nil {
		return fmt.Errorf("save servers' state to %q: %w", file, err)
	}
	return nil
}

func (c *Client) saveState(ctx context.Context, backend, file string) error {
	lock, err := os.OpenFile(file+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	defer lock.Close() // which frees the lock
	if err := flock(lock); err != nil {
		return err
	}
	text, err := c.state(ctx, backend)
	if err != nil {
		return err
	}
	return replace(file, []byte(text+"\n"))
}

// CanSave tells whether SaveState may write there; it changes nothing.
func CanSave(file string) error {
	dir := filepath.Dir(file)
	if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
		return fmt.Errorf("write in %q: %w", dir, err)
	}
	return nil
}

// flock waits for the lock; its holder has at most answerLimit to go on.
func flock(f *os.File) error {
	for {
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// replace writes a file beside, syncs it, and puts it in the place of the old.
func replace(file string, content []byte) (err error) {
	dir := filepath.Dir(file)
	tmp, err := os.CreateTemp(dir, "."+filepath.Base(file)+"-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(tmp.Name()))
		}
	}()
	_, err = tmp.Write(content)
	if err == nil {
		err = likeOld(tmp, file)
	}
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	if err = os.Rename(tmp.Name(), file); err != nil {
		return err
	}
	return syncDir(dir)
}

// likeOld gives a file the mode and owner of the one that it replaces; a new
// one is readable to the account that HAProxy runs as.
func likeOld(f *os.File, old string) error {
	info, err := os.Stat(old)
	if errors.Is(err, fs.ErrNotExist) {
		return f.Chmod(0o644)
	}
	if err != nil {
		return err
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && os.Geteuid() == 0 {
		if err := f.Chown(int(stat.Uid), int(stat.Gid)); err != nil {
			return err
		}
	}
	return f.Chmod(info.Mode().Perm())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// ReadStateFile reads what SaveState wrote.
func ReadStateFile(file string) ([]Server, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	servers, err := ParseState(f)
	return servers, errors.Join(err, f.Close())
}
