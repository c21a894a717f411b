package enc

import "unicode/utf8"

// utc is how CockroachDB shows the zone in which it keeps every timestamp.
const utc = "+00:00"

// maxWidth is PostgreSQL's bound of the n in CHAR(n).
const maxWidth = 10485760

// AppendValueText appends the text of a value in a row, as TupleNext returned
// it: the form which the database itself sends over PostgreSQL's wire protocol,
// and which PostgreSQL reads as the same value. It differs from PostgreSQL's own
// output in this: a zone of whole hours is +00:00, not +00; floats have an
// exponent from 1e+06 on, and infinities are +Inf and -Inf; decimals and numbers
// in documents keep an exponent; documents keep -0; in arrays and tuples small
// whole floats end with .0 and timestamps have their zone.
//
// Nothing is allocated for the common types unless dst has to grow.
func AppendValueText(dst []byte, t *Type, typ ValueType, payload []byte) ([]byte, error) {
	return appendText(dst, t, typ, payload, 0)
}

// AppendDocumentField appends the text of a document as a field of a CSV file:
// between quotes, each of its own quotes twice.
func AppendDocumentField(dst, payload []byte) ([]byte, error) {
	n := len(dst)
	dst, ok := appendJSON(append(dst, '"'), payload, &jsonDoubled, 0)
	if !ok {
		return dst[:n], damaged("document")
	}
	return append(dst, '"'), nil
}

func appendText(dst []byte, t *Type, typ ValueType, payload []byte, depth int) ([]byte, error) {
	n := len(dst)
	var ok bool
	switch typ {
	case IntValue:
		dst, ok = appendIntText(dst, t, payload)
	case BytesValue:
		dst, ok = appendBytesText(dst, t, payload)
	case TrueValue, FalseValue:
		dst, ok = append(dst, either(typ == TrueValue, 't', 'f')), t.Family == BoolFamily
	case VoidValue:
		ok = t.Family == VoidFamily
	case NullValue, NotNullValue:
	default:
		if elementType(t) == typ {
			dst, ok = appendTyped(dst, t, typ, payload, depth)
		}
	}
	if !ok {
		return dst[:n], mismatch(t, typ)
	}
	return dst, nil
}

// appendIntValue appends an integer.
func appendIntValue(dst, payload []byte) ([]byte, bool) {
	if len(payload) == 1 {
		return appendInt(dst, int64(payload[0]>>1)^-int64(payload[0]&1)), payload[0] < 0x80
	}
	v, rest, ok := varint(payload)
	return appendInt(dst, v), ok && len(rest) == 0
}

// appendIntText appends a value that is encoded as an integer.
func appendIntText(dst []byte, t *Type, payload []byte) ([]byte, bool) {
	v, rest, ok := varint(payload)
	if !ok || len(rest) > 0 {
		return dst, false
	}
	switch t.Family {
	case IntFamily:
		return appendInt(dst, v), true
	case OIDFamily:
		return appendUint(dst, uint64(uint32(v))), v >= -1<<31 && v < 1<<32
	case DateFamily:
		return appendDate(dst, v), true
	case TimeFamily:
		return appendTime(dst, v)
	case PGLSNFamily:
		return appendLSN(dst, uint64(v)), true
	}
	return dst, false
}

// appendBytesText appends a value that is encoded as a string of bytes.
func appendBytesText(dst []byte, t *Type, s []byte) ([]byte, bool) {
	switch t.Family {
	case StringFamily, CollatedFamily:
		dst = append(dst, s...)
		if t.blankPadded() {
			for n := utf8.RuneCount(s); n < min(int(t.Width), maxWidth); n++ {
				dst = append(dst, ' ')
			}
		}
		return dst, true
	case NameFamily, RefCursorFamily, JSONPathFamily, LTreeFamily:
		return append(dst, s...), true
	case BytesFamily:
		return appendHex(append(dst, '\\', 'x'), s), true
	case EnumFamily:
		label, ok := t.Enum.Label(s)
		return append(dst, label...), ok
	case UUIDFamily:
		return appendUUID(dst, s)
	}
	return dst, false
}

// appendTyped appends a value whose encoding belongs to its type alone.
func appendTyped(dst []byte, t *Type, typ ValueType, payload []byte, depth int) ([]byte, bool) {
	switch typ {
	case UUIDValue:
		return appendUUID(dst, payload)
	case TimeValue:
		i, ok := instantOfValue(payload)
		return i.appendText(dst, t.zone()), ok
	case JSONValue:
		return appendJSON(dst, payload, &jsonPlain, depth)
	case DecimalValue:
		return appendDecimal(dst, payload)
	case FloatValue:
		f, ok := valueFloat(payload)
		return appendFloat(dst, t, f), ok
	case ArrayValue:
		return appendArray(dst, t, payload, depth)
	case DurationValue:
		v, ok := intervalOfValue(payload)
		return v.appendText(dst), ok
	case TimeTZValue:
		z, ok := timeTZOfValue(payload)
		if !ok {
			return dst, false
		}
		return z.appendText(dst), true
	case IPAddrValue:
		return appendInet(dst, payload)
	case BitArrayValue:
		return appendBits(dst, payload)
	case TupleValue:
		return appendTuple(dst, t, payload, depth)
	}
	return appendRare(dst, typ, payload)
}

// appendRare appends the types that few tables have.
func appendRare(dst []byte, typ ValueType, payload []byte) ([]byte, bool) {
	switch typ {
	case GeoValue:
		return appendGeo(dst, payload)
	case Box2DValue:
		return appendBox2D(dst, payload)
	case TSVectorValue:
		return appendTSVector(dst, payload)
	case TSQueryValue:
		return appendTSQuery(dst, payload, false)
	case PGVectorValue:
		return appendVector(dst, payload)
	case LTreeValue:
		return append(dst, payload...), true
	}
	return dst, false
}

// zone is what stands behind the timestamps of a type.
func (t *Type) zone() string {
	if t.Family == TimestampTZFamily {
		return utc
	}
	return ""
}
