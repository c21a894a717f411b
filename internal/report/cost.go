package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/evac-io/evac/internal/forecast"
	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/view"
	"github.com/evac-io/evac/internal/view/text"
)

// window says what the announced time was and what users saw of it.
func (p *page) window() {
	if p.shot.Window == nil && len(p.extra.Outages)+len(p.extra.Seconds) == 0 {
		return
	}
	p.heading("Window and downtime")
	if w := p.shot.Window; w != nil {
		p.item("Window: %s announced, from the beginning of stage %s to the end of stage %s", text.Millis(w.LengthMS), code(w.Opens), code(w.Closes))
		p.item("%s", p.windowKept(*w))
	}
	for _, o := range p.extra.Outages {
		p.item("No %s succeeded for **%.1f seconds**, from %s to %s", o.Kind, o.To.Sub(o.From).Seconds(), p.clock(o.From), p.clock(o.To))
	}
	for _, kind := range []string{Write, Read} {
		requests, failed := p.traffic(kind)
		if requests > 0 {
			p.item("%ss: %s requests, %s failed (%.2f %%)", strings.ToUpper(kind[:1])+kind[1:], text.Count(requests), text.Count(failed), float64(failed)*100/float64(requests))
		}
	}
}

func (p *page) windowKept(w view.Window) string {
	switch {
	case w.Opened.IsZero():
		return "It was not opened"
	case w.Closed.IsZero():
		return fmt.Sprintf("Opened at %s, not closed by the end of this report", p.clock(w.Opened))
	}
	span := fmt.Sprintf("Open from %s to %s: **%s**", p.clock(w.Opened), p.clock(w.Closed), text.Duration(w.Closed.Sub(w.Opened)))
	if w.LeftMS < 0 {
		return span + ", **late by " + text.Millis(-w.LeftMS) + "**"
	}
	return span + ", closed " + text.Millis(w.LeftMS) + " before its end"
}

func (p *page) traffic(kind string) (requests, failed int64) {
	for _, s := range p.extra.Seconds {
		if s.Kind == kind {
			requests, failed = requests+s.Requests, failed+s.Failed
		}
	}
	return requests, failed
}

// mostSeconds is how many seconds with failures are printed one by one.
const mostSeconds = 300

// seconds lists the seconds in which something failed or nothing came through.
func (p *page) seconds() {
	if len(p.extra.Seconds) == 0 {
		return
	}
	p.print("\n### Seconds with failures\n\n")
	t := text.NewTable("Second", "Since begin", "Class", ">Requests", ">Failed")
	bad := 0
	for _, s := range p.extra.Seconds {
		if s.Failed == 0 && s.Requests > 0 {
			continue
		}
		if bad++; bad <= mostSeconds {
			t.Row(p.clock(s.At), text.Offset(s.At.Sub(p.s.Created)), s.Kind, text.Count(s.Requests), text.Count(s.Failed))
		}
	}
	if bad == 0 {
		p.item("None: every request of every second succeeded.")
		return
	}
	p.table(t)
	if bad > mostSeconds {
		p.print("\nand %s more.\n", text.Plural(bad-mostSeconds, "second"))
	}
}

// durations hold what drills expected against what happened.
func (p *page) durations() {
	p.heading("Plan against actual")
	p.print("Expected times are from drills; a step without one was never rehearsed as it stands. Actual times of a step are of its last attempt, run and verify together.\n\n")
	courses := forecast.Stages(p.s.Body.Stages, forecast.Tasks(p.s.Body.Nodes), p.s.Body.Parallel)
	stages := text.NewTable("Stage", "Began", ">Expected", ">Actual", ">Difference")
	for i, st := range p.shot.Stages {
		if !st.Started.IsZero() {
			stages.Row(code(st.Name), p.clock(st.Started), known(courses[i].TotalMS), text.Millis(st.ElapsedMS), difference(st.ElapsedMS, courses[i].TotalMS))
		}
	}
	if len(stages.Rows) > 0 {
		p.table(stages)
		p.print("\n")
	}
	steps := text.NewTable("Step", ">Expected", ">Actual", ">Difference", ">Attempts", ">Work", ">Rate", "Outcome")
	for _, n := range p.s.Nodes {
		if n.Class != journal.ClassStep {
			continue
		}
		attempts, ms := "", n.RunMS+n.VerifyMS
		if n.Attempt > 0 {
			attempts = fmt.Sprint(n.Attempt)
		}
		steps.Row(code(n.ID), known(n.ExpectMS), known(ms), difference(ms, n.ExpectMS), attempts,
			text.Work(n.Work), text.WorkRate(n.Work, n.RunMS), outcome(n))
	}
	p.table(steps)
}

// known is a duration, "–" if there is none.
func known(ms int64) string {
	if ms == 0 {
		return "–"
	}
	return text.Millis(ms)
}

// difference is how much longer or shorter it took, "" if one is unknown.
func difference(actual, expected int64) string {
	switch {
	case actual == 0 || expected == 0:
		return ""
	case actual < expected:
		return "−" + text.Millis(expected-actual)
	}
	return "+" + text.Millis(actual-expected)
}

// tables prints what was handed in.
func (p *page) tables() {
	for _, extra := range p.extra.Tables {
		p.heading(prose(extra.Title))
		t := text.NewTable(extra.Header...)
		for _, row := range extra.Rows {
			cells := make([]string, len(row))
			for i, cell := range row {
				cells[i] = prose(cell)
			}
			t.Row(cells...)
		}
		p.table(t)
	}
}

// timeline is everything worth a line, with clock and time since the begin.
func (p *page) timeline() {
	p.heading("Timeline")
	p.print("Clock in %s.\n\n", p.s.Created.In(p.zone).Format("MST (-07:00)"))
	t := text.NewTable("Clock", "Since begin", "Where", "What")
	var day time.Time
	for i, line := range p.lines {
		if line.Detail && !telling(p.events[i].Type) {
			continue
		}
		clock := p.clock(line.At)
		if d := line.At.In(p.zone); d.Format(time.DateOnly) != day.Format(time.DateOnly) {
			clock, day = d.Format("2006-01-02 15:04:05"), d
		}
		t.Row(clock, text.Offset(line.At.Sub(p.s.Created)), code(line.Where), prose(line.What))
	}
	p.table(t)
}

// telling are details that a reader of the report wants all the same.
func telling(t journal.Type) bool {
	switch t {
	case journal.StepChanged, journal.StepRestored, journal.RunTaken, journal.StepRearmed:
		return true
	}
	return false
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
