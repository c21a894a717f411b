package enc

import (
	"encoding/binary"
	"math"
	"strconv"
)

// The markers of floats in keys.
const (
	floatNaN     = 0x02
	floatNeg     = 0x03
	floatZero    = 0x04
	floatPos     = 0x05
	floatNaNDesc = 0x06
)

// appendKeyFloat appends the ordered encoding of a float: positive numbers as
// their bits, negative ones as their bits inverted, no sign of a zero;
// descending it is that of the negated one.
func appendKeyFloat(dst []byte, f float64, desc bool) []byte {
	if math.IsNaN(f) {
		return append(dst, either(desc, floatNaNDesc, floatNaN))
	}
	if f == 0 {
		return append(dst, floatZero)
	}
	if desc {
		f = -f
	}
	bits := math.Float64bits(f)
	if f < 0 {
		return binary.BigEndian.AppendUint64(append(dst, floatNeg), ^bits)
	}
	return binary.BigEndian.AppendUint64(append(dst, floatPos), bits)
}

func keyFloat(key []byte, desc bool) (f float64, rest []byte, ok bool) {
	if len(key) == 0 {
		return 0, nil, false
	}
	marker := key[0]
	key = key[1:]
	switch marker {
	case floatNaN, floatNaNDesc:
		return math.NaN(), key, (marker == floatNaNDesc) == desc
	case floatZero:
		return 0, key, true
	}
	if marker != floatNeg && marker != floatPos || len(key) < 8 {
		return 0, nil, false
	}
	bits := binary.BigEndian.Uint64(key)
	if marker == floatNeg {
		bits = ^bits
	}
	if f = math.Float64frombits(bits); desc {
		f = -f
	}
	return f, key[8:], true
}

// valueFloat reads the value encoding of a float.
func valueFloat(payload []byte) (f float64, ok bool) {
	if len(payload) != 8 {
		return 0, false
	}
	return math.Float64frombits(binary.BigEndian.Uint64(payload)), true
}

// appendFloat appends the fewest digits that say which float it is. A FLOAT4 is
// stored as a FLOAT8 and shown by the digits of the former, unless somebody
// stored more than it can hold.
func appendFloat(dst []byte, t *Type, f float64) []byte {
	size := 64
	if t.isFloat4() && float64(float32(f)) == f {
		size = 32
	}
	if out, ok := appendShort(dst, f, size); ok {
		return out
	}
	return strconv.AppendFloat(dst, f, 'g', -1, size)
}

// appendShort appends a float if a number of at most six decimals stands for it,
// as people write them. Of numbers of up to 15 digits (6 of a FLOAT4) at most one
// stands for the same float, so that no other is shorter.
func appendShort(dst []byte, f float64, size int) ([]byte, bool) {
	const scale = 1e6
	abs := math.Abs(f)
	if !(abs >= 1e-4 && abs < 1e6) { // others have an exponent, or are none
		return dst, false
	}
	n := uint64(abs*scale + 0.5)
	if size == 32 {
		if n%1000 != 0 || n >= 1000*scale || float32(float64(n)/scale) != float32(abs) {
			return dst, false
		}
	} else if float64(n)/scale != abs {
		return dst, false
	}
	if f < 0 {
		dst = append(dst, '-')
	}
	return appendFraction(appendUint(dst, n/scale), int64(n%scale*1000)), true
}

func (t *Type) isFloat4() bool {
	return t.Width == 32 || t.OID == OIDFloat4 || t.OID == 0 && t.Visible == VisibleReal
}

// appendElementFloat appends a float as it stands in arrays and tuples, where
// CockroachDB marks small whole numbers as floats.
func appendElementFloat(dst []byte, t *Type, f float64) []byte {
	if f == math.Trunc(f) && f > -1e6 && f < 1e6 {
		return strconv.AppendFloat(dst, f, 'f', 1, 64)
	}
	return appendFloat(dst, t, f)
}

// keyBox2D appends the value encoding of a box, four ascending floats, from its
// key.
func keyBox2D(dst, key []byte, desc bool) (out, rest []byte, ok bool) {
	if len(key) == 0 || key[0] != box2DMarker {
		return dst, nil, false
	}
	key = key[1:]
	for range 4 {
		var f float64
		if f, key, ok = keyFloat(key, desc); !ok {
			return dst, nil, false
		}
		dst = appendKeyFloat(dst, f, false)
	}
	return dst, key, true
}

// appendKeyBox2D appends the ordered encoding of a box from its value encoding.
func appendKeyBox2D(dst, payload []byte, desc bool) ([]byte, bool) {
	dst = append(dst, box2DMarker)
	for range 4 {
		f, rest, ok := keyFloat(payload, false)
		if !ok {
			return dst, false
		}
		dst, payload = appendKeyFloat(dst, f, desc), rest
	}
	return dst, len(payload) == 0
}

// box2DLen is the length of a box's value encoding, -1 if it is none.
func box2DLen(b []byte) int {
	rest := b
	for range 4 {
		var ok bool
		if _, rest, ok = keyFloat(rest, false); !ok {
			return -1
		}
	}
	return len(b) - len(rest)
}

// appendBox2D appends the text of a box: lowest x and y, highest x and y. Its
// encoding holds the two x before the two y.
func appendBox2D(dst, payload []byte) ([]byte, bool) {
	var f [4]float64
	for i := range f {
		var ok bool
		if f[i], payload, ok = keyFloat(payload, false); !ok {
			return dst, false
		}
	}
	dst = append(dst, "BOX("...)
	dst = strconv.AppendFloat(dst, f[0], 'g', -1, 64)
	dst = append(dst, ' ')
	dst = strconv.AppendFloat(dst, f[2], 'g', -1, 64)
	dst = append(dst, ',')
	dst = strconv.AppendFloat(dst, f[1], 'g', -1, 64)
	dst = append(dst, ' ')
	dst = strconv.AppendFloat(dst, f[3], 'g', -1, 64)
	return append(dst, ')'), len(payload) == 0
}
