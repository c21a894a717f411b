package enc

// ValueTexter is AppendValueText of one type: what is asked of every value of a
// column is found out once.
func ValueTexter(t *Type) func(dst []byte, typ ValueType, payload []byte) ([]byte, error) {
	return func(dst []byte, typ ValueType, payload []byte) ([]byte, error) {
		return AppendValueText(dst, t, typ, payload)
	}
}

// KeyTexter is AppendKeyText of one type and direction.
func KeyTexter(t *Type, desc bool) func(dst, key []byte) (out, rest []byte, null bool, err error) {
	return func(dst, key []byte) (out, rest []byte, null bool, err error) {
		return AppendKeyText(dst, t, desc, key)
	}
}
