package enc

import "strings"

// The markers of arrays in keys, their ends, and NULL within them.
const (
	arrayMarker      = 0x3f
	arrayDescMarker  = 0x40
	arrayEnd         = 0x00
	arrayDescEnd     = 0xff
	arrayNull        = 0x01
	arrayDescNull    = 0xfe
	arrayHasNulls    = 0x10
	arrayDimensions  = 0x0f
	maxArrayElements = 1 << 31
)

// elements walks over the value encoding of an array: a header, the type of the
// elements (which old versions wrote wrongly, so that the column's type is what
// counts), their number, which of them are NULL, and the others without tags.
type elements struct {
	n, i  int
	nulls []byte // a bit for each element, or nothing
	b     []byte
	elem  *Type
	typ   ValueType
}

func elementsOf(t *Type, payload []byte) (e elements, ok bool) {
	e.elem = t.elem()
	if e.elem == nil || len(payload) < 2 || payload[0]&arrayDimensions > 1 {
		return e, false
	}
	e.typ = elementType(e.elem)
	_, _, b, ok := tag(payload[1:])
	if !ok {
		return e, false
	}
	n, b, ok := count(b)
	if !ok || n > maxArrayElements {
		return e, false
	}
	e.n = int(n)
	if payload[0]&arrayHasNulls != 0 {
		size := (e.n + 7) / 8
		if size > len(b) {
			return e, false
		}
		e.nulls, b = b[:size], b[size:]
	} else if e.n > len(b) {
		return e, false // each element has a byte at least
	}
	e.b = b
	return e, true
}

// next is the next element; its payload is nil if it is NULL.
func (e *elements) next() (typ ValueType, payload []byte, ok bool) {
	i := e.i
	e.i++
	if e.nulls != nil && e.nulls[i/8]>>(i%8)&1 == 1 {
		return NullValue, nil, true
	}
	typ = e.typ
	if typ == TrueValue { // the only elements with a tag
		if len(e.b) == 0 {
			return 0, nil, false
		}
		typ = ValueType(e.b[0])
		e.b = e.b[1:]
		return typ, nil, typ == TrueValue || typ == FalseValue
	}
	payload, e.b, ok = payloadOf(typ, e.b)
	return typ, payload, ok
}

// elementType is how values of a type are encoded.
func elementType(t *Type) ValueType {
	switch t.Family {
	case BoolFamily:
		return TrueValue
	case IntFamily, DateFamily, OIDFamily, TimeFamily, PGLSNFamily:
		return IntValue
	case FloatFamily:
		return FloatValue
	case DecimalFamily:
		return DecimalValue
	case TimestampFamily, TimestampTZFamily:
		return TimeValue
	case IntervalFamily:
		return DurationValue
	case UUIDFamily:
		return UUIDValue
	case ArrayFamily, Int2VectorFamily, OIDVectorFamily:
		return ArrayValue
	case INetFamily:
		return IPAddrValue
	case JSONFamily:
		return JSONValue
	case TimeTZFamily:
		return TimeTZValue
	case TupleFamily:
		return TupleValue
	case BitFamily:
		return BitArrayValue
	case GeometryFamily, GeographyFamily:
		return GeoValue
	case Box2DFamily:
		return Box2DValue
	case VoidFamily:
		return VoidValue
	case TSQueryFamily:
		return TSQueryValue
	case TSVectorFamily:
		return TSVectorValue
	case PGVectorFamily:
		return PGVectorValue
	case LTreeFamily:
		return LTreeValue
	}
	return BytesValue // strings of every kind, enums
}

// appendArray appends an array as PostgreSQL shows it, "{1,NULL,"a b"}".
func appendArray(dst []byte, t *Type, payload []byte, depth int) ([]byte, bool) {
	e, ok := elementsOf(t, payload)
	if !ok || depth > maxDepth {
		return dst, false
	}
	vector := t.vector()
	separator := either(vector, ' ', ',')
	if !vector {
		dst = append(dst, '{')
	}
	for i := range e.n {
		if i > 0 {
			dst = append(dst, separator)
		}
		typ, payload, ok := e.next()
		if !ok {
			return dst, false
		}
		switch {
		case typ == NullValue:
			dst = append(dst, "NULL"...)
		case e.elem.Family == IntFamily:
			dst, ok = appendIntValue(dst, payload)
		default:
			from := len(dst)
			dst, ok = appendElement(dst, e.elem, typ, payload, depth+1)
			dst = quoteElement(dst, from)
		}
		if !ok {
			return dst, false
		}
	}
	if !vector {
		dst = append(dst, '}')
	}
	return dst, len(e.b) == 0
}

// appendElement appends a value as it stands in arrays and tuples, before
// quoting: CockroachDB writes floats and timestamps differently there.
func appendElement(dst []byte, t *Type, typ ValueType, payload []byte, depth int) ([]byte, bool) {
	switch {
	case t.Family == FloatFamily && typ == FloatValue:
		f, ok := valueFloat(payload)
		return appendElementFloat(dst, t, f), ok
	case t.Family == TimestampFamily && typ == TimeValue:
		i, ok := instantOfValue(payload)
		return i.appendText(dst, utc), ok
	case t.Family == StringFamily && typ == BytesValue && !t.blankPadded():
		return append(dst, payload...), true
	}
	dst, err := appendText(dst, t, typ, payload, depth)
	return dst, err == nil
}

// quoteElement puts what stands behind from between quotes if an array could
// read it otherwise: nothing, NULL, blanks, braces, commas, quotes, backslashes.
func quoteElement(dst []byte, from int) []byte {
	text := dst[from:]
	quoted := len(text) == 0 || len(text) == 4 && strings.EqualFold(string(text), "NULL")
	for _, c := range text {
		quoted = quoted || apart[c]
	}
	if !quoted {
		return dst
	}
	return quote(dst, from, '\\')
}

// apart is what an array reads as something else than a part of an element.
var apart = [256]bool{' ': true, '\t': true, '\n': true, '\v': true, '\f': true, '\r': true, '{': true, '}': true, ',': true, '"': true, '\\': true}

// quoteMember does the same for a member of a tuple, where NULL is nothing at
// all and quotes and backslashes are doubled.
func quoteMember(dst []byte, from int) []byte {
	quoted := len(dst) == from
	for _, c := range dst[from:] {
		quoted = quoted || isBlank(c) || c == '(' || c == ')' || c == ',' || c == '"' || c == '\\'
	}
	if !quoted {
		return dst
	}
	return quote(dst, from, 0)
}

func isBlank(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// quote puts what stands behind from between quotes, writing escape (the
// character itself if that is 0) before each quote and backslash, in place from
// its end.
func quote(dst []byte, from int, escape byte) []byte {
	end, extra := len(dst), 2
	for _, c := range dst[from:] {
		if c == '"' || c == '\\' {
			extra++
		}
	}
	dst = append(dst, make([]byte, extra)...)
	at := len(dst) - 1
	dst[at] = '"'
	for i := end - 1; i >= from; i-- {
		c := dst[i]
		at--
		dst[at] = c
		if c == '"' || c == '\\' {
			at--
			if dst[at] = escape; escape == 0 {
				dst[at] = c
			}
		}
	}
	dst[from] = '"'
	return dst
}

// tupleLen is the length of a tuple's value encoding, a count of members, each
// with its tag; -1 if it is none.
func tupleLen(b []byte, depth int) int {
	n, rest, ok := count(b)
	if !ok || n > uint64(len(rest)) || depth > maxDepth {
		return -1
	}
	for range n {
		_, typ, data, ok := tag(rest)
		if !ok {
			return -1
		}
		if typ == TupleValue {
			size := tupleLen(data, depth+1)
			if size < 0 {
				return -1
			}
			rest = data[size:]
		} else if _, rest, ok = payloadOf(typ, data); !ok {
			return -1
		}
	}
	return len(b) - len(rest)
}

// appendTuple appends a tuple as PostgreSQL shows a row, "(1,,"a b")".
func appendTuple(dst []byte, t *Type, payload []byte, depth int) ([]byte, bool) {
	n, b, ok := count(payload)
	if !ok || n != uint64(len(t.Tuple)) || depth > maxDepth {
		return dst, false
	}
	dst = append(dst, '(')
	for i := range t.Tuple {
		if i > 0 {
			dst = append(dst, ',')
		}
		_, typ, payload, rest, null, err := TupleNext(b, 0)
		if err != nil {
			return dst, false
		}
		if b = rest; null {
			continue
		}
		from := len(dst)
		if dst, ok = appendElement(dst, &t.Tuple[i], typ, payload, depth+1); !ok {
			return dst, false
		}
		dst = quoteMember(dst, from)
	}
	return append(dst, ')'), len(b) == 0
}
