package conduct

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

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
	// secrets are what must not be seen.
	secrets secret.Redactor
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
		Dir: b.t.TempDir(), Kinds: b.registry(), Secrets: &b.secrets,
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
