package world

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/evac-io/evac/internal/fault"
)

// hold locks a demo's directory for as long as the world's process lives.
func hold(dir string) (*os.File, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(d.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fault.Wrap(fault.Busy, fmt.Sprintf("make a world in %q: there is one", dir), err, "evac demo end "+dir), d.Close())
	}
	return d, nil
}

// Alive tells whether a directory has a living world.
func Alive(dir string) bool {
	d, err := hold(dir)
	if err == nil {
		_ = d.Close() // nothing was written to it
	}
	return fault.KindOf(err) == fault.Busy
}

// End ends the world of a directory, waits until it has gone, and removes what
// one that was killed or never came into being has left there, but the log of
// the latter.
func End(ctx context.Context, dir string) error {
	info, err := ReadInfo(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !Alive(dir) {
		return Paths{dir}.tidy(info.Error != "")
	}
	if err := syscall.Kill(info.PID, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("end the demo's world: %w", err)
	}
	return Ended(ctx, dir)
}

// Ended waits until a directory has no living world.
func Ended(ctx context.Context, dir string) error {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for Alive(dir) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
	return nil
}

// ReadInfo reads what the world of a directory says of itself; fs.ErrNotExist
// if it is not ready yet or has gone.
func ReadInfo(dir string) (info Info, err error) {
	err = readJSON(Paths{dir}.Info(), &info)
	return info, err
}

// ReadResult reads a world's result; fs.ErrNotExist if there is none yet.
func ReadResult(dir string) (r Result, err error) {
	err = readJSON(Paths{dir}.Result(), &r)
	return r, err
}

// WriteOptions says what world a directory shall get.
func WriteOptions(dir string, o Options) error { return writeJSON(Paths{dir}.Options(), o) }
