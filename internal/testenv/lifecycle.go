package testenv

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/step"
)

// Case is how a kind is tried by the lifecycle harness.
type Case struct {
	// Kind is the kind's name.
	Kind string
	// Name tells the cases of one kind apart; may be empty.
	Name string
	// New makes a fresh world and a step that acts on it. Worlds of one case
	// look alike to their probes: no port, no random name in what a probe says.
	New func(t testing.TB) Subject
	// Cuts bounds at how many journal writes Run is cut off; 0 means 12.
	Cuts int
}

// Subject is a step in its world.
type Subject struct {
	// Step makes the step anew, as every process that takes over does.
	Step func() step.Step
	// Probe says what the world looks like from outside, by means that share
	// no code with the kind (plain SQL, another tool). Equal worlds give equal
	// values, compared by go-cmp. It must see the effect.
	Probe func(t testing.TB) any
	// Env, if set, fits the environment to this world.
	Env func(*step.Env)
}

// Cover fails for every kind without a case, then tries all cases.
func Cover(t *testing.T, kinds []step.Kind, cases []Case) {
	t.Helper()
	byKind := map[string][]Case{}
	for _, c := range cases {
		byKind[c.Kind] = append(byKind[c.Kind], c)
	}
	for _, k := range kinds {
		if len(byKind[k.Name]) == 0 {
			t.Errorf("kind %q has no lifecycle case", k.Name)
		}
		for _, c := range byKind[k.Name] {
			t.Run(k.Name+"/"+c.Name, func(t *testing.T) { Lifecycle(t, k, c) })
		}
		delete(byKind, k.Name)
	}
	for name := range byKind {
		t.Errorf("lifecycle case for kind %q, which is not registered", name)
	}
}

// Lifecycle takes a step through its life: check, run, verify, undo, run, run,
// verify (without undo where there is none). Then again and again with Run, and
// then Undo, cut off at every journal write, and gone on with or undone.
func Lifecycle(t *testing.T, kind step.Kind, c Case) {
	t.Helper()
	var facts wholeLife
	t.Run("whole", func(t *testing.T) { facts = whole(t, kind, c) })
	if t.Failed() {
		return
	}
	for _, at := range facts.runCuts(c.Cuts) {
		t.Run("cut/"+at.String(), func(t *testing.T) { cutThenResume(t, kind, c, at, facts) })
		if facts.undoable {
			t.Run("cut/"+at.String()+"/undo", func(t *testing.T) { cutThenUndo(t, kind, c, at) })
		}
	}
	for _, at := range facts.undoCuts(c.Cuts) {
		t.Run("cut-undo/"+at.String(), func(t *testing.T) { cutUndo(t, kind, c, at) })
	}
}

// wholeLife is what an undisturbed life shows.
type wholeLife struct {
	undoable              bool
	after                 any // what the probe says after Run
	runWrites, undoWrites int
}

func whole(t *testing.T, kind step.Kind, c Case) wholeLife {
	l := begin(t, kind, c)
	effect := kind.EffectOf(l.subject.Step())
	facts := wholeLife{undoable: effect == step.Undoable}
	before := l.subject.Probe(t)
	l.check(t)
	same(t, "check changed the world", before, l.subject.Probe(t))

	facts.runWrites = l.run(t)
	facts.after = l.subject.Probe(t)
	if changed := !cmp.Equal(before, facts.after); changed != (effect != step.Reads) {
		t.Fatalf("effect is %s, and the probe sees a change: %v (before %v, after %v)", effect, changed, before, facts.after)
	}
	l.verify(t)
	if facts.undoable {
		facts.undoWrites = l.undo(t)
		same(t, "undo did not bring the world back", before, l.subject.Probe(t))
		l.done.Output = nil // as the journal has it now
		l.undo(t)
		same(t, "a second undo changed the world", before, l.subject.Probe(t))
		l.memory.forget()
	}
	l.run(t)
	l.run(t)
	same(t, "another run changed the world", facts.after, l.subject.Probe(t))
	l.verify(t)
	return facts
}

func cutThenResume(t *testing.T, kind step.Kind, c Case, at point, facts wholeLife) {
	l := begin(t, kind, c)
	l.check(t)
	l.runCut(t, at)
	l.resume(t)
	same(t, "the resumed run ended differently from a whole one", facts.after, l.subject.Probe(t))
	l.verify(t)
}

func cutThenUndo(t *testing.T, kind step.Kind, c Case, at point) {
	l := begin(t, kind, c)
	before := l.subject.Probe(t)
	l.check(t)
	l.runCut(t, at)
	l.undo(t)
	same(t, "undo of a half-done run did not bring the world back", before, l.subject.Probe(t))
}

func cutUndo(t *testing.T, kind step.Kind, c Case, at point) {
	l := begin(t, kind, c)
	before := l.subject.Probe(t)
	l.check(t)
	l.run(t)
	ctx := l.memory.Cut(t.Context(), at.write, at.landed)
	if err := l.subject.Step().(step.Undoer).Undo(ctx, l.env, l.done); err == nil {
		t.Fatal("undo succeeded although the journal refused a write")
	}
	l.undo(t)
	same(t, "undo after a cut undo did not bring the world back", before, l.subject.Probe(t))
}

// life is one step's way through the harness.
type life struct {
	kind    step.Kind
	subject Subject
	env     *step.Env
	memory  *Memory
	done    step.Done
}

func begin(t testing.TB, kind step.Kind, c Case) *life {
	t.Helper()
	l := &life{kind: kind, subject: c.New(t), env: Env(t)}
	l.env.Attempt = 0
	if l.subject.Env != nil {
		l.subject.Env(l.env)
	}
	l.memory = MemoryOf(l.env)
	return l
}

// check asks twice, wants the same answer, and takes it through JSON.
func (l *life) check(t testing.TB) {
	t.Helper()
	plan, err := l.subject.Step().Check(t.Context(), l.env)
	if err != nil {
		t.Fatalf("check: %v", err)
	}
	again, err := l.subject.Step().Check(t.Context(), l.env)
	if err != nil || again.Hash() != plan.Hash() {
		t.Fatalf("second check: %v, plan %v, want the same as before: %v", err, again, plan)
	}
	roundTrip(t, plan, &l.done.Plan)
}

// run runs to the end and returns how often it wrote to the journal.
func (l *life) run(t testing.TB) int {
	t.Helper()
	l.memory.Heal()
	l.env.Attempt++
	out, err := l.subject.Step().Run(t.Context(), l.env, l.done.Plan)
	if err != nil {
		t.Fatalf("run: %v", err)
	}
	l.keep(t, out)
	return l.memory.Writes()
}

func (l *life) runCut(t testing.TB, at point) {
	t.Helper()
	l.env.Attempt++
	ctx := l.memory.Cut(t.Context(), at.write, at.landed)
	if _, err := l.subject.Step().Run(ctx, l.env, l.done.Plan); err == nil {
		t.Fatal("run succeeded although the journal refused a write")
	}
	l.memory.Heal()
}

// resume does what a conductor does with a step that was cut off.
func (l *life) resume(t testing.TB) {
	t.Helper()
	if r, ok := l.subject.Step().(step.Recoverer); ok {
		out, done, err := r.Recover(t.Context(), l.env, l.done.Plan)
		if err != nil {
			t.Fatalf("recover: %v", err)
		}
		if done {
			l.keep(t, out)
			return
		}
	}
	l.run(t)
}

func (l *life) keep(t testing.TB, out step.Output) {
	t.Helper()
	if got, want := reflect.TypeOf(out), reflect.TypeOf(l.kind.Output); got != want {
		t.Fatalf("run returned a %v, want a %v as the kind says", got, want)
	}
	roundTrip(t, out, &l.done.Output)
}

func (l *life) verify(t testing.TB) {
	t.Helper()
	if err := l.subject.Step().Verify(t.Context(), l.env, l.done); err != nil {
		t.Fatalf("verify: %v", err)
	}
}

func (l *life) undo(t testing.TB) int {
	t.Helper()
	l.memory.Heal()
	if err := l.subject.Step().(step.Undoer).Undo(t.Context(), l.env, l.done); err != nil {
		t.Fatalf("undo: %v", err)
	}
	if left := l.memory.Changed(); len(left) > 0 {
		t.Errorf("settings still changed after undo: %v", left)
	}
	return l.memory.Writes()
}

// point is a journal write at which a call is cut off.
type point struct {
	write  int
	landed bool
}

// String names the point in test names.
func (p point) String() string {
	if p.landed {
		return fmt.Sprintf("after-write-%d", p.write)
	}
	return fmt.Sprintf("before-write-%d", p.write)
}

func (w wholeLife) runCuts(most int) []point  { return points(w.runWrites, most) }
func (w wholeLife) undoCuts(most int) []point { return points(w.undoWrites, most) }

// points lists the cuts before and after each of n writes, at most so many of
// them, evenly spread.
func points(n, most int) []point {
	if most == 0 {
		most = 12
	}
	all := 2 * n
	count := min(all, most)
	list := make([]point, 0, count)
	for i := range count {
		k := i * all / count
		if count < all {
			k = min(all-1, k+i%2) // some before their write, some after
		}
		list = append(list, point{write: k/2 + 1, landed: k%2 == 1})
	}
	return list
}

func same(t testing.TB, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

func roundTrip(t testing.TB, v any, into any) {
	t.Helper()
	text, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatalf("take %T through JSON: %v", v, err)
	}
}
