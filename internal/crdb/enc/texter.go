package enc

// ValueTexter is AppendValueText of one type: what is asked of every value of a
// column is found out once.
func ValueTexter(t *Type) func(dst []byte, typ ValueType, payload []byte) ([]byte, error) {
	usual, one := elementType(t), usualText(t)
	if one == nil {
		return func(dst []byte, typ ValueType, payload []byte) ([]byte, error) {
			return AppendValueText(dst, t, typ, payload)
		}
	}
	return func(dst []byte, typ ValueType, payload []byte) ([]byte, error) {
		if typ == usual {
			if out, ok := one(dst, payload); ok {
				return out, nil
			}
		}
		return AppendValueText(dst, t, typ, payload) // the others, and those that are none
	}
}

// usualText appends the values of a type that are encoded as most are; nil for
// the rarer types.
func usualText(t *Type) func(dst, payload []byte) ([]byte, bool) {
	switch t.Family {
	case IntFamily:
		return appendIntValue
	case DecimalFamily:
		return appendDecimal
	case UUIDFamily:
		return appendUUID
	case INetFamily:
		return appendInet
	case BitFamily:
		return appendBits
	case FloatFamily:
		return func(dst, payload []byte) ([]byte, bool) {
			f, ok := valueFloat(payload)
			return appendFloat(dst, t, f), ok
		}
	case ArrayFamily:
		return func(dst, payload []byte) ([]byte, bool) { return appendArray(dst, t, payload, 0) }
	case JSONFamily:
		return func(dst, payload []byte) ([]byte, bool) { return appendJSON(dst, payload, &jsonPlain, 0) }
	case StringFamily:
		if !t.blankPadded() {
			return func(dst, payload []byte) ([]byte, bool) { return append(dst, payload...), true }
		}
	case BytesFamily:
		return func(dst, payload []byte) ([]byte, bool) { return appendHex(append(dst, '\\', 'x'), payload), true }
	}
	return usualTimeText(t)
}

// usualTimeText is usualText of the types of times.
func usualTimeText(t *Type) func(dst, payload []byte) ([]byte, bool) {
	switch t.Family {
	case TimestampFamily, TimestampTZFamily:
		zone := t.zone()
		return func(dst, payload []byte) ([]byte, bool) {
			i, ok := instantOfValue(payload)
			return i.appendText(dst, zone), ok
		}
	case DateFamily:
		return func(dst, payload []byte) ([]byte, bool) {
			v, rest, ok := varint(payload)
			return appendDate(dst, v), ok && len(rest) == 0
		}
	case TimeFamily:
		return func(dst, payload []byte) ([]byte, bool) {
			v, rest, ok := varint(payload)
			if !ok || len(rest) > 0 {
				return dst, false
			}
			return appendTime(dst, v)
		}
	case TimeTZFamily:
		return func(dst, payload []byte) ([]byte, bool) {
			z, ok := timeTZOfValue(payload)
			if !ok {
				return dst, false
			}
			return z.appendText(dst), true
		}
	case IntervalFamily:
		return func(dst, payload []byte) ([]byte, bool) {
			v, ok := intervalOfValue(payload)
			return v.appendText(dst), ok
		}
	}
	return nil
}

// KeyTexter is AppendKeyText of one type and direction.
func KeyTexter(t *Type, desc bool) func(dst, key []byte) (out, rest []byte, null bool, err error) {
	var one func(dst, key []byte) (out, rest []byte, ok bool)
	switch {
	case t.Family == IntFamily:
		one = func(dst, key []byte) (out, rest []byte, ok bool) {
			v, rest, ok := keyInt(key, desc)
			return appendInt(dst, v), rest, ok
		}
	case t.Family == UUIDFamily && !desc:
		one = func(dst, key []byte) (out, rest []byte, ok bool) {
			u, rest, ok := keyUUID(key)
			if ok {
				dst, ok = appendUUID(dst, u)
			}
			return dst, rest, ok
		}
	case t.Family == StringFamily && !t.blankPadded():
		one = func(dst, key []byte) (out, rest []byte, ok bool) { return keyBytes(dst, key, desc) }
	default:
		return func(dst, key []byte) (out, rest []byte, null bool, err error) {
			return AppendKeyText(dst, t, desc, key)
		}
	}
	return func(dst, key []byte) (out, rest []byte, null bool, err error) {
		if out, rest, ok := one(dst, key); ok {
			return out, rest, false, nil
		}
		return AppendKeyText(dst, t, desc, key) // NULL, the others, and those that are none
	}
}
