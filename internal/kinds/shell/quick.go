package shell

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/evac-io/evac/internal/step"
)

// quick runs a command that only reads (check, verify) and is therefore not
// journalled: should evac die, running it again does no harm. The result is
// the end of its output, readable and scrubbed.
func (s *Shell) quick(ctx context.Context, env *step.Env, dir, command string) (string, error) {
	tail := &tailBuffer{most: tailLimit}
	output := newScrubber(tail, s.secrets(env))
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", command)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = s.environ(env), dir, output, output
	inOwnGroup(cmd, s.Grace)
	err := cmd.Run()
	_ = output.Flush() // a tailBuffer takes everything
	text := readable(string(tail.text))
	switch {
	case ctx.Err() != nil:
		return text, context.Cause(ctx)
	case cmd.ProcessState == nil:
		return text, err
	case !cmd.ProcessState.Success():
		return text, exitError(status(cmd.ProcessState), text)
	case errors.Is(err, exec.ErrWaitDelay):
		return text, nil // a background child keeps the output open
	}
	return text, err
}

// inOwnGroup makes the end of a command's context end all that it started.
func inOwnGroup(cmd *exec.Cmd, grace time.Duration) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = grace
	cmd.Cancel = func() error { return group{ID: cmd.Process.Pid}.signal(syscall.SIGTERM) }
}

// exitError says how a command failed, with the last line that it said.
func exitError(status int, output string) error {
	if line := lastLine(output); line != "" {
		return fmt.Errorf("exit status %d: %s", status, line)
	}
	return fmt.Errorf("exit status %d", status)
}

// parse has a shell read a command without running it.
func parse(ctx context.Context, command string) error {
	cmd := exec.CommandContext(ctx, "/bin/sh", "-n")
	cmd.Stdin = strings.NewReader(command)
	text, err := cmd.CombinedOutput()
	if line := lastLine(readable(string(text))); err != nil && line != "" {
		return errors.New(line)
	}
	return err
}
