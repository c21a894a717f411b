// Package view shows runs to people and programs: a live table on a terminal,
// plain lines elsewhere, JSON lines for scripts. All forms render the same
// Snapshot; which one is on is chosen once, and nobody asks again.
package view

import (
	"fmt"
	"io"
	"maps"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/evac-io/evac/internal/journal"
)

// Options say where and how to show.
type Options struct {
	// Out takes results, Err all else.
	Out, Err io.Writer
	// JSON makes Out JSON lines and keeps Err silent but for logs.
	JSON bool
	// Live tells that Err is a terminal that can rewrite its lines.
	Live bool
	// ColorOut and ColorErr tell where colours may be.
	ColorOut, ColorErr bool
	// Size is the terminal's; asked anew for each picture. nil: 80 by 24.
	Size func() (columns, rows int)
	// Now is the clock, Zone the time zone of all clocks shown. nil: the
	// machine's.
	Now  func() time.Time
	Zone *time.Location
}

// Detect finds out what out and err are. NO_COLOR (any text) turns colours
// off, TERM=dumb the live table too.
func Detect(out, err *os.File, env func(string) string) Options {
	dumb := env("TERM") == "dumb"
	colors := env("NO_COLOR") == "" && !dumb
	outTTY, errTTY := term.IsTerminal(int(out.Fd())), term.IsTerminal(int(err.Fd()))
	o := Options{Out: out, Err: err, Live: errTTY && !dumb, ColorOut: colors && outTTY, ColorErr: colors && errTTY}
	tty := err
	if outTTY {
		tty = out
	}
	if outTTY || errTTY {
		o.Size = func() (int, int) {
			columns, rows, wrong := term.GetSize(int(tty.Fd()))
			if wrong != nil || columns < 1 || rows < 1 { // a serial line knows no size
				return defaultColumns, defaultRows
			}
			return columns, rows
		}
	}
	return o
}

const (
	defaultColumns = 80
	defaultRows    = 24
)

// Columns is how wide a line may be.
func (o Options) Columns() int {
	if o.Size == nil {
		return defaultColumns
	}
	columns, _ := o.Size()
	return columns
}

// View shows one command's doings. Its methods may be called from any
// goroutine. It follows a run by folding the events itself and so needs
// nothing of the conductor but them.
type View struct {
	o    Options
	mu   sync.Mutex
	form form
	// state is the run as shown so far.
	state    *journal.State
	progress map[string]journal.ProgressRow
	meter    meter
}

// form is one way to show. View calls it under its lock.
type form interface {
	// event shows an event, already taken in.
	event(e journal.Event, line Line)
	// moved is called when progress was made.
	moved()
	// show writes a page for good, redraw in place of the one before.
	show(p Page)
	redraw(p Page)
	// record writes a result that is one of many; its text may be empty.
	record(kind, words string, v any)
	// log writes whole lines of a log.
	log(lines string)
	// pause gives the terminal away until resume.
	pause()
	resume()
	close(r Result)
}

// New makes the view that the options ask for.
func New(o Options) *View {
	if o.Size == nil {
		o.Size = func() (int, int) { return defaultColumns, defaultRows }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Zone == nil {
		o.Zone = time.Local
	}
	v := &View{o: o, state: &journal.State{}, progress: map[string]journal.ProgressRow{}, meter: meter{}}
	switch {
	case o.JSON:
		v.form = &jsonLines{View: v, last: map[string]time.Time{}}
	case o.Live:
		v.form = newLive(v)
	default:
		v.form = &plain{View: v, last: map[string]spoken{}}
	}
	return v
}

// Begin takes in what happened before, without showing it: a resumed run.
func (v *View) Begin(past []journal.Event) error {
	state, err := journal.Fold(past)
	if err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.state = state
	return nil
}

// Event shows what just happened.
func (v *View) Event(e journal.Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	line := Tell(e, v.state, v.o.Zone)
	if err := v.state.Apply(e); err != nil {
		line.What, line.Mark, line.Detail = fmt.Sprintf("cannot be followed: %v", err), MarkWatch, false
	}
	v.form.event(e, line)
}

// Progress takes in how far the running steps are.
func (v *View) Progress(rows map[string]journal.ProgressRow) {
	v.mu.Lock()
	defer v.mu.Unlock()
	maps.Copy(v.progress, rows)
	for id, row := range rows {
		v.meter.add(id, row.Done, row.At)
	}
	v.form.moved()
}

// Show writes a page as a result.
func (v *View) Show(p Page) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.form.show(p)
}

// Redraw writes a page in the place of the one before: a page that is watched.
// Where nothing can be rewritten it is written again when it has changed.
func (v *View) Redraw(p Page) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.form.redraw(p)
}

// Record writes a result that is one of many, such as a difference: an object
// of that type in JSON, its words (unless empty) as a line elsewhere.
func (v *View) Record(kind, words string, object any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.form.record(kind, words, object)
}

// Logs is where a logger writes: its lines never tear the live table.
func (v *View) Logs() io.Writer { return &logs{view: v} }

// Suspend lends the terminal to f, to ask a person.
func (v *View) Suspend(f func() error) error {
	v.locked(v.form.pause)
	defer v.locked(v.form.resume)
	return f()
}

// Close ends the view with the result and leaves the terminal as it was. It
// must be called however the command ends; a second call does nothing.
func (v *View) Close(r Result) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.form != nil {
		v.form.close(r)
	}
	v.form = closed{}
}

// Snapshot is the run as shown so far.
func (v *View) Snapshot() Snapshot {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.shot()
}

func (v *View) locked(f func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	f()
}

func (v *View) shot() Snapshot { return Take(v.moment()) }

func (v *View) moment() Moment {
	return Moment{State: v.state, Progress: v.progress, Rates: v.meter.rates(), Now: v.o.Now()}
}

// page renders a page for Out.
func (v *View) page(p Page) []string {
	columns, _ := v.o.Size()
	paper := newPaper(columns, v.o.ColorOut, v.o.Zone)
	p.Write(paper)
	return paper.lines
}

// closed is the form after the end.
type closed struct{}

func (closed) event(journal.Event, Line)  {}
func (closed) moved()                     {}
func (closed) show(Page)                  {}
func (closed) redraw(Page)                {}
func (closed) record(string, string, any) {}
func (closed) log(string)                 {}
func (closed) pause()                     {}
func (closed) resume()                    {}
func (closed) close(Result)               {}
