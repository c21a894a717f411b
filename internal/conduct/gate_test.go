package conduct

import (
	"strings"
	"testing"
	"time"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/runbook"
)

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
