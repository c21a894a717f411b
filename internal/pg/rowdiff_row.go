package pg

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"strings"
	"unicode/utf8"
)

// unescape gives a field of COPY's text form its content back (PostgreSQL
// docs, COPY, text format); null is nil.
func unescape(field []byte) []byte {
	if bytes.IndexByte(field, '\\') < 0 {
		if field == nil {
			return []byte{}
		}
		return field
	}
	if string(field) == `\N` {
		return nil
	}
	out := make([]byte, 0, len(field))
	for i := 0; i < len(field); i++ {
		c := field[i]
		if c == '\\' && i+1 < len(field) {
			i++
			c = unescaped(field[i])
		}
		out = append(out, c)
	}
	return out
}

func unescaped(c byte) byte {
	if i := strings.IndexByte("bfnrtv", c); i >= 0 {
		return "\b\f\n\r\t\v"[i]
	}
	return c
}

// compareKeys orders rows by their first n fields, each by the bytes of its
// content, as the server does by textsend; 0 means by all of the row's text.
func compareKeys(a, b []byte, n int) int {
	if n == 0 {
		return bytes.Compare(a, b)
	}
	for ; n > 0; n-- {
		var x, y []byte
		x, a, _ = bytes.Cut(a, tab)
		y, b, _ = bytes.Cut(b, tab)
		if c := bytes.Compare(unescape(x), unescape(y)); c != 0 {
			return c
		}
	}
	return 0
}

// keyOf is the part of a row that holds its first n fields, n at least 1.
func keyOf(row []byte, n int) []byte {
	end := 0
	for {
		i := bytes.IndexByte(row[end:], '\t')
		if i < 0 {
			return row
		}
		if n--; n == 0 {
			return row[:end+i]
		}
		end += i + 1
	}
}

var tab = []byte{'\t'}

// fields splits a row into its values; a null is nil.
func fields(row []byte, n int) [][]byte {
	if n == 0 {
		return nil
	}
	values := bytes.Split(row, tab)
	for i, v := range values {
		values[i] = unescape(v)
	}
	return values
}

// keyText writes key values as a difference shows them: one as it is, several
// like a row of PostgreSQL.
func keyText(values [][]byte) string {
	if len(values) == 1 {
		return *shown(values[0])
	}
	if len(values) == 0 {
		return ""
	}
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = *shown(v)
		if texts[i] == "" || strings.ContainsAny(texts[i], `"\(), `+"\t\n") {
			texts[i] = `"` + strings.NewReplacer(`"`, `""`, `\`, `\\`).Replace(texts[i]) + `"`
		}
	}
	return "(" + strings.Join(texts, ",") + ")"
}

// longest is how much of a value a difference shows, in bytes.
const longest = 200

// shown is a value as a difference shows it: cut if it is long, with a hash by
// which two long values still differ; nil stays nil.
func shown(value []byte) *string {
	if value == nil {
		return nil
	}
	text := strings.ToValidUTF8(string(value), "\uFFFD")
	if len(value) > longest {
		end := longest
		for end > 0 && !utf8.RuneStart(text[end]) {
			end--
		}
		text = fmt.Sprintf("%s… (%d bytes, SHA-256 %.8x)", text[:end], len(value), sha256.Sum256(value))
	}
	return &text
}
