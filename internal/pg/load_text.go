package pg

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
)

// ownText turns the text of values as a salvage writes them into PostgreSQL's own,
// for the types in which CockroachDB prints another: the zone of times, the
// exponent of numbers, the order of a document's keys. Only a text that surely means
// the same value is changed; the rest is for the server to read.
type ownText struct{ buf []byte }

// valueForm says how a type's text differs.
type valueForm uint8

const (
	asItIs valueForm = iota
	zoneForm
	floatForm
	singleForm
	numberForm
	documentForm
)

// valueForms are those of types by OID (PostgreSQL, pg_type.dat): timestamptz,
// timetz, float8, float4, numeric, jsonb.
func valueForms(oid uint32) valueForm {
	switch oid {
	case 1184, 1266:
		return zoneForm
	case 701:
		return floatForm
	case 700:
		return singleForm
	case 1700:
		return numberForm
	case 3802:
		return documentForm
	}
	return asItIs
}

// of is a value's own text, good until the next call.
func (o *ownText) of(form valueForm, v []byte) []byte {
	switch form {
	case zoneForm:
		if n := len(v); n > 6 && string(v[n-3:]) == ":00" && (v[n-6] == '+' || v[n-6] == '-') {
			return v[:n-3]
		}
	case floatForm:
		return o.float(v, 64, 15)
	case singleForm:
		return o.float(v, 32, 6)
	case numberForm:
		return o.number(v)
	case documentForm:
		return o.document(v)
	}
	return v
}

// float writes the fewest digits that mean the number, with an exponent below -4
// and from the digits on that the type always keeps. Of two texts as short as each
// other the server, in rare cases, prints one more digit.
func (o *ownText) float(v []byte, bits, digits int) []byte {
	if len(v) <= digits && !bytes.ContainsAny(v, "eEnNiI+") && !bytes.Contains(v, []byte("0.0000")) {
		return v
	}
	f, err := strconv.ParseFloat(string(v), bits)
	if err != nil || f-f != 0 { // infinite, or no number
		return v
	}
	o.buf = strconv.AppendFloat(o.buf[:0], f, 'e', -1, bits)
	e := bytes.LastIndexByte(o.buf, 'e')
	exponent, err := strconv.Atoi(string(o.buf[e+1:]))
	if err == nil && exponent >= -4 && exponent < digits {
		o.buf = strconv.AppendFloat(o.buf[:0], f, 'f', -1, bits)
	}
	return o.buf
}

// largest bounds the zeros that an exponent stands for.
const largest = 1000

// number writes a decimal without its exponent, and a zero without its sign.
func (o *ownText) number(v []byte) []byte {
	digits, negative := bytes.CutPrefix(v, []byte("-"))
	digits, power, exponent := bytes.Cut(digits, []byte("E"))
	if !exponent && (!negative || bytes.ContainsAny(digits, "123456789NI")) {
		return v
	}
	e := 0
	if exponent {
		var err error
		if e, err = strconv.Atoi(string(power)); err != nil || e < -largest || e > largest {
			return v
		}
	}
	whole, part, _ := bytes.Cut(digits, []byte("."))
	point := len(whole) + e // where it comes to stand
	out := o.buf[:0]
	if negative && bytes.ContainsAny(digits, "123456789") {
		out = append(out, '-')
	}
	if point <= 0 {
		out = append(out, '0')
	}
	for i := min(point, 0); i < max(point, len(whole)+len(part)); i++ {
		if i == point {
			out = append(out, '.')
		}
		switch {
		case i < 0, i >= len(whole)+len(part):
			out = append(out, '0')
		case i < len(whole):
			out = append(out, whole[i])
		default:
			out = append(out, part[i-len(whole)])
		}
	}
	o.buf = out
	from := bytes.IndexAny(out, "0123456789")
	for from >= 0 && from+1 < len(out) && out[from] == '0' && out[from+1] != '.' {
		out = slices.Delete(out, from, from+1)
	}
	return out
}

// document puts the keys of objects into the order of jsonb: short ones first.
func (o *ownText) document(v []byte) []byte {
	if bytes.IndexByte(v, '{') < 0 {
		return v // no keys
	}
	out, rest, ok := appendOrdered(o.buf[:0], v, 0)
	if o.buf = out; !ok || len(rest) > 0 {
		return v
	}
	return out
}

// deepest bounds the recursion; deeper documents are the server's to read.
const deepest = 100

// appendOrdered appends a value and what it is made of, as PostgreSQL orders it.
func appendOrdered(dst, v []byte, depth int) (out, rest []byte, ok bool) {
	if len(v) == 0 || depth > deepest {
		return dst, v, false
	}
	switch v[0] {
	case '{':
		return appendObject(dst, v[1:], depth)
	case '[':
		return appendArray(dst, v[1:], depth)
	case '"':
		end := quoteEnd(v)
		return append(dst, v[:end]...), v[end:], end > 0
	}
	end := bytes.IndexAny(v, ",]}")
	if end < 0 {
		end = len(v)
	}
	return append(dst, v[:end]...), v[end:], end > 0
}

// quoteEnd is where a quoted text ends; 0 if it does not, or has characters by their
// numbers, which not everybody writes so.
func quoteEnd(v []byte) int {
	for i := 1; i < len(v); i++ {
		switch v[i] {
		case '"':
			return i + 1
		case '\\':
			if i++; i == len(v) || v[i] == 'u' {
				return 0
			}
		}
	}
	return 0
}

func appendArray(dst, v []byte, depth int) (out, rest []byte, ok bool) {
	dst = append(dst, '[')
	for first := true; ; first = false {
		switch {
		case len(v) > 0 && v[0] == ']':
			return append(dst, ']'), v[1:], true
		case first:
		case bytes.HasPrefix(v, []byte(", ")):
			dst, v = append(dst, ", "...), v[2:]
		default:
			return dst, v, false
		}
		if dst, v, ok = appendOrdered(dst, v, depth+1); !ok {
			return dst, v, false
		}
	}
}

// member is one of an object's: where its key ends, and it itself.
type member struct{ key, end, from int }

func appendObject(dst, v []byte, depth int) (out, rest []byte, ok bool) {
	dst = append(dst, '{')
	start := len(dst)
	var few [16]member
	members, sorted := few[:0], true
	order := func(a, b member) int {
		return cmp.Or(cmp.Compare(a.key, b.key), bytes.Compare(dst[a.from:a.from+a.key], dst[b.from:b.from+b.key]))
	}
	for first := true; ; first = false {
		switch {
		case len(v) > 0 && v[0] == '}':
			if !sorted {
				dst = rearranged(dst, start, members, order)
			}
			return append(dst, '}'), v[1:], true
		case first:
		case bytes.HasPrefix(v, []byte(", ")):
			dst, v = append(dst, ", "...), v[2:]
		default:
			return dst, v, false
		}
		m := member{from: len(dst)}
		if len(v) == 0 || v[0] != '"' {
			return dst, v, false
		}
		if dst, v, ok = appendOrdered(dst, v, depth+1); !ok || !bytes.HasPrefix(v, []byte(": ")) {
			return dst, v, false
		}
		if m.key = len(dst) - m.from; bytes.IndexByte(dst[m.from:], '\\') >= 0 { // it is shorter than it looks
			return dst, v, false
		}
		if dst, v, ok = appendOrdered(append(dst, ": "...), v[2:], depth+1); !ok {
			return dst, v, false
		}
		m.end = len(dst)
		members = append(members, m)
		if n := len(members); n > 1 && order(members[n-2], m) > 0 {
			sorted = false
		}
	}
}

// rearranged puts the members of an object in order.
func rearranged(dst []byte, start int, members []member, order func(a, b member) int) []byte {
	slices.SortFunc(members, order)
	again := make([]byte, 0, len(dst)-start)
	for i, m := range members {
		if i > 0 {
			again = append(again, ", "...)
		}
		again = append(again, dst[m.from:m.end]...)
	}
	return append(dst[:start], again...)
}
