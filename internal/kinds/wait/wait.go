// Package wait is the kind "wait": nothing happens for a while or until a time.
package wait

import (
	"context"
	"errors"
	"time"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/step"
)

// Wait is a step that lets time pass.
type Wait struct {
	For   time.Duration `evac:"for" doc:"how long to wait, counted from the first start of the step"`
	Until string        `evac:"until" doc:"a time: RFC 3339 (2026-11-21T02:00:00+09:00), or HH:MM of this machine's zone, the one nearest to now; a time that has passed is not waited for"`
}

// Output is what a wait leaves in the journal.
type Output struct {
	Until string `json:"until" doc:"the moment that was waited for, RFC 3339"`
}

// Kinds lists the kind.
func Kinds() []step.Kind {
	return []step.Kind{{
		Name:    "wait",
		Effect:  step.Reads,
		Summary: "waits for a while or until a time",
		Doc: `Set ` + "`for` or `until`" + `. The moment is fixed when the step first starts: after a crash it is the same, not counted anew.
` + "`HH:MM`" + ` is the nearest such time, up to twelve hours ahead or behind: a step "until 02:00" that is reached at 02:03 goes on at once. A drill does not wait for ` + "`until`" + `.`,
		New:    func() step.Step { return &Wait{} },
		Output: Output{},
		Example: `step "wait" "ttl" {
  why = "resolvers forget the old address"
  for = "5m"
}`,
	}}
}

// data is what a plan of this kind approves.
type data struct {
	For   string `json:"for,omitempty"`
	Until string `json:"until,omitempty"`
}

// Check implements step.Step.
func (w *Wait) Check(_ context.Context, env *step.Env) (step.Plan, error) {
	now := time.Now()
	if (w.For > 0) == (w.Until != "") {
		return step.Plan{}, fault.New(fault.Invalid, "wait: set one of for and until", `write for = "5m" or until = "02:00"`)
	}
	deadline, err := w.deadline(now, env.Drill)
	if err != nil {
		return step.Plan{}, err
	}
	left := max(0, deadline.Sub(now))
	plan := step.Plan{
		Summary: "wait for " + w.For.String(),
		Work:    step.Work{Unit: "seconds", Total: int64(left.Round(time.Second) / time.Second)},
	}
	d := data{For: w.For.String()}
	if w.Until != "" {
		d = data{Until: w.Until}
		plan.Summary = "wait until " + w.Until
		plan.Fact("until", "%s", deadline.Format(time.RFC3339))
		if left == 0 && !env.Drill {
			plan.Warn("%s has passed: the step will not wait", w.Until)
		}
	}
	plan.Action("wait", "%s", plan.Summary)
	return plan, plan.SetData(d)
}

// deadline is the moment to wait for if the step starts now.
func (w *Wait) deadline(now time.Time, drill bool) (time.Time, error) {
	switch {
	case w.Until == "":
		return now.Add(w.For), nil
	case drill:
		_, err := moment(w.Until, now)
		return now, err
	}
	return moment(w.Until, now)
}

// moment is step.ParseMoment with a hint.
func moment(text string, now time.Time) (time.Time, error) {
	t, err := step.ParseMoment(text, now)
	return t, fault.Wrap(fault.Invalid, "until", err, "write 02:00 or 2026-11-21T02:00:00+09:00")
}

// saved is the checkpoint: the moment, fixed at the first start.
type saved struct {
	Until time.Time `json:"until"`
}

// Run implements step.Step.
func (w *Wait) Run(ctx context.Context, env *step.Env, _ step.Plan) (step.Output, error) {
	var at saved
	found, err := env.Checkpoint.Load(&at)
	if err != nil {
		return nil, err
	}
	if !found {
		if at.Until, err = w.deadline(time.Now(), env.Drill); err != nil {
			return nil, err
		}
		if err := env.Checkpoint.Save(ctx, at); err != nil {
			return nil, err
		}
	}
	// Without its monotonic part, so that time asleep counts as well.
	until := at.Until.Round(0)
	env.Progress.Note("until " + until.Format("15:04:05"))
	if err := sleepUntil(ctx, until, env.Progress); err != nil {
		return nil, err
	}
	return Output{Until: until.Format(time.RFC3339Nano)}, nil
}

// sleepUntil looks at the clock every second: it may be set, and the machine
// may sleep.
func sleepUntil(ctx context.Context, until time.Time, progress step.Progress) error {
	left := time.Until(until)
	progress.Total("seconds", int64(max(0, left).Round(time.Second)/time.Second))
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ; left > 0; left = time.Until(until) {
		nap := min(left, time.Second)
		timer.Reset(nap)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-timer.C:
			progress.Add(int64(nap / time.Second))
		}
	}
	return nil
}

// Verify implements step.Step: the moment has passed.
func (w *Wait) Verify(_ context.Context, _ *step.Env, done step.Done) error {
	var out Output
	if err := done.Decode(&out); err != nil {
		return err
	}
	until, err := time.Parse(time.RFC3339, out.Until)
	if err != nil {
		return err
	}
	if left := time.Until(until); left > 0 {
		return errors.New("wait: " + left.Round(time.Second).String() + " are left: the clock was set back")
	}
	return nil
}
