package report

import (
	"fmt"
	"strings"

	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/step"
	"github.com/evac-io/evac/internal/view"
	"github.com/evac-io/evac/internal/view/text"
)

// reasons says what each step did and why it was there.
func (p *page) reasons() {
	p.heading("Steps and why")
	t := text.NewTable("Step", "Stage", "What", "Why", "Effect")
	for _, n := range p.s.Nodes {
		if n.Class != journal.ClassStep {
			continue
		}
		what := ""
		if n.Plan != nil {
			what = prose(n.Plan.Summary)
		}
		t.Row(code(n.ID), n.Stage, what, prose(n.Why), string(n.Effect))
	}
	p.table(t)
}

// decision is a person's word that changed the run's course.
type decision struct {
	who, what, words string
}

// decisions lists who decided what. Whoever the demo spoke for, and whoever
// was only named by --as, is marked.
func (p *page) decisions() {
	p.heading("Decisions")
	refused := p.refused()
	t := text.NewTable("Clock", "Who", "Decision", "About", "Words")
	for _, e := range p.events {
		d, ok := decided(e)
		if !ok {
			continue
		}
		about := "run"
		if e.Step != "" {
			about = e.Step
		}
		if reason, no := refused[e.Seq]; no {
			d.what += " (refused" + because(reason) + ")"
		}
		t.Row(p.clock(e.At), prose(d.who), prose(d.what), code(about), prose(d.words))
	}
	if len(t.Rows) == 0 {
		p.item("Nobody had to decide anything.")
		return
	}
	p.table(t)
}

// refused are the requests that a conductor did not obey, with the reason.
func (p *page) refused() map[int64]string {
	reasons := map[int64]string{}
	for _, e := range p.events {
		var b journal.AnswerBody
		if e.Type == journal.AskAnswered && decode(e, &b) && !b.Done {
			reasons[b.Seq] = b.Reason
		}
	}
	return reasons
}

// notes are the remarks that people (and evac) made.
func (p *page) notes() {
	if len(p.s.Notes) == 0 {
		return
	}
	p.heading("Notes")
	for _, n := range p.s.Notes {
		p.item("%s, %s: %s", p.clock(n.At), prose(view.Who(n.By, n.Demo, n.Claimed)), prose(n.Text))
	}
}

// verbs are the requests that carry a note.
var verbs = map[journal.Type]string{
	journal.AskReject: "rejects", journal.AskHold: "holds", journal.AskRelease: "releases", journal.AskRetry: "retries",
	journal.AskSkip: "skips", journal.AskAbort: "aborts", journal.AskStop: "stops", journal.AskConfirm: "confirms",
}

func decided(e journal.Event) (decision, bool) {
	if verb, ok := verbs[e.Type]; ok {
		var b journal.NoteBody
		decode(e, &b)
		return decision{view.Who(e.Actor, b.Demo, b.Claimed), verb, b.Text}, true
	}
	d := decision{who: e.Actor}
	switch e.Type {
	case journal.AskApprove:
		var b journal.ApproveBody
		decode(e, &b)
		d = decision{view.Who(e.Actor, b.Demo, b.Claimed), "approves", b.Note}
	case journal.AskTick:
		var b journal.TickBody
		decode(e, &b)
		d = decision{view.Who(e.Actor, b.Demo, b.Claimed), fmt.Sprintf("ticks %s: %s", b.Item, b.Result), b.Evidence}
	case journal.AskItem:
		var b journal.ItemBody
		decode(e, &b)
		d.what, d.words = fmt.Sprintf("adds item %s for %s", b.Name, b.Owner), b.Text
	case journal.AskUndo:
		var b journal.UndoBody
		decode(e, &b)
		if d.what = "undoes all"; b.To != "" {
			d.what = "undoes back to before " + b.To
		}
	case journal.RunChanged:
		d.what = "accepts a changed runbook"
	default:
		return d, false
	}
	return d, true
}

// checklists lists each item with its owner and its history.
func (p *page) checklists() {
	t := text.NewTable("Item", "Owner", "Result", "History")
	for _, n := range p.s.Nodes {
		for _, item := range n.Ticks {
			result := item.Result
			if result == "" {
				result = "open"
			}
			history := make([]string, len(item.Log))
			for i, tick := range item.Log {
				history[i] = fmt.Sprintf("%s %s by %s", p.clock(tick.At), tick.Result, view.Who(tick.By, tick.Demo, tick.Claimed))
				if tick.Evidence != "" {
					history[i] += " (" + tick.Evidence + ")"
				}
			}
			name := strings.TrimPrefix(n.ID, "checklist.") + "." + item.Name
			t.Row(code(name), prose(item.Owner), result, prose(strings.Join(history, "; ")))
		}
	}
	if len(t.Rows) > 0 {
		p.heading("Checklists")
		p.table(t)
	}
}

// lasting says what the run leaves behind.
func (p *page) lasting() {
	p.heading("What stays")
	none := true
	for _, n := range p.s.NotUndone {
		none = false
		p.item("Could not be undone: %s%s", code(n.Step), prose(because(n.Reason)))
	}
	for _, c := range p.shot.Changed {
		none = false
		p.item("Still changed by %s: %s (was %s, now %s)", code(c.Step), prose(c.What), code(c.Old), code(c.New))
	}
	for _, n := range p.s.Nodes {
		if n.Phase == journal.Done && (n.Effect == step.Lasting || n.Effect == step.Passing) {
			none = false
			p.item("Done and cannot be undone: %s", code(n.ID))
		}
	}
	if none {
		p.item("Nothing that could not be undone, and no setting is still changed.")
	}
}

// because puts a reason behind a sentence, if there is one.
func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}
