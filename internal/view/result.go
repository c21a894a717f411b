package view

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/view/text"
)

// Result is how a command ended.
type Result struct {
	// Sentence says it in one sentence; empty, it is made of Err, and a page
	// that was shown speaks for itself.
	Sentence string
	// Data are the fields of the result's JSON object: a struct or map, or nil.
	Data any
	// Err is why it did not end well, nil if it did.
	Err error
}

func (r Result) sentence() string {
	if r.Sentence == "" && r.Err != nil {
		return fault.KindOf(r.Err).String() + ": " + text.Clean(strings.ReplaceAll(r.Err.Error(), "\n", "; "))
	}
	return r.Sentence
}

// object is the result as a JSON object: exit code, error and hints before the
// data.
func (r Result) object() ([]byte, error) {
	head := struct {
		Exit  int      `json:"exit"`
		Error string   `json:"error,omitempty"`
		Hints []string `json:"hints,omitempty"`
	}{Exit: fault.Code(r.Err)}
	if r.Err != nil {
		head.Error = r.Err.Error()
		for _, err := range split(r.Err) {
			head.Hints = append(head.Hints, fault.Hints(err)...)
		}
	}
	return typed("result", head, r.Data)
}

// typed is one JSON object with a type and the fields of the parts.
func typed(kind string, parts ...any) ([]byte, error) {
	object, err := json.Marshal(map[string]string{"type": kind})
	if err != nil {
		return nil, err
	}
	for _, part := range parts {
		fields, err := json.Marshal(part)
		if err != nil {
			return nil, err
		}
		switch {
		case string(fields) == "null" || string(fields) == "{}":
		case fields[0] != '{':
			return nil, fmt.Errorf("%s is %s, want an object", kind, fields)
		default:
			object = append(append(object[:len(object)-1], ','), fields[1:]...)
		}
	}
	return object, nil
}

// RunResult says how a run ended or why it stopped, with the snapshot as data
// and, if it is held, the exit code of the cause.
func RunResult(s Snapshot, err error) Result {
	data := struct {
		CauseExit int `json:"cause_exit,omitempty"`
		Snapshot
	}{Snapshot: s}
	if s.Held != nil {
		data.CauseExit = s.Held.CauseExit
	}
	r := Result{Data: data, Err: err}
	steps := text.Plural(s.Steps.Done, "step")
	head := "head " + s.Head
	switch {
	case s.Standing == Done:
		r.Sentence = fmt.Sprintf("done: %s in %s; run %s, %s", steps, text.Millis(s.ElapsedMS), s.Run, head)
	case s.Result != "":
		r.Sentence = fmt.Sprintf("%s after %s; run %s, %s", s.Result, text.Millis(s.ElapsedMS), s.Run, head)
	case s.Held != nil:
		r.Sentence = fmt.Sprintf("held: %s; run %s, %s", text.Clean(s.Held.Reason), s.Run, head)
	case err == nil:
		_, words := s.Standing.words()
		r.Sentence = fmt.Sprintf("%s: %s; run %s, %s", words, s.Steps.words(), s.Run, head)
	}
	return r
}

// Error writes an error and its hints for a person, each on lines of its own;
// of several errors joined, each.
func Error(w io.Writer, err error, color bool) error {
	if err == nil {
		return nil
	}
	p := Paper{color: color}
	var b strings.Builder
	for _, err := range split(err) {
		fmt.Fprintf(&b, "evac: %s %s\n", p.paint(red, "error:"), safeLines(err.Error()))
		for _, hint := range fault.Hints(err) {
			fmt.Fprintf(&b, "evac: %s %s\n", p.paint(cyan, "hint:"), safeLines(hint))
		}
	}
	_, wrong := io.WriteString(w, b.String())
	return wrong
}

// split takes joined errors apart, also behind a wrapping that adds only a
// hint: that goes to the last of them.
func split(err error) []error {
	var hinted *fault.Error
	if errors.As(err, &hinted) && hinted == err && hinted.Op == "" && hinted.Err != nil {
		parts := split(hinted.Err)
		parts[len(parts)-1] = fault.Wrap(hinted.Kind, "", parts[len(parts)-1], hinted.Hint)
		return parts
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, split(e)...)
	}
	return all
}

// safeLines keeps the lines of a text (a diagnostic shows the source) and
// takes from them what could play with the terminal.
func safeLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		indent := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
		lines[i] = indent + text.Printable(strings.TrimLeft(line, " \t"))
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}
