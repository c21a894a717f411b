package view

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/forecast"
	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/step"
	"github.com/evac-io/evac/internal/view/night"
)

// drills are three rehearsals of the night, each faster than the one before.
func drills() []journal.Rehearsal {
	var history []journal.Rehearsal
	for i, seconds := range []int64{900, 700, 600} {
		took := func(id, def string, ms int64, work step.Work) journal.Rehearsed {
			return journal.Rehearsed{ID: id, Class: journal.ClassStep, Def: def, Done: true, RunMS: ms, VerifyMS: 500, Work: work, Failed: 1 - min(i, 1)}
		}
		old := "g0"
		if i == 2 {
			old = "g0-again"
		}
		history = append(history, journal.Rehearsal{
			Run: "drill-" + string(rune('a'+i)), Mode: journal.Drill, At: night.Begin().AddDate(0, 0, i-7), Result: "done", WindowMS: seconds * 1100,
			Nodes: []journal.Rehearsed{
				took("page_publish.down", "b1", 400, step.Work{}),
				took("postgres_freeze.old", "c1", 2500, step.Work{}),
				took("postgres_copy.main", "d1", seconds*1000, step.Work{Unit: "bytes", Total: 2_000_000_000}),
				took("postgres_verify.main", "f1", seconds*300, step.Work{Unit: "rows", Total: 1_000_000}),
				took("gateway_weight.seoul", old, 1500, step.Work{}),
			},
		})
	}
	return history
}

func TestCheck(t *testing.T) {
	book := forecast.Read(drills())
	refused := errors.Join(
		fault.Wrap(fault.Denied, `connect to target "seoul"`, errors.New("password authentication failed"), "psql -h 10.1.0.11 shop"),
		fault.New(fault.Invalid, `target "shop" is not empty: 3 tables`, "dropdb shop && createdb shop"))
	gate := ProblemsOf("", fault.New(fault.Invalid, "moving-day.hcl:48:3: gate \"go\" needs 3 approvals, 2 people can give them\n  48 |   approvals = 3\n     |   ^", ""))
	short := night.Body()
	short.Window.LengthMS = 10 * 60_000
	short.Mode, short.Drill, short.Confirmed = journal.Drill, "stand-ins", []string{"shell.drop-old"}
	for name, page := range map[string]CheckPage{
		"ready":   Checked(night.Body(), book, nil),
		"never":   Checked(night.Body(), forecast.Read(nil), nil),
		"refused": Checked(short, book, append(ProblemsOf("postgres_copy.main", refused), gate...)),
	} {
		t.Run(name, func(t *testing.T) {
			golden(t, "check-"+name+".txt", printed(page)+page.Sentence()+"\n")
			text, err := json.MarshalIndent(page, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "check-"+name+".json", string(text)+"\n")
		})
	}
}

func TestInOrder(t *testing.T) {
	node := func(id string, after ...string) journal.NodeBody { return journal.NodeBody{ID: id, After: after} }
	ordered := inOrder([]journal.NodeBody{node("d", "c", "b"), node("b", "a"), node("a", "elsewhere"), node("c", "d")})
	got := ""
	for _, n := range ordered {
		got += n.ID
	}
	if got != "cabd" { // d and c wait for each other: no runbook does, and it must end
		t.Errorf("order is %q, want %q", got, "cabd")
	}
}

func TestHistory(t *testing.T) {
	golden(t, "drills.txt", printed(Drills("tokyo-to-seoul", drills())))
	golden(t, "drills-none.txt", printed(Drills("tokyo-to-seoul", nil)))
	begin := night.Begin()
	runs := RunsPage{Now: begin.Add(time.Hour), Runs: []journal.RunInfo{
		{ID: "tokyo-to-seoul-20250309-010000", Mode: journal.Live, Created: begin, Head: "6bc4323442dcab808cee4c8c18ba8b52", Holder: &journal.Holder{Runner: "kim"}},
		{ID: "서울-이전-20250308-010000", Mode: journal.Drill, Created: begin.AddDate(0, 0, -1), Ended: begin.AddDate(0, 0, -1).Add(4000 * time.Second), Result: "done", Head: "79438f695aa275ceadf6"},
		{ID: "shell-20250307-010000", Mode: journal.Alone, Created: begin.AddDate(0, 0, -2), Head: "aa"},
	}}
	golden(t, "runs.txt", printed(runs))
	golden(t, "runs-none.txt", printed(RunsPage{}))
}
