// Package diag says what is wrong with a runbook: where, in which words, and
// what to write in its place. It collects everything before anybody is told,
// and it never shows a secret that stands in the text.
package diag

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/evac-io/evac/internal/fault"
)

// Diagnostic is one thing that is wrong.
type Diagnostic struct {
	// Message is one sentence, lower case, without a full stop.
	Message string
	// Range is what is wrong; the zero Range if it stands in no file.
	Range hcl.Range
	// Hints say what to write or type; one line each.
	Hints []string
	// Also are other places that have a part in it.
	Also []Place
	// Hidden are ranges of the text that must never be shown.
	Hidden []hcl.Range
}

// Place is a second place of a diagnostic, "first here".
type Place struct {
	Text  string
	Range hcl.Range
}

// At begins a diagnostic about a range.
func At(rng hcl.Range, format string, args ...any) *Diagnostic {
	return &Diagnostic{Message: fmt.Sprintf(format, args...), Range: rng}
}

// Hint adds a line that says what to do; an empty one is left out.
func (d *Diagnostic) Hint(format string, args ...any) *Diagnostic {
	if text := fmt.Sprintf(format, args...); text != "" {
		d.Hints = append(d.Hints, text)
	}
	return d
}

// See adds a second place.
func (d *Diagnostic) See(text string, rng hcl.Range) *Diagnostic {
	d.Also = append(d.Also, Place{text, rng})
	return d
}

// Hide keeps a range of the text from being shown by any diagnostic.
func (d *Diagnostic) Hide(rng hcl.Range) *Diagnostic {
	d.Hidden = append(d.Hidden, rng)
	return d
}

// List is all that is wrong with one file. The zero List is empty.
type List struct {
	items  []*Diagnostic
	source *Source
}

// NewList is an empty list about a source.
func NewList(source *Source) List { return List{source: source} }

// Add takes diagnostics in; nil ones are left out.
func (l *List) Add(items ...*Diagnostic) {
	for _, d := range items {
		if d != nil {
			l.items = append(l.items, d)
		}
	}
}

// Append takes another list in.
func (l *List) Append(other List) {
	l.items = append(l.items, other.items...)
	if l.source == nil {
		l.source = other.source
	}
}

// HasErrors tells whether anything is wrong.
func (l List) HasErrors() bool { return len(l.items) > 0 }

// Len counts what is wrong.
func (l List) Len() int { return len(l.items) }

// All lists what is wrong by position, each thing once.
func (l List) All() []*Diagnostic {
	sorted := slices.Clone(l.items)
	slices.SortStableFunc(sorted, func(a, b *Diagnostic) int {
		return cmp.Or(cmp.Compare(a.Range.Filename, b.Range.Filename),
			cmp.Compare(a.Range.Start.Line, b.Range.Start.Line),
			cmp.Compare(a.Range.Start.Column, b.Range.Start.Column),
			cmp.Compare(a.Message, b.Message))
	})
	return slices.CompactFunc(sorted, func(a, b *Diagnostic) bool {
		return a.Message == b.Message && a.Range.Start == b.Range.Start && a.Range.Filename == b.Range.Filename
	})
}

// Err is nil if nothing is wrong, else an error of kind fault.Invalid whose
// text is the whole list as Write shows it.
func (l List) Err() error {
	if !l.HasErrors() {
		return nil
	}
	var b strings.Builder
	_ = l.Write(&b, false) // a Builder takes everything
	return fault.New(fault.Invalid, strings.TrimRight(b.String(), "\n"), "")
}

// FromHCL takes over what the HCL library found: its title and the first of
// its sentences become the message, the others hints.
func FromHCL(found hcl.Diagnostics) []*Diagnostic {
	items := Titles(found)
	at := 0
	for _, f := range found {
		if f.Severity != hcl.DiagError {
			continue
		}
		d := items[at]
		at++
		for i, sentence := range sentences(f.Detail) {
			if i == 0 {
				d.Message += ": " + lowerFirst(strings.TrimPrefix(sentence, "Call to function "))
				continue
			}
			d.Hints = append(d.Hints, lowerFirst(sentence))
		}
	}
	return items
}

// Titles is FromHCL without the sentences, which may quote secrets.
func Titles(found hcl.Diagnostics) []*Diagnostic {
	var items []*Diagnostic
	for _, f := range found {
		if f.Severity != hcl.DiagError {
			continue
		}
		d := &Diagnostic{Message: lowerFirst(f.Summary)}
		if f.Subject != nil {
			d.Range = *f.Subject
		}
		items = append(items, d)
	}
	return items
}

func sentences(text string) []string {
	var all []string
	for line := range strings.SplitSeq(text, "\n") {
		for sentence := range strings.SplitSeq(line, ". ") {
			if sentence = strings.TrimSuffix(sentence, "."); sentence != "" {
				all = append(all, sentence)
			}
		}
	}
	return all
}

func lowerFirst(text string) string {
	if len(text) > 1 && 'A' <= text[0] && text[0] <= 'Z' && (text[1] < 'A' || text[1] > 'Z') {
		return strings.ToLower(text[:1]) + text[1:]
	}
	return text
}
