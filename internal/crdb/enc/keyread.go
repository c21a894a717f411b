package enc

import (
	"encoding/binary"
	"math"
)

// AppendKeyText appends the text of one column of an index key and returns the
// rest of the key. What the key does not hold (see IsComposite) is not in the
// text either; for a collated string the error is ErrKeyOnly, and rest is right
// all the same.
func AppendKeyText(dst []byte, t *Type, desc bool, key []byte) (out, rest []byte, null bool, err error) {
	if len(key) > 0 && key[0] == either(desc, nullDescMarker, nullMarker) && t.Family != TupleFamily {
		return dst, key[1:], true, nil
	}
	n := len(dst)
	ok := false
	switch t.Family {
	case IntFamily:
		var v int64
		if v, rest, ok = keyInt(key, desc); ok {
			return appendInt(dst, v), rest, false, nil
		}
	case StringFamily:
		if out, rest, ok = keyBytes(dst, key, desc); ok && !t.blankPadded() {
			return out, rest, false, nil
		}
	case UUIDFamily:
		var buf [16]byte
		var u []byte
		if u, rest, ok = keyBytes(buf[:0], key, desc); ok {
			if out, ok = appendUUID(dst, u); ok {
				return out, rest, false, nil
			}
		}
	case TimestampFamily, TimestampTZFamily:
		var i instant
		if i, rest, ok = instantOfKey(key, desc); ok {
			return i.appendText(dst, t.zone()), rest, false, nil
		}
	case DecimalFamily:
		var buf [64]byte
		var d decimal
		if d, rest, ok = decimalOfKey(key, buf[:], desc); ok {
			return d.appendText(dst), rest, false, nil
		}
	}
	// All others by way of their value encoding, which stands behind dst until
	// the text takes its place.
	typ, buf, rest, err := ValueFromKey(dst, t, desc, key)
	if err != nil {
		return dst[:n], rest, false, err
	}
	out, err = AppendValueText(buf, t, typ, buf[n:])
	if err != nil {
		return dst[:n], rest, false, err
	}
	return out[:n+copy(out[n:], out[len(buf):])], rest, false, nil
}

// ValueFromKey appends the value encoding of one column of an index key and
// returns its type and the rest of the key. It is the inverse of KeyFromValue but
// for what the key does not hold; for a collated string the error is ErrKeyOnly,
// and rest is right all the same.
func ValueFromKey(dst []byte, t *Type, desc bool, key []byte) (typ ValueType, out, rest []byte, err error) {
	if t.Family == CollatedFamily {
		if rest, err = SkipKey(t, desc, key); err == nil {
			err = ErrKeyOnly
		}
		return 0, dst, rest, err
	}
	n := len(dst)
	typ, out, rest, ok := valueOfKey(dst, t, desc, key, 0)
	if !ok {
		return 0, dst[:n], nil, damaged("key column")
	}
	return typ, out, rest, nil
}

func valueOfKey(dst []byte, t *Type, desc bool, key []byte, depth int) (typ ValueType, out, rest []byte, ok bool) {
	if len(key) == 0 || depth > maxDepth {
		return 0, dst, nil, false
	}
	typ = elementType(t)
	if key[0] == either(desc, nullDescMarker, nullMarker) && typ != TupleValue {
		return NullValue, dst, key[1:], true
	}
	switch typ {
	case TrueValue:
		var v int64
		if v, rest, ok = keyInt(key, desc); v == 0 {
			typ = FalseValue
		}
		return typ, dst, rest, ok && (v == 0 || v == 1)
	case IntValue:
		v, rest, ok := keyIntOf(t, desc, key)
		return typ, binary.AppendVarint(dst, v), rest, ok
	case FloatValue:
		f, rest, ok := keyFloat(key, desc)
		return typ, appendFloatValue(dst, f), rest, ok
	case DecimalValue:
		var buf [64]byte
		d, rest, ok := decimalOfKey(key, buf[:], desc)
		if !ok {
			return typ, dst, nil, false
		}
		return typ, d.appendValue(dst), rest, true
	case TimeValue:
		i, rest, ok := instantOfKey(key, desc)
		return typ, i.appendValue(dst), rest, ok
	case TimeTZValue:
		z, rest, ok := timeTZOfKey(key, desc)
		return typ, z.appendValue(dst), rest, ok
	case DurationValue:
		v, rest, ok := intervalOfKey(key, desc)
		return typ, v.appendValue(dst), rest, ok
	case UUIDValue, IPAddrValue, BytesValue:
		n := len(dst)
		dst, rest, ok = keyBytes(dst, key, desc)
		ok = ok && (typ != UUIDValue || len(dst)-n == 16) && (typ != IPAddrValue || inetLen(dst[n:]) == len(dst)-n)
		return typ, dst, rest, ok
	}
	out, rest, ok = nestedOfKey(dst, t, desc, key, depth)
	return typ, out, rest, ok
}

// keyIntOf reads an integer of a key; a position in a log is unsigned.
func keyIntOf(t *Type, desc bool, key []byte) (int64, []byte, bool) {
	if t.Family != PGLSNFamily {
		return keyInt(key, desc)
	}
	read := keyUint
	if desc {
		read = keyUintDesc
	}
	v, rest, ok := read(key)
	return int64(v), rest, ok
}

// nestedOfKey appends the value encoding of a key that is made of others.
func nestedOfKey(dst []byte, t *Type, desc bool, key []byte, depth int) (out, rest []byte, ok bool) {
	switch elementType(t) {
	case BitArrayValue:
		return keyBits(dst, key, desc)
	case Box2DValue:
		return keyBox2D(dst, key, desc)
	case GeoValue:
		return keyGeo(dst, key, desc)
	case JSONValue:
		return keyJSON(dst, key, desc, depth)
	case VoidValue:
		return dst, key[1:], key[0] == voidMarker
	case ArrayValue:
		return arrayOfKey(dst, t, desc, key, depth)
	case TupleValue:
		dst = appendCount(dst, uint64(len(t.Tuple)))
		for i := range t.Tuple {
			typ, one, rest, ok := valueOfKey(nil, &t.Tuple[i], desc, key, depth+1)
			if !ok {
				return dst, nil, false
			}
			dst, key = AppendValue(dst, 0, Datum{typ, one}), rest
		}
		return dst, key, true
	}
	return dst, nil, false
}

// arrayOfKey appends the value encoding of an array from its key.
func arrayOfKey(dst []byte, t *Type, desc bool, key []byte, depth int) (out, rest []byte, ok bool) {
	elem := t.elem()
	if elem == nil || key[0] != either(desc, arrayDescMarker, arrayMarker) {
		return dst, nil, false
	}
	var values, nulls []byte
	n, hasNulls := 0, false
	for key = key[1:]; ; n++ {
		if len(key) == 0 {
			return dst, nil, false
		}
		if key[0] == either(desc, arrayDescEnd, arrayEnd) {
			break
		}
		if n%8 == 0 {
			nulls = append(nulls, 0)
		}
		if key[0] == either(desc, arrayDescNull, arrayNull) {
			hasNulls = true
			nulls[n/8] |= 1 << (n % 8)
			key = key[1:]
			continue
		}
		typ, one, rest, ok := valueOfKey(nil, elem, desc, key, depth+1)
		if !ok || len(rest) == len(key) {
			return dst, nil, false
		}
		values, key = appendElementValue(values, Datum{typ, one}), rest
	}
	dst = appendTag(append(dst, either(hasNulls, arrayHasNulls|1, 1)), 0, elementType(elem))
	dst = appendCount(dst, uint64(n))
	if hasNulls {
		dst = append(dst, nulls...)
	}
	return append(dst, values...), key[1:], true
}

// appendElementValue appends an element of an array: without a tag, but for
// truth values, which are nothing else.
func appendElementValue(dst []byte, d Datum) []byte {
	from := len(dst)
	dst = AppendValue(dst, 0, d)
	if d.Type == TrueValue || d.Type == FalseValue {
		return dst
	}
	var tag [10]byte
	n := len(appendTag(tag[:0], 0, d.Type))
	return append(dst[:from], dst[from+n:]...)
}

// KeyFromKey appends the ordered encoding in one direction of a column whose key
// has the other, and returns the rest of that key.
func KeyFromKey(dst []byte, t *Type, desc bool, key []byte, keyDesc bool) (out, rest []byte, err error) {
	if rest, err = SkipKey(t, keyDesc, key); err != nil {
		return dst, nil, err
	}
	n := len(dst)
	own := key[:len(key)-len(rest)]
	if desc == keyDesc {
		return append(dst, own...), rest, nil
	}
	if t.Family == CollatedFamily || elementType(t) == GeoValue {
		dst = append(dst, own...)
		invert(dst[n+1:])
		if marker := own[0]; marker != nullMarker && marker != nullDescMarker {
			dst[n] = either(desc, marker+1, marker-1)
		} else {
			dst[n] = ^marker
		}
		return dst, rest, nil
	}
	typ, value, _, err := ValueFromKey(nil, t, keyDesc, own)
	if err != nil {
		return dst, nil, err
	}
	dst, err = KeyFromValue(dst, t, desc, typ, value)
	return dst, rest, err
}

func appendFloatValue(dst []byte, f float64) []byte {
	return binary.BigEndian.AppendUint64(dst, math.Float64bits(f))
}
