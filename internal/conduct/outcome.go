package conduct

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/step"
)

// handle takes a worker's message in.
func (c *conductor) handle(m message) {
	if m.stage == phaseWrite {
		c.record(m.event)
		c.commit = append(c.commit, func(err error) { m.done <- err })
		c.urgent = true
		return
	}
	n := c.st.Node(m.w.node.ID)
	if m.last() {
		delete(c.active, n.ID)
		m.w.cancel(nil)
	}
	switch m.stage {
	case phaseChecked:
		c.checked(n, m)
	case phaseRan, phaseRecovered:
		c.ran(n, m)
	case phaseVerified:
		c.verified(n, m)
	case phaseUnrecovered:
		c.unrecovered(n, m)
	case phaseUndone:
		c.undone(n, m)
	}
}

// checked compares the plan with the approved one and writes the intent; the
// step begins when that is on disk.
func (c *conductor) checked(n *journal.NodeState, m message) {
	if m.err != nil && began(n) {
		c.unready(n, m.err)
		return
	}
	if m.err != nil {
		c.failed(n, m.w.attempt, "check", m.err, m.elapsed, nil)
		return
	}
	if c.ending != nil || c.st.Held != nil || c.st.Undo != nil || c.st.Finished() {
		c.drop(m.w)
		return
	}
	if err := c.filesUnchanged(c.p, n); err != nil {
		c.drop(m.w)
		c.failed(n, m.w.attempt, "check", err, m.elapsed, nil)
		return
	}
	hash := m.w.plan.Hash()
	if n.Plan == nil || n.Plan.Hash() != hash {
		known := n.Plan != nil
		c.event(journal.StepPlanned, n.ID, 0, journal.PlanBody{Plan: m.w.plan, Hash: hash})
		if known {
			c.drop(m.w)
			c.hold(fmt.Sprintf("the plan of step %q is no longer the one approved at the start", n.ID), fault.Held,
				fmt.Sprintf("read it with evac status %s, then evac release --run %s, or evac abort", c.run, c.run))
			return
		}
	}
	c.event(journal.StepIntent, n.ID, m.w.attempt, journal.IntentBody{PlanHash: hash})
	m.w.idling = false
	c.urgent = true
	c.commit = append(c.commit, func(err error) {
		if err == nil {
			close(m.w.goOn)
			return
		}
		m.w.idling = true // it has not begun and never will
	})
}

// drop lets go of a worker that was checked and shall not run now.
func (c *conductor) drop(w *worker) {
	w.cancel(nil)
	delete(c.active, w.node.ID)
	c.agenda = nil
}

func (c *conductor) ran(n *journal.NodeState, m message) {
	if m.err != nil {
		c.failed(n, m.w.attempt, "run", m.err, m.elapsed, m.w.output)
		return
	}
	body := journal.RanBody{Output: m.w.output, ElapsedMS: m.elapsed.Milliseconds()}
	if unit, _, done, _ := m.w.read(); done > 0 {
		body.Work = step.Work{Unit: unit, Total: done}
	}
	c.event(journal.StepRan, n.ID, m.w.attempt, body)
}

func (c *conductor) verified(n *journal.NodeState, m message) {
	if m.err != nil {
		c.failed(n, m.w.attempt, "verify", m.err, m.elapsed, nil)
		return
	}
	c.event(journal.StepVerified, n.ID, m.w.attempt, journal.TimeBody{ElapsedMS: m.elapsed.Milliseconds()})
	c.agenda.settle(n.ID)
}

// unrecovered decides about a step that was cut off and left no proof: a
// repeatable one runs again, another waits for a person.
func (c *conductor) unrecovered(n *journal.NodeState, m message) {
	if n.Repeatable {
		c.event(journal.StepRearmed, n.ID, n.Attempt, journal.NoteBody{Text: "cut off in the middle; it is repeatable and runs again"})
		c.agenda = nil
		return
	}
	why := "cut off in the middle; whether it took effect is not known, and it is not repeatable"
	if m.err != nil {
		why += ": " + c.p.Secrets.Text(m.err.Error())
	}
	c.event(journal.StepFailed, n.ID, n.Attempt, journal.FailBody{Phase: "lost", Error: why, Exit: fault.Held.Code()})
	c.holdOnce(n)
}

// holdOnce waits for a person's word on a step that may run at most once and
// did not come to its end.
func (c *conductor) holdOnce(n *journal.NodeState) {
	c.hold(fmt.Sprintf("step %q was cut off in the middle and is not repeatable", n.ID), fault.Held,
		fmt.Sprintf("look whether it took effect, then evac skip %s --reason … if it did, evac retry %s if it did not", n.ID, n.ID))
}

// failed records a failure; the step is tried again by itself if its retry
// policy allows, otherwise the run holds.
func (c *conductor) failed(n *journal.NodeState, attempt int, phase string, err error, elapsed time.Duration, found json.RawMessage) {
	body := failBody(phase, err, elapsed.Milliseconds(), c.p.Secrets)
	body.Output = found
	node := c.p.Node(n.ID)
	if c.ending == nil && mayRetry(node, attempt, phase, err) {
		body.RetryInMS = max(backoff(node.Retry, attempt).Milliseconds(), 1)
	}
	c.event(journal.StepFailed, n.ID, attempt, body)
	c.urgent = true
	if body.RetryInMS > 0 {
		if c.agenda != nil {
			c.agenda.waiting[n.ID] = true
		}
		return
	}
	hint := c.onHint()
	if c.p.Body.Mode != journal.Alone {
		hint = fmt.Sprintf("evac retry %s, evac skip %s --reason …, or evac undo, each with --run %s", n.ID, n.ID, c.run)
	}
	c.hold(fmt.Sprintf("step %q failed in %s: %s", n.ID, phase, body.Error), fault.KindOf(err), hint)
}

// failBody is an error as the journal keeps it.
func failBody(phase string, err error, elapsedMS int64, secrets *secret.Redactor) journal.FailBody {
	body := journal.FailBody{Phase: phase, Error: secrets.Text(err.Error()), Exit: fault.Code(err), ElapsedMS: elapsedMS}
	for _, h := range fault.Hints(err) {
		body.Hints = append(body.Hints, secrets.Text(h))
	}
	return body
}

// hold stops the run from beginning anything until a person says what to do.
// A hold that stands already keeps its first reason.
func (c *conductor) hold(reason string, cause fault.Kind, hint string) {
	if c.st.Held != nil {
		return
	}
	c.event(journal.RunHeld, "", 0, journal.HeldBody{Reason: reason, CauseExit: cause.Code(), Hint: hint})
	c.heldTold = false
	c.urgent = true
}

// filesUnchanged refuses a step whose commands name a file that is no longer
// the one that was checked.
func (c *conductor) filesUnchanged(p *Program, n *journal.NodeState) error {
	var errs []error
	for _, file := range p.Files(p.Node(n.ID)) {
		want, frozen := c.st.Body.Frozen[file]
		if !frozen && n.Former != nil {
			want, frozen = n.Former.Frozen[file]
		}
		if !frozen {
			continue
		}
		got, err := hashFile(file)
		if err == nil && got != want {
			err = errors.New("its content is different")
		}
		errs = append(errs, fault.Wrap(fault.Invalid, "file "+quote(file)+" is not the one that was checked", err,
			"put it back, or evac resume --accept-change --run "+c.run))
	}
	return errors.Join(errs...)
}
