package enc

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/bits"
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
	col, typ, payload, rest, ok := NextValue(data, prev)
	if !ok {
		return col, typ, nil, nil, false, TupleError(col, typ)
	}
	return col, typ, payload, rest, typ == NullValue, nil
}

// TupleError is the error of a column of which NextValue says that it cannot
// be read.
func TupleError(col uint32, typ ValueType) error {
	if typ == 0 {
		return damaged("column tag")
	}
	return fmt.Errorf("decode a value of type %d in column %d: %w", typ, col, ErrDamaged)
}

// NextValue is TupleNext for who reads many: its results fit into registers.
// It finds the lengths of the usual types itself, by jumps: as long as a processor
// guesses them it need not wait for the length of one value to read the next.
func NextValue(data []byte, prev uint32) (col uint32, typ ValueType, payload, rest []byte, ok bool) {
	if len(data) == 0 {
		return 0, 0, nil, nil, false
	}
	c, b := data[0], data[1:]
	delta, typ := uint32(c>>4), ValueType(c&0xf)
	if c >= 0x80 || typ == 0xf && (len(b) == 0 || b[0] >= 0x80) {
		if delta, typ, b, ok = tag(data); !ok {
			return 0, 0, nil, nil, false
		}
	} else if typ == 0xf {
		typ, b = ValueType(b[0]), b[1:]
	}
	if col = prev + delta; col < prev {
		return col, typ, nil, nil, false
	}
	n := 0
	switch typ {
	case TrueValue, FalseValue:
	case BytesValue, JSONValue, ArrayValue, DecimalValue:
		if len(b) == 0 || b[0] >= 0x80 {
			payload, rest, ok = payloadOf(typ, b)
			return col, typ, payload, rest, ok
		}
		n, b = int(b[0]), b[1:]
	case IntValue:
		n = oneVarint(b)
	case TimeValue:
		n = oneVarint(b)
		n += oneVarint(b[min(n, len(b)):])
	case FloatValue:
		n = 8
	case UUIDValue:
		n = 16
	default:
		payload, rest, ok = payloadOf(typ, b)
		return col, typ, payload, rest, ok
	}
	if n > len(b) {
		return col, typ, nil, nil, false
	}
	return col, typ, b[:n], b[n:], true
}

// oneVarint is how many bytes a varint takes, more than there are if it does not
// end.
func oneVarint(b []byte) int {
	n := 0
	for n < len(b) && b[n] >= 0x80 {
		n++
	}
	return n + 1
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

// varints is how many bytes n varints take; if there are not so many, it is -1 or
// more than there are.
func varints(b []byte, n int) int {
	for at := 0; at < len(b); at += 8 {
		for ends := ^word(b[at:]) & highs; ends != 0; ends &= ends - 1 {
			if n--; n == 0 {
				return at + bits.TrailingZeros64(ends)/8 + 1
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
