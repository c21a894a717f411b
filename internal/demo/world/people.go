package world

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/evac-io/evac/internal/journal"
)

// retest is how soon a failed item is tried again.
const retest = 2 * time.Second

// patience is how often an item may fail in the same way before the run is held.
const patience = 3

// Why a world ends without a result.
var (
	errIdle   = errors.New("nothing has happened for the demo's lifetime")
	errOrphan = errors.New("who started the demo has gone before a run began")
)

// follow reads the journal from the first event of the newest run, lets the
// people do what they are asked, and returns when the run has ended.
func (w *world) follow(ctx context.Context) (*journal.State, error) {
	run, err := w.firstRun(ctx)
	if err != nil {
		return nil, err
	}
	st, err := journal.Fold(nil)
	if err != nil {
		return nil, err
	}
	st.Run = run
	return st, w.play(ctx, st, (*journal.State).Finished)
}

// atHome tells that a run that was done has been undone: to its beginning, or
// as far as somebody wanted it, where it holds.
func atHome(st *journal.State) bool {
	return st.Finished() && st.Result != ResultDone || st.Held != nil && st.Stopped != nil && st.Undo == nil
}

// play lets the people do what they are asked, until the state is as wanted.
func (w *world) play(ctx context.Context, st *journal.State, until func(*journal.State) bool) error {
	for {
		events, err := w.journal.Events(ctx, st.Run, st.Seq)
		if err != nil {
			return err
		}
		for _, e := range events {
			if err := st.Apply(e); err != nil {
				return err
			}
		}
		if until(st) {
			return nil
		}
		if err := w.act(ctx, st); err != nil {
			return err
		}
		if idle, err := w.idle(ctx, st); err != nil || idle {
			return errors.Join(err, errIdle)
		}
		if err := w.news(ctx, st); err != nil {
			return err
		}
	}
}

// idle tells whether nothing has happened for the lifetime and nobody conducts.
func (w *world) idle(ctx context.Context, st *journal.State) (bool, error) {
	if time.Since(st.Last) < w.o.Lifetime {
		return false, nil
	}
	runs, err := w.journal.Runs(ctx)
	return !slices.ContainsFunc(runs, func(r journal.RunInfo) bool { return r.ID == st.Run && r.Holder != nil }), err
}

// news waits for the next event, or until a failed item may be tried again.
func (w *world) news(ctx context.Context, st *journal.State) error {
	waiting, cancel := context.WithTimeout(ctx, retest)
	defer cancel()
	err := w.journal.Wait(waiting, st.Run, st.Seq)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

// firstRun waits until a conductor begins, as long as there is somebody who
// could be it.
func (w *world) firstRun(ctx context.Context) (string, error) {
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for idle := time.After(w.o.Lifetime); ; {
		orphan := os.Getppid() != w.parent
		run, err := w.journal.Newest(ctx, false)
		switch {
		case !errors.Is(err, journal.ErrNoRun):
			return run, err
		case orphan:
			return "", errOrphan
		}
		select {
		case <-ctx.Done():
			return "", context.Cause(ctx)
		case <-idle:
			return "", errIdle
		case <-ticker.C:
		}
	}
}

// act does what waits for people: each item is really tried by its owner, and
// gates are approved by those who may.
func (w *world) act(ctx context.Context, st *journal.State) error {
	for _, n := range st.Nodes {
		if n.Phase != journal.Waiting {
			continue
		}
		switch n.Class {
		case journal.ClassChecklist:
			if err := w.tick(ctx, st, n); err != nil {
				return err
			}
		case journal.ClassGate:
			if err := w.approve(ctx, st, n); err != nil {
				return err
			}
		}
	}
	return nil
}

// tick tries the first item that is open; the next one comes when this one is
// settled. An item that failed is tried again later: when it holds then, it
// was fixed and is retested. When it fails in the same way time and again the run
// is held.
func (w *world) tick(ctx context.Context, st *journal.State, list *journal.NodeState) error {
	open := slices.IndexFunc(list.Ticks, func(i *journal.ItemState) bool { return !i.Settled() })
	if open < 0 || tooSoon(list.Ticks[open]) {
		return nil
	}
	item := list.Ticks[open]
	try, known := w.tries()[item.Name]
	if !known {
		return nil
	}
	evidence, err := try(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil && failures(item, err.Error()) >= patience {
		return w.giveUp(ctx, st, item, err)
	}
	for _, result := range results(item.Result, err) {
		body := journal.TickBody{Item: item.Name, Result: result, Evidence: evidence, Demo: true}
		if err != nil {
			body.Evidence = err.Error()
		}
		if err := w.ask(ctx, st, journal.NewEvent(journal.AskTick, item.Owner, list.ID, 0, body)); err != nil {
			return err
		}
	}
	return nil
}

// failures is how often an item has failed in this way lately.
func failures(item *journal.ItemState, evidence string) int {
	other := func(t journal.Tick) bool { return t.Result != journal.ItemFailed || t.Evidence != evidence }
	for i, t := range slices.Backward(item.Log) {
		if other(t) {
			return len(item.Log) - 1 - i
		}
	}
	return len(item.Log)
}

// giveUp holds the run, once as long as somebody conducts it: nobody here can
// repair what the item has found.
func (w *world) giveUp(ctx context.Context, st *journal.State, item *journal.ItemState, why error) error {
	asked := slices.ContainsFunc(st.Asks, func(e journal.Event) bool { return e.Type == journal.AskHold })
	if st.Held != nil || st.Stopped != nil || asked {
		return nil
	}
	note := journal.NoteBody{Text: fmt.Sprintf("%q failed %d times: %v", item.Name, patience, why), Demo: true}
	return w.ask(ctx, st, journal.NewEvent(journal.AskHold, item.Owner, "", 0, note))
}

// results are the words that follow an item's present result.
func results(present string, err error) []string {
	switch {
	case err != nil:
		return []string{journal.ItemFailed}
	case present == journal.ItemFailed:
		return []string{journal.ItemFixed, journal.ItemRetested}
	case present == journal.ItemFixed:
		return []string{journal.ItemRetested}
	}
	return []string{journal.ItemOK}
}

// tooSoon keeps a failing item from filling the journal.
func tooSoon(item *journal.ItemState) bool {
	return item.Result == journal.ItemFailed && time.Since(item.Log[len(item.Log)-1].At) < retest
}

// approve lets everybody who may approve the gate as it stands, once.
func (w *world) approve(ctx context.Context, st *journal.State, gate *journal.NodeState) error {
	present := st.Approvers(gate, time.Now())
	for _, person := range slices.Sorted(maps.Keys(st.Body.People)) {
		if !st.MayApprove(gate, person) || slices.Contains(present, person) || said(gate, person, st.PlanHash()) {
			continue
		}
		body := journal.ApproveBody{Plan: st.PlanHash(), Note: "all items of the checklists are green", Demo: true}
		if err := w.ask(ctx, st, journal.NewEvent(journal.AskApprove, person, gate.ID, 0, body)); err != nil {
			return err
		}
	}
	return nil
}

// said tells whether a person has spoken about the gate with this plan.
func said(gate *journal.NodeState, person, plan string) bool {
	return slices.ContainsFunc(gate.Votes, func(v journal.Vote) bool { return v.By == person && v.Body.Plan == plan })
}

// ask appends a request and takes it in, so that it is made once.
func (w *world) ask(ctx context.Context, st *journal.State, e journal.Event) error {
	if _, err := w.journal.Request(ctx, st.Run, e); err != nil {
		return fmt.Errorf("%s for %s: %w", e.Type, e.Actor, err)
	}
	w.log.Info("the demo acts for "+e.Actor, "type", string(e.Type), "node", e.Step)
	return nil
}
