// Package report writes the after-action report of a run from its journal: the
// proof first, then what it cost, who decided what, what went wrong and what
// stays to be done. It is Markdown that reads well on paper.
package report

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/view"
	"github.com/evac-io/evac/internal/view/text"
)

// page is a report while it is written.
type page struct {
	strings.Builder
	s      *journal.State
	shot   view.Snapshot
	events []journal.Event
	lines  []view.Line // of the events, in words
	extra  Extra
	zone   *time.Location
}

// Markdown is the report of the events of one run, in order. A run that goes
// on is reported as it stands at its newest event.
func Markdown(events []journal.Event, extra Extra) (string, error) {
	p := &page{s: &journal.State{}, events: events, extra: extra, zone: extra.Zone}
	if p.zone == nil {
		p.zone = time.Local
	}
	for _, e := range events {
		p.lines = append(p.lines, view.Tell(e, p.s, p.zone))
		if err := p.s.Apply(e); err != nil {
			return "", err
		}
	}
	p.shot = view.Take(view.Moment{State: p.s, Now: p.s.Last})
	for _, section := range []func(){
		p.summary, p.proof, p.window, p.seconds, p.durations, p.reasons, p.decisions, p.checklists,
		p.failures, p.lasting, p.notes, p.tables, p.timeline, p.chain,
	} {
		section()
	}
	return p.String(), nil
}

func (p *page) heading(title string) { p.print("\n## %s\n\n", title) }

func (p *page) print(format string, args ...any) { fmt.Fprintf(p, format, args...) }

// item writes a line of a list.
func (p *page) item(format string, args ...any) { p.print("- "+format+"\n", args...) }

func (p *page) table(t *text.Table) { p.WriteString(t.Markdown()) }

func (p *page) clock(at time.Time) string { return at.In(p.zone).Format(time.TimeOnly) }

// when is a date, a time and the zone.
func (p *page) when(at time.Time) string { return at.In(p.zone).Format("2006-01-02 15:04:05 MST") }

// prose makes a text of others safe in Markdown: nothing in it is markup.
func prose(s string) string {
	return strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "<", `\<`, "[", `\[`).Replace(text.Clean(s))
}

// code is a name as it is typed.
func code(s string) string { return "`" + strings.ReplaceAll(text.Clean(s), "`", "'") + "`" }

func (p *page) summary() {
	s := p.s
	title := s.Body.Title
	if title == "" {
		title = s.Body.Runbook
	}
	p.print("# After-action report: %s\n\n", prose(title))
	p.item("Result: **%s**%s", p.result(), p.endReason())
	p.item("Run: %s, %s", code(s.Run), prose(view.ModeWords(s.Body)))
	p.item("From %s to %s: **%s**", p.when(s.Created), p.until(), text.Millis(p.shot.ElapsedMS))
	p.item("Run by %s, with evac %s", strings.Join(p.conductors(), ", "), prose(s.Body.Version))
	p.item("Steps: %s", p.counts())
	if len(s.Body.Only) > 0 {
		p.item("Only these steps were asked for: %s", prose(strings.Join(s.Body.Only, ", ")))
	}
	if s.Body.From != "" {
		p.item("Begun with stage %s", code(s.Body.From))
	}
}

func (p *page) result() string {
	if p.s.Result != "" {
		return p.s.Result
	}
	return "not finished, " + string(p.shot.Standing)
}

// endReason is why the run ended as it did, or why it waits.
func (p *page) endReason() string {
	if p.shot.Held != nil {
		return prose(because(p.shot.Held.Reason))
	}
	for _, e := range p.events {
		var body journal.EndBody
		if (e.Type == journal.RunDone || e.Type == journal.RunAborted) && decode(e, &body) {
			return prose(because(body.Reason))
		}
	}
	return ""
}

func (p *page) until() string {
	if p.s.Ended.IsZero() {
		return p.when(p.s.Last) + " (not finished)"
	}
	return p.when(p.s.Ended)
}

// conductors are those who had the run, in order, each once.
func (p *page) conductors() []string {
	var names []string
	seen := map[string]bool{}
	for _, e := range p.events {
		var body journal.TakenBody
		if e.Type != journal.RunTaken || !decode(e, &body) {
			continue
		}
		if name := prose(fmt.Sprintf("%s on %s", body.Runner, body.Host)); !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return []string{prose(p.s.Body.Runner)}
	}
	return names
}

func (p *page) counts() string {
	c := p.shot.Steps
	parts := []string{fmt.Sprintf("%s of %s done", text.Count(int64(c.Done)), text.Count(int64(c.Total)))}
	for _, part := range []struct {
		n    int
		what string
	}{{c.Failed, "failed"}, {c.Skipped, "skipped"}, {c.Undone, "undone or passed by"}} {
		if part.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", part.n, part.what))
		}
	}
	return strings.Join(parts, ", ")
}

// decode reads an event's body; false if it cannot be read, which the chain's
// verification is there to find.
func decode(e journal.Event, into any) bool {
	return len(e.Body) == 0 || json.Unmarshal(e.Body, into) == nil
}

// proof says what was counted: the reason for everything else.
func (p *page) proof() {
	p.heading("Proof")
	counted := false
	for _, n := range p.s.Nodes {
		if words, ok := headcount(n); ok {
			counted = true
			p.item("%s: **%s**, %s", code(n.ID), words, outcome(n))
		} else if strings.HasSuffix(n.Kind, "_verify") {
			counted = true
			p.item("%s: **no proof**, %s", code(n.ID), outcome(n))
		}
	}
	if o := p.extra.Orders; o != nil {
		counted = true
		found := "each found exactly once"
		if o.Missing+o.Twice > 0 {
			found = fmt.Sprintf("%s missing, %s found twice", text.Count(o.Missing), text.Count(o.Twice))
		}
		if o.On != "" {
			found += " on the " + prose(o.On)
		}
		p.item("Orders that were acknowledged to users: **%s, %s**", text.Count(o.Acknowledged), found)
	}
	if !counted {
		p.item("No step of this run counted what arrived.")
	}
}

// headcount reads what a verifying step counted.
func headcount(n *journal.NodeState) (string, bool) {
	var out struct{ Rows, Objects, Missing, Extra, Different *int64 }
	if len(n.Output) == 0 || json.Unmarshal(n.Output, &out) != nil || out.Missing == nil || out.Different == nil {
		return "", false
	}
	what, total := "rows", out.Rows
	if total == nil {
		what, total = "objects", out.Objects
	}
	if total == nil || out.Extra == nil {
		return "", false
	}
	return fmt.Sprintf("%s %s, %s missing, %s extra, %s different", text.Count(*total), what,
		text.Count(*out.Missing), text.Count(*out.Extra), text.Count(*out.Different)), true
}

// outcome says where a node ended.
func outcome(n *journal.NodeState) string {
	switch n.Phase {
	case journal.PassedBy:
		return "not undone"
	case journal.Ran:
		return "not verified"
	}
	return string(n.Phase)
}

// chain ends the report with what proves it.
func (p *page) chain() {
	p.heading("How to check this report")
	if p.s.Body.Hash != "" {
		p.item("Runbook: %s, SHA-256 %s", code(p.s.Body.File), code(p.s.Body.Hash))
	}
	for _, file := range sortedKeys(p.s.Body.Frozen) {
		p.item("File it uses: %s, SHA-256 %s", code(file), code(p.s.Body.Frozen[file]))
	}
	p.item("Journal: %s, the last one with hash %s", text.Plural(len(p.events), "event"), code(p.s.Head))
	p.print("\n```sh\nevac journal verify %s --head %s\n```\n", p.s.Run, p.s.Head)
}
