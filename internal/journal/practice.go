package journal

import (
	"context"
	"fmt"
	"time"

	"github.com/evac-io/evac/internal/step"
)

// Rehearsal is what one run, live or drill, tells about durations.
type Rehearsal struct {
	Run    string    `json:"run"`
	Mode   Mode      `json:"mode"`
	At     time.Time `json:"at"`               // when it began
	Result string    `json:"result,omitempty"` // "" while unfinished
	// WindowMS is how long the window was open; 0: it has not opened and closed.
	WindowMS int64       `json:"window_ms,omitempty"`
	Nodes    []Rehearsed `json:"nodes"` // those that ran, in stage order
}

// Rehearsed is how one step, gate or checklist went.
type Rehearsed struct {
	ID       string    `json:"id"`
	Class    string    `json:"class"`
	Def      string    `json:"def,omitempty"` // hash of its text then
	Done     bool      `json:"done"`
	RunMS    int64     `json:"run_ms"` // a gate's or checklist's waiting
	VerifyMS int64     `json:"verify_ms,omitempty"`
	Work     step.Work `json:"work,omitzero"`
	Failed   int       `json:"failed,omitempty"` // attempts that failed
}

// Practice gives the history of a runbook's runs, oldest first: the durations
// that forecasts are made of.
func (j *Journal) Practice(ctx context.Context, runbook string) ([]Rehearsal, error) {
	runs, err := j.Runs(ctx)
	if err != nil {
		return nil, err
	}
	var history []Rehearsal
	for i := len(runs) - 1; i >= 0; i-- {
		if runs[i].Runbook != runbook {
			continue
		}
		r, err := j.rehearsal(ctx, runs[i])
		if err != nil {
			return nil, explain(fmt.Sprintf("read the durations of run %q", runs[i].ID), j.home, err)
		}
		history = append(history, r)
	}
	return history, nil
}

// rehearsal folds only the events that durations come from.
func (j *Journal) rehearsal(ctx context.Context, run RunInfo) (Rehearsal, error) {
	r := Rehearsal{Run: run.ID, Mode: run.Mode, At: run.Created, Result: run.Result}
	events, err := j.events(ctx, run.ID, 0, RunCreated, RunChanged, StageStarted, StageDone, StepRan, StepVerified, StepFailed,
		GateWaits, GatePassed, ListWaits, ListPassed)
	if err != nil {
		return r, err
	}
	s, err := Fold(events)
	if err != nil {
		return r, err
	}
	failed := map[string]int{}
	for _, e := range events {
		if e.Type == StepFailed {
			failed[e.Step]++
		}
	}
	for _, n := range s.Nodes {
		if n.Ended.IsZero() {
			continue
		}
		done := Rehearsed{ID: n.ID, Class: n.Class, Def: n.Def, Done: n.Phase == Done, RunMS: n.RunMS, VerifyMS: n.VerifyMS, Work: n.Work, Failed: failed[n.ID]}
		if n.Class != ClassStep {
			done.RunMS = n.Ended.Sub(n.Started).Milliseconds()
		}
		r.Nodes = append(r.Nodes, done)
	}
	r.WindowMS = s.windowMS()
	return r, nil
}

func (s *State) windowMS() int64 {
	if s.Body.Window == nil {
		return 0
	}
	opens, closes := s.Stage(s.Body.Window.Opens), s.Stage(s.Body.Window.Closes)
	if opens == nil || closes == nil || opens.Started.IsZero() || closes.Ended.IsZero() {
		return 0
	}
	return closes.Ended.Sub(opens.Started).Milliseconds()
}
