package conduct

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/journal"
)

func TestInterrupts(t *testing.T) {
	b := newBench(t, spec{stage: "one", name: "a"}, spec{stage: "two", name: "b"})
	b.w.hook["run a"] = func(context.Context) { b.stop <- struct{}{} }
	b.w.hook["verify a"] = func(context.Context) {}
	j, run, err := b.start(nil)
	want(t, "exit after one", fault.Code(err), 130)
	want(t, "a is finished", b.state(j, run).Node("act.a").Phase, journal.Done)

	b.w.hook["run b"] = func(ctx context.Context) {
		b.stop <- struct{}{}
		b.stop <- struct{}{}
		<-ctx.Done()
	}
	want(t, "exit after two", fault.Code(b.resume(j, run)), 130)
	want(t, "b is cut", b.state(j, run).Node("act.b").Phase, journal.Failed)
	delete(b.w.hook, "run b")
	if err := b.resume(j, run); err != nil {
		t.Fatal(err)
	}
}

func TestOrdersFromElsewhere(t *testing.T) {
	b := newBench(t, spec{stage: "one", name: "a"}, spec{stage: "two", name: "b"}, spec{stage: "three", name: "c"})
	b.w.fail["run b"] = errors.New("no")
	var j *journal.Journal
	var run string
	done := make(chan error, 1)
	go func() {
		var err error
		j, run, err = b.start(func(o *Options) { o.Stay = true })
		done <- err
	}()
	<-b.hold
	other, err := journal.Open(t.Context(), b.home, journal.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	id, err := other.Newest(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Take(t.Context(), id, "park"); fault.Code(err) != 11 {
		t.Fatalf("a second conductor: %v", err)
	}
	b.ask(other, id, journal.AskSkip, "park", "act.b", journal.NoteBody{Text: "not needed tonight"})
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	want(t, "reason", b.state(j, run).Node("act.b").Reason, "not needed tonight")
	wantLog(t, b.w.did("run"), "run a", "run b", "run c")
}

// An event of another process makes the state and the agenda anew while steps
// run: none of them may begin a second time.
func TestNewsWhileStepsRun(t *testing.T) {
	b := newBench(t, spec{stage: "one", name: "a"}, spec{stage: "one", name: "b"}, spec{stage: "one", name: "c"})
	var running sync.WaitGroup
	running.Add(3)
	for _, name := range []string{"a", "b", "c"} {
		b.w.hook["run "+name] = func(ctx context.Context) {
			running.Done()
			running.Wait()
			other, err := journal.Open(ctx, b.home, journal.Options{Now: time.Now})
			if err != nil {
				t.Error(err)
				return
			}
			defer other.Close()
			id, err := other.Newest(ctx, true)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := other.Request(ctx, id, journal.NewEvent(journal.AskNote, "park", "", 0, journal.NoteBody{Text: name})); err != nil {
				t.Error(err)
			}
		}
	}
	j, run, err := b.start(nil)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "notes", len(b.state(j, run).Notes), 3)
	want(t, "runs", len(b.w.did("run")), 3)
}

// A hold that a person asked for ends by release or resume, not because a
// failed step is tried again.
func TestHoldOutlivesRetry(t *testing.T) {
	b := newBench(t, spec{stage: "one", name: "a"}, spec{stage: "two", name: "b"})
	b.w.fail["run a"] = errors.New("no")
	j, run, err := b.start(nil)
	want(t, "exit", fault.Code(err), 20)
	order := func(kind journal.Type, node string) error {
		b.ask(j, run, kind, "park", node, journal.NoteBody{})
		return Resume(t.Context(), b.options(j), b.program(), run, false)
	}
	want(t, "exit of hold", fault.Code(order(journal.AskHold, "")), 20)
	want(t, "exit of retry", fault.Code(order(journal.AskRetry, "act.a")), 20)
	want(t, "held by", b.state(j, run).Held.By, "park")
	wantLog(t, b.w.did("run"), "run a")
	if err := order(journal.AskRelease, ""); err != nil {
		t.Fatal(err)
	}
	wantLog(t, b.w.did("run"), "run a", "run a", "run b")
}

// A step that may run once and was cancelled keeps the run held, and resume
// says so each time.
func TestCancelledOnce(t *testing.T) {
	b := newBench(t, spec{stage: "one", name: "a", once: true}, spec{stage: "one", name: "b"})
	b.w.hook["run a"] = func(ctx context.Context) {
		b.stop <- struct{}{}
		b.stop <- struct{}{}
		<-ctx.Done()
	}
	j, run, err := b.start(nil)
	want(t, "exit of two interrupts", fault.Code(err), 130)
	want(t, "exit of resume", fault.Code(b.resume(j, run)), 20)
	if st := b.state(j, run); !strings.Contains(st.Held.Reason, `"act.a" was cut off`) {
		t.Fatalf("held: %s", st.Held.Reason)
	}
}
