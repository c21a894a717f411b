package view

import (
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/evac-io/evac/internal/view/text"
)

// Page is something that a command shows whole: as text, or as its JSON with
// a "type".
type Page interface {
	// Type is the type of its JSON object, "status".
	Type() string
	// Write puts it on paper.
	Write(p *Paper)
}

// Paper is where pages are written: lines of a width, coloured or not.
type Paper struct {
	width int
	color bool
	zone  *time.Location
	lines []string
}

// The columns that text keeps to where there is room for more: longer lines
// are hard to read.
const readable = 100

// narrow is the fewest columns that a page is laid out for.
const narrow = 20

func newPaper(width int, color bool, zone *time.Location) *Paper {
	return &Paper{width: max(width, narrow), color: color, zone: zone}
}

// The styles. Colour is never alone: whatever is coloured has a symbol or a
// word as well.
type style string

const (
	bold   style = "1"
	dim    style = "2"
	red    style = "31"
	green  style = "32"
	yellow style = "33"
	cyan   style = "36"
)

func (p *Paper) paint(s style, of string) string {
	if !p.color || of == "" {
		return of
	}
	return "\x1b[" + string(s) + "m" + of + ansi.ResetStyle
}

// mark is a mark's symbol in its colour.
func (p *Paper) mark(m Mark) string {
	switch m {
	case MarkGood:
		return p.paint(green, string(m))
	case MarkBad:
		return p.paint(red, string(m))
	case MarkAsk, MarkWatch:
		return p.paint(yellow, string(m))
	case MarkGo, MarkUndo:
		return p.paint(cyan, string(m))
	}
	return string(m)
}

// line writes one line, cut to the width.
func (p *Paper) line(format string, args ...any) {
	p.lines = append(p.lines, text.Cut(fmt.Sprintf(format, args...), p.width))
}

// blank parts two sections; there are never two blank lines, nor one first.
func (p *Paper) blank() {
	if n := len(p.lines); n > 0 && p.lines[n-1] != "" {
		p.lines = append(p.lines, "")
	}
}

// heading begins a section.
func (p *Paper) heading(format string, args ...any) {
	p.blank()
	p.wrap("", "", p.paint(bold, fmt.Sprintf(format, args...)))
}

// wrap writes a text over as many lines as it takes, the first behind first,
// the others behind as many spaces.
func (p *Paper) wrap(first, rest, s string) {
	room := min(p.width, readable) - text.Width(first)
	if room < narrow/2 {
		room = narrow / 2
	}
	for i, part := range text.Wrap(s, room) {
		if i > 0 {
			first = rest
		}
		p.lines = append(p.lines, strings.TrimRight(first+part, " "))
	}
}

// hang is wrap with the lines after the first below its text.
func (p *Paper) hang(first, s string) {
	p.wrap(first, strings.Repeat(" ", text.Width(first)), s)
}

// labels is the width of the column of labels.
const labels = 9

// field writes a label and its text; an empty text writes nothing.
func (p *Paper) field(indent int, label, s string) {
	if s == "" {
		return
	}
	p.hang(strings.Repeat(" ", indent)+p.paint(dim, text.Pad(label, labels))+" ", s)
}

// table writes a table.
func (p *Paper) table(t *text.Table) {
	for i, l := range t.Plain() {
		if i == 0 {
			l = p.paint(bold, l)
		}
		p.line("%s", l)
	}
}

func (p *Paper) clock(at, now time.Time) string { return Clock(at, now, p.zone) }
