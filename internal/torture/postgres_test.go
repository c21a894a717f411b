package torture

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestTorturePostgres moves a live shop between real servers and kills the
// conductor again and again: at random instants and at journal writes.
func TestTorturePostgres(t *testing.T) {
	evac := build(t)
	const killsEach = 3
	wanted := 2
	if *full {
		wanted = 24
	}
	random := dice(t)
	kills := 0
	for i := 0; kills < wanted; i++ {
		m := &move{t: t, evac: evac, dir: filepath.Join(t.TempDir(), "night"), random: random}
		t.Cleanup(m.end)
		t.Logf("night %d", i)
		done := m.begin()
		for k := 1; k < killsEach && !done; k++ {
			done = m.resume(true)
		}
		for !done {
			done = m.resume(false)
		}
		m.check()
		kills += m.kills
	}
	t.Logf("%d kills under live orders", kills)
}

// move is one demo night that is killed.
type move struct {
	t      *testing.T
	evac   string
	dir    string
	random *rand.Rand
	kills  int
}

// longest bounds one command of a night; it is far beyond what any takes.
const longest = 3 * time.Minute

// begin starts the night and kills its conductor at a random moment, unless
// the night is over by then.
func (m *move) begin() (done bool) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), longest)
	defer cancel()
	cmd := exec.CommandContext(ctx, m.evac, "demo", "move", "--small", "--json", "--dir", m.dir)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	if !appears(ctx, filepath.Join(m.dir, "journal", "runs", "*"), ended) {
		m.t.Fatalf("the night did not begin:\n%s", out.String())
	}
	select {
	case <-time.After(m.instant()):
	case err := <-ended:
		if err != nil {
			m.t.Fatalf("evac demo move: %v\n%s", err, out.String())
		}
		return true
	}
	if err := cmd.Process.Kill(); err != nil {
		m.t.Fatal(err)
	}
	<-ended
	m.kills++
	return false
}

// appears waits until a file is there, or the process has ended.
func appears(ctx context.Context, pattern string, ended <-chan error) bool {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if found, err := filepath.Glob(pattern); err == nil && len(found) > 0 {
			return true
		}
		select {
		case <-tick.C:
		case <-ended:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// instant is a moment within a small night.
func (m *move) instant() time.Duration {
	return 50*time.Millisecond + time.Duration(m.random.Int64N(int64(4*time.Second)))
}

// resume makes a new conductor; kill ends it at a random instant or at one of
// its journal writes. It tells whether the run has come to its end.
func (m *move) resume(kill bool) bool {
	m.t.Helper()
	bound := longest
	script := `. "$0/demo.env" && exec "$1" resume --wait`
	env := os.Environ()
	if kill && m.random.IntN(2) == 0 {
		env = append(env, fmt.Sprintf("EVAC_TORTURE_COMMIT=%d,%s", 1+m.random.IntN(20), [...]string{"before", "after"}[m.random.IntN(2)]))
	} else if kill {
		bound = m.instant()
	}
	ctx, cancel := context.WithTimeout(m.t.Context(), bound)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", script, m.dir, m.evac)
	cmd.Env = env
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return true
	case errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL && kill:
		m.kills++
		return false
	case strings.Contains(string(out), "no run has begun") || strings.Contains(string(out), "no unfinished run"):
		return true // it ended with the very write that it was killed at
	}
	m.t.Fatalf("evac resume: %v\n%s", err, out)
	return false
}

// check reads the world's own count at the end, made by plain SQL.
func (m *move) check() {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), longest)
	defer cancel()
	out, err := exec.CommandContext(ctx, m.evac, "demo", "result", "--json", m.dir).Output()
	if err != nil {
		m.t.Fatalf("evac demo result: %v\n%s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	var r struct {
		Result                    string
		Rows                      int64
		Missing, Extra, Different int64
		Orders                    struct{ Acknowledged, Missing, Twice int64 }
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &r); err != nil {
		m.t.Fatalf("%v\n%s", err, out)
	}
	if r.Result != "done" || r.Rows == 0 || r.Missing+r.Extra+r.Different+r.Orders.Missing+r.Orders.Twice != 0 || r.Orders.Acknowledged == 0 {
		m.t.Errorf("after %d kills: %+v", m.kills, r)
	}
	verify := exec.CommandContext(ctx, m.evac, "journal", "verify", "--home", filepath.Join(m.dir, "journal"))
	if out, err := verify.CombinedOutput(); err != nil {
		m.t.Errorf("journal verify: %v\n%s", err, out)
	}
}

// end leaves no process behind, whatever the test came to.
func (m *move) end() {
	if out, err := exec.Command(m.evac, "demo", "end", m.dir).CombinedOutput(); err != nil {
		m.t.Logf("evac demo end: %v\n%s", err, out)
	}
}
