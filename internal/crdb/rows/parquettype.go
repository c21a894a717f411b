package rows

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/parquet-go/parquet-go"

	"github.com/evac-io/evac/internal/crdb/enc"
)

// errRange is a value that the Parquet type of its column cannot hold.
var errRange = errors.New("no value of its Parquet type")

// parquetColumn is how a column stands in a Parquet file: its type, and the
// value of that type which a payload is; without such a function it is text.
type parquetColumn struct {
	node parquet.Node
	of   func(typ enc.ValueType, payload []byte) (parquet.Value, bool)
}

func parquetColumnOf(t *enc.Type) parquetColumn {
	switch t.Family {
	case enc.BoolFamily:
		return parquetColumn{parquet.Leaf(parquet.BooleanType), func(typ enc.ValueType, _ []byte) (parquet.Value, bool) {
			return parquet.BooleanValue(typ == enc.TrueValue), typ == enc.TrueValue || typ == enc.FalseValue
		}}
	case enc.IntFamily, enc.OIDFamily: // INT2 and INT4 are not narrower on disk
		return parquetColumn{parquet.Int(64), parquetInt}
	case enc.TimeFamily:
		return parquetColumn{parquet.TimeAdjusted(parquet.Microsecond, false), parquetInt}
	case enc.DateFamily:
		return parquetColumn{parquet.Date(), func(_ enc.ValueType, payload []byte) (parquet.Value, bool) {
			days, n := binary.Varint(payload)
			return parquet.Int32Value(int32(days)), n > 0 && days == int64(int32(days))
		}}
	case enc.FloatFamily:
		return parquetColumn{parquet.Leaf(parquet.DoubleType), func(_ enc.ValueType, payload []byte) (parquet.Value, bool) {
			if len(payload) != 8 {
				return parquet.Value{}, false
			}
			return parquet.DoubleValue(math.Float64frombits(binary.BigEndian.Uint64(payload))), true
		}}
	case enc.TimestampFamily:
		return parquetColumn{parquet.TimestampAdjusted(parquet.Microsecond, false), parquetInstant}
	case enc.TimestampTZFamily:
		return parquetColumn{parquet.Timestamp(parquet.Microsecond), parquetInstant}
	case enc.UUIDFamily:
		return parquetColumn{parquet.UUID(), func(_ enc.ValueType, payload []byte) (parquet.Value, bool) {
			return parquet.FixedLenByteArrayValue(payload), len(payload) == 16
		}}
	case enc.BytesFamily:
		return parquetColumn{parquet.Leaf(parquet.ByteArrayType), func(typ enc.ValueType, payload []byte) (parquet.Value, bool) {
			return parquet.ByteArrayValue(payload), typ == enc.BytesValue
		}}
	case enc.JSONFamily:
		return parquetColumn{node: parquet.JSON()}
	}
	return parquetColumn{node: parquet.String()}
}

func parquetInt(typ enc.ValueType, payload []byte) (parquet.Value, bool) {
	v, n := binary.Varint(payload)
	return parquet.Int64Value(v), n > 0 && n == len(payload) && typ == enc.IntValue
}

// parquetInstant makes microseconds of seconds and nanoseconds.
func parquetInstant(typ enc.ValueType, payload []byte) (parquet.Value, bool) {
	second, n := binary.Varint(payload)
	if n <= 0 {
		return parquet.Value{}, false
	}
	nano, m := binary.Varint(payload[n:])
	fits := second > math.MinInt64/1_000_000 && second < math.MaxInt64/1_000_000
	return parquet.Int64Value(second*1e6 + nano/1e3), m > 0 && n+m == len(payload) && fits && typ == enc.TimeValue
}

// value is the value of a column that is not NULL; its bytes stand in p.text.
func (c *parquetColumn) value(p *Parquet, r *Row, i int) (parquet.Value, error) {
	from := len(p.text)
	if c.of == nil {
		var err error
		if p.text, err = r.AppendText(p.text, i); err != nil {
			return parquet.Value{}, err
		}
		return parquet.ByteArrayValue(p.text[from:]), nil
	}
	typ, payload, err := r.Value(p.buf, i)
	if err != nil {
		return parquet.Value{}, err
	}
	p.text = append(p.text, payload...) // the next column may need the buffer again
	v, ok := c.of(typ, p.text[from:])
	if !ok {
		return parquet.Value{}, &CellError{Column: r.d.columns[i].Name, Err: errRange}
	}
	return v, nil
}
