package conduct

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/runbook"
	"github.com/evac-io/evac/internal/step"
)

// worker takes one step through its phases in a goroutine of its own. It
// speaks to the loop by messages alone.
type worker struct {
	meter
	c       *conductor
	node    *runbook.Node
	step    step.Step
	attempt int
	plan    step.Plan
	idling  bool // checked or being checked: it has done nothing yet
	back    bool // it undoes
	output  json.RawMessage
	fault   string // injected: start|middle|verify
	cancel  context.CancelCauseFunc
	goOn    chan struct{} // the loop has journalled the intent
	saved   json.RawMessage
	changed []step.Setting
}

// message is what a worker tells the loop.
type message struct {
	w       *worker
	stage   phase
	err     error
	elapsed time.Duration
	// of a write: the event and where its commit is answered
	event journal.Event
	done  chan error
}

type phase uint8

const (
	phaseWrite   phase = iota // append the event and answer
	phaseChecked              // the plan is in w.plan
	phaseRan                  // the output is in w.output
	phaseVerified
	phaseUndone
	phaseRecovered   // as phaseRan, found out without running
	phaseUnrecovered // nobody knows whether it ran to its end
)

// write journals an event of this step and waits until it is on disk.
func (w *worker) write(ctx context.Context, t journal.Type, body any) error {
	m := message{w: w, stage: phaseWrite, event: journal.NewEvent(t, w.c.actor(), w.node.ID, w.attempt, body), done: make(chan error, 1)}
	select {
	case w.c.msgs <- m:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	// Once the loop has it, it is written or refused: waiting is bounded.
	return <-m.done
}

func (w *worker) tell(stage phase, since time.Time, err error) {
	w.c.msgs <- message{w: w, stage: stage, err: err, elapsed: time.Since(since)}
}

// errInjected is the cause of a fault that was asked for.
var errInjected = errors.New("fault injected on request")

func injected(where string) error {
	return fault.Wrap(fault.Failed, "", fmt.Errorf("%w (%s)", errInjected, where), "")
}

// forward checks, runs and verifies, waiting between check and run until the
// loop has written the intent.
func (w *worker) forward(ctx context.Context, env *step.Env) {
	began := time.Now()
	plan, err := guard(ctx, w.node, func(ctx context.Context) (step.Plan, error) { return w.step.Check(ctx, env) })
	w.plan = plan
	w.tell(phaseChecked, began, err)
	if err != nil {
		return
	}
	select {
	case <-w.goOn:
	case <-ctx.Done():
		return // the loop has dropped this worker
	}
	w.runAndVerify(ctx, env)
}

func (w *worker) runAndVerify(ctx context.Context, env *step.Env) {
	began := time.Now()
	err := w.run(ctx, env)
	w.tell(phaseRan, began, err)
	if err == nil {
		w.verify(ctx, env)
	}
}

func (w *worker) run(ctx context.Context, env *step.Env) error {
	if w.fault == faultStart {
		return injected("at the start")
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if w.fault == faultMiddle {
		w.half = func() { cancel(injected("in the middle")) }
	}
	out, err := guard(ctx, w.node, func(ctx context.Context) (step.Output, error) { return w.step.Run(ctx, env, w.plan) })
	if w.fault == faultMiddle && err == nil {
		err = injected("in the middle")
	}
	if out != nil {
		output, wrong := json.Marshal(out)
		w.output, err = output, errors.Join(err, wrong)
	}
	return err
}

func (w *worker) verify(ctx context.Context, env *step.Env) {
	began := time.Now()
	_, err := guard(ctx, w.node, func(ctx context.Context) (struct{}, error) {
		if w.fault == faultVerify {
			return struct{}{}, injected("in verify")
		}
		return struct{}{}, w.step.Verify(ctx, env, step.Done{Plan: w.plan, Output: w.output})
	})
	w.tell(phaseVerified, began, err)
}

// recover finds out what became of a step whose conductor died in its Run.
func (w *worker) recover(ctx context.Context, env *step.Env) {
	began := time.Now()
	r, ok := w.step.(step.Recoverer)
	if !ok {
		w.tell(phaseUnrecovered, began, nil)
		return
	}
	var done bool
	out, err := guard(ctx, w.node, func(ctx context.Context) (out step.Output, err error) {
		out, done, err = r.Recover(ctx, env, w.plan)
		return out, err
	})
	if err == nil && done && out != nil {
		w.output, err = json.Marshal(out)
	}
	if err != nil || !done {
		w.tell(phaseUnrecovered, began, err)
		return
	}
	w.tell(phaseRecovered, began, nil)
	w.verify(ctx, env)
}

func (w *worker) undo(ctx context.Context, env *step.Env) {
	began := time.Now()
	_, err := guard(ctx, w.node, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, w.step.(step.Undoer).Undo(ctx, env, step.Done{Plan: w.plan, Output: w.output})
	})
	w.tell(phaseUndone, began, err)
}

// guard bounds a call by the node's timeout, gives the cause of a cancelled
// context instead of "context canceled", and turns a panic into an error, so
// that a bug in one kind leaves the journal readable and the others running.
func guard[T any](ctx context.Context, n *runbook.Node, call func(context.Context) (T, error)) (out T, err error) {
	ctx, cancel := withTimeout(ctx, n)
	defer cancel()
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("evac: internal error: %v\n%s", r, debug.Stack())
		}
	}()
	out, err = call(ctx)
	if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(err, cause) {
		err = fmt.Errorf("%w (%w)", cause, err)
	}
	return out, err
}
