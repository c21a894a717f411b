package view

import (
	"fmt"
	"time"

	"github.com/evac-io/evac/internal/journal"
)

// jsonPace is the shortest time between two progress objects of a step.
const jsonPace = time.Second

// jsonLines shows everything as JSON objects, one a line, on Out.
type jsonLines struct {
	*View
	last map[string]time.Time // newest progress object by step
}

// put writes one object. There is nobody to tell when Out is gone: the run
// goes on without its listener.
func (j *jsonLines) put(kind string, parts ...any) {
	line, err := typed(kind, parts...)
	if err != nil {
		fmt.Fprintf(j.o.Err, "evac: internal error: write %s as JSON: %v\n", kind, err)
		return
	}
	_, _ = j.o.Out.Write(append(line, '\n'))
}

func (j *jsonLines) event(e journal.Event, _ Line) {
	kind := string(e.Type)
	e.Type = ""
	j.put(kind, struct {
		journal.Event
		Type string `json:"type,omitempty"` // stands first already
	}{Event: e})
}

func (j *jsonLines) moved() {
	m := j.moment()
	now := m.Now
	for _, n := range m.running() {
		if _, reported := j.progress[n.ID]; !reported || now.Sub(j.last[n.ID]) < jsonPace {
			continue
		}
		j.last[n.ID] = now
		j.put("progress", struct {
			Run string    `json:"run"`
			At  time.Time `json:"at"`
			Node
		}{j.state.Run, now, n})
	}
}

func (j *jsonLines) show(p Page)                  { j.put(p.Type(), p) }
func (j *jsonLines) redraw(p Page)                { j.put(p.Type(), p) }
func (j *jsonLines) record(kind, _ string, v any) { j.put(kind, v) }
func (j *jsonLines) log(lines string)             { _, _ = j.o.Err.Write([]byte(lines)) }
func (j *jsonLines) pause()                       {}
func (j *jsonLines) resume()                      {}

func (j *jsonLines) close(r Result) {
	object, err := r.object()
	if err != nil {
		object, _ = Result{Err: fmt.Errorf("internal error: write result as JSON: %w", err)}.object() // has no data to fail by
	}
	_, _ = j.o.Out.Write(append(object, '\n'))
}
