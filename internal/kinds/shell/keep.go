package shell

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"
)

// KeepArgument is the hidden argument with which evac starts itself as a keeper.
const KeepArgument = "__keep"

// order is what a keeper is told, on its standard input: never by argument or
// environment, which others can see.
type order struct {
	Command string   `json:"command"`
	Env     []string `json:"env"`
	Dir     string   `json:"dir"`
	// Secrets are the texts that must not reach the disk.
	Secrets []string `json:"secrets"`
	Log     string   `json:"log"`
	Exit    string   `json:"exit"`
}

// gateOpen follows the order once the keeper's group is in the journal.
const gateOpen = "go"

// ending is how a command ended: the content of the exit file.
type ending struct {
	// Exit is its status; 128 and the signal's number if a signal ended it.
	Exit    int     `json:"exit"`
	Seconds float64 `json:"seconds"`
	// Terminated tells that its group was asked to end before it did: a 0 may
	// then mean no more than a tidy exit.
	Terminated bool `json:"terminated,omitempty"`
	// Error is why it could not be started or its output not be kept.
	Error string `json:"error,omitempty"`
}

// Keep is the whole life of a keeper, between standard input and output; the
// result is its exit code. A keeper stays with one command from before its start
// until after its end, whatever becomes of the conductor. It reads an order,
// waits for the gate to open (if the input ends first, nothing runs), runs the
// command in its own process group, writes the command's output, scrubbed, to
// the log and its end to the exit file and to out, and stays as long as anybody
// writes output.
func Keep() int { return keep(os.Stdin, os.Stdout) }

func keep(in io.Reader, out io.WriteCloser) int {
	var terminated atomic.Bool
	defer catchSignals(&terminated)()
	lines := json.NewDecoder(in)
	var o order
	var gate string
	if lines.Decode(&o) != nil || lines.Decode(&gate) != nil || gate != gateOpen {
		return 1
	}
	log := openLog(o.Log)
	output, e := o.carryOut(log)
	e.Terminated = terminated.Load()
	if log.err != nil && e.Error == "" {
		e.Error = "keep output: " + log.err.Error()
	}
	saveErr := e.save(o.Exit)
	// The conductor may be dead, or the disk full: each way stands in for the other.
	sendErr := errors.Join(json.NewEncoder(out).Encode(e), out.Close())
	output.wait()
	if saveErr != nil && sendErr != nil {
		return 1
	}
	return 0
}

// catchSignals keeps the signals that end the command's group from ending its
// keeper. They are caught, not ignored: what is ignored a child inherits.
func catchSignals(terminated *atomic.Bool) (stop func()) {
	caught := make(chan os.Signal, 8)
	signal.Notify(caught, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGPIPE)
	go func() {
		for s := range caught {
			if s != syscall.SIGPIPE {
				terminated.Store(true)
			}
		}
	}()
	return func() { signal.Stop(caught); close(caught) }
}

// carryOut runs the command to its end. Its output up to there is in the log
// when carryOut returns; what its background children still write follows.
func (o order) carryOut(log io.Writer) (*copier, ending) {
	started := time.Now()
	r, w, err := os.Pipe()
	if err != nil {
		return noOutput(), ending{Exit: 126, Error: err.Error()}
	}
	cmd := exec.Command("/bin/sh", "-c", o.Command)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = o.Env, o.Dir, w, w
	err = cmd.Start()
	_ = w.Close() // the child has its own
	output := startCopier(r, newScrubber(log, o.Secrets))
	if err != nil {
		return output, ending{Exit: 126, Error: "start command: " + err.Error()}
	}
	// Wait's error says no more than the state does.
	_ = cmd.Wait()
	output.catchUp()
	return output, ending{Exit: status(cmd.ProcessState), Seconds: time.Since(started).Seconds()}
}

// status is the exit status as a shell counts it.
func status(p *os.ProcessState) int {
	if ws, ok := p.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return p.ExitCode()
}

// save puts the exit file in place, whole or not at all.
func (e ending) save(path string) error {
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".exit-*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// readEnding reads an exit file; false if there is none.
func readEnding(path string) (ending, bool, error) {
	var e ending
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return e, false, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &e)
	}
	return e, err == nil, err
}
