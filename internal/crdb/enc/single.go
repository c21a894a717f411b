package enc

import "encoding/binary"

// AppendSingleText appends the text of a value which holds one column by itself:
// that of a column family with one column only, as old tables and families that
// were made so have it. Tag and data are those of the value; TagTuple is not such
// a value.
func AppendSingleText(dst []byte, t *Type, tag Tag, data []byte) ([]byte, error) {
	if tag == TagTime || tag == TagDuration || tag == TagTimeTZ {
		out, rest, null, err := AppendKeyText(dst, t, false, data)
		if err != nil || null || len(rest) > 0 {
			return dst, damaged("value of one column")
		}
		return out, nil
	}
	if t.Family == TSQueryFamily && tag == TagBytes {
		out, ok := appendTSQuery(dst, data, true)
		if !ok {
			return dst, damaged("text search query")
		}
		return out, nil
	}
	typ, payload, err := SingleValue(nil, t, tag, data)
	if err != nil {
		return dst, err
	}
	return AppendValueText(dst, t, typ, payload)
}

// SingleValue is the value encoding, as in a row of several columns, of a value
// which holds one column by itself. The payload is a part of data, or stands in
// buf where it had to be written anew.
func SingleValue(buf []byte, t *Type, tag Tag, data []byte) (typ ValueType, payload []byte, err error) {
	switch tag {
	case TagInt:
		v, n := binary.Varint(data)
		if n != len(data) || n <= 0 {
			return 0, nil, damaged("value of one column")
		}
		if t.Family == BoolFamily {
			return ValueType(either(v != 0, byte(TrueValue), byte(FalseValue))), nil, nil
		}
		return IntValue, data, nil
	case TagFloat:
		return FloatValue, data, nil
	case TagDecimal:
		return DecimalValue, data, nil
	case TagBitArray:
		return BitArrayValue, data, nil
	case TagGeo:
		return GeoValue, data, nil
	case TagBox2D:
		return Box2DValue, data, nil
	case TagBytes:
		switch typ = elementType(t); typ {
		case BytesValue, UUIDValue, IPAddrValue, JSONValue, ArrayValue, TupleValue, TSVectorValue, PGVectorValue, LTreeValue:
			return typ, data, nil
		}
	case TagTime, TagDuration, TagTimeTZ:
		typ, payload, rest, err := ValueFromKey(buf[:0], t, false, data)
		if err != nil || len(rest) > 0 {
			return 0, nil, damaged("value of one column")
		}
		return typ, payload, nil
	}
	return 0, nil, damaged("value of one column")
}
