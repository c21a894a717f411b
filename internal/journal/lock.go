package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Holder says who conducts a run.
type Holder struct {
	Runner string    `json:"runner"`
	Host   string    `json:"host"`
	PID    int       `json:"pid"`
	Since  time.Time `json:"since"`
}

// String is `"kim" (process 4711 on host-1) since 2026-01-02 15:04:05`.
func (h Holder) String() string {
	if h.PID == 0 {
		return "another process"
	}
	return fmt.Sprintf("%q (process %d on %s) since %s", h.Runner, h.PID, h.Host, h.Since.Local().Format(time.DateTime))
}

const (
	lockRetry = 20 * time.Millisecond
	// lockPatience bridges the moment in which another process only looks
	// whether the lock is held.
	lockPatience = 200 * time.Millisecond
	// setupPatience is for another process that makes the journal.
	setupPatience = busyMS * time.Millisecond
)

// lockFile opens a file and locks it for this process alone. The kernel frees
// the lock when the process ends, however it ends; children do not inherit it
// (O_CLOEXEC). The error of a lock that stays held is unix.EWOULDBLOCK.
func lockFile(ctx context.Context, path string, patience time.Duration) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	retry := time.NewTicker(lockRetry)
	defer retry.Stop()
	for tries := patience / lockRetry; ; tries-- {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) || tries <= 0 {
			return nil, errors.Join(err, f.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), f.Close())
		case <-retry.C:
		}
	}
}

// writeHolder replaces what the lock file says.
func writeHolder(f *os.File, h Holder) error {
	text, err := json.Marshal(h)
	if err != nil {
		return err
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = f.WriteAt(append(text, '\n'), 0)
	return err
}

// readHolder reads what the lock file says; the zero Holder if that is
// nothing (yet).
func readHolder(path string) (h Holder) {
	text, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(text, &h) != nil {
		return Holder{}
	}
	return h
}

// livingHolder says who holds the lock now, nil if nobody does. To find out it
// takes a shared lock for a moment.
func livingHolder(path string) (*Holder, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	err = unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		h := readHolder(path)
		return &h, nil
	}
	return nil, err
}
