package shell

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/evac-io/evac/internal/fault"
)

// keeperMark stands in a keeper's environment. A program that is started as a
// keeper and does not call Keep would else start keepers of its own, without end.
const keeperMark = "EVAC_KEEPER=1"

// pace is how often a command's log, and the life of a group that is not our
// child, is looked at.
const pace = 100 * time.Millisecond

// killTime is how long a killed group may take to be gone.
const killTime = 10 * time.Second

// group is a process group as the journal keeps it.
type group struct {
	// ID is the group's number, which is its keeper's process number.
	ID int `json:"group"`
	// Born is when the keeper started, in the system's own terms.
	Born string `json:"born"`
	// Log and Exit are the files that the keeper writes.
	Log  string `json:"log"`
	Exit string `json:"exit"`

	// mark stands in the environment of the group's members.
	mark string
}

// keeper is a keeper process that this process started.
type keeper struct {
	group
	gate io.WriteCloser
	// ended gives how the command ended, or is closed if the keeper died first.
	ended <-chan ending
}

// startKeeper starts a keeper and hands it an order. Nothing runs before open.
func startKeeper(o order, mark string) (*keeper, error) {
	if os.Getenv("EVAC_KEEPER") != "" {
		return nil, errors.New("this process was started as a keeper and must call Keep")
	}
	path, err := self()
	if err != nil {
		return nil, err
	}
	cmd := &exec.Cmd{Path: path, Args: []string{"evac", KeepArgument}, Env: []string{keeperMark}, Dir: "/"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	gate, gateErr := cmd.StdinPipe()
	said, saidErr := cmd.StdoutPipe()
	if err := errors.Join(gateErr, saidErr); err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	k := &keeper{gate: gate, group: group{ID: cmd.Process.Pid, Log: o.Log, Exit: o.Exit, mark: mark}}
	k.ended = listen(cmd, said)
	if k.Born, err = birth(k.ID); err == nil {
		err = json.NewEncoder(gate).Encode(o)
	}
	if err != nil {
		return nil, errors.Join(err, k.dismiss())
	}
	return k, nil
}

// listen waits for what the keeper says, and collects the keeper when it ends,
// which may be long after: as long as a background child writes output.
func listen(cmd *exec.Cmd, said io.Reader) <-chan ending {
	ended := make(chan ending, 1)
	go func() {
		var e ending
		if json.NewDecoder(said).Decode(&e) == nil {
			ended <- e
		}
		close(ended)
		_ = cmd.Wait()
	}()
	return ended
}

// dismiss lets a keeper go whose gate was not opened: it ends, and nothing ran.
func (k *keeper) dismiss() error {
	err := k.gate.Close()
	<-k.ended
	return err
}

// open lets the command begin.
func (k *keeper) open() error {
	return errors.Join(json.NewEncoder(k.gate).Encode(gateOpen), k.gate.Close())
}

// watch gives how the command of a group ended that another process started;
// it is closed without if the group is gone and left no exit file.
func (g group) watch(ctx context.Context) <-chan ending {
	ended := make(chan ending, 1)
	go func() {
		defer close(ended)
		tick := time.NewTicker(pace)
		defer tick.Stop()
		for {
			// The order matters: a keeper writes the file, then ends.
			leader, others, unseen := g.members()
			e, found, unread := readEnding(g.Exit)
			if found && unread == nil {
				ended <- e
				return
			}
			if !leader && !others && unseen == nil {
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
	return ended
}

// await waits for a command's end and tells what it says meanwhile. When ctx
// ends first, so does the group: politely, and after grace by force.
func (g group) await(ctx context.Context, ended <-chan ending, grace time.Duration, note func(string)) (ending, bool, error) {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	last := ""
	for {
		select {
		case e, known := <-ended:
			return e, known, nil
		case <-ctx.Done():
			cause := context.Cause(ctx)
			if fault.KindOf(cause) == fault.Busy {
				return ending{}, false, cause // the command is awaited by who has taken the run over
			}
			return ending{}, false, errors.Join(cause, g.end(ended, grace), g.distrust())
		case <-tick.C:
			if line := lastLine(g.tail(noteLimit)); line != "" && line != last {
				last = line
				note(line)
			}
		}
	}
}

// distrust removes the exit file of a group that was ended: a 0 in it may be no
// more than a tidy exit when asked. (A keeper notes that too, but may learn of
// the signal after the command has gone.)
func (g group) distrust() error {
	if err := os.Remove(g.Exit); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// end ends a group and returns when it has ended. A shell may die of a SIGTERM
// before its children do, so all of them get the time to end well.
func (g group) end(ended <-chan ending, grace time.Duration) error {
	for _, try := range []struct {
		signal   syscall.Signal
		patience time.Duration
	}{{syscall.SIGTERM, grace}, {syscall.SIGKILL, killTime}} {
		// Looked at just before: the group's number may be another's by now.
		if leader, others, err := g.members(); err != nil || !leader && !others {
			return err
		}
		if err := g.signal(try.signal); err != nil {
			return err
		}
		if gone, err := g.endsWithin(try.patience, ended); gone || err != nil {
			return err
		}
	}
	return fmt.Errorf("process group %d does not end", g.ID)
}

// endsWithin waits for the group's end. A keeper that has said how its command
// ended is not waited for.
func (g group) endsWithin(patience time.Duration, ended <-chan ending) (bool, error) {
	over := time.NewTimer(patience)
	defer over.Stop()
	tick := time.NewTicker(pace / 4)
	defer tick.Stop()
	for said := false; ; {
		leader, others, err := g.members()
		if err != nil || !others && (!leader || said) {
			return err == nil, err
		}
		select {
		case <-ended:
			ended, said = nil, true
		case <-tick.C:
		case <-over.C:
			return false, nil
		}
	}
}

func (g group) signal(s syscall.Signal) error {
	err := syscall.Kill(-g.ID, s)
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("send %s to process group %d: %w", s, g.ID, err)
	}
	return nil
}

// tail is the readable end of the group's log. A log that cannot be read is no
// reason to stop: it may be lost.
func (g group) tail(most int64) string {
	text, err := readTail(g.Log, most)
	if err != nil {
		return ""
	}
	return readable(text)
}
