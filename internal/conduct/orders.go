package conduct

import (
	"fmt"
	"slices"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/journal"
)

// takeOrders answers what people have asked for, in their order.
func (c *conductor) takeOrders() {
	for _, ask := range slices.Clone(c.st.Asks) {
		obey, known := orders[ask.Type]
		if !known {
			continue
		}
		done, refusal := obey(c, ask)
		if !done && refusal == "" {
			return // it must wait, and those behind it too
		}
		c.event(journal.AskAnswered, ask.Step, 0, journal.AnswerBody{Seq: ask.Seq, Done: done, Reason: refusal})
		c.urgent, c.heldTold = true, false // whoever is asked may have to be asked again
	}
}

// orders says what each request does: done, or refused with a reason, or (with
// neither) not yet.
var orders = map[journal.Type]func(*conductor, journal.Event) (bool, string){
	journal.AskHold:    (*conductor).obeyHold,
	journal.AskRelease: (*conductor).obeyRelease,
	journal.AskRetry:   (*conductor).obeyRetry,
	journal.AskSkip:    (*conductor).obeySkip,
	journal.AskUndo:    (*conductor).obeyUndo,
	journal.AskAbort:   (*conductor).obeyAbort,
	journal.AskStop:    (*conductor).obeyStop,
	journal.AskReject:  (*conductor).obeyReject,
	journal.AskConfirm: (*conductor).obeyConfirm,
}

const finished = "the run has ended"

func (c *conductor) obeyHold(ask journal.Event) (bool, string) {
	if c.st.Finished() {
		return false, finished
	}
	c.goOn("held anew") // whatever held it, now a person does
	c.event(journal.RunHeld, "", 0, journal.HeldBody{
		Reason: "held by " + ask.Actor + note(ask), CauseExit: fault.Held.Code(), Hint: "evac release --run " + c.run, By: ask.Actor,
	})
	c.heldTold = false
	return true, ""
}

func (c *conductor) obeyRelease(journal.Event) (bool, string) {
	if c.st.Held == nil {
		return false, "the run is not held"
	}
	if n := c.failedNode(); n != nil && c.st.Undo == nil {
		if n.Class == journal.ClassGate {
			return false, fmt.Sprintf("%q was %s: evac retry %s asks again", n.ID, n.Reason, n.ID)
		}
		return false, fmt.Sprintf("%q has failed: retry or skip it", n.ID)
	}
	c.goOn("released")
	return true, ""
}

func (c *conductor) obeyRetry(ask journal.Event) (bool, string) {
	n := c.st.Node(ask.Step)
	switch {
	case c.st.Finished():
		return false, finished
	case n == nil:
		return false, fmt.Sprintf("no step %q in this run", ask.Step)
	case n.Phase != journal.Failed && n.Phase != journal.Refused && n.Phase != journal.Waiting:
		return false, fmt.Sprintf("%q has not failed: it is %s", n.ID, n.Phase)
	}
	if c.st.Undo == nil {
		c.event(journal.StepRearmed, n.ID, n.Attempt, journal.NoteBody{Text: "retry asked by " + ask.Actor})
	}
	c.goOnAfter("retry of " + n.ID)
	return true, ""
}

func (c *conductor) obeySkip(ask journal.Event) (bool, string) {
	n := c.st.Node(ask.Step)
	switch {
	case c.st.Finished():
		return false, finished
	case n == nil || n.Class != journal.ClassStep:
		return false, fmt.Sprintf("no step %q in this run: gates and checklists cannot be skipped", ask.Step)
	case c.active[n.ID] != nil:
		return false, fmt.Sprintf("%q is running", n.ID)
	case n.Settled() && c.st.Undo == nil:
		return false, fmt.Sprintf("%q is %s", n.ID, n.Phase)
	case n.Order == 0 && c.st.Undo != nil:
		return false, fmt.Sprintf("%q has left nothing to undo", n.ID)
	}
	if c.st.Undo != nil {
		c.event(journal.UndoPassed, n.ID, n.Attempt, journal.NoteBody{Text: "skipped by " + ask.Actor + note(ask)})
	} else {
		c.record(journal.NewEvent(journal.StepSkipped, ask.Actor, n.ID, n.Attempt, ask.Body)) // in the name of who said it
	}
	c.agenda = nil
	c.goOnAfter("skip of " + n.ID)
	return true, ""
}

func (c *conductor) obeyUndo(ask journal.Event) (bool, string) {
	var body journal.UndoBody
	if err := ask.Decode(&body); err != nil {
		return false, err.Error()
	}
	switch {
	case c.st.Result == journal.ResultUndone || c.st.Result == journal.ResultAborted:
		return false, finished
	case body.To != "" && c.st.Stage(body.To) == nil:
		return false, fmt.Sprintf("no stage %q in this run", body.To)
	}
	c.event(journal.UndoStarted, "", 0, body)
	c.agenda = nil
	return true, ""
}

// obeyAbort cancels what runs and ends the run where it stands.
func (c *conductor) obeyAbort(ask journal.Event) (bool, string) {
	if c.st.Finished() {
		return false, finished
	}
	reason := "aborted by " + ask.Actor + note(ask)
	for _, w := range c.active {
		if w.idling {
			c.drop(w)
			continue
		}
		w.cancel(fault.New(fault.Interrupted, reason, ""))
	}
	if len(c.active) > 0 {
		return false, ""
	}
	c.event(journal.RunAborted, "", 0, journal.EndBody{Result: journal.ResultAborted, Reason: reason})
	return true, ""
}

func (c *conductor) obeyStop(ask journal.Event) (bool, string) {
	c.ending = &journal.HeldBody{
		Reason: "stopped by " + ask.Actor + note(ask), CauseExit: fault.Interrupted.Code(), Hint: c.onHint(),
	}
	return true, ""
}

// obeyReject has its effect when the gate is looked at; a gate that has
// passed cannot be rejected any more.
func (c *conductor) obeyReject(ask journal.Event) (bool, string) {
	n := c.st.Node(ask.Step)
	if n == nil || n.Class != journal.ClassGate {
		return false, fmt.Sprintf("no gate %q in this run", ask.Step)
	}
	if n.Settled() {
		return false, fmt.Sprintf("%q has passed already; evac hold or evac undo", n.ID)
	}
	return true, ""
}

func (c *conductor) obeyConfirm(ask journal.Event) (bool, string) {
	n := c.st.Node(ask.Step)
	if n == nil {
		return false, fmt.Sprintf("no step %q in this run", ask.Step)
	}
	if c.st.Held != nil && n.Phase == journal.Pending && c.failedNode() == nil {
		c.goOn("confirmed " + n.ID)
	}
	return true, ""
}

// goOnAfter ends a hold that a failure made, once nothing failed is left. A
// hold that a person asked for stays.
func (c *conductor) goOnAfter(why string) {
	c.agenda = nil
	if c.st.Held != nil && c.st.Held.By != "" {
		return
	}
	if c.failedNode() == nil || c.st.Undo != nil {
		c.goOn(why)
	}
}

// goOn ends a hold.
func (c *conductor) goOn(why string) {
	c.agenda = nil
	if c.st.Held != nil {
		c.event(journal.RunGoesOn, "", 0, journal.NoteBody{Text: why})
	}
}

// failedNode is a node that keeps the run from going on by itself.
func (c *conductor) failedNode() *journal.NodeState {
	for _, n := range c.st.Nodes {
		if n.Phase == journal.Failed || n.Phase == journal.Refused {
			return n
		}
	}
	return nil
}

func note(ask journal.Event) string {
	var body journal.NoteBody
	if err := ask.Decode(&body); err != nil || body.Text == "" {
		return ""
	}
	return ": " + body.Text
}
