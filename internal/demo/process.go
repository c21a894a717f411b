package demo

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/evac-io/evac/internal/demo/world"
	"github.com/evac-io/evac/internal/fault"
)

// pollEvery is how often the world's files are looked at.
const pollEvery = 100 * time.Millisecond

// endTime bounds the end of a world.
const endTime = 45 * time.Second

// process is the world's process, as its parent sees it.
type process struct {
	*os.Process
	exited chan struct{} // closes at its end
	err    error         // how it ended
}

// start writes what the world needs and starts its process, in a session of
// its own.
func (o Options) start() (*process, error) {
	if err := world.WriteOptions(o.Dir, o.worldOptions()); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(world.Paths{Dir: o.Dir}.Log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(o.Self[0], o.self("world", o.Dir)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start the demo's world: %w", err), log.Close())
	}
	p := &process{Process: cmd.Process, exited: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.exited)
	}()
	return p, log.Close()
}

// ready waits until the world is there and passes on what it says meanwhile.
func (p *process) ready(ctx context.Context, o Options) (world.Info, error) {
	log, err := os.Open(world.Paths{Dir: o.Dir}.Log())
	if err != nil {
		return world.Info{}, err
	}
	defer func() { _ = log.Close() }() // only read
	said := &follower{lines: bufio.NewReader(log), to: o.Progress}
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		ended := p.ended() // before the files are read: they are complete then
		said.pass()
		info, err := world.ReadInfo(o.Dir)
		switch {
		case err == nil && info.Error != "":
			return info, &fault.Error{Kind: fault.KindNamed(info.Kind), Op: "make the demo's world", Err: errors.New(info.Error), Hint: info.Hint}
		case err == nil || !errors.Is(err, fs.ErrNotExist):
			return info, err
		case ended:
			return info, fmt.Errorf("make the demo's world: its process has ended: %w: %s", p.err, said.last)
		}
		select {
		case <-ctx.Done():
			return info, interrupted(ctx)
		case <-p.exited:
		case <-ticker.C:
		}
	}
}

// interrupted is why a wait ended before its time.
func interrupted(ctx context.Context) error {
	return fault.Wrap(fault.Interrupted, "wait for the demo's world", context.Cause(ctx), "")
}

func (p *process) ended() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// end ends the world if it does not end by itself anyway, and waits until it
// has gone.
func (p *process) end() error {
	if err := p.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("end the demo's world: %w", err)
	}
	timer := time.NewTimer(endTime)
	defer timer.Stop()
	select {
	case <-p.exited:
		return nil
	case <-timer.C:
		return fmt.Errorf("end the demo's world: process %d is still there after %s", p.Pid, endTime)
	}
}

// follower passes a growing log on, line by line.
type follower struct {
	lines *bufio.Reader
	to    io.Writer
	half  string // of the last line
	last  string
}

// pass prints what has come. What is not from the logger (a crash) is printed
// as it is; that the operator's terminal is gone is nothing to act on.
func (f *follower) pass() {
	for {
		text, err := f.lines.ReadString('\n')
		f.half += text
		if err != nil {
			return // the rest comes later
		}
		f.last, f.half = f.half[:len(f.half)-1], ""
		var said struct{ Msg, Part, Cause string }
		if json.Unmarshal([]byte(f.last), &said) == nil {
			f.last = said.Msg
			for _, more := range []string{said.Part, said.Cause} {
				if more != "" {
					f.last += ": " + more
				}
			}
		}
		_, _ = fmt.Fprintln(f.to, f.last)
	}
}

// awaitSettled waits until customers of a living world have ordered in the new
// place for a while.
func awaitSettled(ctx context.Context, dir string) error {
	_, err := await(ctx, dir, func() (struct{}, error) {
		_, err := os.Stat(world.Paths{Dir: dir}.Settled())
		return struct{}{}, err
	})
	return err
}

// awaitResult waits for the result of a living world.
func awaitResult(ctx context.Context, dir string) (Result, error) {
	return await(ctx, dir, func() (Result, error) { return world.ReadResult(dir) })
}

// await waits for a file of a living world that is not there yet.
func await[T any](ctx context.Context, dir string, read func() (T, error)) (T, error) {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		alive := world.Alive(dir)
		r, err := read()
		switch {
		case err == nil || !errors.Is(err, fs.ErrNotExist):
			return r, err
		case !alive:
			return r, fault.New(fault.Failed, fmt.Sprintf("wait for the result of the demo in %q: its world has ended without one", dir),
				"read "+world.Paths{Dir: dir}.Log())
		}
		select {
		case <-ctx.Done():
			return r, interrupted(ctx)
		case <-ticker.C:
		}
	}
}
