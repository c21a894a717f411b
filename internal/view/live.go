package view

import (
	"fmt"
	"strings"
	"time"

	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/view/text"
)

// livePace is the time between two pictures: fast enough for bars that move,
// slow enough to cost nothing.
const livePace = 200 * time.Millisecond

// live shows the run as a table that is rewritten in place on Err, with what
// is over as lines that scroll up.
type live struct {
	*View
	screen  screen
	pending []string // lines that will stay, not yet written
	watched Page     // a page that is redrawn in place of the run's table
	paused  bool
	stop    chan struct{} // nil while nothing has begun
}

func newLive(v *View) *live { return &live{View: v, screen: screen{out: v.o.Err}} }

// begin starts the pictures with the first thing to show. Called under the
// lock.
func (l *live) begin() {
	if l.stop == nil {
		l.stop = make(chan struct{})
		go l.run(l.stop)
	}
}

// run draws until stop closes.
func (l *live) run(stop <-chan struct{}) {
	ticker := time.NewTicker(livePace)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
			l.locked(l.draw)
		}
	}
}

func (l *live) event(e journal.Event, line Line) {
	l.begin()
	if line.Detail || inTable(e.Type) {
		return
	}
	p := l.paper()
	clock := p.paint(dim, line.At.In(l.o.Zone).Format(time.TimeOnly))
	where := p.paint(bold, text.Pad(line.Where, min(p.width/4, whereColumns)))
	p.hang(clock+" "+p.mark(line.Mark)+" "+where+" ", line.What)
	l.pending = append(l.pending, p.lines...)
}

// inTable tells whether such an event stands in the table for as long as it is
// news: what starts and what waits.
func inTable(t journal.Type) bool {
	switch t {
	case journal.StepIntent, journal.UndoIntent, journal.GateWaits, journal.ListWaits:
		return true
	}
	return false
}

func (l *live) moved() { l.begin() }

func (l *live) paper() *Paper {
	columns, _ := l.o.Size()
	return newPaper(columns, l.o.ColorErr, l.o.Zone)
}

// draw brings the terminal up to date, unless others have it.
func (l *live) draw() {
	if l.paused || l.stop == nil {
		return
	}
	columns, rows := l.o.Size()
	var frame []string
	switch p := l.paper(); {
	case l.watched != nil:
		l.watched.Write(p)
		frame = p.lines
	case l.state.Run != "":
		frame = l.shot().table(p, rows-1)
	}
	l.screen.draw(l.pending, frame, columns, rows)
	l.pending = nil
}

// table is the picture of a run in at most a number of rows: what runs, what
// waits for people, and the run as a whole in the last lines.
func (s Snapshot) table(p *Paper, rows int) []string {
	needs, foot := *p, *p
	s.writeNeeds(&needs)
	s.writeFoot(&foot)
	s.writeRunning(p)
	room := max(rows-len(needs.lines)-len(foot.lines)-3, 2)
	if hidden := len(p.lines) - room; hidden > 0 {
		p.lines = append(p.lines[:room-1], fmt.Sprintf("  and %d more at work", hidden+1))
	}
	p.lines = append([]string{""}, p.lines...) // apart from the lines that stay
	for _, part := range []*Paper{&needs, &foot} {
		p.blank()
		p.lines = append(p.lines, part.lines...)
	}
	return p.lines
}

// writeFoot writes the run as a whole.
func (s Snapshot) writeFoot(p *Paper) {
	mark, words := s.Standing.words()
	parts := []string{p.mark(mark) + " " + p.paint(bold, words)}
	if s.Stage != "" {
		parts = append(parts, "stage "+s.Stage)
	}
	parts = append(parts, s.Steps.words(), text.Millis(s.ElapsedMS), s.mode(), text.Clean(s.name()))
	p.line("%s", strings.Join(parts, "  "))
	if s.Window != nil {
		mark, words := s.Window.words(p, s)
		p.hang(p.mark(mark)+" ", "window: "+words)
	}
}

// show writes a page on Out, which may be the same terminal.
func (l *live) show(page Page) { l.aside(func() { l.out(strings.Join(l.page(page), "\n") + "\n") }) }

func (l *live) redraw(page Page) {
	l.watched = page
	l.begin()
	l.draw()
}

func (l *live) record(_, words string, _ any) {
	if words != "" {
		l.aside(func() { l.out(text.Printable(words) + "\n") })
	}
}

// aside takes the table away while something else is written.
func (l *live) aside(write func()) {
	l.settle()
	write()
	l.draw()
}

// settle writes the lines that stay and takes the table away.
func (l *live) settle() {
	columns, rows := l.o.Size()
	if len(l.pending) > 0 {
		l.screen.draw(l.pending, nil, columns, rows)
		l.pending = nil
	}
	l.screen.clear(columns)
}

func (l *live) log(lines string) {
	for line := range strings.Lines(lines) {
		l.pending = append(l.pending, text.Printable(strings.TrimRight(line, "\r\n")))
	}
	l.begin()
}

func (l *live) pause() {
	l.settle()
	l.paused = true
}

func (l *live) resume() {
	l.paused = false
	l.draw()
}

// close ends the pictures, gives the terminal back and writes the result.
func (l *live) close(r Result) {
	if l.stop != nil {
		close(l.stop)
		l.stop = nil
	}
	l.settle()
	if l.watched != nil { // the last picture stays
		l.out(strings.Join(l.page(l.watched), "\n") + "\n")
	}
	if sentence := r.sentence(); sentence != "" {
		l.out(sentence + "\n")
	}
}
