package shell

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// pipeSize bounds how much catchUp reads: more than a pipe holds, so that a
// background child that never stops writing does not hold up the end.
const pipeSize = 1 << 20

// copier brings a command's output from its pipe to the log.
type copier struct {
	from     *os.File
	to       *scrubber
	caughtUp chan struct{}
	ended    chan struct{}
}

func startCopier(from *os.File, to *scrubber) *copier {
	c := &copier{from: from, to: to, caughtUp: make(chan struct{}), ended: make(chan struct{})}
	go c.copy()
	return c
}

// noOutput is the copier of a command that has none.
func noOutput() *copier {
	c := &copier{caughtUp: make(chan struct{}), ended: make(chan struct{})}
	close(c.ended)
	return c
}

// catchUp returns when all that is in the pipe now is in the log.
func (c *copier) catchUp() {
	// A past deadline wakes the reader; it then empties the pipe.
	if c.from.SetReadDeadline(time.Unix(1, 0)) != nil {
		return
	}
	select {
	case <-c.caughtUp:
	case <-c.ended:
	}
}

// wait returns when nobody holds the pipe's other end any more.
func (c *copier) wait() { <-c.ended }

func (c *copier) copy() {
	defer close(c.ended)
	defer c.from.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := c.from.Read(buf)
		_, _ = c.to.Write(buf[:n]) // the log keeps its own error
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = c.empty(buf)
		}
		if err != nil { // the end of the output
			_ = c.to.Flush()
			return
		}
	}
}

// empty reads what is in the pipe without waiting for more.
func (c *copier) empty(buf []byte) error {
	defer close(c.caughtUp)
	if err := c.from.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	raw, err := c.from.SyscallConn()
	if err != nil {
		return err
	}
	for total := 0; total < pipeSize; {
		n, readErr := 0, error(nil)
		err := raw.Read(func(fd uintptr) bool {
			n, readErr = syscall.Read(int(fd), buf)
			return true
		})
		if err != nil {
			return err
		}
		if n <= 0 || readErr != nil {
			return nil // empty, or ended: the next Read tells
		}
		_, _ = c.to.Write(buf[:n])
		total += n
	}
	return nil
}
