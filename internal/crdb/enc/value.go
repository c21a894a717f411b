package enc

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// ValueType is how a value is encoded, as its tag in a row says.
type ValueType uint32

// The types of encoded values.
const (
	NullValue     ValueType = 1
	NotNullValue  ValueType = 2
	IntValue      ValueType = 3
	FloatValue    ValueType = 4
	DecimalValue  ValueType = 5
	BytesValue    ValueType = 6
	TimeValue     ValueType = 8
	DurationValue ValueType = 9
	TrueValue     ValueType = 10
	FalseValue    ValueType = 11
	UUIDValue     ValueType = 12
	ArrayValue    ValueType = 13
	IPAddrValue   ValueType = 14
	JSONValue     ValueType = 15
	TupleValue    ValueType = 16
	BitArrayValue ValueType = 17
	TimeTZValue   ValueType = 19
	GeoValue      ValueType = 20
	Box2DValue    ValueType = 24
	VoidValue     ValueType = 25
	TSQueryValue  ValueType = 26
	TSVectorValue ValueType = 27
	PGVectorValue ValueType = 44
	LTreeValue    ValueType = 45
)

// Datum is one SQL value: its value encoding, without tag and length.
type Datum struct {
	Type    ValueType
	Payload []byte
}

// Null is the datum of NULL.
func Null() Datum { return Datum{Type: NullValue} }

// IsNull says that the datum is NULL.
func (d Datum) IsNull() bool { return d.Type == NullValue }

// TupleNext reads the next column of a row's value (tag TUPLE): its ID, counted
// from the previous one in the same value, how it is encoded, and what it holds,
// without tag and length. Columns which nobody knows any more are skipped by
// taking rest; only a type of value which no release up to 26.1 writes ends the
// row, for nothing says how long it is.
func TupleNext(data []byte, prev uint32) (col uint32, typ ValueType, payload, rest []byte, null bool, err error) {
	if len(data) == 0 {
		return 0, 0, nil, nil, false, damaged("column tag")
	}
	var delta uint32
	if c := data[0]; c < 0x80 && c&0xf != 0xf { // the delta and the type in one byte
		delta, typ, data = uint32(c>>4), ValueType(c&0xf), data[1:]
	} else {
		var ok bool
		if delta, typ, data, ok = tag(data); !ok {
			return 0, 0, nil, nil, false, damaged("column tag")
		}
	}
	col = prev + delta
	if typ == BytesValue && len(data) > 0 && data[0] < 0x80 && int(data[0]) < len(data) && col >= prev { // most of them
		n := int(data[0]) + 1
		return col, typ, data[1:n], data[n:], false, nil
	}
	payload, rest, ok := payloadOf(typ, data)
	if !ok || col < prev {
		return col, typ, nil, nil, false, fmt.Errorf("decode a value of type %d in column %d: %w", typ, col, ErrDamaged)
	}
	return col, typ, payload, rest, typ == NullValue, nil
}

// tag reads the tag of a value: the distance of its column's ID from the one
// before, and its type, which follows by itself if it needs more than four bits.
func tag(b []byte) (delta uint32, typ ValueType, rest []byte, ok bool) {
	v, b, ok := count(b)
	if !ok || v>>4 > 1<<32-1 {
		return 0, 0, nil, false
	}
	delta, v = uint32(v>>4), v&0xf
	if v == 0xf {
		if v, b, ok = count(b); !ok || v > 1<<31 {
			return 0, 0, nil, false
		}
	}
	return delta, ValueType(v), b, true
}

// appendTag appends what tag reads.
func appendTag(dst []byte, delta uint32, typ ValueType) []byte {
	if typ >= 0xf {
		return appendCount(appendCount(dst, uint64(delta)<<4|0xf), uint64(typ))
	}
	return appendCount(dst, uint64(delta)<<4|uint64(typ))
}

// payloadOf cuts what a value of a type holds from what follows it.
func payloadOf(typ ValueType, b []byte) (payload, rest []byte, ok bool) {
	n := 0
	switch typ {
	case NullValue, NotNullValue, TrueValue, FalseValue, VoidValue:
	case IntValue:
		n = varints(b, 1)
	case FloatValue:
		n = 8
	case DecimalValue:
		v, data, ok := uvarint(b)
		if !ok || v > uint64(len(data)) {
			return nil, nil, false
		}
		return data[:v], data[v:], true
	case BytesValue, ArrayValue, JSONValue, GeoValue, TSQueryValue, TSVectorValue, PGVectorValue, LTreeValue:
		return counted(b)
	case TimeValue, TimeTZValue:
		n = varints(b, 2)
	case DurationValue:
		n = varints(b, 3)
	case UUIDValue:
		n = 16
	case IPAddrValue:
		n = inetLen(b)
	case TupleValue:
		n = tupleLen(b, 0)
	case BitArrayValue:
		n = bitArrayLen(b)
	case Box2DValue:
		n = box2DLen(b)
	default:
		return nil, nil, false
	}
	if n < 0 || n > len(b) {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}

// varints is how many bytes n varints take, -1 if there are not so many.
func varints(b []byte, n int) int {
	for i, c := range b {
		if c < 0x80 {
			if n--; n == 0 {
				return i + 1
			}
		}
	}
	return -1
}

// AppendValue appends a column of a row's value, as TupleNext reads it: delta is
// how far its ID lies behind that of the column before. NULL columns are left
// out of rows by CockroachDB; who writes them here writes their tag.
func AppendValue(dst []byte, delta uint32, d Datum) []byte {
	dst = appendTag(dst, delta, d.Type)
	switch d.Type {
	case DecimalValue:
		dst = binary.AppendUvarint(dst, uint64(len(d.Payload)))
	case BytesValue, ArrayValue, JSONValue, GeoValue, TSQueryValue, TSVectorValue, PGVectorValue, LTreeValue:
		dst = appendCount(dst, uint64(len(d.Payload)))
	}
	return append(dst, d.Payload...)
}

// Tag says what a roachpb.Value holds: the fifth byte of every committed value.
type Tag byte

// The tags of values.
const (
	TagUnknown    Tag = 0
	TagInt        Tag = 1
	TagFloat      Tag = 2
	TagBytes      Tag = 3
	TagTime       Tag = 4
	TagDecimal    Tag = 5
	TagDuration   Tag = 6
	TagTuple      Tag = 10
	TagBitArray   Tag = 11
	TagTimeTZ     Tag = 12
	TagGeo        Tag = 13
	TagBox2D      Tag = 14
	TagTimeSeries Tag = 100
	TagExtended   Tag = 101 // a header of 22.1 and later stands before the value
)

// ValueHeader is the length of a value's checksum and tag.
const ValueHeader = 5

// SplitValue cuts a value, without an extended header, into its tag and data.
func SplitValue(value []byte) (tag Tag, data []byte, err error) {
	if len(value) < ValueHeader {
		return 0, nil, damaged("value header")
	}
	return Tag(value[4]), value[ValueHeader:], nil
}

// Checksum compares the checksum of a value, without an extended header, with
// its user key and content. A value may have been written without one; then has
// is false, and ok says nothing.
func Checksum(userKey, value []byte) (ok, has bool) {
	if len(value) < ValueHeader {
		return false, true
	}
	stored := binary.BigEndian.Uint32(value)
	if stored == 0 {
		return true, false
	}
	return checksum(userKey, value[4:]) == stored, true
}

// SetChecksum writes the checksum of a value, whose header and data stand in
// place, for a user key.
func SetChecksum(userKey, value []byte) {
	binary.BigEndian.PutUint32(value, checksum(userKey, value[4:]))
}

// checksum is the CRC-32 (IEEE) of a key and what follows the checksum in its
// value; 0 stands for none and is written as 1.
func checksum(userKey, content []byte) uint32 {
	return max(crc32.Update(crc32.ChecksumIEEE(userKey), crc32.IEEETable, content), 1)
}
