package diag

import (
	"bytes"
	"regexp"
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

// blot stands in an excerpt for each byte that must not be seen, so that
// carets still point to the right columns.
const blot = '*'

// excerpt is a line as it may be shown: hidden ranges, passwords in URLs and
// values of names that sound secret are blotted out.
func (s *Source) excerpt(number int, hidden []hcl.Range) []byte {
	text, begin := s.line(number)
	shown := bytes.Clone(text)
	for _, rng := range hidden {
		from, to := max(rng.Start.Byte-begin, 0), min(rng.End.Byte-begin, len(shown))
		for i := from; i < to; i++ {
			shown[i] = blot
		}
	}
	for _, span := range secretSpans(shown) {
		for i := span[0]; i < span[1]; i++ {
			shown[i] = blot
		}
	}
	return shown
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

func secretSpans(line []byte) [][2]int {
	var spans [][2]int
	for _, m := range urlPassword.FindAllSubmatchIndex(line, -1) {
		spans = append(spans, [2]int{m[2], m[3]})
	}
	for _, m := range keywordPassword.FindAllSubmatchIndex(line, -1) {
		spans = append(spans, [2]int{m[2], m[3]})
	}
	for _, m := range namedSecret.FindAllSubmatchIndex(line, -1) {
		if text := string(line[m[2]:m[3]]); !pointsElsewhere(text) {
			spans = append(spans, [2]int{m[2], m[3]})
		}
	}
	return spans
}

// pointsElsewhere tells whether a text only says where a secret is kept.
func pointsElsewhere(text string) bool {
	return strings.HasPrefix(text, "env:") || strings.HasPrefix(text, "@") || strings.HasPrefix(text, "${")
}

// HasURLPassword tells whether a text holds a URL with a password in it.
func HasURLPassword(text string) bool { return urlPassword.MatchString(text) }
