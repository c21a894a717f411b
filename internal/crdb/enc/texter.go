package enc

// ValueTexter is AppendValueText of one type: what is asked of every value of a
// column is found out once.
func ValueTexter(t *Type) func(dst []byte, typ ValueType, payload []byte) ([]byte, error) {
	usual, one := elementType(t), usualText(t)
	return func(dst []byte, typ ValueType, payload []byte) ([]byte, error) {
		if typ == usual {
			if out, ok := one(dst, payload); ok {
				return out, nil
			}
		}
		return AppendValueText(dst, t, typ, payload) // the others, and those that are none
	}
}

// usualText is the text of a type's values that are encoded as most are.
func usualText(t *Type) func(dst, payload []byte) ([]byte, bool) {
	switch t.Family {
	case IntFamily:
		return appendIntValue
	case TimestampFamily, TimestampTZFamily:
		zone := t.zone()
		return func(dst, payload []byte) ([]byte, bool) {
			i, ok := instantOfValue(payload)
			return i.appendText(dst, zone), ok
		}
	case DecimalFamily:
		return appendDecimal
	case UUIDFamily:
		return appendUUID
	case StringFamily:
		if !t.blankPadded() {
			return func(dst, payload []byte) ([]byte, bool) { return append(dst, payload...), true }
		}
	}
	typ := elementType(t)
	return func(dst, payload []byte) ([]byte, bool) {
		dst, err := AppendValueText(dst, t, typ, payload)
		return dst, err == nil
	}
}

// KeyTexter is AppendKeyText of one type and direction.
func KeyTexter(t *Type, desc bool) func(dst, key []byte) (out, rest []byte, null bool, err error) {
	return func(dst, key []byte) (out, rest []byte, null bool, err error) {
		return AppendKeyText(dst, t, desc, key)
	}
}
