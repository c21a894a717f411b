package view

import (
	"fmt"
	"strings"

	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/view/text"
)

// Type is of Page.
func (s Snapshot) Type() string { return "status" }

// Write is of Page: what waits for the reader stands first, then what runs,
// what is left behind, and the proof.
func (s Snapshot) Write(p *Paper) {
	s.writeHead(p)
	s.writeWindow(p)
	s.writeCounts(p)
	s.writeNeeds(p)
	s.writeRunning(p)
	s.writeLeft(p)
	p.blank()
	p.field(0, "Head", fmt.Sprintf("%s (event %d)", s.Head, s.Seq))
}

// name is the run's title, else the runbook's name.
func (s Snapshot) name() string {
	if s.Title != "" {
		return s.Title
	}
	return s.Runbook
}

func (s Snapshot) mode() string {
	if s.Mode == journal.Drill {
		return fmt.Sprintf("drill %q", s.Drill)
	}
	return string(s.Mode)
}

func (s Snapshot) writeHead(p *Paper) {
	p.wrap("", "", p.paint(bold, text.Clean(s.name())))
	p.field(0, "Run", fmt.Sprintf("%s, %s, by %s, since %s", s.Run, s.mode(), s.Runner, p.clock(s.Created, s.At)))
	p.field(0, "Stands", s.stands(p))
}

// stands says in one line where the run stands.
func (s Snapshot) stands(p *Paper) string {
	mark, words := s.Standing.words()
	line := p.mark(mark) + " " + p.paint(bold, words)
	if s.Result != "" {
		return line + " after " + text.Millis(s.ElapsedMS)
	}
	for i, st := range s.Stages {
		if st.Name == s.Stage {
			line += fmt.Sprintf(" in stage %s (%d of %d) for %s", st.Name, i+1, len(s.Stages), text.Millis(st.ElapsedMS))
		}
	}
	if s.Back && s.Standing != Undoing {
		line += ", on the way back"
	}
	return line + ", " + text.Millis(s.ElapsedMS) + " in all"
}

// words are a standing's mark and word.
func (s Standing) words() (Mark, string) {
	switch s {
	case Running:
		return MarkGo, "running"
	case Waiting:
		return MarkAsk, "waiting for people"
	case Held:
		return MarkBad, "held"
	case Undoing:
		return MarkUndo, "going back"
	case Abandoned:
		return MarkBad, "without a conductor"
	case Done:
		return MarkGood, "done"
	case Undone:
		return MarkUndo, "undone"
	}
	return MarkBad, string(s)
}

func (s Snapshot) writeWindow(p *Paper) {
	if s.Window != nil {
		mark, words := s.Window.words(p, s)
		p.field(0, "Window", p.mark(mark)+" "+words)
	}
}

// words say how the window stands.
func (w Window) words(p *Paper, s Snapshot) (Mark, string) {
	length := text.Millis(w.LengthMS)
	switch {
	case !w.Closed.IsZero() && w.Verdict == WasLate:
		return MarkBad, fmt.Sprintf("closed at %s, %s late (%s long)", p.clock(w.Closed, s.At), text.Millis(-w.LeftMS), length)
	case !w.Closed.IsZero():
		return MarkGood, fmt.Sprintf("closed at %s, %s before its end (%s long)", p.clock(w.Closed, s.At), text.Millis(w.LeftMS), length)
	case s.Result != "":
		return MarkInfo, length + " long, was not used up"
	case w.Opened.IsZero():
		return w.Verdict.mark(), fmt.Sprintf("%s long, opens with stage %s; needs %s%s", length, w.Opens, text.Millis(w.ExpectMS), w.verdict())
	case w.LeftMS < 0:
		return MarkBad, fmt.Sprintf("over since %s (%s): LATE by %s", p.clock(w.Until, s.At), length, text.Millis(-w.LeftMS))
	}
	return w.Verdict.mark(), fmt.Sprintf("%s left, until %s; expected to close at %s%s",
		text.Millis(w.LeftMS), p.clock(w.Until, s.At), p.clock(w.Expected, s.At), w.verdict())
}

func (v Verdict) mark() Mark {
	switch v {
	case InTime, WasKept:
		return MarkGood
	case Unsure:
		return MarkAsk
	}
	return MarkBad
}

// verdict is the tail of a sentence about an open window.
func (w Window) verdict() string {
	switch w.Verdict {
	case InTime:
		return ", in time"
	case Unsure:
		return " plus " + text.Plural(len(w.Unknown), "unrehearsed step")
	}
	return fmt.Sprintf(", TOO LATE by %s", text.Millis(w.ExpectMS-max(w.LeftMS, 0)))
}

func (s Snapshot) writeCounts(p *Paper) {
	p.field(0, "Steps", s.Steps.words())
}

func (c Counts) words() string {
	parts := []string{fmt.Sprintf("%s of %s done", text.Count(int64(c.Done)), text.Count(int64(c.Total)))}
	for _, part := range []struct {
		n    int
		what string
	}{{c.Running, "at work"}, {c.Failed, "failed"}, {c.Skipped, "skipped"}, {c.Undone, "undone"}} {
		if part.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", part.n, part.what))
		}
	}
	return strings.Join(parts, ", ")
}

// writeNeeds writes what waits for people: hold, gates, checklists, requests.
func (s Snapshot) writeNeeds(p *Paper) {
	if s.Held != nil {
		p.blank()
		label := "HELD: "
		if s.Standing == Abandoned {
			label = "STOPPED: "
		}
		p.hang(p.mark(MarkBad)+" ", p.paint(bold, label)+text.Clean(s.Held.Reason))
		for _, n := range s.Failed {
			if !strings.Contains(s.Held.Reason, n.Error) { // else it stands above
				p.hang("    ", n.ID+": "+text.Clean(n.Error))
			}
			for _, hint := range n.Hints {
				p.hang("    hint: ", text.Clean(hint))
			}
		}
		if s.Held.Hint != "" && !s.Held.repeats(s.Run) {
			p.hang("    hint: ", text.Clean(s.Held.Hint))
		}
		p.commands(s.Held.Next)
	}
	for _, g := range s.Gates {
		g.write(p, s)
	}
	for _, l := range s.Checklists {
		l.write(p, s)
	}
	for _, ask := range s.Asks {
		p.line("%s %s asked by %s at %s, not yet answered", p.mark(MarkInfo),
			strings.TrimSpace(strings.TrimPrefix(string(ask.Type), "ask.")+" "+ask.Step), ask.By, p.clock(ask.At, s.At))
	}
}

// repeats tells whether the hint says what the commands below it say: it begins
// with the first of them.
func (h Hold) repeats(run string) bool {
	return len(h.Next) > 0 && strings.HasPrefix(h.Hint, strings.TrimSuffix(h.Next[0], runFlag(run)))
}

// commands writes what to type; a command is never wrapped, or it could not be
// copied.
func (p *Paper) commands(next []string) {
	for _, command := range next {
		p.lines = append(p.lines, "    $ "+p.paint(bold, command))
	}
}

func (g Gate) write(p *Paper, s Snapshot) {
	p.blank()
	ask := ""
	if g.Ask != "" {
		ask = fmt.Sprintf(": %q", text.Clean(g.Ask))
	}
	p.hang(p.mark(MarkAsk)+" ", p.paint(bold, g.ID)+" waits"+ask)
	if g.Needed > 0 {
		p.hang("    ", fmt.Sprintf("%d of %s%s", len(g.Approved), text.Plural(g.Needed, "approval"), p.saidBy(g.Approved, s)))
	}
	if len(g.Rejected) > 0 {
		p.hang("    ", p.mark(MarkBad)+" rejected"+p.saidBy(g.Rejected, s))
	}
	if len(g.May) > 0 && len(g.Approved) < g.Needed {
		p.hang("    ", "may approve: "+strings.Join(g.May, ", "))
	}
	if !g.At.IsZero() {
		p.hang("    ", "not before "+p.clock(g.At, s.At))
	}
	if !g.Until.IsZero() {
		p.hang("    ", fmt.Sprintf("until %s, then it %s", p.clock(g.Until, s.At), onTimeout(g.Then)))
	}
	if g.Needed > 0 {
		p.commands(g.Next)
	}
}

// onTimeout says what a gate does when its time is up.
func onTimeout(then string) string {
	switch then {
	case "undo":
		return "undoes the run"
	case "continue":
		return "lets the run go on"
	}
	return "holds"
}

// saidBy lists who said it, when and with which words.
func (p *Paper) saidBy(words []Word, s Snapshot) string {
	if len(words) == 0 {
		return ""
	}
	said := make([]string, len(words))
	for i, w := range words {
		said[i] = Who(w.By, w.Demo, w.Claimed) + " at " + p.clock(w.At, s.At) + because(text.Clean(w.Text))
	}
	return " by " + strings.Join(said, "; ")
}

func (l Checklist) write(p *Paper, s Snapshot) {
	p.blank()
	p.line("%s %s waits", p.mark(MarkAsk), p.paint(bold, l.ID))
	for _, item := range l.Items {
		line := fmt.Sprintf("%s (%s)", item.Name, item.Owner)
		if item.Text != "" {
			line += " " + text.Clean(item.Text)
		}
		if item.Result != "" {
			line += ": " + item.Result
		}
		if item.Last != nil {
			line += p.saidBy([]Word{*item.Last}, s)
		}
		p.hang("    "+p.mark(itemMark(item.Result))+" ", line)
	}
	p.commands(l.Next)
}

func itemMark(result string) Mark {
	switch result {
	case journal.ItemOK, journal.ItemRetested:
		return MarkGood
	case journal.ItemFailed:
		return MarkBad
	case journal.ItemFixed:
		return MarkAsk
	}
	return MarkInfo
}

// writeLeft writes what the run has left behind in the world.
func (s Snapshot) writeLeft(p *Paper) {
	if len(s.Changed) > 0 {
		p.heading("Still changed")
		for _, c := range s.Changed {
			p.hang("  "+p.mark(MarkWatch)+" ", fmt.Sprintf("%s: %s (was %q, now %q)", c.Step, text.Clean(c.What), c.Old, c.New))
		}
	}
	if len(s.NotUndone) > 0 {
		p.heading("Could not be undone")
		for _, n := range s.NotUndone {
			p.hang("  "+p.mark(MarkWatch)+" ", n.Step+because(text.Clean(n.Reason)))
		}
	}
}
