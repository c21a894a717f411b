package shell_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/kinds/shell"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/step"
	"github.com/evac-io/evac/internal/testenv"
)

// check makes the plan of a step that can work.
func check(t testing.TB, s *shell.Shell, env *step.Env) step.Plan {
	t.Helper()
	if s.Grace == 0 {
		s.Grace = time.Second
	}
	plan, err := s.Check(t.Context(), env)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// run runs a step that must work.
func run(t testing.TB, s *shell.Shell, env *step.Env) (shell.Output, step.Done) {
	t.Helper()
	plan := check(t, s, env)
	out, err := s.Run(t.Context(), env, plan)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	return out.(shell.Output), step.Done{Plan: plan, Output: text}
}

func TestOutput(t *testing.T) {
	env := testenv.Env(t)
	out, _ := run(t, &shell.Shell{Command: `echo one; echo two >&2; printf '\033[32mthree\033[0m'`}, env)
	if out.OutputTail != "one\ntwo\nthree" || out.Exit != 0 || out.Seconds <= 0 {
		t.Errorf("got %+v", out)
	}
}

func TestFailureSaysWhy(t *testing.T) {
	env := testenv.Env(t)
	s := &shell.Shell{Command: "echo it; echo went wrong; exit 7"}
	_, err := s.Run(t.Context(), env, check(t, s, env))
	if err == nil || err.Error() != "run command: exit status 7: went wrong" {
		t.Errorf("got %v", err)
	}
	if want := "less " + filepath.Join(env.Scratch, "run-1.log"); !cmp.Equal(fault.Hints(err), []string{want}) {
		t.Errorf("hints %q, want %q", fault.Hints(err), want)
	}
	s = &shell.Shell{Command: "true", Dir: "missing"}
	env = testenv.Env(t)
	plan := check(t, s, env)
	if len(plan.Warnings) != 1 {
		t.Errorf("warnings %q, want one of the missing directory", plan.Warnings)
	}
	if _, err := s.Run(t.Context(), env, plan); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("in a missing directory: %v", err)
	}
}

func TestFailedCommandRunsAgain(t *testing.T) {
	env := testenv.Env(t)
	s := &shell.Shell{Command: "echo x >> began; test $(wc -l < began) -ge 2"}
	if _, err := s.Run(t.Context(), env, check(t, s, env)); err == nil {
		t.Fatal("first attempt succeeded")
	}
	env.Attempt = 2
	run(t, s, env)
	env.Attempt = 3
	run(t, s, env) // a good end is final
	if n := lines(t, filepath.Join(env.Dir, "began")); n != 2 {
		t.Errorf("ran %d times, want 2", n)
	}
}

func TestRefutedCommandRunsAgain(t *testing.T) {
	env := testenv.Env(t)
	s := &shell.Shell{Command: "echo x >> began", VerifyCommand: "test $(wc -l < began) -ge 2 || { echo not yet; false; }"}
	_, done := run(t, s, env)
	if err := s.Verify(t.Context(), env, done); err == nil || err.Error() != "verify command: exit status 1: not yet" {
		t.Fatalf("verify: %v", err)
	}
	_, done = run(t, s, env)
	if err := s.Verify(t.Context(), env, done); err != nil {
		t.Fatal(err)
	}
}

func TestCheckSaysAllThatIsWrong(t *testing.T) {
	s := &shell.Shell{Command: "if", UndoCommand: "echo 'open", Irreversible: true, Env: map[string]secret.String{"A-B": secret.New("x"), "EVAC_RUN": secret.New("y")}}
	env := testenv.Env(t)
	env.Drill = true
	_, err := s.Check(t.Context(), env)
	for _, want := range []string{"run: ", "undo: ", "irreversible: ", "drill: ", `"A-B"`, `"EVAC_RUN"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	if fault.KindOf(err) != fault.Invalid {
		t.Errorf("kind %s, want invalid", fault.KindOf(err))
	}
}

func TestCheckCommand(t *testing.T) {
	env := testenv.Env(t)
	plan := check(t, &shell.Shell{Command: "touch ran", CheckCommand: "echo 12 jobs"}, env)
	if got := plan.Facts; !cmp.Equal(got, []step.Fact{{Name: "check", Value: "12 jobs"}}) {
		t.Errorf("facts %v", got)
	}
	s := &shell.Shell{Command: "touch ran", CheckCommand: "echo no jobs; exit 3", Grace: time.Second}
	if _, err := s.Check(t.Context(), env); err == nil || err.Error() != "run check: exit status 3: no jobs" {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(env.Dir, "ran")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("check ran the command: %v", err)
	}
}

func TestDrillRunsItsCommandAlone(t *testing.T) {
	env := testenv.Env(t)
	env.Drill = true
	s := &shell.Shell{
		Command: "touch live", CheckCommand: "false", VerifyCommand: "touch live", UndoCommand: "touch live",
		DrillCommand: `echo "drill $EVAC_DRILL"`,
	}
	out, done := run(t, s, env)
	if out.OutputTail != "drill 1" {
		t.Errorf("output %q", out.OutputTail)
	}
	if err := errors.Join(s.Verify(t.Context(), env, done), s.Undo(t.Context(), env, done)); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(env.Dir, "live")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a drill touched the live side: %v", err)
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("EVAC_VAR_tokyo", "password-of-tokyo")
	t.Setenv("EVAC_DRILL", "1")
	t.Setenv("EVAC_HOME", "/elsewhere")
	t.Setenv("PLAIN", "inherited")
	env := testenv.Env(t)
	s := &shell.Shell{Command: `env > seen`, Env: map[string]secret.String{"MINE": secret.New("given")}}
	run(t, s, env)
	seen, err := os.ReadFile(filepath.Join(env.Dir, "seen"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"MINE=given", "PLAIN=inherited", "EVAC_HOME=/elsewhere", "EVAC_RUN=run-1", "EVAC_STEP=" + env.Step, "EVAC_TOKEN=" + env.Token} {
		if !strings.Contains(string(seen), want+"\n") {
			t.Errorf("%q is missing in\n%s", want, seen)
		}
	}
	for _, bad := range []string{"tokyo", "EVAC_VAR", "EVAC_DRILL", "EVAC_KEEPER"} {
		if strings.Contains(string(seen), bad) {
			t.Errorf("%q is in the command's environment", bad)
		}
	}
}

func TestSecretsNeverReachTheDisk(t *testing.T) {
	const pw = "correct horse battery"
	env := testenv.Env(t)
	env.Redact.Add("staple-of-the-run")
	s := &shell.Shell{
		Command: `for part in "correct ho" "rse batt" "ery"; do printf '%s' "$part"; sleep 0.05; done; echo; echo "$PW" >&2
			echo "$PW" | base64; for part in stap le-of- the-run; do printf '%s' "$part"; sleep 0.05; done; exit 1`,
		VerifyCommand: `echo "$PW"; exit 1`,
		Env:           map[string]secret.String{"PW": secret.New(pw)},
	}
	plan := check(t, s, env)
	_, err := s.Run(t.Context(), env, plan)
	if err == nil || strings.Contains(err.Error(), "staple") || !strings.Contains(err.Error(), secret.Redacted) {
		t.Errorf("error: %v", err)
	}
	if err := s.Verify(t.Context(), env, step.Done{Plan: plan, Output: []byte("{}")}); err == nil || strings.Contains(err.Error(), "horse") {
		t.Errorf("verify: %v", err)
	}
	files, err := filepath.Glob(filepath.Join(env.Scratch, "*"))
	if err != nil || len(files) != 2 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, bad := range []string{"horse", "battery", "staple", "correct"} {
			if strings.Contains(string(text), bad) {
				t.Errorf("%s holds %q:\n%s", file, bad, text)
			}
		}
	}
	for _, note := range testenv.MemoryOf(env).Notes() {
		if strings.Contains(note, "horse") {
			t.Errorf("note %q", note)
		}
	}
}

func TestHugeOutputIsCapped(t *testing.T) {
	env := testenv.Env(t)
	out, _ := run(t, &shell.Shell{Command: `yes "some words to fill the disk with" | head -c 100000000; echo; echo the end`}, env)
	if !strings.HasSuffix(out.OutputTail, "\nthe end") || len(out.OutputTail) > 2000 {
		t.Errorf("tail of %d bytes: …%q", len(out.OutputTail), out.OutputTail[max(0, len(out.OutputTail)-40):])
	}
	var kept int64
	for _, name := range []string{"run-1.log", "run-1.log.1"} {
		info, err := os.Stat(filepath.Join(env.Scratch, name))
		if err != nil {
			t.Fatal(err)
		}
		kept += info.Size()
	}
	if kept < 8<<20 || kept > 17<<20 {
		t.Errorf("%d bytes of log, want 8 to 17 MiB", kept)
	}
}

func TestTimeoutEndsTheGroup(t *testing.T) {
	tests := map[string]struct {
		command string
		says    string // in the log
	}{
		"obedient":             {command: "sleep 60"},
		"ignores TERM":         {command: "trap '' TERM; while :; do sleep 1; done"},
		"child ends well":      {command: `sh -c 'trap "sleep 0.2; echo tidied; exit" TERM; while :; do sleep 0.05; done'; true`, says: "tidied"},
		"ignoring grandchild":  {command: `(trap '' TERM; while :; do sleep 1; done) & wait`},
		"silent grandchildren": {command: `(trap '' TERM; while :; do sleep 1; done) >/dev/null 2>&1 & sleep 60`},
		"exits 0 when asked":   {command: `trap "exit 0" TERM; while :; do sleep 0.05; done`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := testenv.Env(t)
			s := &shell.Shell{Command: "echo begins; " + test.command}
			plan := check(t, s, env)
			ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
			defer cancel()
			_, err := s.Run(ctx, env, plan)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want the deadline", err)
			}
			group := groupOf(t, env)
			eventually(t, func() bool { return onlyZombies(t, group) }) // the keeper takes a moment more
			log, err := os.ReadFile(filepath.Join(env.Scratch, "run-1.log"))
			if err != nil || !strings.Contains(string(log), test.says) {
				t.Errorf("log %q, %v; want %q in it", log, err, test.says)
			}
			if _, done, _ := s.Recover(t.Context(), env, plan); done {
				t.Error("a command that was ended counts as done")
			}
		})
	}
}

func groupOf(t testing.TB, env *step.Env) int {
	t.Helper()
	var at struct {
		Run struct{ Group int }
	}
	if found, err := env.Checkpoint.Load(&at); !found || err != nil {
		t.Fatal(found, err)
	}
	return at.Run.Group
}

// onlyZombies tells whether nothing of a group can run any more.
func onlyZombies(t testing.TB, group int) bool {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has just ended
		}
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if fields[2] == fmt.Sprint(group) && fields[0] != "Z" {
			return false
		}
	}
	return true
}

func TestBackgroundChildOutlivesTheStep(t *testing.T) {
	env := testenv.Env(t)
	s := &shell.Shell{Command: `(while [ ! -e stop ]; do echo tick; sleep 0.02; done; echo x >> ended) & echo started`}
	out, _ := run(t, s, env)
	if !strings.Contains(out.OutputTail, "started") {
		t.Errorf("output %q", out.OutputTail)
	}
	if err := os.WriteFile(filepath.Join(env.Dir, "stop"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return lines(t, filepath.Join(env.Dir, "ended")) == 1 })
}

// eventually waits for what another process does.
func eventually(t testing.TB, is func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	over := time.NewTimer(10 * time.Second)
	defer over.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-over.C:
			t.Fatal("it did not happen within 10 s")
		}
	}
}

func TestUndoEndsWhatStillRuns(t *testing.T) {
	c := conductor{Dir: t.TempDir(), Run: slowCommand, Dies: whileRuns}.killed(t)
	s, env := c.step(), c.env()
	s.UndoCommand = "echo x >> undone"
	plan := check(t, s, env)
	for range 2 {
		if err := s.Undo(t.Context(), env, step.Done{Plan: plan}); err != nil {
			t.Fatal(err)
		}
	}
	release(t, c.Dir)
	if began, ended := effects(t, c.Dir); began != 1 || ended != 0 {
		t.Errorf("began %d, ended %d, want 1 and 0", began, ended)
	}
	if n := lines(t, filepath.Join(c.Dir, "undone")); n != 1 {
		t.Errorf("undone %d times, want once", n)
	}
}

func TestUndoOfNothing(t *testing.T) {
	env := testenv.Env(t)
	s := &shell.Shell{Command: "true", UndoCommand: "touch undone"}
	if err := s.Undo(t.Context(), env, step.Done{Plan: check(t, s, env)}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(env.Dir, "undone")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("undo of a step that never ran did something: %v", err)
	}
}

func TestEffect(t *testing.T) {
	for want, s := range map[step.Effect]*shell.Shell{
		step.Undoable: {UndoCommand: "true"}, step.Lasting: {Irreversible: true}, step.Passing: {},
	} {
		if got := s.Effect(); got != want {
			t.Errorf("%+v: effect %s, want %s", s, got, want)
		}
	}
}

func TestCommandIsKeptFromTheKeepersPlace(t *testing.T) {
	env := testenv.Env(t)
	s := &shell.Shell{Command: `trap '' TERM; kill -TERM 0; echo survived; tr '\0' ' ' < /proc/$PPID/cmdline; tr '\0' '\n' < /proc/$PPID/environ`,
		Env: map[string]secret.String{"PW": secret.New("open sesame")}}
	out, _ := run(t, s, env)
	if want := "survived\nevac __keep EVAC_KEEPER=1"; out.OutputTail != want {
		t.Errorf("got %q, want %q: nothing else may be seen of a keeper", out.OutputTail, want)
	}
}
