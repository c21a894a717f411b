package torture

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const tokenText = "s3cret-token-of-the-night"

// night is one run of the runbook in a directory of its own.
type night struct {
	t     *testing.T
	evac  string
	dir   string
	kills int
}

func newNight(t *testing.T, evac string) *night {
	t.Helper()
	return nightFrom(t, evac, "night.hcl")
}

// nightFrom is a night of a runbook in testdata.
func nightFrom(t *testing.T, evac, file string) *night {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	return nightOf(t, evac, string(text))
}

// nightOf is a night of another runbook.
func nightOf(t *testing.T, evac, runbook string) *night {
	t.Helper()
	n := &night{t: t, evac: evac, dir: t.TempDir()}
	n.write("night.hcl", runbook)
	return n
}

func (n *night) write(file, text string) {
	n.t.Helper()
	if err := os.WriteFile(filepath.Join(n.dir, file), []byte(text), 0o600); err != nil {
		n.t.Fatal(err)
	}
}

// ended is how a command ended.
type ended struct {
	code   int
	killed bool
	stdout string
	stderr string
}

// run runs a command of evac; kill, if any, says when it dies.
func (n *night) run(k kill, args ...string) ended {
	n.t.Helper()
	ctx := context.Background()
	cancel := func() {}
	if k.after > 0 {
		ctx, cancel = context.WithTimeout(ctx, k.after)
	}
	defer cancel()
	cmd := n.command(ctx, args...)
	cmd.Env = append(cmd.Env, "EVAC_TORTURE_COMMIT="+k.commit, fmt.Sprintf("EVAC_TORTURE_WRITE=%d", k.write))
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	e := ended{stdout: stdout.String(), stderr: stderr.String()}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		e.code = exit.ExitCode()
		status, ok := exit.Sys().(syscall.WaitStatus)
		e.killed = ok && status.Signaled() && status.Signal() == syscall.SIGKILL
	} else if errors.Is(err, context.DeadlineExceeded) {
		e.code = -1 // the time was over before it had begun
	} else if err != nil {
		n.t.Fatal(err)
	}
	if e.killed {
		n.kills++
	}
	return e
}

// command is a command of evac in the night's directory. The end of ctx kills
// it with SIGKILL.
func (n *night) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, n.evac, args...)
	cmd.Dir = n.dir
	cmd.Env = append(os.Environ(), "EVAC_HOME="+filepath.Join(n.dir, "home"), "EVAC_VAR_token="+tokenText)
	return cmd
}

// kill says when a process dies: at its Nth commit ("7,before"), at the Nth
// write of a salvage, or after a time. The zero kill lets it live.
type kill struct {
	commit string
	write  int
	after  time.Duration
}

var live kill

// finish brings the run to its end as people would: resume, tick, approve,
// and look by themselves at the step that may run only once.
func (n *night) finish(command ...string) {
	n.t.Helper()
	for range 20 {
		if n.begun() {
			command = []string{"resume"}
		}
		e := n.run(live, command...)
		switch e.code {
		case 0:
			return
		case 20:
			n.decide()
		default:
			if n.begun() && n.status().Result != "" {
				return // it was killed after its last word
			}
			n.t.Fatalf("evac %s: exit %d\n%s%s", strings.Join(command, " "), e.code, e.stdout, e.stderr)
		}
	}
	n.t.Fatal("the run does not come to its end")
}

// begun tells whether the journal holds a run that has begun.
func (n *night) begun() bool {
	e := n.run(live, "runs", "--json")
	return e.code == 0 && strings.Contains(e.stdout, `"seq":`) && !strings.Contains(e.stdout, `"seq":0`)
}

// snapshot is the part of `evac status --json` that people need.
type snapshot struct {
	Result string `json:"result"`
	Failed []struct {
		ID string `json:"id"`
	} `json:"failed"`
	Gates      []struct{ ID string } `json:"gates"`
	Checklists []struct{ ID string } `json:"checklists"`
}

func (n *night) status() snapshot {
	n.t.Helper()
	e := n.run(live, "status", "--json")
	line, _, _ := strings.Cut(e.stdout, "\n")
	var s snapshot
	if err := json.Unmarshal([]byte(line), &s); err != nil {
		n.t.Fatalf("evac status --json: exit %d: %v\n%s%s", e.code, err, e.stdout, e.stderr)
	}
	return s
}

// decide does what the run waits for.
func (n *night) decide() {
	n.t.Helper()
	s := n.status()
	for _, failed := range s.Failed {
		if failed.ID != "shell.once" {
			continue // resume tries it again
		}
		if n.count("once") == 0 {
			n.run(live, "retry", "shell.once")
		} else {
			n.run(live, "skip", "shell.once", "--reason", "it took effect")
		}
	}
	if len(s.Checklists) > 0 {
		n.run(live, "tick", "seen.login", "--as", "kim", "--evidence", "seen")
	}
	if len(s.Gates) > 0 {
		n.run(live, "approve", "go", "--as", "park")
	}
}

// count is the number of lines of a file, 0 if it is not there.
func (n *night) count(file string) int {
	n.t.Helper()
	text, err := os.ReadFile(filepath.Join(n.dir, file))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		n.t.Fatal(err)
	}
	return bytes.Count(text, []byte("\n"))
}

// check looks at the world and the journal after the end.
func (n *night) check(what string) {
	n.t.Helper()
	for _, file := range []string{"made/a", "made/b", "made/c", "tried", "said", "opened", "page/index.html"} {
		if _, err := os.Stat(filepath.Join(n.dir, file)); err != nil {
			n.t.Errorf("%s: %v", what, err)
		}
	}
	if got := n.count("once"); got != 1 {
		n.t.Errorf("%s: the step that may run once left %d traces\n%s", what, got, n.story("shell.once"))
	}
	if result := n.status().Result; result != "done" {
		n.t.Errorf("%s: result %q", what, result)
	}
	n.chain(what)
}

// story is what the journal says of a step.
func (n *night) story(step string) string {
	n.t.Helper()
	var lines []string
	for line := range strings.Lines(n.run(live, "journal", "export").stdout) {
		if strings.Contains(line, step) || strings.Contains(line, `"run.taken"`) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

func (n *night) chain(what string) {
	n.t.Helper()
	if e := n.run(live, "journal", "verify"); e.code != 0 {
		n.t.Errorf("%s: journal verify: exit %d\n%s%s", what, e.code, e.stdout, e.stderr)
	}
}

// gone looks whether everything was taken back.
func (n *night) gone(what string) {
	n.t.Helper()
	for _, file := range []string{"made", "once", "tried", "said", "opened", "page/index.html"} {
		if _, err := os.Lstat(filepath.Join(n.dir, file)); !errors.Is(err, os.ErrNotExist) {
			n.t.Errorf("%s: %s is still there (%v)", what, file, err)
		}
	}
	n.chain(what)
}

func at(commit int, moment string) kill { return kill{commit: fmt.Sprintf("%d,%s", commit, moment)} }
