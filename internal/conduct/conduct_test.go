package conduct

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/runbook"
	"github.com/evac-io/evac/internal/step"
)

func TestStagesAndReferences(t *testing.T) {
	b := newBench(t,
		spec{stage: "one", name: "a"},
		spec{stage: "one", name: "b", after: []string{"act.a"}, input: "act.a"},
		spec{stage: "two", name: "c", input: "act.b"},
	)
	j, run, err := b.start(nil)
	if err != nil {
		t.Fatal(err)
	}
	st := b.state(j, run)
	want(t, "result", st.Result, journal.ResultDone)
	wantLog(t, b.w.did("run", "verify"), "run a", "verify a", "run b", "verify b", "run c", "verify c")
	want(t, "plan of c", st.Node("act.c").Plan.Actions[0].Text, "act c b!")
	want(t, "work", st.Node("act.a").Work.Total, 2)
}

func TestFailureHoldsAndResumeGoesOn(t *testing.T) {
	b := newBench(t, spec{stage: "one", name: "a"}, spec{stage: "two", name: "b"}, spec{stage: "three", name: "c"})
	b.w.fail["run b"] = fault.New(fault.Different, "3 rows differ", "")
	j, run, err := b.start(nil)
	want(t, "exit", fault.Code(err), 20)
	st := b.state(j, run)
	want(t, "cause", st.Stopped.CauseExit, 3)
	want(t, "phase", st.Node("act.b").Phase, journal.Failed)
	if err := b.resume(j, run); err != nil {
		t.Fatal(err)
	}
	want(t, "result", b.state(j, run).Result, journal.ResultDone)
	wantLog(t, b.w.did("run"), "run a", "run b", "run b", "run c")
}

func TestRetryPolicy(t *testing.T) {
	b := newBench(t, spec{stage: "one", name: "a", retry: runbook.Retry{Attempts: 3, Wait: time.Millisecond, Max: 2 * time.Millisecond}})
	b.w.fail["run a"] = errors.New("connection reset")
	b.w.fail["verify a"] = errors.New("not yet")
	j, run, err := b.start(nil)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "attempts", b.state(j, run).Node("act.a").Attempt, 3)
}

func TestOnceIsNeverRepeatedByItself(t *testing.T) {
	b := newBench(t, spec{stage: "one", name: "a", once: true, retry: runbook.Retry{Attempts: 5, Wait: time.Millisecond}})
	b.w.fail["run a"] = errors.New("half done")
	j, run, err := b.start(nil)
	want(t, "exit", fault.Code(err), 20)
	want(t, "exit of resume", fault.Code(b.resume(j, run)), 20)
	wantLog(t, b.w.did("run"), "run a")
	b.ask(j, run, journal.AskRetry, "kim", "act.a", journal.NoteBody{})
	if err := Resume(t.Context(), b.options(j), b.program(), run, false); err != nil {
		t.Fatal(err)
	}
	wantLog(t, b.w.did("run"), "run a", "run a")
}

func TestUndoInReverse(t *testing.T) {
	b := newBench(t,
		spec{stage: "one", name: "a"}, spec{stage: "one", name: "said", effect: step.Passing, after: []string{"act.a"}},
		spec{stage: "two", name: "b"}, spec{stage: "two", name: "c", after: []string{"act.b"}},
		spec{stage: "three", name: "d"})
	b.w.fail["run d"] = errors.New("half done")
	j, run, err := b.start(nil)
	want(t, "exit", fault.Code(err), 20)
	b.ask(j, run, journal.AskUndo, "kim", "", journal.UndoBody{To: "two"})
	err = Resume(t.Context(), b.options(j), b.program(), run, false)
	want(t, "exit after undo to a stage", fault.Code(err), 20)
	wantLog(t, b.w.did("undo"), "undo d", "undo c", "undo b")
	if err := b.resume(j, run); err != nil {
		t.Fatal(err)
	}
	want(t, "result", b.state(j, run).Result, journal.ResultDone)
	b.ask(j, run, journal.AskUndo, "kim", "", journal.UndoBody{})
	if err := Resume(t.Context(), b.options(j), b.program(), run, false); err != nil {
		t.Fatal(err)
	}
	st := b.state(j, run)
	want(t, "result", st.Result, journal.ResultUndone)
	want(t, "passed by", st.NotUndone[0].Step, "act.said")
	wantLog(t, b.w.did("undo")[3:], "undo d", "undo c", "undo b", "undo a")
}

func TestUndoStopsAtLasting(t *testing.T) {
	b := newBench(t, spec{stage: "one", name: "a"}, spec{stage: "two", name: "sure", effect: step.Lasting}, spec{stage: "three", name: "b"})
	j, run, err := b.start(nil)
	want(t, "exit without confirmation", fault.Code(err), 20)
	b.ask(j, run, journal.AskConfirm, "kim", "act.sure", journal.NoteBody{})
	if err := b.resume(j, run); err != nil {
		t.Fatal(err)
	}
	b.ask(j, run, journal.AskUndo, "kim", "", journal.UndoBody{})
	err = Resume(t.Context(), b.options(j), b.program(), run, false)
	want(t, "exit of undo", fault.Code(err), 20)
	wantLog(t, b.w.did("undo"), "undo b")
	b.ask(j, run, journal.AskSkip, "kim", "act.sure", journal.NoteBody{Text: "stays"})
	if err := Resume(t.Context(), b.options(j), b.program(), run, false); err != nil {
		t.Fatal(err)
	}
	wantLog(t, b.w.did("undo"), "undo b", "undo a")
}

func TestGateNeedsOthers(t *testing.T) {
	gate := &runbook.Gate{Ask: "go?", Approvals: 2, OnTimeout: "hold"}
	b := newBench(t, spec{stage: "one", name: "a"}, spec{stage: "one", name: "go", gate: gate, after: []string{"act.a"}}, spec{stage: "two", name: "b"})
	j, run, err := b.start(nil)
	want(t, "exit", fault.Code(err), 20)
	hash := b.state(j, run).PlanHash()
	b.ask(j, run, journal.AskApprove, "kim", "gate.go", journal.ApproveBody{Plan: hash}) // the runner
	b.ask(j, run, journal.AskApprove, "park", "gate.go", journal.ApproveBody{Plan: hash})
	b.ask(j, run, journal.AskApprove, "park", "gate.go", journal.ApproveBody{Plan: hash}) // twice
	b.ask(j, run, journal.AskApprove, "mallory", "gate.go", journal.ApproveBody{Plan: hash})
	b.ask(j, run, journal.AskApprove, "lee", "gate.go", journal.ApproveBody{Plan: "another plan"})
	b.ask(j, run, journal.AskApprove, "lee", "gate.go", journal.ApproveBody{Plan: hash, Expires: time.Now().Add(-time.Second)})
	want(t, "exit with one valid approval", fault.Code(b.resume(j, run)), 20)
	wantLog(t, b.w.did("run"), "run a")
	b.ask(j, run, journal.AskApprove, "lee", "gate.go", journal.ApproveBody{Plan: hash})
	if err := b.resume(j, run); err != nil {
		t.Fatal(err)
	}
	want(t, "by", strings.Join(b.state(j, run).Node("gate.go").Passed.By, " "), "park lee")
}

func TestGateTimeouts(t *testing.T) {
	for onTimeout, result := range map[string]string{"hold": "", "undo": journal.ResultUndone, "continue": journal.ResultDone} {
		t.Run(onTimeout, func(t *testing.T) {
			gate := &runbook.Gate{Approvals: 1, Timeout: 5 * time.Millisecond, OnTimeout: onTimeout}
			b := newBench(t, spec{stage: "one", name: "a"}, spec{stage: "two", name: "go", gate: gate}, spec{stage: "three", name: "b"})
			stayed := make(chan error, 1)
			j, p := b.journal(), b.program()
			checked, err := Check(t.Context(), p, 4)
			if err != nil {
				t.Fatal(err)
			}
			o := b.options(j)
			o.Stay = true
			waits := 0
			o.OnHold = func(st *journal.State) {
				if waits++; st.Held != nil {
					b.stop <- struct{}{}
				}
			}
			go func() {
				_, err := Start(t.Context(), o, p, checked)
				stayed <- err
			}()
			<-stayed
			run, err := j.Newest(t.Context(), false)
			if err != nil {
				t.Fatal(err)
			}
			want(t, "result", b.state(j, run).Result, result)
		})
	}
}

func TestRejectHolds(t *testing.T) {
	gate := &runbook.Gate{Approvals: 1, OnTimeout: "hold"}
	b := newBench(t, spec{stage: "one", name: "go", gate: gate}, spec{stage: "two", name: "b"})
	j, run, err := b.start(nil)
	want(t, "exit", fault.Code(err), 20)
	b.ask(j, run, journal.AskReject, "park", "gate.go", journal.NoteBody{Text: "too late tonight"})
	want(t, "exit", fault.Code(b.resume(j, run)), 20)
	st := b.state(j, run)
	want(t, "phase", st.Node("gate.go").Phase, journal.Refused)
	b.ask(j, run, journal.AskRetry, "kim", "gate.go", journal.NoteBody{})
	want(t, "exit", fault.Code(Resume(t.Context(), b.options(j), b.program(), run, false)), 20)
	b.ask(j, run, journal.AskApprove, "park", "gate.go", journal.ApproveBody{Plan: b.state(j, run).PlanHash()})
	if err := b.resume(j, run); err != nil {
		t.Fatal(err)
	}
}

func TestChecklist(t *testing.T) {
	b := newBench(t, spec{stage: "one", name: "list", items: []runbook.Item{{Name: "login", Owner: "kim"}}}, spec{stage: "two", name: "b"})
	j, run, err := b.start(nil)
	want(t, "exit", fault.Code(err), 20)
	tick := func(item, result string) {
		b.ask(j, run, journal.AskTick, "kim", "checklist.list", journal.TickBody{Item: item, Result: result})
	}
	tick("login", journal.ItemFailed)
	tick("login", journal.ItemOK) // cannot follow
	b.ask(j, run, journal.AskItem, "park", "checklist.list", journal.ItemBody{Name: "payout", Owner: "park"})
	want(t, "exit", fault.Code(b.resume(j, run)), 20)
	tick("login", journal.ItemFixed)
	tick("login", journal.ItemRetested)
	want(t, "exit", fault.Code(b.resume(j, run)), 20)
	tick("payout", journal.ItemOK)
	if err := b.resume(j, run); err != nil {
		t.Fatal(err)
	}
}

func TestPlanChangedHolds(t *testing.T) {
	b := newBench(t, spec{stage: "one", name: "a"}, spec{stage: "two", name: "b"})
	b.w.hook["run a"] = func(context.Context) {
		b.w.mu.Lock()
		b.w.plan["b"] = " and more"
		b.w.mu.Unlock()
	}
	j, run, err := b.start(nil)
	want(t, "exit", fault.Code(err), 20)
	wantLog(t, b.w.did("run"), "run a")
	b.ask(j, run, journal.AskRelease, "kim", "", journal.NoteBody{})
	if err := Resume(t.Context(), b.options(j), b.program(), run, false); err != nil {
		t.Fatal(err)
	}
	want(t, "result", b.state(j, run).Result, journal.ResultDone)
}

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

func TestFaultsOnRequest(t *testing.T) {
	for _, where := range []string{"start", "middle", "verify"} {
		t.Run(where, func(t *testing.T) {
			b := newBench(t, spec{stage: "one", name: "a", retry: runbook.Retry{Attempts: 3, Wait: time.Millisecond}})
			j, run, err := b.start(func(o *Options) { o.Faults = map[string]string{"act.a": where} })
			want(t, "exit", fault.Code(err), 20)
			if fail := b.state(j, run).Node("act.a").Fail; !strings.Contains(fail.Error, "fault injected") {
				t.Fatalf("failure says %q", fail.Error)
			}
			if err := b.resume(j, run); err != nil {
				t.Fatal(err)
			}
		})
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

func TestPanicIsAFailure(t *testing.T) {
	b := newBench(t, spec{stage: "one", name: "a"})
	b.w.hook["run a"] = func(context.Context) { panic("bug") }
	j, run, err := b.start(nil)
	want(t, "exit", fault.Code(err), 20)
	if fail := b.state(j, run).Node("act.a").Fail; !strings.HasPrefix(fail.Error, "evac: internal error: bug") {
		t.Fatalf("failure says %q", fail.Error)
	}
}

func TestTimeout(t *testing.T) {
	b := newBench(t, spec{stage: "one", name: "a", timeout: 5 * time.Millisecond})
	b.w.hook["run a"] = func(ctx context.Context) { <-ctx.Done() }
	j, run, err := b.start(nil)
	want(t, "exit", fault.Code(err), 20)
	if fail := b.state(j, run).Node("act.a").Fail; !strings.Contains(fail.Error, "timeout of 5ms passed") {
		t.Fatalf("failure says %q", fail.Error)
	}
}

func TestFrozenFile(t *testing.T) {
	b := newBench(t, spec{stage: "one", name: "a"}, spec{stage: "two", name: "b"})
	file := filepath.Join(t.TempDir(), "script.sh")
	if err := os.WriteFile(file, []byte("echo one"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.w.hook["run a"] = func(context.Context) {
		if err := os.WriteFile(file, []byte("echo two"), 0o600); err != nil {
			t.Error(err)
		}
	}
	j, p := b.journal(), b.program()
	p.Files = func(*runbook.Node) []string { return []string{file} }
	checked, err := Check(t.Context(), p, 1)
	if err != nil {
		t.Fatal(err)
	}
	run, err := Start(t.Context(), b.options(j), p, checked)
	want(t, "exit", fault.Code(err), 20)
	if fail := b.state(j, run).Node("act.b").Fail; !strings.Contains(fail.Error, "is not the one that was checked") {
		t.Fatalf("failure says %q", fail.Error)
	}
	wantLog(t, b.w.did("run"), "run a")
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
