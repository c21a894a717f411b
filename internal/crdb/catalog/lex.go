package catalog

import (
	"encoding/hex"
	"strconv"
	"strings"
	"unicode/utf8"
)

// tokenKind is what a piece of SQL text is.
type tokenKind uint8

const (
	space       tokenKind = iota // blanks and comments
	word                         // a keyword, or a name without quotes
	quoted                       // a name between quotes
	text                         // a string, value decoded
	blob                         // a string of bytes, value decoded
	bits                         // a string of bits
	number                       //
	placeholder                  // @ and a number: a type by its OID, a column by its position
	operator                     // an operator or a mark of punctuation
)

// token is one piece of SQL text in CockroachDB's dialect.
type token struct {
	kind tokenKind
	raw  string // as it stands
	val  string // of strings what they say, of names the name
}

// is says that a token is that operator or, in any case of letters, that word.
func (t token) is(s string) bool {
	return t.kind == operator && t.raw == s || t.kind == word && strings.EqualFold(t.raw, s)
}

// name says that a token can be the name of something, and which.
func (t token) name() (string, bool) {
	switch t.kind {
	case word:
		return strings.ToLower(t.raw), true
	case quoted:
		return t.val, true
	}
	return "", false
}

// operators are those of more than one character, longest first.
var operators = [...]string{":::", "->>", "#>>", "!~*", "<<=", ">>=", "||/", "::", "->", "#>", "#-", "@>", "<@", "@@", "||", "|/",
	"&&", "!~", "~*", "!=", "<>", "<=", ">=", "<<", ">>", "//", "?|", "?&", "==", ":="}

// lex cuts SQL text into tokens; joined, their raw texts are the text again.
// What is no SQL comes out as operators of one character.
func lex(sql string) []token {
	var out []token
	for len(sql) > 0 {
		t := lexOne(sql)
		out = append(out, t)
		sql = sql[len(t.raw):]
	}
	return out
}

func lexOne(s string) token {
	c := s[0]
	switch {
	case strings.IndexByte(" \t\r\n\f", c) >= 0 || strings.HasPrefix(s, "--") || strings.HasPrefix(s, "/*"):
		return token{kind: space, raw: s[:blank(s)]}
	case c == '\'':
		return lexString(s, 0)
	case len(s) > 1 && s[1] == '\'' && strings.IndexByte("eEbBxX", c) >= 0:
		return lexString(s, 1)
	case c == '"':
		val, n := between(s, '"')
		return token{kind: quoted, raw: s[:n], val: val}
	case c == '$':
		if t, ok := lexDollar(s); ok {
			return t
		}
	case c == '@' && len(s) > 1 && digit(s[1]):
		n := 1 + run(s[1:], digit)
		return token{kind: placeholder, raw: s[:n], val: s[1:n]}
	case digit(c) || c == '.' && len(s) > 1 && digit(s[1]):
		return token{kind: number, raw: s[:numeral(s)]}
	case letter(c):
		n := run(s, func(c byte) bool { return letter(c) || digit(c) || c == '$' })
		return token{kind: word, raw: s[:n]}
	}
	for _, op := range operators {
		if strings.HasPrefix(s, op) {
			return token{kind: operator, raw: op}
		}
	}
	_, n := utf8.DecodeRuneInString(s)
	return token{kind: operator, raw: s[:n]}
}

func digit(c byte) bool { return c >= '0' && c <= '9' }
func letter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= utf8.RuneSelf
}

// run is how many bytes at the front are such.
func run(s string, such func(byte) bool) int {
	n := 0
	for n < len(s) && such(s[n]) {
		n++
	}
	return n
}

// blank is the length of the blanks and comments at the front.
func blank(s string) int {
	switch {
	case strings.HasPrefix(s, "--"):
		if n := strings.IndexByte(s, '\n'); n >= 0 {
			return n + 1
		}
		return len(s)
	case strings.HasPrefix(s, "/*"):
		if n := strings.Index(s[2:], "*/"); n >= 0 {
			return n + 4
		}
		return len(s)
	}
	return run(s, func(c byte) bool { return strings.IndexByte(" \t\r\n\f", c) >= 0 })
}

// numeral is the length of the number at the front.
func numeral(s string) int {
	n := run(s, func(c byte) bool { return digit(c) || c == '.' })
	if n < len(s) && (s[n] == 'e' || s[n] == 'E') {
		m := n + 1
		if m < len(s) && (s[m] == '+' || s[m] == '-') {
			m++
		}
		if d := run(s[m:], digit); d > 0 {
			return m + d
		}
	}
	return n
}

// between is what stands between two quotes, doubled ones made single, and the
// length of it all.
func between(s string, quote byte) (val string, n int) {
	var out strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] == quote {
			if i+1 == len(s) || s[i+1] != quote {
				return out.String(), i + 1
			}
			i++
		}
		out.WriteByte(s[i])
	}
	return out.String(), len(s)
}

// lexString reads a string whose quote stands at that place, behind the letter
// that says of what sort it is.
func lexString(s string, at int) token {
	sort := byte(0)
	if at > 0 {
		sort = s[0]
	}
	switch sort {
	case 'e', 'E', 'b':
		val, n := escaped(s[at:])
		kind := text
		if sort == 'b' {
			kind = blob
		}
		return token{kind: kind, raw: s[:at+n], val: val}
	}
	val, n := between(s[at:], '\'')
	t := token{kind: text, raw: s[:at+n], val: val}
	switch sort {
	case 'B':
		t.kind = bits
	case 'x', 'X':
		t.kind = blob
		if b, err := hex.DecodeString(val); err == nil {
			t.val = string(b)
		}
	}
	return t
}

// escaped is what stands between two quotes with backslash escapes.
func escaped(s string) (val string, n int) {
	var out []byte
	for i := 1; i < len(s); {
		switch {
		case s[i] == '\'' && i+1 < len(s) && s[i+1] == '\'':
			out = append(out, '\'')
			i += 2
		case s[i] == '\'':
			return string(out), i + 1
		case s[i] == '\\' && i+1 < len(s):
			var m int
			out, m = escape(out, s[i+1:])
			i += 1 + m
		default:
			out = append(out, s[i])
			i++
		}
	}
	return string(out), len(s)
}

// escape appends what an escape says, of which s begins behind the backslash,
// and gives its length.
func escape(out []byte, s string) ([]byte, int) {
	digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[0]]
	if digits > 0 && len(s) > digits {
		if v, err := strconv.ParseUint(s[1:1+digits], 16, 32); err == nil {
			if digits == 2 {
				return append(out, byte(v)), 1 + digits
			}
			return utf8.AppendRune(out, rune(v)), 1 + digits
		}
	}
	if len(s) >= 3 && s[0] >= '0' && s[0] <= '3' {
		if v, err := strconv.ParseUint(s[:3], 8, 8); err == nil {
			return append(out, byte(v)), 3
		}
	}
	if c, ok := map[byte]byte{'a': 7, 'b': 8, 'f': 12, 'n': 10, 'r': 13, 't': 9, 'v': 11}[s[0]]; ok {
		return append(out, c), 1
	}
	return append(out, s[0]), 1
}

// lexDollar reads a string between two equal marks, $$ or $name$.
func lexDollar(s string) (token, bool) {
	n := 1 + run(s[1:], func(c byte) bool { return letter(c) || digit(c) })
	if n >= len(s) || s[n] != '$' {
		return token{}, false
	}
	mark := s[:n+1]
	end := strings.Index(s[len(mark):], mark)
	if end < 0 {
		return token{}, false
	}
	return token{kind: text, raw: s[:end+2*len(mark)], val: s[len(mark) : len(mark)+end]}, true
}
