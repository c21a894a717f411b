package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/evac-io/evac/internal/conduct"
	"github.com/evac-io/evac/internal/journal"
)

// asker asks the person at the terminal what to do while a run holds, and
// passes the answer on as an order like any other. Somebody else may answer
// first, from another terminal.
type asker struct {
	*show
	j *journal.Journal
	// next is the newest question, nil when there is nothing to ask any more.
	next    chan *question
	answers chan string
}

// question is what is asked: why the run holds, and which node failed.
type question struct{ run, reason, failed string }

// asking makes the conductor ask.
func (s *show) asking(ctx context.Context, j *journal.Journal, o *conduct.Options) {
	k := &asker{show: s, j: j, next: make(chan *question, 1), answers: make(chan string)}
	seen := o.OnEvent
	o.OnEvent = func(e journal.Event) {
		seen(e)
		switch e.Type {
		case journal.RunGoesOn, journal.UndoStarted, journal.RunStopped, journal.RunDone, journal.RunAborted:
			k.set(nil)
		}
	}
	o.OnHold = func(st *journal.State) {
		if st.Held != nil { // at a gate or checklist others answer
			k.set(&question{run: st.Run, reason: st.Held.Reason, failed: failedStep(st)})
		}
	}
	go k.work(ctx)
}

// set puts the question in the place of the one before. The conductor alone
// calls it.
func (k *asker) set(q *question) {
	select {
	case <-k.next:
	default:
	}
	k.next <- q
}

func (k *asker) work(ctx context.Context) {
	reading := false
	for {
		select {
		case <-ctx.Done():
			return
		case q := <-k.next:
			if q != nil && !reading {
				reading = true
				go k.read()
			}
			for q != nil {
				q = k.put(ctx, q)
			}
		}
	}
}

// read reads what is typed; it ends with the terminal.
func (k *asker) read() {
	defer close(k.answers)
	for {
		line, err := k.line()
		if err != nil {
			return
		}
		k.answers <- line
	}
}

// put asks, and gives the question that has taken this one's place, nil if
// there is none.
func (k *asker) put(ctx context.Context, q *question) (next *question) {
	err := k.view.Suspend(func() error {
		select {
		case <-k.answers: // typed before anything was asked
		default:
		}
		for {
			fmt.Fprintf(k.err, "\nheld: %s\n%s: ", q.reason, choices(q.failed))
			select {
			case <-ctx.Done():
				return nil
			case next = <-k.next:
				fmt.Fprintln(k.err)
				return nil
			case answer, open := <-k.answers:
				if !open {
					return fmt.Errorf("the terminal is closed")
				}
				if event, ok := k.orderOf(answer, q.failed); ok {
					_, err := k.j.Request(ctx, q.run, event)
					return err
				}
			}
		}
	})
	if err != nil {
		fmt.Fprintf(k.view.Logs(), "evac: no answer at the terminal (%v); orders from another terminal are taken\n", err)
	}
	return next
}

// failedStep is what failed first, and so what the run holds for.
func failedStep(st *journal.State) string {
	var first *journal.NodeState
	for _, n := range st.Nodes {
		failed := n.Phase == journal.Failed || n.Phase == journal.Refused
		if failed && (first == nil || n.Ended.Before(first.Ended)) {
			first = n
		}
	}
	if first == nil {
		return ""
	}
	return first.ID
}

func choices(failed string) string {
	if failed == "" {
		return "[release], undo [STAGE], stop, abort"
	}
	return "[retry] " + failed + ", skip REASON, undo [STAGE], stop, abort"
}

// orderOf reads an answer; an empty one is the first choice.
func (k *asker) orderOf(answer, failed string) (journal.Event, bool) {
	verb, rest, _ := strings.Cut(strings.TrimSpace(answer), " ")
	order := func(t journal.Type, node string, body any) (journal.Event, bool) {
		return journal.NewEvent(t, k.actor(), node, 0, body), true
	}
	switch {
	case verb == "" && failed == "" || verb == "release":
		return order(journal.AskRelease, "", journal.NoteBody{})
	case verb == "" || verb == "retry" && failed != "":
		return order(journal.AskRetry, failed, journal.NoteBody{})
	case verb == "skip" && rest != "" && failed != "":
		return order(journal.AskSkip, failed, journal.NoteBody{Text: rest})
	case verb == "undo":
		return order(journal.AskUndo, "", journal.UndoBody{To: rest})
	case verb == "stop":
		return order(journal.AskStop, "", journal.NoteBody{})
	case verb == "abort":
		return order(journal.AskAbort, "", journal.NoteBody{Text: rest})
	}
	return journal.Event{}, false
}
