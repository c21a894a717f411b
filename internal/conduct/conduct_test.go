package conduct

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
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
