package enc

import (
	"bytes"
	"encoding/binary"
	"strconv"
)

// The nodes of a text search query and its operators.
const (
	tsLexeme   = 1
	tsOperator = 2

	tsNot    = 1
	tsAnd    = 2
	tsOr     = 3
	tsPhrase = 4

	tsPositionMask = 1<<14 - 1
)

// appendTSVector appends a text search vector, "'cat':3A 'fat'", from its value
// encoding: a count of lexemes, each with its positions, their two high bits the
// weight.
func appendTSVector(dst, b []byte) ([]byte, bool) {
	if len(b) < 4 {
		return dst, false
	}
	n := binary.BigEndian.Uint32(b)
	b = b[4:]
	for i := range n {
		lexeme, rest, ok := counted(b)
		if !ok || len(rest) < 2 {
			return dst, false
		}
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = appendLexeme(dst, lexeme)
		positions := int(binary.BigEndian.Uint16(rest))
		if b = rest[2:]; len(b) < positions*2 {
			return dst, false
		}
		for j := range positions {
			dst = append(dst, either(j == 0, ':', ','))
			p := binary.BigEndian.Uint16(b)
			dst = strconv.AppendUint(dst, uint64(p&tsPositionMask), 10)
			if weight := p >> 14; weight > 0 { // D is not shown
				dst = append(dst, 'D'-byte(weight))
			}
			b = b[2:]
		}
	}
	return dst, len(b) == 0
}

// appendLexeme appends a word between quotes, doubling those in it and, as
// PostgreSQL does, backslashes.
func appendLexeme(dst, lexeme []byte) []byte {
	dst = append(dst, '\'')
	for _, c := range lexeme {
		if c == '\'' || c == '\\' {
			dst = append(dst, c)
		}
		dst = append(dst, c)
	}
	return append(dst, '\'')
}

// tsQuery reads the nodes of a text search query, each before its operands. In
// CockroachDB's form the left operand comes first and words have their length;
// in PostgreSQL's, which column families of one column hold, the right one comes
// first and words end with a zero byte.
type tsQuery struct {
	b        []byte
	left     uint32 // nodes which may still come
	postgres bool
}

// appendTSQuery appends a text search query, "'fat' & !'cat':*A".
func appendTSQuery(dst, b []byte, postgres bool) ([]byte, bool) {
	if len(b) < 4 {
		return dst, false
	}
	q := tsQuery{b: b[4:], left: binary.BigEndian.Uint32(b), postgres: postgres}
	if q.left == 0 {
		return dst, len(q.b) == 0
	}
	dst, ok := q.append(dst, 0, 0)
	return dst, ok && len(q.b) == 0
}

// append appends the next node; precedence is that of the operator above it.
func (q *tsQuery) append(dst []byte, precedence, depth int) ([]byte, bool) {
	if q.left == 0 || len(q.b) < 2 || depth > maxDepth {
		return dst, false
	}
	q.left--
	kind, op := q.b[0], q.b[1]
	if kind == tsLexeme {
		q.b = q.b[1:]
		return q.appendWord(dst)
	}
	own := tsPrecedence(op)
	if kind != tsOperator || own == 0 {
		return dst, false
	}
	q.b = q.b[2:]
	distance := uint16(0)
	if op == tsPhrase {
		if len(q.b) < 2 {
			return dst, false
		}
		distance = binary.BigEndian.Uint16(q.b)
		q.b = q.b[2:]
	}
	if own < precedence {
		dst = append(dst, "( "...)
	}
	var ok bool
	if op == tsNot {
		dst, ok = q.append(append(dst, '!'), own, depth+1)
	} else {
		dst, ok = q.appendPair(dst, op, distance, own, depth)
	}
	if own < precedence {
		dst = append(dst, " )"...)
	}
	return dst, ok
}

// tsPrecedence is how tightly an operator binds; 0 is no operator.
func tsPrecedence(op byte) int {
	switch op {
	case tsNot:
		return 4
	case tsPhrase:
		return 3
	case tsAnd:
		return 2
	case tsOr:
		return 1
	}
	return 0
}

// appendPair appends two operands and their operator between them.
func (q *tsQuery) appendPair(dst []byte, op byte, distance uint16, own, depth int) ([]byte, bool) {
	from := len(dst)
	dst, ok := q.append(dst, own, depth+1)
	if !ok {
		return dst, false
	}
	var right []byte
	if q.postgres {
		right = bytes.Clone(dst[from:])
		if dst, ok = q.append(dst[:from], own, depth+1); !ok {
			return dst, false
		}
	}
	switch {
	case op == tsAnd:
		dst = append(dst, " & "...)
	case op == tsOr:
		dst = append(dst, " | "...)
	case distance == 1:
		dst = append(dst, " <-> "...)
	default:
		dst = append(strconv.AppendUint(append(dst, " <"...), uint64(distance), 10), "> "...)
	}
	if q.postgres {
		return append(dst, right...), true
	}
	return q.append(dst, own, depth+1)
}

// appendWord appends a word of a query with what it asks of its matches.
func (q *tsQuery) appendWord(dst []byte) ([]byte, bool) {
	if len(q.b) < 2 {
		return dst, false
	}
	weight, prefix := q.b[0], q.b[1]
	b := q.b[2:]
	var word []byte
	ok := true
	if q.postgres {
		if word, q.b, ok = bytes.Cut(b, []byte{0}); !ok {
			return dst, false
		}
	} else if word, q.b, ok = counted(b); !ok {
		return dst, false
	}
	dst = appendLexeme(dst, word)
	if weight|prefix == 0 {
		return dst, true
	}
	dst = append(dst, ':')
	if prefix != 0 {
		dst = append(dst, '*')
	}
	for i := range 4 {
		if weight&(8>>i) != 0 {
			dst = append(dst, 'A'+byte(i))
		}
	}
	return dst, true
}
