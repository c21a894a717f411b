package report

import (
	"fmt"
	"strings"

	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/view/text"
)

// failures tells each failure and what was done about it, with the faults that
// were injected on purpose.
func (p *page) failures() {
	p.heading("Failures")
	for _, id := range sortedKeys(p.s.Body.Faults) {
		p.item("Fault injected on purpose: %s fails at %s", code(id), prose(p.s.Body.Faults[id]))
	}
	n := 0
	for i, e := range p.events {
		var b journal.FailBody
		if (e.Type != journal.StepFailed && e.Type != journal.UndoFailed) || !decode(e, &b) {
			continue
		}
		n++
		p.print("\n**%d. %s** at %s, in %s (attempt %d):\n\n%s\n", n, code(e.Step), p.clock(e.At), prose(b.Phase), p.attempt(i), quoted(b.Error))
		for _, hint := range b.Hints {
			p.item("Hint: %s", prose(hint))
		}
		p.item("Then: %s", p.aftermath(i, b))
	}
	if n == 0 {
		p.item("No step failed.")
	}
}

// attempt is the number of the step's attempt that failed in event i.
func (p *page) attempt(i int) int {
	for j := i; j >= 0; j-- {
		if e := p.events[j]; e.Step == p.events[i].Step && e.Attempt > 0 {
			return e.Attempt
		}
	}
	return 1
}

// quoted is a text of several lines as an indented block, kept as it is.
func quoted(s string) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	for i, line := range lines {
		lines[i] = "    " + text.Printable(line)
	}
	return strings.Join(lines, "\n") + "\n"
}

// aftermath says what was done about the failure in event i, up to the step's
// next failure.
func (p *page) aftermath(i int, b journal.FailBody) string {
	var done []string
	if b.RetryInMS > 0 {
		done = append(done, "tried again by itself after "+text.Millis(b.RetryInMS))
	}
	for j := i + 1; j < len(p.events); j++ {
		e := p.events[j]
		if e.Type == journal.UndoStarted && len(done) == 0 {
			done = append(done, "the run "+p.lines[j].What+" at "+p.clock(e.At))
		}
		if e.Step != p.events[i].Step {
			continue
		}
		switch e.Type {
		case journal.AskRetry, journal.StepSkipped, journal.StepVerified, journal.StepUndone, journal.UndoPassed:
			done = append(done, fmt.Sprintf("%s at %s", prose(p.lines[j].What), p.clock(e.At)))
		case journal.StepFailed, journal.UndoFailed:
			return strings.Join(append(done, "failed again at "+p.clock(e.At)), "; ")
		}
	}
	if len(done) == 0 {
		return "nothing; it stands as it failed"
	}
	return strings.Join(done, "; ")
}
