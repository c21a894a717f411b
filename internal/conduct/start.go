package conduct

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/journal"
)

// Where a fault on request strikes.
const (
	faultStart  = "start"
	faultMiddle = "middle"
	faultVerify = "verify"
)

// Start creates the run of a checked program and conducts it to its end. The
// plans that were checked are the ones approved.
func Start(ctx context.Context, o Options, p *Program, checked []Checked) (run string, err error) {
	if err := Problems(checked); err != nil {
		return "", err
	}
	if err := errors.Join(faultsExist(o.Faults, p), confirmedExist(o.Confirmed, p)); err != nil {
		return "", err
	}
	frozen, err := p.freeze()
	if err != nil {
		return "", err
	}
	p.Body.Nodes, p.Body.Frozen = p.nodeBodies(checked), frozen
	if o.Expect != nil {
		o.Expect(p.Body.Nodes)
	}
	p.Body.Runner, p.Body.Version, p.Body.Parallel = o.Runner, o.Version, max(o.Parallel, 1)
	p.Body.Faults, p.Body.Confirmed = o.Faults, o.Confirmed
	run, err = o.Journal.NewRun(ctx, p.Body.Runbook, p.Body.Mode)
	if err != nil {
		return "", err
	}
	lease, err := o.Journal.Take(ctx, run, o.Runner)
	if err != nil {
		return run, err
	}
	c := newConductor(o, p, run, lease)
	if c.st, err = journal.Fold(nil); err != nil {
		return run, errors.Join(err, lease.Release())
	}
	c.event(journal.RunCreated, "", 0, p.Body)
	c.event(journal.RunTaken, "", 0, c.taken(false))
	return run, c.conductAndRelease(ctx)
}

// Resume goes on with a run that has no living conductor. With goOn it ends a
// hold and retries failed steps (never one that may run at most once);
// without, it only obeys the orders that wait.
func Resume(ctx context.Context, o Options, p *Program, run string, goOn bool) error {
	lease, err := o.Journal.Take(ctx, run, o.Runner)
	if err != nil {
		return err
	}
	c := newConductor(o, p, run, lease)
	if c.st, err = o.Journal.Load(ctx, run); err != nil {
		return errors.Join(err, lease.Release())
	}
	c.seen.Store(c.st.Seq)
	if len(c.st.Body.Nodes) == 0 {
		err := fault.New(fault.Invalid, "run "+quote(run)+" was never begun: its journal ends before the first event", "evac run starts it anew")
		return errors.Join(err, lease.Release())
	}
	if c.st.Finished() && len(c.st.Asks) == 0 {
		err := fault.New(fault.Invalid, fmt.Sprintf("run %q has ended: %s", run, c.st.Result), "evac report "+run)
		return errors.Join(err, lease.Release())
	}
	c.event(journal.RunTaken, "", 0, c.taken(true))
	if goOn {
		c.retryFailed()
	}
	return c.conductAndRelease(ctx)
}

// Change replaces the runbook of a stopped run with the program's, whose
// remaining steps have been checked.
func Change(ctx context.Context, o Options, p *Program, run string, checked []Checked) error {
	if err := Problems(checked); err != nil {
		return err
	}
	frozen, err := p.freeze()
	if err != nil {
		return err
	}
	lease, err := o.Journal.Take(ctx, run, o.Runner)
	if err != nil {
		return err
	}
	st, err := o.Journal.Load(ctx, run)
	if err != nil {
		return errors.Join(err, lease.Release())
	}
	if err := cutOff(st, p); err != nil {
		return errors.Join(err, lease.Release())
	}
	body := p.Body
	body.Nodes, body.Frozen = p.nodeBodies(checked), frozen
	body.Runner, body.Version, body.Parallel = st.Body.Runner, o.Version, st.Body.Parallel
	body.Faults, body.Confirmed = st.Body.Faults, st.Body.Confirmed
	_, err = lease.Append(ctx, journal.NewEvent(journal.RunChanged, o.Runner, "", 0, body))
	return errors.Join(err, lease.Release())
}

// cutOff refuses a change that takes away a step whose conductor died in the
// middle of it: nobody would find out what became of it.
func cutOff(st *journal.State, p *Program) error {
	var errs []error
	for _, n := range st.Nodes {
		if n.Phase == journal.Running && p.Node(n.ID) == nil {
			errs = append(errs, fault.New(fault.Invalid, "step "+quote(n.ID)+" was cut off in the middle, and the changed runbook does not have it",
				"put it back into the runbook until it has ended: evac resume"))
		}
	}
	return errors.Join(errs...)
}

func newConductor(o Options, p *Program, run string, lease *journal.Lease) *conductor {
	if o.Log == nil {
		o.Log = discardLog
	}
	return &conductor{o: o, p: p, run: run, lease: lease, msgs: make(chan message, 256), active: map[string]*worker{}}
}

func (c *conductor) taken(resume bool) journal.TakenBody {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return journal.TakenBody{Runner: c.o.Runner, Host: host, PID: os.Getpid(), Resume: resume}
}

func (c *conductor) conductAndRelease(ctx context.Context) error {
	return errors.Join(c.conduct(ctx), c.lease.Release())
}

// retryFailed gives failed steps another try and ends the hold, unless a step
// that may run at most once stands in the way.
func (c *conductor) retryFailed() {
	for _, ask := range c.st.Asks {
		if ask.Type == journal.AskHold {
			c.event(journal.AskAnswered, "", 0, journal.AnswerBody{Seq: ask.Seq, Reason: "resumed since"})
		}
	}
	if c.st.Undo != nil {
		c.goOn("resume")
		return
	}
	for _, n := range c.st.Nodes {
		began := n.Fail == nil || n.Fail.Phase != "check"
		if n.Phase == journal.Failed && (n.Repeatable || !began) {
			c.event(journal.StepRearmed, n.ID, n.Attempt, journal.NoteBody{Text: "resume"})
		}
	}
	c.goOn("resume")
	if n := c.failedNode(); n != nil && n.Class == journal.ClassStep {
		c.holdOnce(n)
	} else if n != nil {
		c.hold(refusal(n), fault.Held, c.refusedHint(n))
	}
}

func faultsExist(faults map[string]string, p *Program) error {
	for id, where := range faults {
		if n := p.Node(id); n == nil {
			return fault.New(fault.Invalid, "no step "+quote(id)+" to fail", "evac check lists the steps")
		}
		switch where {
		case faultStart, faultMiddle, faultVerify:
		default:
			return fault.New(fault.Invalid, "fail step "+quote(id)+": "+quote(where)+" is not start, middle or verify", "")
		}
	}
	return nil
}

// confirmedExist refuses a misspelt confirmation: the run would hold for it
// when nobody expects that.
func confirmedExist(ids []string, p *Program) error {
	var errs []error
	for _, id := range ids {
		if p.Node(id) == nil {
			errs = append(errs, fault.New(fault.Invalid, "no step "+quote(id)+" to confirm", "evac check lists the steps"))
		}
	}
	return errors.Join(errs...)
}
