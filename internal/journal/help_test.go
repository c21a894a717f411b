package journal_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/step"
)

func home(t testing.TB) string { return filepath.Join(t.TempDir(), "home") }

func open(t testing.TB, home string, o journal.Options) *journal.Journal {
	t.Helper()
	j, err := journal.Open(t.Context(), home, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Errorf("close journal: %v", err)
		}
	})
	return j
}

func take(t testing.TB, j *journal.Journal, run string) *journal.Lease {
	t.Helper()
	l, err := j.Take(t.Context(), run, "kim")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Release(); err != nil {
			t.Errorf("release run: %v", err)
		}
	})
	return l
}

// begin starts a run of the runbook "move" with the given number of steps.
func begin(t testing.TB, j *journal.Journal, steps int) (string, *journal.Lease) {
	t.Helper()
	run, err := j.NewRun(t.Context(), "move", journal.Live)
	if err != nil {
		t.Fatal(err)
	}
	l := take(t, j, run)
	add(t, l, journal.NewEvent(journal.RunCreated, "kim", "", 0, runBody(steps)),
		journal.NewEvent(journal.RunTaken, "kim", "", 0, journal.TakenBody{Runner: "kim", Host: "h", PID: 1}))
	return run, l
}

func add(t testing.TB, l *journal.Lease, events ...journal.Event) []journal.Event {
	t.Helper()
	written, err := l.Append(t.Context(), events...)
	if err != nil {
		t.Fatal(err)
	}
	return written
}

func runBody(steps int) journal.RunBody {
	b := journal.RunBody{
		Runbook: "move", File: "/r.hcl", Text: "runbook", Hash: "h", Mode: journal.Live, Runner: "kim", Version: "dev",
		Stages: []string{"move", "open"}, Window: &journal.WindowBody{LengthMS: 1000, Opens: "move", Closes: "open"}, Parallel: 8,
	}
	for i := range steps {
		b.Nodes = append(b.Nodes, journal.NodeBody{
			ID: nodeID(i), Class: journal.ClassStep, Stage: "move", Kind: "shell", Why: "because it must be", Effect: step.Undoable, Repeatable: true,
			Def: fmt.Sprintf("def-%d", i), Plan: &step.Plan{Summary: "run a command", Actions: []step.Action{{ID: "run", Text: "run true"}}},
		})
	}
	return b
}

func nodeID(i int) string { return fmt.Sprintf("shell.step-%05d", i) }

// stepEvents are a step's intent, proof and verification.
func stepEvents(i int) [3]journal.Event {
	return [3]journal.Event{
		journal.NewEvent(journal.StepIntent, "evac", nodeID(i), 1, journal.IntentBody{PlanHash: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}),
		journal.NewEvent(journal.StepRan, "evac", nodeID(i), 1, journal.RanBody{Output: []byte(`{"exit":0}`), Work: step.Work{Unit: "rows", Total: 7}, ElapsedMS: 3}),
		journal.NewEvent(journal.StepVerified, "evac", nodeID(i), 1, journal.TimeBody{ElapsedMS: 1}),
	}
}

func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
