package shell

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/step"
)

// saved is the checkpoint: the groups of the newest attempts.
type saved struct {
	Run  *group `json:"run,omitempty"`
	Undo *group `json:"undo,omitempty"`
	// Refuted tells that verify found the effect of Run missing, whatever its
	// exit status says.
	Refuted bool `json:"refuted,omitempty"`
}

func load(env *step.Env) (saved, error) {
	var at saved
	_, err := env.Checkpoint.Load(&at)
	for _, g := range []*group{at.Run, at.Undo} {
		if g != nil {
			g.mark = mark(env)
		}
	}
	return at, err
}

// Run implements step.Step. A command that an earlier call began and that came
// to a good end is not run again.
func (s *Shell) Run(ctx context.Context, env *step.Env, plan step.Plan) (step.Output, error) {
	if out, done, err := s.Recover(ctx, env, plan); done || err != nil {
		return out, err
	}
	var d data
	if err := plan.DecodeData(&d); err != nil {
		return nil, err
	}
	save := func(g group) error { return env.Checkpoint.Save(ctx, saved{Run: &g}) }
	g, e, err := s.carry(ctx, env, "run", d.Run, d.Dir, save)
	return g.output(e), err
}

// Recover implements step.Recoverer.
func (s *Shell) Recover(ctx context.Context, env *step.Env, plan step.Plan) (step.Output, bool, error) {
	var d data
	at, err := load(env)
	if err != nil || at.Run == nil || at.Refuted || at.Undo != nil {
		return nil, false, err
	}
	if err := plan.DecodeData(&d); err != nil {
		return nil, false, err
	}
	e, how, err := s.rejoin(ctx, env, *at.Run)
	switch {
	case err != nil:
		return nil, false, err
	case how == endedWell:
		return at.Run.output(e), true, nil
	}
	if d.Verify != "" {
		_, notDone := s.quick(ctx, env, d.Dir, d.Verify)
		switch {
		case notDone == nil:
			e.Exit = -1
			return at.Run.output(e), true, nil
		case ctx.Err() != nil:
			return nil, false, fault.Wrap(fault.KindOf(notDone), "verify command", notDone, "")
		}
	}
	if how == failedNow {
		return nil, false, at.Run.failure("run command", at.Run.complaint(e))
	}
	return nil, false, nil
}

// How a command that another process began is found.
type finding int

const (
	unknown   finding = iota // nothing tells its true end, or it ended badly back then
	endedWell                // it ended with 0 and nobody had asked it to end
	failedNow                // it was waited for and ended badly
)

// rejoin waits for a command that another process began.
func (s *Shell) rejoin(ctx context.Context, env *step.Env, g group) (ending, finding, error) {
	_, before, err := readEnding(g.Exit)
	if err != nil {
		return ending{}, unknown, err
	}
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	e, known, err := g.await(ctx, g.watch(watching), s.Grace, env.Progress.Note)
	switch {
	case err != nil:
		return e, unknown, g.failure("await command", err)
	case known && e.Exit == 0 && !e.Terminated:
		return e, endedWell, nil
	case known && !before && e.Exit != 0:
		return e, failedNow, nil
	}
	return e, unknown, nil
}

// carry has a command carried out and waits for its end.
func (s *Shell) carry(ctx context.Context, env *step.Env, name, command, dir string, save func(group) error) (group, ending, error) {
	k, err := s.begin(env, name, command, dir, save)
	if err != nil {
		return group{}, ending{}, err
	}
	e, known, err := k.await(ctx, k.ended, s.Grace, env.Progress.Note)
	switch {
	case err == nil && !known:
		err = errors.New("its process group was killed")
	case err == nil:
		err = k.complaint(e)
	}
	if err != nil {
		return k.group, e, k.failure(name+" command", err)
	}
	if e.Error != "" {
		env.Log.Warn("the command went well, its output is not whole", "cause", e.Error)
	}
	return k.group, e, nil
}

// begin has a keeper begin a command. save journals the keeper's group before
// the command can do anything.
func (s *Shell) begin(env *step.Env, name, command, dir string, save func(group) error) (*keeper, error) {
	base := filepath.Join(env.Scratch, name+"-"+strconv.Itoa(env.Attempt))
	o := order{
		Command: command, Env: s.environ(env), Dir: dir, Secrets: s.secrets(env),
		Log: base + ".log", Exit: base + ".exit",
	}
	// An older exit file of this name speaks of another command.
	if err := (group{Exit: o.Exit}).distrust(); err != nil {
		return nil, fmt.Errorf("prepare scratch directory: %w", err)
	}
	k, err := startKeeper(o, mark(env))
	if err != nil {
		return nil, fmt.Errorf("start keeper: %w", err)
	}
	if err := save(k.group); err != nil {
		return nil, errors.Join(err, k.dismiss())
	}
	if err := k.open(); err != nil {
		return nil, fmt.Errorf("start command: %w", err)
	}
	return k, nil
}

// complaint is what is wrong with the end of a command, nil if nothing is.
func (g group) complaint(e ending) error {
	switch {
	case e.Exit == 0:
		return nil
	case e.Error != "": // it was not started, or only its output is not whole
		return fmt.Errorf("%w (%s)", exitError(e.Exit, g.tail(tailLimit)), e.Error)
	}
	return exitError(e.Exit, g.tail(tailLimit))
}

// failure is an error of a command, with the way to its output.
func (g group) failure(op string, err error) error {
	return fault.Wrap(fault.KindOf(err), op, err, "less "+g.Log)
}

func (g group) output(e ending) Output {
	return Output{Exit: e.Exit, OutputTail: g.tail(tailLimit), Seconds: e.Seconds}
}

// Verify implements step.Step. Without a command of its own the exit status of
// run is the proof.
func (s *Shell) Verify(ctx context.Context, env *step.Env, done step.Done) error {
	var d data
	var out Output
	if err := errors.Join(done.Plan.DecodeData(&d), done.Decode(&out)); err != nil {
		return err
	}
	if d.Verify == "" {
		if out.Exit != 0 {
			return fault.New(fault.Failed, fmt.Sprintf("verify command: run ended with exit status %d", out.Exit), "")
		}
		return nil
	}
	_, err := s.quick(ctx, env, d.Dir, d.Verify)
	if err == nil {
		return nil
	}
	// The next Run must not take the exit status for a good end.
	at, loadErr := load(env)
	at.Refuted = true
	return errors.Join(fault.Wrap(fault.Failed, "verify command", err, ""), loadErr, env.Checkpoint.Save(ctx, at))
}

// Undo implements step.Undoer. What still runs is ended first; an undo that an
// earlier call brought to a good end is not run again.
func (s *Shell) Undo(ctx context.Context, env *step.Env, done step.Done) error {
	var d data
	if err := done.Plan.DecodeData(&d); err != nil {
		return err
	}
	at, err := load(env)
	if err != nil {
		return err
	}
	if at.Undo != nil {
		_, how, err := s.rejoin(ctx, env, *at.Undo)
		if err != nil || how == endedWell {
			return err
		}
	}
	if at.Run == nil && len(done.Output) == 0 {
		return nil // nothing was ever done
	}
	if err := s.stop(ctx, at.Run); err != nil || d.Undo == "" {
		return err
	}
	save := func(g group) error { return env.Checkpoint.Save(ctx, saved{Run: at.Run, Undo: &g}) }
	_, _, err = s.carry(ctx, env, "undo", d.Undo, d.Dir, save)
	return err
}

// stop ends a command that is still under way. What a command that ended left
// running in the background is its effect, and the undo command's matter.
func (s *Shell) stop(ctx context.Context, g *group) error {
	if g == nil {
		return nil
	}
	if _, ended, err := readEnding(g.Exit); err != nil || ended {
		return err
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	return g.end(g.watch(watching), s.Grace)
}
