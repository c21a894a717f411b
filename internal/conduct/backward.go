package conduct

import (
	"fmt"
	"slices"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/step"
)

// backward undoes one step after the other, in reverse order of completion.
// Steps that still run when the undo begins are left to end first.
func (c *conductor) backward() {
	for len(c.active) == 0 && c.st.Held == nil && c.st.Undo != nil {
		n := c.lastDone()
		if n == nil {
			c.endUndo()
			return
		}
		c.takeBack(n)
	}
}

// lastDone is the newest node within the undo's reach that has left a trace.
func (c *conductor) lastDone() *journal.NodeState {
	var newest *journal.NodeState
	for _, n := range slices.Concat(c.st.Nodes, c.st.Gone) {
		if n.Order > 0 && (newest == nil || n.Order > newest.Order) && c.reaches(n) {
			newest = n
		}
	}
	return newest
}

// reaches tells whether the undo goes back as far as the node. One whose stage
// is no longer in the runbook is told by its time.
func (c *conductor) reaches(n *journal.NodeState) bool {
	from := c.undoFrom()
	if i := slices.Index(c.st.Body.Stages, n.Stage); i >= 0 {
		return i >= from
	}
	back := c.st.Stage(c.st.Undo.To)
	return from == 0 || !back.Started.IsZero() && !n.Started.Before(back.Started)
}

func (c *conductor) undoFrom() int {
	return max(slices.Index(c.st.Body.Stages, c.st.Undo.To), 0)
}

func (c *conductor) takeBack(n *journal.NodeState) {
	if n.Class != journal.ClassStep {
		c.event(journal.StepRearmed, n.ID, 0, journal.NoteBody{Text: "undo passed it; approvals and results lapse"})
		return
	}
	p, err := c.programOf(n)
	if err != nil {
		c.undoFailed(n, err, 0)
		return
	}
	node := p.Node(n.ID)
	s, err := p.build(node, c.st)
	if err == nil {
		err = c.filesUnchanged(p, n)
	}
	if err != nil {
		c.undoFailed(n, err, 0)
		return
	}
	kind, _, _ := c.p.Kinds.Kind(n.Kind)
	switch kind.EffectOf(s) {
	case step.Reads:
		c.event(journal.StepUndone, n.ID, n.Attempt, journal.TimeBody{})
	case step.Passing:
		c.event(journal.UndoPassed, n.ID, n.Attempt, journal.NoteBody{Text: "a step of kind " + n.Kind + " has no way back"})
	case step.Lasting:
		c.hold(fmt.Sprintf("undo stops at step %q, which cannot be undone", n.ID), fault.Held,
			fmt.Sprintf("evac skip %s --reason … --run %s leaves it as it is and goes on", n.ID, c.run))
	default:
		c.event(journal.UndoIntent, n.ID, n.Attempt, nil)
		w := c.newWorker(n, node, s)
		w.attempt, w.back = n.Attempt, true
		c.active[n.ID] = w // nothing else begins before the intent is on disk
		w.cancel = func(error) {}
		c.urgent = true
		c.commit = append(c.commit, func(err error) {
			if err == nil {
				c.spawn(w, w.undo)
				return
			}
			delete(c.active, n.ID)
		})
	}
}

// programOf is the program by which what a node did is undone: the one that it
// ran under, if the runbook was changed since.
func (c *conductor) programOf(n *journal.NodeState) (*Program, error) {
	if n.Former == nil {
		return c.p, nil
	}
	if c.pastOf != n.Former {
		past, err := c.p.Past(n.Former)
		if err != nil {
			return nil, fault.Wrap(fault.KindOf(err), "read the runbook that step "+quote(n.ID)+" ran under", err, "")
		}
		c.p.Secrets.Join(past.Secrets)
		past.Secrets = c.p.Secrets
		c.past, c.pastOf = past, n.Former
	}
	if c.past.Node(n.ID) == nil {
		return nil, fault.New(fault.Failed, "the runbook that step "+quote(n.ID)+" ran under does not have it", "")
	}
	return c.past, nil
}

func (c *conductor) undone(n *journal.NodeState, m message) {
	if m.err != nil {
		c.undoFailed(n, m.err, m.elapsed.Milliseconds())
		return
	}
	c.event(journal.StepUndone, n.ID, n.Attempt, journal.TimeBody{ElapsedMS: m.elapsed.Milliseconds()})
}

func (c *conductor) undoFailed(n *journal.NodeState, err error, elapsedMS int64) {
	body := failBody("undo", err, elapsedMS, c.p.Secrets)
	c.event(journal.UndoFailed, n.ID, n.Attempt, body)
	c.hold(fmt.Sprintf("undo of step %q failed: %s", n.ID, body.Error), fault.KindOf(err),
		fmt.Sprintf("evac resume tries it again, evac skip %s --reason … leaves it, each with --run %s", n.ID, c.run))
}

// endUndo closes the undo: the run is over if nothing of it is left, else it
// holds before the stage that was undone.
func (c *conductor) endUndo() {
	to := c.st.Undo.To
	from := c.undoFrom()
	c.event(journal.UndoDone, "", 0, journal.UndoBody{To: to})
	c.agenda = nil
	if from == 0 {
		c.event(journal.RunDone, "", 0, journal.EndBody{Result: journal.ResultUndone})
		return
	}
	for _, n := range c.st.Nodes {
		if slices.Index(c.st.Body.Stages, n.Stage) >= from && n.Phase != journal.Pending {
			c.event(journal.StepRearmed, n.ID, 0, journal.NoteBody{Text: "undone"})
		}
	}
	c.hold(fmt.Sprintf("undone: the run stands before stage %q", to), fault.Held, "evac resume --run "+c.run+" goes forward again")
}
