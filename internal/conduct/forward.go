package conduct

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/runbook"
	"github.com/evac-io/evac/internal/step"
)

// decide looks at the state and begins whatever may begin.
func (c *conductor) decide() error {
	c.takeOrders()
	if c.st.Finished() || c.st.Stopped != nil {
		return nil
	}
	if c.st.Held == nil && c.ending == nil {
		if c.st.Undo != nil {
			c.backward()
		} else {
			c.forward()
		}
	}
	if len(c.active) == 0 && !c.st.Finished() {
		c.rest()
	}
	return nil
}

// rest decides what to do while no step runs: go on waiting, or let go.
func (c *conductor) rest() {
	why := c.ending
	if why == nil {
		why = c.st.Held
	}
	if why == nil {
		why = c.waitsForPeople()
	}
	switch {
	case why == nil:
	case c.ending == nil && (c.o.Stay || c.o.StayAtGates && c.st.Held == nil):
		if !c.heldTold && c.o.OnHold != nil && len(c.batch) == 0 { // what led to it is told first
			c.heldTold = true
			c.o.OnHold(c.st)
		}
	default:
		c.event(journal.RunStopped, "", 0, why)
	}
}

// forward begins every step, gate and checklist that is due.
func (c *conductor) forward() {
	for {
		if c.agenda == nil {
			if c.agenda = newAgenda(c.st); c.agenda == nil {
				c.event(journal.RunDone, "", 0, journal.EndBody{Result: journal.ResultDone})
				return
			}
		}
		if st := c.st.Stage(c.agenda.stage); st.Started.IsZero() || !st.Ended.IsZero() {
			c.event(journal.StageStarted, c.agenda.stage, 0, nil)
		}
		c.begin()
		if c.st.Held != nil || c.st.Undo != nil || c.agenda != nil && c.agenda.left > 0 {
			return
		}
		if c.agenda != nil {
			c.event(journal.StageDone, c.agenda.stage, 0, nil)
			c.agenda = nil
		}
	}
}

// begin starts ready nodes as far as workers are free, and looks again at
// those that wait.
func (c *conductor) begin() {
	for _, id := range slices.Sorted(maps.Keys(c.agenda.waiting)) {
		if c.held() {
			return
		}
		c.look(c.st.Node(id))
	}
	for !c.held() && len(c.agenda.ready) > 0 && len(c.active) < c.st.Body.Parallel {
		id := c.agenda.ready[0]
		c.agenda.ready = c.agenda.ready[1:]
		if c.active[id] == nil { // an agenda made anew knows nothing of workers
			c.start(c.st.Node(id))
		}
	}
}

// held tells that nothing more may begin; the agenda may be gone by then.
func (c *conductor) held() bool { return c.st.Held != nil || c.st.Undo != nil || c.agenda == nil }

// start brings a node that is due to life.
func (c *conductor) start(n *journal.NodeState) {
	switch n.Class {
	case journal.ClassGate:
		c.reachGate(n)
	case journal.ClassChecklist:
		c.reachChecklist(n)
	default:
		c.startStep(n)
	}
}

// look sees whether a waiting node may go on.
func (c *conductor) look(n *journal.NodeState) {
	switch {
	case n.Class == journal.ClassGate:
		c.lookGate(n)
	case n.Class == journal.ClassChecklist:
		c.lookChecklist(n)
	case retryDue(n, c.o.Now()) && len(c.active) < c.st.Body.Parallel:
		delete(c.agenda.waiting, n.ID)
		c.startStep(n)
	}
}

func (c *conductor) startStep(n *journal.NodeState) {
	node := c.p.Node(n.ID)
	if n.Phase == journal.Waiting && !retryDue(n, c.o.Now()) {
		c.agenda.waiting[n.ID] = true
		return
	}
	yes, waits, err := c.p.When(node, outputsOf(c.st))
	if err == nil && len(waits) > 0 {
		err = unknownError(waits)
	}
	if err != nil {
		c.unready(n, err)
		return
	}
	if !yes {
		c.record(journal.NewEvent(journal.StepSkipped, "evac", n.ID, n.Attempt, journal.NoteBody{Text: "its condition is false"}))
		c.agenda.settle(n.ID)
		return
	}
	s, err := c.p.build(node, c.st)
	if err != nil {
		c.unready(n, err)
		return
	}
	if !c.confirmed(n, s) {
		return
	}
	c.launch(n, node, s)
}

// unready records that a step cannot even be checked.
func (c *conductor) unready(n *journal.NodeState, err error) {
	if began(n) {
		c.failed(n, n.Attempt, "lost", err, 0, nil)
		return
	}
	c.failed(n, n.Attempt+1, "check", err, 0, nil)
}

// began tells that a conductor has died in the middle of the step: whatever
// fails now, it must not pass for one that was never begun.
func began(n *journal.NodeState) bool { return n.Phase == journal.Running || n.Phase == journal.Ran }

// confirmed holds the run before a lasting step that nobody has confirmed.
func (c *conductor) confirmed(n *journal.NodeState, s step.Step) bool {
	kind, _, _ := c.p.Kinds.Kind(n.Kind)
	if kind.EffectOf(s) != step.Lasting || n.Confirm != "" || slices.Contains(c.st.Body.Confirmed, n.ID) {
		return true
	}
	hint := fmt.Sprintf("evac resume --confirm %s --run %s", n.ID, c.run)
	if c.p.Body.Mode == journal.Alone {
		hint = "give the same command again with --confirm"
	}
	c.hold(fmt.Sprintf("step %q cannot be undone and asks for confirmation", n.ID), fault.Held, hint)
	c.agenda = nil
	return false
}

// launch gives the step to a worker, at the phase in which it stands.
func (c *conductor) launch(n *journal.NodeState, node *runbook.Node, s step.Step) {
	w := c.newWorker(n, node, s)
	var work func(context.Context, *step.Env)
	switch n.Phase {
	case journal.Running: // its conductor died between intent and proof
		w.attempt = n.Attempt
		work = w.recover
	case journal.Ran:
		w.attempt = n.Attempt
		work = w.verify
	default:
		w.idling = true
		work = w.forward
	}
	c.spawn(w, work)
}

func (c *conductor) newWorker(n *journal.NodeState, node *runbook.Node, s step.Step) *worker {
	w := &worker{
		c: c, node: node, step: s, attempt: n.Attempt + 1, goOn: make(chan struct{}),
		saved: n.Saved, changed: slices.Clone(n.Changed), output: n.Output, fault: c.st.Body.Faults[n.ID],
	}
	if n.Plan != nil {
		w.plan = *n.Plan
	}
	if n.Attempt > 0 {
		w.fault = "" // a fault on request strikes once
	}
	return w
}

func (c *conductor) spawn(w *worker, work func(context.Context, *step.Env)) {
	ctx, cancel := context.WithCancelCause(c.ctx)
	w.cancel = cancel
	c.active[w.node.ID] = w
	env, err := c.env(w)
	if err != nil {
		stage := phaseChecked
		if w.back {
			stage = phaseUndone
		}
		// Told from a goroutine: the loop must not speak to itself.
		go w.tell(stage, time.Now(), err)
		return
	}
	go work(ctx, env)
}
