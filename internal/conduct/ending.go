package conduct

import (
	"errors"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/journal"
)

// abandon is the way out when the journal can no longer be written (disk
// full, lease lost): nothing may be begun or proved any more. Running steps
// are cancelled and awaited, so that none goes on without a record.
func (c *conductor) abandon(err error) error {
	c.stop(err)
	c.answer(err)
	for id, w := range c.active {
		w.cancel(err)
		if w.idling {
			delete(c.active, id)
		}
	}
	for len(c.active) > 0 {
		m := <-c.msgs
		switch {
		case m.stage == phaseWrite:
			m.done <- err
		case m.last():
			delete(c.active, m.w.node.ID)
		case m.stage == phaseChecked:
			m.w.cancel(err) // it waits for a go-on that never comes
			delete(c.active, m.w.node.ID)
		}
	}
	return err
}

// last tells whether the worker ends with this message.
func (m message) last() bool {
	switch m.stage {
	case phaseVerified, phaseUndone, phaseUnrecovered:
		return true
	case phaseRan, phaseChecked:
		return m.err != nil
	}
	return false
}

// over tells whether the conductor's work has ended, and how.
func (c *conductor) over() (bool, error) {
	if len(c.active) > 0 {
		return false, nil
	}
	switch {
	case c.st.Finished():
		if c.st.Result == journal.ResultAborted {
			return true, fault.New(fault.Failed, "run "+quote(c.run)+" was aborted", "")
		}
		return true, nil
	case c.st.Stopped != nil:
		return true, c.stoppedError()
	}
	return false, nil
}

func (c *conductor) stoppedError() error {
	b := c.st.Stopped
	if c.ending != nil {
		return fault.New(fault.Interrupted, b.Reason, b.Hint)
	}
	return &HeldError{Run: c.run, Held: *b}
}

// HeldError says that the run waits for a person and no conductor stays.
type HeldError struct {
	Run  string
	Held journal.HeldBody
}

// Error is the reason.
func (e *HeldError) Error() string { return "run " + quote(e.Run) + " is held: " + e.Held.Reason }

// Unwrap classifies it and gives the hint.
func (e *HeldError) Unwrap() error {
	return &fault.Error{Kind: fault.Held, Hint: e.Held.Hint, Err: errors.New(e.Held.Reason)}
}

// onHint says how a run that was stopped goes on.
func (c *conductor) onHint() string {
	if c.p.Body.Mode == journal.Alone {
		return "give the same command again: it goes on where it stopped"
	}
	return "evac resume --run " + c.run
}
