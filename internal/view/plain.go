package view

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/view/text"
)

// plain shows one line for each event worth one. Nothing is rewritten.
type plain struct {
	*View
	last    map[string]spoken
	watched string // the page that was last redrawn
}

// spoken is what was last said of a step's progress.
type spoken struct {
	at      time.Time
	percent int
	done    int64
}

// A step's progress is told after plainPace, or sooner when it has gained
// plainGain percent; never more often than once a second.
const (
	plainPace = 10 * time.Second
	plainGain = 10
)

func (p *plain) event(_ journal.Event, line Line) {
	delete(p.last, line.Where)
	if line.Detail {
		return
	}
	p.say(line)
}

// whereColumns is the width of the column that names the step.
const whereColumns = 24

// say writes a line: clock, symbol, where, what.
func (p *plain) say(line Line) {
	p.err(fmt.Sprintf("%s  %s %s  %s\n", line.At.In(p.o.Zone).Format(time.TimeOnly), line.Mark, text.Pad(line.Where, whereColumns), line.What))
}

func (p *plain) moved() {
	m := p.moment()
	for _, n := range m.running() {
		if p.due(n, m.Now) {
			p.say(Line{At: m.Now, Where: n.ID, What: n.moving(), Mark: MarkGo})
		}
	}
}

// due tells whether it is time to speak of a step again, and remembers that it
// was spoken of.
func (p *plain) due(n Node, now time.Time) bool {
	if _, reported := p.progress[n.ID]; !reported {
		return false
	}
	said, before := p.last[n.ID]
	if !before {
		said = spoken{at: n.Started, done: 0}
	}
	percent := said.percent
	if n.Percent != nil {
		percent = *n.Percent
	}
	since := now.Sub(said.at)
	if n.Done == said.done || since < time.Second || since < plainPace && percent-said.percent < plainGain {
		return false
	}
	p.last[n.ID] = spoken{at: now, percent: percent, done: n.Done}
	return true
}

// moving says how far a step is.
func (n Node) moving() string {
	var parts []string
	if n.Percent != nil {
		parts = append(parts, fmt.Sprintf("%d %%", *n.Percent))
	}
	parts = append(parts, n.doing()...)
	if n.Note != "" {
		parts = append(parts, n.Note)
	}
	return strings.Join(parts, ", ")
}

func (p *plain) show(page Page) { p.out(strings.Join(p.page(page), "\n") + "\n") }

func (p *plain) redraw(page Page) {
	content := strings.Join(p.page(page), "\n") + "\n"
	if content == p.watched {
		return
	}
	if p.watched != "" {
		p.out("\n")
	}
	p.watched = content
	p.out(content)
}

func (p *plain) record(_, words string, _ any) {
	if words != "" {
		p.out(text.Printable(words) + "\n")
	}
}

func (p *plain) log(lines string) { p.err(lines) }
func (p *plain) pause()           {}
func (p *plain) resume()          {}

func (p *plain) close(r Result) {
	if sentence := r.sentence(); sentence != "" {
		p.out(sentence + "\n")
	}
}

// out and err write what is shown. There is nobody to tell when the reader is
// gone (a closed pipe): the run goes on without it.
func (v *View) out(s string) { _, _ = io.WriteString(v.o.Out, s) }
func (v *View) err(s string) { _, _ = io.WriteString(v.o.Err, s) }

// logs turns a logger's writes into whole lines for the form.
type logs struct {
	view *View
	rest string // of a line not yet ended; guarded by the view's lock
}

// Write is of io.Writer.
func (l *logs) Write(b []byte) (int, error) {
	l.view.mu.Lock()
	defer l.view.mu.Unlock()
	l.rest += string(b)
	if end := strings.LastIndexByte(l.rest, '\n'); end >= 0 {
		l.view.form.log(l.rest[:end+1])
		l.rest = l.rest[end+1:]
	}
	return len(b), nil
}
