package shell_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/kinds/shell"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/step"
	"github.com/evac-io/evac/internal/testenv"
)

// conductArg makes the test binary a conductor of one step that kills itself.
const conductArg = "__conduct"

// The moments at which a conductor dies by SIGKILL.
const (
	beforeSave = "before the group is journalled"
	afterSave  = "between the journal and the gate"
	whileRuns  = "while the command runs"
	beforeSeen = "after the command ended, before its proof"
)

// conductor runs one step with a journal that is a file.
type conductor struct {
	Dir    string
	Run    string
	Verify string
	Dies   string
	// Call is run or undo.
	Call string
}

func (c conductor) step() *shell.Shell {
	s := &shell.Shell{Command: c.Run, VerifyCommand: c.Verify, Grace: time.Second}
	if c.Call == "undo" {
		s.UndoCommand, s.Command = c.Run, "true"
	}
	return s
}

func (c conductor) env() *step.Env {
	j := &fileJournal{path: filepath.Join(c.Dir, "journal"), dies: c.Dies}
	return &step.Env{
		Run: "run-1", Step: "shell.x", Attempt: 1, Token: "token-" + filepath.Base(c.Dir), Dir: c.Dir, Scratch: c.Dir,
		Log: slog.New(slog.DiscardHandler), Redact: &secret.Redactor{}, Checkpoint: j, Progress: j,
	}
}

// conduct is the life of the conductor: it ends by SIGKILL.
func (c conductor) conduct() {
	s, env := c.step(), c.env()
	plan, err := s.Check(context.Background(), env)
	if err == nil && c.Call == "undo" {
		err = s.Undo(context.Background(), env, step.Done{Plan: plan, Output: []byte(`{}`)})
	} else if err == nil {
		_, err = s.Run(context.Background(), env, plan)
	}
	fmt.Fprintln(os.Stderr, err)
	die()
}

func die() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// fileJournal is a checkpoint in a file; it dies where it is told to.
type fileJournal struct{ path, dies string }

func (j *fileJournal) Save(_ context.Context, v any) error {
	if j.dies == beforeSave {
		die()
	}
	text, err := json.Marshal(v)
	if err == nil {
		err = errors.Join(os.WriteFile(j.path+".new", text, 0o600), os.Rename(j.path+".new", j.path))
	}
	if j.dies == afterSave {
		die()
	}
	return err
}

func (j *fileJournal) Load(v any) (bool, error) {
	text, err := os.ReadFile(j.path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil, errors.Join(err, json.Unmarshal(text, v))
}

func (j *fileJournal) Total(string, int64) {}
func (j *fileJournal) Add(int64)           {}
func (j *fileJournal) Note(text string) {
	if j.dies == whileRuns && text == "running" {
		die()
	}
}

// process makes the process that will be the conductor.
func (c conductor) process(t *testing.T) *exec.Cmd {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], conductArg)
	cmd.Stdin = bytes.NewReader(text)
	return cmd
}

// killed runs the conductor until its death and gives its successor.
func (c conductor) killed(t *testing.T) conductor {
	t.Helper()
	cmd := c.process(t)
	var said bytes.Buffer
	cmd.Stderr = &said
	_ = cmd.Run()
	if ws := cmd.ProcessState.Sys().(syscall.WaitStatus); !ws.Signaled() || ws.Signal() != syscall.SIGKILL {
		t.Fatalf("conductor ended by itself: %v: %s", cmd.ProcessState, said.String())
	}
	if c.Dies != beforeSeen && said.Len() > 0 {
		t.Fatalf("conductor lived on: %s", said.String())
	}
	c.Dies = ""
	return c
}

// effects counts how often the command began and ended.
func effects(t testing.TB, dir string) (began, ended int) {
	t.Helper()
	return lines(t, filepath.Join(dir, "began")), lines(t, filepath.Join(dir, "ended"))
}

func lines(t testing.TB, path string) int {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return strings.Count(string(text), "\n")
}

const slowCommand = `echo x >> began; echo running; while [ ! -e go ]; do sleep 0.02; done; echo goes on; echo x >> ended`

func TestKilledConductor(t *testing.T) {
	for _, call := range []string{"run", "undo"} {
		for _, dies := range []string{beforeSave, afterSave, whileRuns, beforeSeen} {
			t.Run(call+"/"+dies, func(t *testing.T) {
				t.Parallel()
				c := conductor{Dir: t.TempDir(), Run: slowCommand, Dies: dies, Call: call}
				if dies == beforeSeen {
					release(t, c.Dir)
				}
				c = c.killed(t)
				wantBegan := 0
				if dies == whileRuns || dies == beforeSeen {
					wantBegan = 1
				}
				if began, _ := effects(t, c.Dir); began != wantBegan {
					t.Fatalf("after the kill the command had begun %d times, want %d", began, wantBegan)
				}
				release(t, c.Dir)
				resume(t, c)
				if began, ended := effects(t, c.Dir); began != 1 || ended != 1 {
					t.Errorf("the command began %d times and ended %d times, want once", began, ended)
				}
			})
		}
	}
}

func release(t testing.TB, dir string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

// resume runs the step in this process until it is done and proved.
func resume(t *testing.T, c conductor) {
	t.Helper()
	s, env := c.step(), c.env()
	env.Attempt = 2
	plan, err := s.Check(t.Context(), env)
	if err != nil {
		t.Fatal(err)
	}
	if c.Call == "undo" {
		if err := s.Undo(t.Context(), env, step.Done{Plan: plan, Output: []byte(`{}`)}); err != nil {
			t.Fatal(err)
		}
		return
	}
	out, err := s.Run(t.Context(), env, plan)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(t.Context(), env, step.Done{Plan: plan, Output: text}); err != nil {
		t.Error(err)
	}
}

// TestKilledAtAnyMoment kills the conductor with its whole process group ever
// later after its start. Whatever it had done by then, the command runs once.
func TestKilledAtAnyMoment(t *testing.T) {
	const step = 5 * time.Millisecond
	for i := range 24 {
		t.Run((time.Duration(i) * step).String(), func(t *testing.T) {
			t.Parallel()
			c := conductor{Dir: t.TempDir(), Run: "echo x >> began; sleep 0.03; echo x >> ended"}
			cmd := c.process(t)
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			timer := time.AfterFunc(time.Duration(i)*step, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
			defer timer.Stop()
			_ = cmd.Wait()
			resume(t, c)
			if began, ended := effects(t, c.Dir); began != 1 || ended != 1 {
				t.Errorf("the command began %d times and ended %d times, want once", began, ended)
			}
		})
	}
}

// killKeeper ends the command and its keeper as the kernel does when memory is short.
func killKeeper(t *testing.T, c conductor) {
	t.Helper()
	var at struct {
		Run struct {
			Group int `json:"group"`
		} `json:"run"`
	}
	if found, err := c.env().Checkpoint.Load(&at); !found || err != nil {
		t.Fatal(found, err)
	}
	if err := syscall.Kill(-at.Run.Group, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

func TestKeeperKilledToo(t *testing.T) {
	t.Run("verify tells that it was done", func(t *testing.T) {
		t.Parallel()
		c := conductor{Dir: t.TempDir(), Run: `echo x >> began; touch done; echo running; sleep 60`, Verify: "test -e done", Dies: whileRuns}
		c = c.killed(t)
		killKeeper(t, c)
		s, env := c.step(), c.env()
		plan, err := s.Check(t.Context(), env)
		if err != nil {
			t.Fatal(err)
		}
		out, done, err := s.Recover(t.Context(), env, plan)
		if !done || err != nil || out.(shell.Output).Exit != -1 {
			t.Errorf("recover: %v, %v, %v, want done with exit -1", out, done, err)
		}
	})
	t.Run("nothing tells", func(t *testing.T) {
		t.Parallel()
		c := conductor{Dir: t.TempDir(), Run: slowCommand, Dies: whileRuns}
		c = c.killed(t)
		killKeeper(t, c)
		s, env := c.step(), c.env()
		plan, err := s.Check(t.Context(), env)
		if err != nil {
			t.Fatal(err)
		}
		if out, done, err := s.Recover(t.Context(), env, plan); done || err != nil {
			t.Errorf("recover: %v, %v, %v, want not done", out, done, err)
		}
		release(t, c.Dir)
		resume(t, c)
		if began, ended := effects(t, c.Dir); began != 2 || ended != 1 {
			t.Errorf("began %d, ended %d, want 2 and 1: at least once", began, ended)
		}
	})
}

func TestReusedNumberIsNotOurGroup(t *testing.T) {
	other := exec.Command("sleep", "60")
	other.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Process.Kill(); _ = other.Wait() })
	s := &shell.Shell{Command: "echo x >> began", Grace: time.Second}
	env := testenv.Env(t)
	err := env.Checkpoint.Save(t.Context(), map[string]any{"run": map[string]any{"group": other.Process.Pid, "born": "another boot/1", "exit": filepath.Join(env.Scratch, "none")}})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := s.Check(t.Context(), env)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Run(t.Context(), env, plan); err != nil {
		t.Fatal(err)
	}
	if err := other.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the other process was ended: %v", err)
	}
	if n := lines(t, filepath.Join(env.Dir, "began")); n != 1 {
		t.Errorf("the command ran %d times, want once", n)
	}
}

func TestResumedCommandTimesOut(t *testing.T) {
	c := conductor{Dir: t.TempDir(), Run: slowCommand, Dies: whileRuns}
	c = c.killed(t)
	s, env := c.step(), c.env()
	plan, err := s.Check(t.Context(), env)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err = s.Run(ctx, env, plan)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the deadline", err)
	}
	if began, _ := effects(t, c.Dir); began != 1 {
		t.Errorf("began %d times, want 1", began)
	}
}

// TestLostRunLeavesTheCommand: a conductor that another has relieved must not
// end the command that the other awaits.
func TestLostRunLeavesTheCommand(t *testing.T) {
	env := testenv.Env(t)
	s := &shell.Shell{Command: slowCommand, Grace: time.Second}
	plan := check(t, s, env)
	ctx, cancel := context.WithCancelCause(t.Context())
	relieved := make(chan error, 1)
	go func() {
		_, err := s.Run(ctx, env, plan)
		relieved <- err
	}()
	eventually(t, func() bool { began, _ := effects(t, env.Dir); return began == 1 })
	cancel(fault.New(fault.Busy, "another conductor has taken over", ""))
	if err := <-relieved; fault.KindOf(err) != fault.Busy {
		t.Errorf("the relieved conductor: %v", err)
	}
	release(t, env.Dir)
	if _, err := s.Run(t.Context(), env, plan); err != nil {
		t.Error(err)
	}
	if began, ended := effects(t, env.Dir); began != 1 || ended != 1 {
		t.Errorf("began %d, ended %d, want once", began, ended)
	}
}
