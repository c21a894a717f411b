package diag

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/apparentlymart/go-textseg/v15/textseg"
	"github.com/hashicorp/hcl/v2"
	"golang.org/x/text/width"
)

// most is how many diagnostics are shown; nobody reads further.
const most = 500

// widest is how many columns of a line are shown around the caret.
const widest = 160

// Write shows the list: file:line:column: message, the line, a caret under
// the exact range, what to write in its place, other places.
func (l List) Write(w io.Writer, color bool) error {
	p := printer{source: l.source, color: color}
	items := l.All()
	for _, d := range items {
		p.hidden = append(p.hidden, d.Hidden...)
	}
	for i, d := range items {
		if i == most {
			fmt.Fprintf(&p.out, "… and %d more\n", len(items)-most)
			break
		}
		if i > 0 {
			p.out.WriteByte('\n')
		}
		p.diagnostic(d)
	}
	_, err := w.Write(p.out.Bytes())
	return err
}

type printer struct {
	out    bytes.Buffer
	source *Source
	hidden []hcl.Range
	color  bool
}

// The colours are those of every compiler: red for what is wrong, bold for
// the message, dim for the frame.
const (
	red   = "\x1b[31m"
	bold  = "\x1b[1m"
	dim   = "\x1b[2m"
	plain = "\x1b[0m"
)

func (p *printer) paint(color, text string) string {
	if !p.color {
		return text
	}
	return color + text + plain
}

func (p *printer) diagnostic(d *Diagnostic) {
	fmt.Fprintf(&p.out, "%s%s\n", p.where(d.Range), p.paint(bold, d.Message))
	p.excerpt(d.Range, red, '^')
	for _, place := range d.Also {
		fmt.Fprintf(&p.out, "  %s%s\n", p.where(place.Range), place.Text)
		p.excerpt(place.Range, dim, '-')
	}
	for _, hint := range d.Hints {
		fmt.Fprintf(&p.out, "  %s %s\n", p.paint(bold, "hint:"), hint)
	}
}

func (p *printer) where(rng hcl.Range) string {
	if rng.Filename == "" {
		return ""
	}
	if rng.Start.Line == 0 {
		return rng.Filename + ": "
	}
	return fmt.Sprintf("%s:%d:%d: ", rng.Filename, rng.Start.Line, rng.Start.Column)
}

// excerpt shows the line on which a range begins, with a mark under it.
func (p *printer) excerpt(rng hcl.Range, color string, mark rune) {
	if p.source == nil || rng.Start.Line == 0 || rng.Start.Line > len(p.source.lines) {
		return
	}
	line := p.source.excerpt(rng.Start.Line, p.hidden)
	from := min(columnByte(line.text, rng.Start.Column), len(line.text))
	to := max(from, len(bytes.TrimRight(line.text, " \t")))
	if rng.End.Line == rng.Start.Line {
		to = max(from, min(columnByte(line.text, rng.End.Column), len(line.text)))
	}
	from, to = line.around(from, to)
	before, marked, after := window(line.part(0, from), line.part(from, to), line.part(to, len(line.text)))
	frame := fmt.Sprintf("%5d | ", rng.Start.Line)
	fmt.Fprintf(&p.out, "%s%s\n", p.paint(dim, frame), strings.TrimRight(visible(before+marked+after), " "))
	carets := strings.Repeat(string(mark), max(cells(marked), 1))
	fmt.Fprintf(&p.out, "%s%s%s\n", p.paint(dim, "      | "), strings.Repeat(" ", cells(before)), p.paint(color, carets))
}

// window cuts the parts of a long line to what stands around the marked one.
func window(before, marked, after string) (string, string, string) {
	if len(before) > widest/2 {
		before = "…" + strings.ToValidUTF8(before[len(before)-widest/2:], "")
	}
	if len(marked) > widest {
		marked = strings.ToValidUTF8(marked[:widest], "") + "…"
		after = ""
	}
	if len(after) > widest/2 {
		after = strings.ToValidUTF8(after[:widest/2], "") + "…"
	}
	return before, marked, after
}

// columnByte finds the byte at which a column begins; HCL counts columns in
// grapheme clusters, from 1.
func columnByte(line []byte, column int) int {
	at := 0
	for ; column > 1 && at < len(line); column-- {
		advance, _, err := textseg.ScanGraphemeClusters(line[at:], true)
		if err != nil || advance == 0 {
			return len(line)
		}
		at += advance
	}
	return at
}

// visible shows tabs as one blank and control characters as a dot, so that
// a caret stands where it should and no terminal is steered by a file.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == 0xfeff || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069:
			return '·'
		}
		return r
	}, text)
}

// cells is how wide a terminal shows a text: two cells for each wide (mostly
// Korean, Chinese and Japanese) character.
func cells(text string) int {
	n := 0
	for at := 0; at < len(text); {
		advance, cluster, err := textseg.ScanGraphemeClusters([]byte(text[at:]), true)
		if err != nil || advance == 0 {
			break
		}
		n++
		first, _ := utf8.DecodeRune(cluster)
		if kind := width.LookupRune(first).Kind(); kind == width.EastAsianWide || kind == width.EastAsianFullwidth {
			n++
		}
		at += advance
	}
	return n
}

type jsonPlace struct {
	Text      string `json:"text,omitempty"`
	File      string `json:"file,omitempty"`
	Line      int    `json:"line,omitempty"`
	Column    int    `json:"column,omitempty"`
	EndLine   int    `json:"end_line,omitempty"`
	EndColumn int    `json:"end_column,omitempty"`
}

type jsonDiagnostic struct {
	Severity string `json:"severity"`
	Message  string `json:"message"`
	jsonPlace
	Source string      `json:"source,omitempty"`
	Hints  []string    `json:"hints,omitempty"`
	Also   []jsonPlace `json:"also,omitempty"`
}

// MarshalJSON writes the list as an array of objects with severity, message,
// file, line, column, end_line, end_column (columns from 1, in characters as
// a reader counts them), source (the line), hints and also.
func (l List) MarshalJSON() ([]byte, error) {
	items := l.All()
	var hidden []hcl.Range
	for _, d := range items {
		hidden = append(hidden, d.Hidden...)
	}
	out := make([]jsonDiagnostic, len(items))
	for i, d := range items {
		out[i] = jsonDiagnostic{Severity: "error", Message: d.Message, jsonPlace: placeOf("", d.Range), Hints: d.Hints}
		if l.source != nil && d.Range.Start.Line > 0 {
			out[i].Source = l.source.excerpt(d.Range.Start.Line, hidden).whole()
		}
		for _, a := range d.Also {
			out[i].Also = append(out[i].Also, placeOf(a.Text, a.Range))
		}
	}
	return json.Marshal(out)
}

// WriteJSON writes the list as one line of JSON, {"type":"diagnostics", …}.
func (l List) WriteJSON(w io.Writer) error {
	return json.NewEncoder(w).Encode(struct {
		Type        string `json:"type"`
		Diagnostics List   `json:"diagnostics"`
	}{"diagnostics", l})
}

func placeOf(text string, rng hcl.Range) jsonPlace {
	return jsonPlace{text, rng.Filename, rng.Start.Line, rng.Start.Column, rng.End.Line, rng.End.Column}
}
