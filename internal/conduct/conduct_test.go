package conduct

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/runbook"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/step"
)

// world is what the fake steps act upon: what is there, and what was done in
// which order.
type world struct {
	mu   sync.Mutex
	log  []string
	fail map[string]error // "run a" → error, once
	hook map[string]func(context.Context)
	plan map[string]string // extra action text by step name
	// quiet steps save no checkpoint and keep no log: they cost nothing.
	quiet bool
}

func (w *world) do(ctx context.Context, verb, name string) error {
	w.mu.Lock()
	if !w.quiet {
		w.log = append(w.log, verb+" "+name)
	}
	err := w.fail[verb+" "+name]
	delete(w.fail, verb+" "+name)
	hook := w.hook[verb+" "+name]
	w.mu.Unlock()
	if hook != nil {
		hook(ctx)
	}
	if err == nil {
		err = ctx.Err()
	}
	return err
}

func (w *world) did(prefixes ...string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var log []string
	for _, line := range w.log {
		if slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(line, p+" ") }) {
			log = append(log, line)
		}
	}
	return log
}

// act is a fake step whose effect is a line in the world's log.
type act struct {
	Name    string `evac:"name,required" doc:"its name"`
	Input   string `evac:"input" doc:"an output of another step"`
	Effect_ step.Effect
	w       *world
}

type actOut struct {
	Said string `json:"said" doc:"what it said"`
}

func (a *act) Effect() step.Effect { return a.Effect_ }

func (a *act) Check(ctx context.Context, _ *step.Env) (step.Plan, error) {
	var p step.Plan
	p.Summary = "act " + a.Name
	a.w.mu.Lock()
	p.Action("act", "act %s %s%s", a.Name, a.Input, a.w.plan[a.Name])
	a.w.mu.Unlock()
	return p, a.w.do(ctx, "check", a.Name)
}

func (a *act) Run(ctx context.Context, env *step.Env, _ step.Plan) (step.Output, error) {
	if a.w.quiet {
		return actOut{Said: a.Name + "!"}, a.w.do(ctx, "run", a.Name)
	}
	env.Progress.Total("acts", 2)
	env.Progress.Add(1)
	if err := env.Checkpoint.Save(ctx, map[string]int{"attempt": env.Attempt}); err != nil {
		return nil, err
	}
	if err := a.w.do(ctx, "run", a.Name); err != nil {
		return nil, err
	}
	env.Progress.Add(1)
	return actOut{Said: a.Name + "!"}, nil
}

func (a *act) Verify(ctx context.Context, _ *step.Env, done step.Done) error {
	var out actOut
	if err := done.Decode(&out); err != nil {
		return err
	}
	if out.Said != a.Name+"!" {
		return fmt.Errorf("output is %q", out.Said)
	}
	return a.w.do(ctx, "verify", a.Name)
}

func (a *act) Undo(ctx context.Context, _ *step.Env, _ step.Done) error {
	return a.w.do(ctx, "undo", a.Name)
}

// spec is a node of a test's program.
type spec struct {
	stage, name string
	after       []string
	effect      step.Effect
	input       string // node whose output is the input
	once        bool
	retry       runbook.Retry
	timeout     time.Duration
	gate        *runbook.Gate
	items       []runbook.Item
}

type bench struct {
	t     *testing.T
	home  string
	w     *world
	specs []spec
	now   func() time.Time
	stop  chan struct{}
	hold  chan struct{} // receives when the run begins to wait
}

func newBench(t *testing.T, specs ...spec) *bench {
	return &bench{
		t: t, home: filepath.Join(t.TempDir(), "home"), specs: specs, now: time.Now,
		w:    &world{fail: map[string]error{}, hook: map[string]func(context.Context){}, plan: map[string]string{}},
		stop: make(chan struct{}, 2), hold: make(chan struct{}, 16),
	}
}

func (b *bench) registry() *step.Registry {
	r, err := step.NewRegistry(step.Kind{
		Name: "act", Effect: step.Undoable, Summary: "acts", New: func() step.Step { return &act{w: b.w} }, Output: actOut{},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

func (b *bench) program() *Program {
	p := &Program{
		Body: journal.RunBody{
			Runbook: "test", Mode: journal.Live, Text: "text", Hash: "hash",
			People: map[string]string{"kim": "lead", "park": "db", "lee": "gw"},
		},
		Dir: b.t.TempDir(), Kinds: b.registry(), Secrets: &secret.Redactor{},
		When:  func(*runbook.Node, runbook.Outputs) (bool, []runbook.Unknown, error) { return true, nil, nil },
		Files: func(*runbook.Node) []string { return nil },
	}
	byID := map[string]spec{}
	for _, s := range b.specs {
		if !slices.Contains(p.Body.Stages, s.stage) {
			p.Body.Stages = append(p.Body.Stages, s.stage)
		}
		n := &runbook.Node{ID: "act." + s.name, Class: runbook.ClassStep, Stage: s.stage, Kind: "act", After: s.after,
			Repeatable: !s.once, Retry: s.retry, Timeout: s.timeout, Def: s.name}
		if s.gate != nil {
			n.ID, n.Class, n.Kind, n.Gate = "gate."+s.name, runbook.ClassGate, "", s.gate
		}
		if s.items != nil {
			n.ID, n.Class, n.Kind, n.Items = "checklist."+s.name, runbook.ClassChecklist, "", s.items
		}
		if n.Retry.Attempts == 0 {
			n.Retry.Attempts = 1
		}
		byID[n.ID] = s
		p.Nodes = append(p.Nodes, n)
	}
	p.Build = func(n *runbook.Node, outputs runbook.Outputs) (step.Step, []runbook.Unknown, error) {
		s := byID[n.ID]
		a := &act{Name: s.name, w: b.w, Effect_: s.effect}
		if a.Effect_ == "" {
			a.Effect_ = step.Undoable
		}
		if s.input != "" {
			raw, ok := outputs(s.input)
			if !ok {
				return nil, []runbook.Unknown{{Field: "input", After: s.input}}, nil
			}
			var out actOut
			if err := json.Unmarshal(raw, &out); err != nil {
				return nil, nil, err
			}
			a.Input = out.Said
		}
		return a, nil, nil
	}
	return p
}

func (b *bench) options(j *journal.Journal) Options {
	return Options{
		Journal: j, Runner: "kim", Version: "test", Parallel: 4, Stop: b.stop, Now: b.now,
		OnHold: func(*journal.State) { b.hold <- struct{}{} },
	}
}

func (b *bench) journal() *journal.Journal {
	b.t.Helper()
	j, err := journal.Open(b.t.Context(), b.home, journal.Options{Now: b.now})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		if err := j.Close(); err != nil {
			b.t.Error(err)
		}
	})
	return j
}

// start checks and starts the program.
func (b *bench) start(change func(*Options)) (*journal.Journal, string, error) {
	b.t.Helper()
	j, p := b.journal(), b.program()
	checked, err := Check(b.t.Context(), p, 4)
	if err != nil {
		b.t.Fatal(err)
	}
	o := b.options(j)
	if change != nil {
		change(&o)
	}
	run, err := Start(b.t.Context(), o, p, checked)
	return j, run, err
}

func (b *bench) resume(j *journal.Journal, run string) error {
	return Resume(b.t.Context(), b.options(j), b.program(), run, true)
}

func (b *bench) ask(j *journal.Journal, run string, t journal.Type, actor, node string, body any) {
	b.t.Helper()
	if _, err := j.Request(b.t.Context(), run, journal.NewEvent(t, actor, node, 0, body)); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) state(j *journal.Journal, run string) *journal.State {
	b.t.Helper()
	st, err := j.Load(b.t.Context(), run)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := j.Verify(b.t.Context(), run, st.Head); err != nil {
		b.t.Fatalf("the chain: %v", err)
	}
	return st
}

func want[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

func wantLog(t *testing.T, got []string, wanted ...string) {
	t.Helper()
	if !slices.Equal(got, wanted) {
		t.Fatalf("did\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(wanted, "\n  "))
	}
}

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
	want(t, "reason", b.state(j, run).Node("act.b").Reason, "skipped by park: not needed tonight")
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
