// Package shell is the kind "shell": a command of the runbook's author, run so
// that a crash of evac neither runs it twice nor loses how it ended.
package shell

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/step"
)

// Limits in bytes: of the output that is journalled, and of the log's end that
// is read for a progress note.
const (
	tailLimit = 2000
	noteLimit = 512
)

// Shell is a step that runs a command.
type Shell struct {
	Command       string                   `evac:"run,required" doc:"the command, run by /bin/sh -c; exit 0 is success"`
	CheckCommand  string                   `evac:"check" doc:"reads only; its exit 0 says that run can work, its output is shown in the plan"`
	VerifyCommand string                   `evac:"verify" doc:"reads only; its exit 0 proves the effect. Without it the exit status of run is the proof"`
	UndoCommand   string                   `evac:"undo" doc:"takes back what run did, also half of it"`
	DrillCommand  string                   `evac:"drill" doc:"runs in a drill instead of run, alone: check, verify and undo take no part. Without it a drill skips the step"`
	Env           map[string]secret.String `evac:"env" doc:"the command's environment, on top of evac's own; the place for secrets. The values are scrubbed from its output"`
	Dir           string                   `evac:"dir" doc:"the directory to run in, from the runbook's (the default)"`
	Irreversible  bool                     `evac:"irreversible" doc:"cannot be undone and matters: asks for confirmation"`
	Grace         time.Duration            `evac:"grace" default:"10s" doc:"how long a command that must end may take to do so before it is killed"`
}

// Output is what a shell step leaves in the journal.
type Output struct {
	Exit       int     `json:"exit" doc:"exit status; -1 if only verify could tell that the command came to its end"`
	OutputTail string  `json:"output_tail" doc:"the end of what it wrote, at most 2,000 bytes, secrets replaced"`
	Seconds    float64 `json:"seconds" doc:"how long it ran"`
}

// Kinds lists the kind.
func Kinds() []step.Kind {
	return []step.Kind{{
		Name:    "shell",
		Effect:  step.Passing,
		Summary: "runs a command",
		Doc:     doc,
		New:     func() step.Step { return &Shell{} },
		Output:  Output{},
		Example: `step "shell" "stop_jobs" {
  why    = "no job may write after the freeze"
  run    = "systemctl stop jobs.timer"
  verify = "! systemctl is-active --quiet jobs.timer"
  undo   = "systemctl start jobs.timer"
  drill  = "echo jobs would stop here"
}`,
	}}
}

const doc = `The command runs under ` + "`/bin/sh -c`" + ` in a session of its own and survives evac's death. Its process group is journalled before it begins;
when evac comes back it waits for the group, and takes the exit status that was left as the result. Without one, ` + "`verify`" + ` decides: exit 0 means done, else the command
runs again, unless the step says ` + "`repeatable = false`" + `: then evac asks a person. When the step's timeout passes, the group gets SIGTERM, and SIGKILL after ` + "`grace`" + `.

The command's environment is evac's own without ` + "`EVAC_VAR_…`" + `, then ` + "`env`" + `, then ` + "`EVAC_RUN`, `EVAC_STEP`, `EVAC_TOKEN`" + ` (the same over all attempts: an idempotency key) and, in
a drill, ` + "`EVAC_DRILL=1`" + `. Standard input is empty. Secrets belong into ` + "`env`" + `, never into a command's text.

The effect is *undoable* with ` + "`undo`" + `, *lasting* (asks) with ` + "`irreversible = true`" + `; otherwise undo passes the step by and names it.`

// Effect is undoable, lasting or passing, by what the author wrote.
func (s *Shell) Effect() step.Effect {
	switch {
	case s.UndoCommand != "":
		return step.Undoable
	case s.Irreversible:
		return step.Lasting
	}
	return step.Passing
}

// data is what a plan of this kind approves: all that will run, and where.
type data struct {
	Run    string `json:"run"`
	Verify string `json:"verify,omitempty"`
	Undo   string `json:"undo,omitempty"`
	Dir    string `json:"dir"`
	// Env are the names that the step sets; the values are secret.
	Env []string `json:"env,omitempty"`
}

// Check implements step.Step.
func (s *Shell) Check(ctx context.Context, env *step.Env) (step.Plan, error) {
	d := s.data(env)
	plan := step.Plan{Summary: "run " + headline(d.Run)}
	plan.Action("run", "run %s", d.Run)
	if d.Verify != "" {
		plan.Fact("verify", "%s", d.Verify)
	}
	if d.Undo != "" {
		plan.Fact("undo", "%s", d.Undo)
	}
	if err := errors.Join(s.wrong(ctx, env, d), plan.SetData(d)); err != nil {
		return plan, err
	}
	if _, err := os.Stat(d.Dir); err != nil {
		plan.Warn("directory %q is not there yet", d.Dir)
	}
	if s.CheckCommand == "" || env.Drill {
		return plan, nil
	}
	said, err := s.quick(ctx, env, d.Dir, s.CheckCommand)
	if err != nil {
		return plan, fault.Wrap(fault.Failed, "run check", err, "")
	}
	if said != "" {
		plan.Fact("check", "%s", said)
	}
	return plan, nil
}

// data gathers what will run. In a drill that is the drill's command alone.
func (s *Shell) data(env *step.Env) data {
	dir := s.Dir
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(env.Dir, dir)
	}
	d := data{Run: s.Command, Verify: s.VerifyCommand, Undo: s.UndoCommand, Dir: dir}
	if env.Drill {
		d.Run, d.Verify, d.Undo = s.DrillCommand, "", ""
	}
	for name := range s.Env {
		d.Env = append(d.Env, name)
	}
	slices.Sort(d.Env)
	return d
}

// headline is a command's first line, cut to what fits into a table.
func headline(command string) string {
	const most = 60
	line, rest, _ := strings.Cut(strings.TrimSpace(command), "\n")
	if text := []rune(line); len(text) > most {
		return string(text[:most]) + "…"
	}
	if rest != "" {
		return line + " …"
	}
	return line
}

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// wrong collects everything that cannot work.
func (s *Shell) wrong(ctx context.Context, env *step.Env, d data) error {
	var all []error
	if env.Drill && s.DrillCommand == "" {
		all = append(all, fault.New(fault.Invalid, "drill: no command to run in a drill", `add drill = "COMMAND", or leave the step out of the drill`))
	}
	if s.UndoCommand != "" && s.Irreversible {
		all = append(all, fault.New(fault.Invalid, "irreversible: the step has an undo", "remove one of the two"))
	}
	for _, c := range []struct{ field, text string }{
		{"run", s.Command}, {"check", s.CheckCommand}, {"verify", s.VerifyCommand}, {"undo", s.UndoCommand}, {"drill", s.DrillCommand},
	} {
		if err := parse(ctx, c.text); err != nil {
			all = append(all, fault.Wrap(fault.Invalid, c.field, err, ""))
		}
	}
	for _, name := range d.Env {
		if !envName.MatchString(name) || strings.HasPrefix(name, "EVAC_") {
			all = append(all, fault.New(fault.Invalid, fmt.Sprintf("env: %q cannot be the name of a variable", name), "use letters, digits and _, and no name that begins with EVAC_"))
		}
		if strings.Contains(s.Env[name].Reveal(), "\x00") {
			all = append(all, fault.New(fault.Invalid, fmt.Sprintf("env: value of %q holds a NUL byte", name), ""))
		}
	}
	return errors.Join(all...)
}

// environ is the environment of all of the step's commands.
func (s *Shell) environ(env *step.Env) []string {
	all := slices.DeleteFunc(secret.Environ(), func(v string) bool { return strings.HasPrefix(v, "EVAC_DRILL=") })
	for name, value := range s.Env {
		all = append(all, name+"="+value.Reveal())
	}
	all = append(all, "EVAC_RUN="+env.Run, "EVAC_STEP="+env.Step, mark(env))
	if env.Drill {
		all = append(all, "EVAC_DRILL=1")
	}
	return all
}

// mark is the line of the environment by which a group's members are known.
func mark(env *step.Env) string { return "EVAC_TOKEN=" + env.Token }

// secrets are the texts that must not be seen in the commands' output.
func (s *Shell) secrets(env *step.Env) []string {
	var own secret.Redactor
	for _, value := range s.Env {
		if !value.IsOpen() {
			own.Add(value.Reveal())
		}
	}
	return append(own.Known(), env.Redact.Known()...)
}
