package view

import (
	"fmt"
	"time"

	"github.com/evac-io/evac/internal/forecast"
	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/view/text"
)

// RunsPage is the history of runs, newest first.
type RunsPage struct {
	Runs []journal.RunInfo `json:"runs"`
	// Now ends the duration of runs that go on.
	Now time.Time `json:"at"`
}

// Type is of Page.
func (r RunsPage) Type() string { return "runs" }

// Write is of Page.
func (r RunsPage) Write(p *Paper) {
	if len(r.Runs) == 0 {
		p.line("no runs yet")
		return
	}
	t := text.NewTable("RUN", "MODE", "BEGAN", ">TOOK", "RESULT")
	for _, run := range r.Runs {
		result := run.Result
		switch {
		case run.Holder != nil:
			result = "goes on, conducted by " + run.Holder.Runner
		case result == "":
			result = "unfinished"
		}
		took := text.Millis(between(run.Created, run.Ended, r.Now))
		if run.Result == "" && run.Holder == nil {
			took = ""
		}
		t.Row(run.ID, string(run.Mode), p.day(run.Created), took, result)
	}
	p.table(t)
}

// day is a date and a time of day.
func (p *Paper) day(t time.Time) string { return t.In(p.zone).Format("2006-01-02 15:04") }

// DrillsPage is the practice of a runbook: its drills, and each step's times
// over them.
type DrillsPage struct {
	Runbook string              `json:"runbook"`
	Drills  []journal.Rehearsal `json:"drills"` // oldest first
	Steps   []Practice          `json:"steps"`
}

// Practice is one step's times over the drills.
type Practice struct {
	ID       string          `json:"id"`
	LastMS   int64           `json:"last_ms"`
	MedianMS int64           `json:"median_ms"`
	Takes    []forecast.Take `json:"takes"` // oldest first
}

// Drills makes the page of a runbook's history; runs that are no drills are
// left out.
func Drills(runbook string, history []journal.Rehearsal) DrillsPage {
	page := DrillsPage{Runbook: runbook}
	for _, r := range history {
		if r.Mode == journal.Drill {
			page.Drills = append(page.Drills, r)
		}
	}
	book := forecast.Read(history)
	for _, id := range book.Steps() {
		takes := book.Curve(id)
		page.Steps = append(page.Steps, Practice{ID: id, LastMS: takes[len(takes)-1].MS, MedianMS: forecast.Median(times(takes)), Takes: takes})
	}
	return page
}

func times(takes []forecast.Take) []int64 {
	ms := make([]int64, len(takes))
	for i, t := range takes {
		ms[i] = t.MS
	}
	return ms
}

// Type is of Page.
func (d DrillsPage) Type() string { return "drills" }

// Write is of Page.
func (d DrillsPage) Write(p *Paper) {
	if len(d.Drills) == 0 {
		p.line("%s was never rehearsed", d.Runbook)
		return
	}
	p.heading("Drills of %s", d.Runbook)
	t := text.NewTable("DRILL", "BEGAN", "RESULT", ">WINDOW")
	for _, r := range d.Drills {
		result, window := r.Result, ""
		if result == "" {
			result = "unfinished"
		}
		if r.WindowMS > 0 {
			window = text.Millis(r.WindowMS)
		}
		t.Row(r.Run, p.day(r.At), result, window)
	}
	p.table(t)

	p.heading("Steps")
	t = text.NewTable("STEP", ">DRILLS", ">LAST", ">MEDIAN", "CURVE")
	for _, s := range d.Steps {
		t.Row(s.ID, fmt.Sprint(len(s.Takes)), text.Millis(s.LastMS), text.Millis(s.MedianMS), text.Spark(times(s.Takes)))
	}
	p.table(t)
	for _, s := range d.Steps {
		s.write(p)
	}
}

// write is the step's times one by one. A step whose text changed between two
// drills says so: its times before are of another step.
func (s Practice) write(p *Paper) {
	p.heading("%s", s.ID)
	t := text.NewTable("BEGAN", ">TOOK", ">WORK", ">RATE", "")
	for i, take := range s.Takes {
		remark := ""
		if take.Failed > 0 {
			remark = "after " + text.Plural(take.Failed, "failed attempt")
		}
		if i > 0 && s.Takes[i-1].Def != take.Def {
			remark = "step changed"
		}
		t.Row(p.day(take.At), text.Millis(take.MS), text.Work(take.Work), text.WorkRate(take.Work, take.MS), remark)
	}
	p.table(t)
}
