package enc

// The bytes which stand for NULL in keys, and that for void.
const (
	nullMarker     = 0x00
	nullDescMarker = 0xff
	voidMarker     = 0x44
)

// AppendKey appends the ordered encoding of a value, or of NULL, as a column of
// an index has it.
func AppendKey(dst []byte, t *Type, desc bool, d Datum) ([]byte, error) {
	return KeyFromValue(dst, t, desc, d.Type, d.Payload)
}

// KeyFromValue appends the ordered encoding of a value in a row, as TupleNext
// returned it.
func KeyFromValue(dst []byte, t *Type, desc bool, typ ValueType, payload []byte) ([]byte, error) {
	n := len(dst)
	if typ == NullValue {
		return append(dst, either(desc, nullDescMarker, nullMarker)), nil
	}
	if t.Family == CollatedFamily && typ == BytesValue {
		return appendKeyCollated(dst, t, payload, desc)
	}
	dst, ok := appendKeyOf(dst, t, desc, typ, payload, 0)
	if !ok {
		return dst[:n], mismatch(t, typ)
	}
	return dst, nil
}

func appendKeyOf(dst []byte, t *Type, desc bool, typ ValueType, payload []byte, depth int) ([]byte, bool) {
	switch typ {
	case IntValue:
		v, rest, ok := varint(payload)
		if !ok || len(rest) > 0 || elementType(t) != IntValue {
			return dst, false
		}
		if t.Family != PGLSNFamily {
			return appendKeyInt(dst, v, desc), true
		}
		if desc {
			return appendKeyUintDesc(dst, uint64(v)), true
		}
		return appendKeyUint(dst, uint64(v)), true
	case TrueValue, FalseValue:
		return appendKeyInt(dst, int64(either(typ == TrueValue, 1, 0)), desc), t.Family == BoolFamily
	case BytesValue:
		if t.Family == CollatedFamily {
			dst, err := appendKeyCollated(dst, t, payload, desc)
			return dst, err == nil
		}
		if elementType(t) != BytesValue && t.Family != UUIDFamily {
			return dst, false
		}
		return appendKeyBytes(dst, payload, desc), true
	case VoidValue:
		return append(dst, voidMarker), t.Family == VoidFamily
	}
	if elementType(t) != typ {
		return dst, false
	}
	switch typ {
	case UUIDValue, IPAddrValue:
		return appendKeyBytes(dst, payload, desc), true
	case FloatValue:
		f, ok := valueFloat(payload)
		return appendKeyFloat(dst, f, desc), ok
	case DecimalValue:
		var buf [40]byte
		d, ok := decimalOfValue(payload, buf[:])
		if !ok {
			return dst, false
		}
		return d.appendKey(dst, desc), true
	case TimeValue:
		i, ok := instantOfValue(payload)
		return i.appendKey(dst, desc), ok
	case TimeTZValue:
		z, ok := timeTZOfValue(payload)
		return z.appendKey(dst, desc), ok
	case DurationValue:
		v, ok := intervalOfValue(payload)
		return v.appendKey(dst, desc), ok
	}
	return appendKeyNested(dst, t, desc, typ, payload, depth)
}

// appendKeyNested appends the keys that are made of others.
func appendKeyNested(dst []byte, t *Type, desc bool, typ ValueType, payload []byte, depth int) ([]byte, bool) {
	switch typ {
	case BitArrayValue:
		return appendKeyBits(dst, payload, desc)
	case Box2DValue:
		return appendKeyBox2D(dst, payload, desc)
	case JSONValue:
		return appendKeyJSON(dst, payload, desc, depth)
	case ArrayValue:
		return appendKeyArray(dst, t, payload, desc, depth)
	case TupleValue:
		return appendKeyTuple(dst, t, payload, desc, depth)
	}
	return dst, false // spatial values have a place on a curve, the others no order at all
}

func appendKeyArray(dst []byte, t *Type, payload []byte, desc bool, depth int) ([]byte, bool) {
	e, ok := elementsOf(t, payload)
	if !ok || depth > maxDepth {
		return dst, false
	}
	dst = append(dst, either(desc, arrayDescMarker, arrayMarker))
	for range e.n {
		typ, payload, ok := e.next()
		if !ok {
			return dst, false
		}
		if typ == NullValue {
			dst = append(dst, either(desc, arrayDescNull, arrayNull))
		} else if dst, ok = appendKeyOf(dst, e.elem, desc, typ, payload, depth+1); !ok {
			return dst, false
		}
	}
	return append(dst, either(desc, arrayDescEnd, arrayEnd)), len(e.b) == 0
}

func appendKeyTuple(dst []byte, t *Type, payload []byte, desc bool, depth int) ([]byte, bool) {
	n, b, ok := count(payload)
	if !ok || n != uint64(len(t.Tuple)) || depth > maxDepth {
		return dst, false
	}
	for i := range t.Tuple {
		_, typ, payload, rest, null, err := TupleNext(b, 0)
		if err != nil {
			return dst, false
		}
		if b = rest; null {
			dst = append(dst, either(desc, nullDescMarker, nullMarker))
		} else if dst, ok = appendKeyOf(dst, &t.Tuple[i], desc, typ, payload, depth+1); !ok {
			return dst, false
		}
	}
	return dst, len(b) == 0
}

// KeyLoses says that a value's ordered encoding does not tell it from others, so
// that a row repeats it beside its key: composite values (see IsComposite).
func KeyLoses(t *Type, typ ValueType, payload []byte) bool {
	return keyLoses(t, typ, payload, 0)
}

func keyLoses(t *Type, typ ValueType, payload []byte, depth int) bool {
	if typ == NullValue || depth > maxDepth || !IsComposite(t) {
		return false
	}
	switch t.Family {
	case CollatedFamily:
		return true
	case FloatFamily:
		f, ok := valueFloat(payload)
		return ok && f == 0 && payload[0] != 0
	case DecimalFamily:
		var buf [40]byte
		d, ok := decimalOfValue(payload, buf[:])
		return ok && d.lossy()
	case JSONFamily:
		return lossyJSON(payload, depth)
	case ArrayFamily:
		e, ok := elementsOf(t, payload)
		for ok && e.i < e.n {
			var one []byte
			if typ, one, ok = e.next(); ok && keyLoses(e.elem, typ, one, depth+1) {
				return true
			}
		}
	case TupleFamily:
		_, b, _ := count(payload)
		for i := range t.Tuple {
			_, typ, one, rest, _, err := TupleNext(b, 0)
			if err != nil {
				return false
			}
			if keyLoses(&t.Tuple[i], typ, one, depth+1) {
				return true
			}
			b = rest
		}
	}
	return false
}
