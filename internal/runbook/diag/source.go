package diag

import (
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// Source is the text that ranges point into.
type Source struct {
	Name  string
	Text  []byte
	lines []int // byte offset at which each line begins
}

// NewSource indexes the lines of a text.
func NewSource(name string, text []byte) *Source {
	s := &Source{Name: name, Text: text, lines: []int{0}}
	for i, c := range text {
		if c == '\n' {
			s.lines = append(s.lines, i+1)
		}
	}
	return s
}

// Slice is the text of a range.
func (s *Source) Slice(rng hcl.Range) []byte {
	if s == nil {
		return nil
	}
	start, end := min(max(rng.Start.Byte, 0), len(s.Text)), min(max(rng.End.Byte, 0), len(s.Text))
	return s.Text[start:max(start, end)]
}

// line is the text of a line, counted from 1, without its end.
func (s *Source) line(number int) (text []byte, begin int) {
	if s == nil || number < 1 || number > len(s.lines) {
		return nil, 0
	}
	begin = s.lines[number-1]
	end := len(s.Text)
	if number < len(s.lines) {
		end = s.lines[number] - 1
	}
	return s.Text[begin:end], begin
}

// redacted stands in an excerpt where a secret is, however long that is.
const redacted = "[redacted]"

// excerpt is a line as it may be shown.
type excerpt struct {
	text  []byte // as it stands in the file
	spans []span // what is hidden, in order
}

// span is bytes of a line from begin up to end.
type span struct{ begin, end int }

// excerpt hides the given ranges, passwords in URLs and the values of names
// that sound secret.
func (s *Source) excerpt(number int, hidden []hcl.Range) excerpt {
	text, begin := s.line(number)
	spans := secretSpans(text)
	for _, rng := range hidden {
		if from, to := max(rng.Start.Byte-begin, 0), min(rng.End.Byte-begin, len(text)); from < to {
			spans = append(spans, span{from, to})
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return a.begin - b.begin })
	e := excerpt{text: text}
	for _, next := range spans {
		if last := len(e.spans) - 1; last >= 0 && next.begin <= e.spans[last].end {
			e.spans[last].end = max(e.spans[last].end, next.end)
			continue
		}
		e.spans = append(e.spans, next)
	}
	return e
}

// part shows the bytes from begin up to end; a hidden span is shown whole
// where it begins.
func (e excerpt) part(begin, end int) string {
	var b strings.Builder
	for _, hide := range e.spans {
		if hide.end <= begin || hide.begin >= end {
			continue
		}
		if hide.begin >= begin {
			b.Write(e.text[begin:hide.begin])
			b.WriteString(redacted)
		}
		begin = min(hide.end, end)
	}
	b.Write(e.text[begin:end])
	return b.String()
}

// whole shows the line.
func (e excerpt) whole() string { return e.part(0, len(e.text)) }

// around widens bytes so that no hidden span is cut.
func (e excerpt) around(begin, end int) (int, int) {
	for _, hide := range e.spans {
		if hide.begin < begin && begin < hide.end {
			begin = hide.begin
		}
		if hide.begin < end && end < hide.end {
			end = hide.end
		}
	}
	return begin, end
}

var (
	// urlPassword finds scheme://user:PASSWORD@ in group 1.
	urlPassword = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^\s/:@"]*:([^\s/@"$%]+)@`)
	// keywordPassword finds password=PASSWORD as libpq and shells write it.
	keywordPassword = regexp.MustCompile(`(?i)(?:password|passwd|pgpassword)\s*=\s*([^\s"'$%{]+|'[^'"]*')`)
	// namedSecret finds NAME = "TEXT" where the name sounds secret and the
	// text is no reference to where it is kept.
	namedSecret = regexp.MustCompile(`(?i)(?:passw|secret|token|api_?key|credential)[\w-]*"?\s*[=:]\s*"([^"]*)`)
)

func secretSpans(line []byte) []span {
	var spans []span
	for _, m := range urlPassword.FindAllSubmatchIndex(line, -1) {
		spans = append(spans, span{m[2], m[3]})
	}
	for _, m := range keywordPassword.FindAllSubmatchIndex(line, -1) {
		spans = append(spans, span{m[2], m[3]})
	}
	for _, m := range namedSecret.FindAllSubmatchIndex(line, -1) {
		if text := string(line[m[2]:m[3]]); !pointsElsewhere(text) {
			spans = append(spans, span{m[2], m[3]})
		}
	}
	return spans
}

// pointsElsewhere tells whether a text only says where a secret is kept.
func pointsElsewhere(text string) bool {
	return strings.HasPrefix(text, "env:") || strings.HasPrefix(text, "@") || strings.HasPrefix(text, "${")
}

// HasPassword tells whether a text holds a password: in a URL, or as
// password=PASSWORD.
func HasPassword(text string) bool {
	return urlPassword.MatchString(text) || keywordPassword.MatchString(text)
}

// secretName finds names that a secret goes by.
var secretName = regexp.MustCompile(`(?i)(?:passw(?:or)?d|secret|token|api_?key|credentials?)$`)

// SoundsSecret tells whether a name, PGPASSWORD, is that of a secret.
func SoundsSecret(name string) bool { return secretName.MatchString(name) }
