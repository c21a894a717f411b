package torture

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// refused tells that a command ended with that code and said these texts on
// standard error, and nothing that only a programmer wants to read.
func (n *night) refused(e ended, code int, texts ...string) {
	n.t.Helper()
	if e.code != code {
		n.t.Errorf("exit %d, want %d\n%s%s", e.code, code, e.stdout, e.stderr)
	}
	for _, text := range texts {
		if !strings.Contains(e.stderr, text) {
			n.t.Errorf("%q is not said:\n%s%s", text, e.stdout, e.stderr)
		}
	}
	n.readable(e)
}

// machinery is what no user ever has to see.
var machinery = regexp.MustCompile(`panic|goroutine \d|internal error|runtime error|\.go:\d|%!|<nil>|0x[0-9a-f]{6}`)

func (n *night) readable(e ended) {
	n.t.Helper()
	if found := machinery.FindString(e.stdout + e.stderr); found != "" {
		n.t.Errorf("%q is for programmers:\n%s%s", found, e.stdout, e.stderr)
	}
}

// done tells that a command ended well.
func (n *night) done(e ended) ended {
	n.t.Helper()
	if e.code != 0 {
		n.t.Fatalf("exit %d, want 0\n%s%s", e.code, e.stdout, e.stderr)
	}
	n.readable(e)
	return e
}

// is tells that a file of the night has that many lines.
func (n *night) is(file string, want int) {
	n.t.Helper()
	if got := n.count(file); got != want {
		n.t.Errorf("%s: %d traces, want %d", file, got, want)
	}
}

func (n *night) remove(file string) {
	n.t.Helper()
	if err := os.Remove(filepath.Join(n.dir, file)); err != nil {
		n.t.Fatal(err)
	}
}

// process is a command of evac that runs beside the test.
type process struct {
	*exec.Cmd
	n        *night
	out, err text
	done     chan struct{}
}

// text is what a process has written so far.
type text struct {
	mu sync.Mutex
	b  strings.Builder
}

func (t *text) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.Write(p)
}

func (t *text) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

// patience bounds every wait of these tests; nothing should take so long.
const patience = 30 * time.Second

// begin begins a command; the test's end ends it.
func (n *night) begin(args ...string) *process {
	n.t.Helper()
	return n.beginCommand(n.command(n.t.Context(), args...))
}

func (n *night) beginCommand(cmd *exec.Cmd) *process {
	n.t.Helper()
	p := &process{Cmd: cmd, n: n, done: make(chan struct{})}
	if cmd.Stdout == nil {
		cmd.Stdout = &p.out
	}
	if cmd.Stderr == nil {
		cmd.Stderr = &p.err
	}
	if err := cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	go func() {
		_ = cmd.Wait() // ended reads how
		close(p.done)
	}()
	n.t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-p.done
	})
	return p
}

// send sends a signal.
func (p *process) send(s syscall.Signal) {
	p.n.t.Helper()
	if err := p.Process.Signal(s); err != nil {
		p.n.t.Fatal(err)
	}
}

// ends waits for the process's end.
func (p *process) ends() ended {
	p.n.t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		p.n.t.Fatalf("%s does not end\n%s%s", strings.Join(p.Args[1:], " "), p.out.String(), p.err.String())
	}
	status := p.ProcessState.Sys().(syscall.WaitStatus)
	return ended{code: p.ProcessState.ExitCode(), killed: status.Signaled(), stdout: p.out.String(), stderr: p.err.String()}
}

// until waits until something is so.
func (n *night) until(what string, so func() bool) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			n.t.Fatalf("%s: not within %s\n%s", what, patience, n.run(live, "status").stdout)
		}
	}
}

// untilFile waits for a file of the night.
func (n *night) untilFile(file string) {
	n.t.Helper()
	n.until(file, func() bool {
		_, err := os.Stat(filepath.Join(n.dir, file))
		return !errors.Is(err, os.ErrNotExist)
	})
}

// untilSaid waits until a process has said something on standard error.
func (p *process) untilSaid(words string) {
	p.n.t.Helper()
	p.n.until(words, func() bool { return strings.Contains(p.err.String(), words) })
}

// parallel lets a test run beside others and builds evac.
func parallel(t *testing.T) string {
	t.Helper()
	t.Parallel()
	return build(t)
}
