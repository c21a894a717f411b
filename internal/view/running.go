package view

import (
	"fmt"
	"strings"

	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/view/text"
)

// writeRunning writes a line for each step at work.
func (s Snapshot) writeRunning(p *Paper) {
	if len(s.Running) == 0 {
		return
	}
	p.blank()
	names := 0
	for _, n := range s.Running {
		names = max(names, text.Width(n.ID))
	}
	names = min(names, p.width*2/5)
	for _, n := range s.Running {
		if s.Standing == Abandoned {
			p.line("%s %s  was at work when its conductor let go", p.mark(MarkWatch), text.Pad(text.Cut(n.ID, names), names))
			continue
		}
		p.line("%s", n.row(p, names))
	}
}

// row is one step at work: its name in a column of a width, then what matters
// most first, for a narrow terminal cuts the rest.
func (n Node) row(p *Paper, names int) string {
	mark := MarkGo
	switch n.Phase {
	case journal.Undoing:
		mark = MarkUndo
	case journal.Waiting:
		mark = MarkBad
	}
	parts := []string{p.mark(mark) + " " + text.Pad(text.Cut(n.ID, names), names)}
	if n.Percent != nil {
		parts = append(parts, fmt.Sprintf("%3d%%", *n.Percent)+" "+p.paint(cyan, text.Bar(*n.Percent, barWidth(p.width))))
	}
	parts = append(parts, n.doing()...)
	if n.Note != "" {
		parts = append(parts, p.paint(dim, n.Note))
	}
	return strings.Join(parts, "  ")
}

// barWidth is how many columns a bar may take.
func barWidth(width int) int { return min(max(width/8, 5), 20) }

// doing says how a step fares.
func (n Node) doing() []string {
	var parts []string
	switch n.Phase {
	case journal.Ran:
		parts = append(parts, "verifying")
	case journal.Undoing:
		return []string{"being undone"}
	case journal.Waiting:
		return []string{"failed, will try again" + because(text.Clean(n.Error))}
	}
	if n.EtaMS != nil {
		parts = append(parts, text.Millis(*n.EtaMS)+" left")
	} else {
		parts = append(parts, text.Millis(n.ElapsedMS))
	}
	if n.Done > 0 {
		parts = append(parts, n.amount())
		if n.PerSecond > 0 && n.Unit != "seconds" {
			parts = append(parts, text.Rate(n.Unit, n.PerSecond))
		}
	}
	if n.Attempt > 1 {
		parts = append(parts, fmt.Sprintf("attempt %d", n.Attempt))
	}
	return append(parts, n.overdue()...)
}

func (n Node) amount() string {
	if n.Total > 0 {
		return text.Amount(n.Unit, n.Done) + " of " + text.Amount(n.Unit, n.Total)
	}
	return text.Amount(n.Unit, n.Done)
}

// overdue tells when a step takes longer than drills did.
func (n Node) overdue() []string {
	if n.ExpectMS == 0 || n.ElapsedMS <= n.ExpectMS {
		return nil
	}
	return []string{"! " + text.Millis(n.ElapsedMS-n.ExpectMS) + " over the expected " + text.Millis(n.ExpectMS)}
}
