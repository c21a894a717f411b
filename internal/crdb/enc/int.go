package enc

import (
	"encoding/binary"
	"math/bits"
)

// The bounds of the ordered integers: one byte up to smallInt, else the number
// of bytes that follow, counted from zeroInt downwards for negative ones.
const (
	minInt   = 0x80
	zeroInt  = 0x88
	smallInt = 109
	bigInt   = zeroInt + smallInt // 0xf5
	maxInt   = 0xfd
)

// appendKeyInt appends the ordered encoding of v, ascending or descending.
func appendKeyInt(dst []byte, v int64, desc bool) []byte {
	if desc {
		v = ^v
	}
	if v >= 0 {
		return appendKeyUint(dst, uint64(v))
	}
	n := byteLen(uint64(-v))
	return appendLow(append(dst, zeroInt-byte(n)), uint64(v), n)
}

// appendKeyUint appends the ordered encoding of an unsigned integer.
func appendKeyUint(dst []byte, v uint64) []byte {
	if v <= smallInt {
		return append(dst, zeroInt+byte(v))
	}
	n, at := byteLen(v), len(dst)
	dst = room(dst, 9)
	dst[at] = bigInt + byte(n)
	binary.BigEndian.PutUint64(dst[at+1:], v<<(64-8*n))
	return dst[:at+1+n]
}

// appendKeyUintDesc appends the descending encoding of an unsigned integer,
// which is not that of a signed one.
func appendKeyUintDesc(dst []byte, v uint64) []byte {
	n := byteLen(v)
	return appendLow(append(dst, zeroInt-byte(n)), ^v, n)
}

func byteLen(v uint64) int { return (bits.Len64(v) + 7) / 8 }

// appendLow appends the n low bytes of v, the highest first.
func appendLow(dst []byte, v uint64, n int) []byte {
	for i := n - 1; i >= 0; i-- {
		dst = append(dst, byte(v>>(8*i)))
	}
	return dst
}

// keyInt reads an ordered integer.
func keyInt(b []byte, desc bool) (v int64, rest []byte, ok bool) {
	if len(b) == 0 || b[0] < minInt || b[0] > maxInt {
		return 0, nil, false
	}
	n := int(b[0]) - zeroInt
	b = b[1:]
	switch {
	case n < 0:
		n = -n
		v = -1
	case n <= smallInt:
		v, n = int64(n), 0
	default:
		n -= smallInt
	}
	if n > len(b) {
		return 0, nil, false
	}
	negative := v < 0
	for _, c := range b[:n] {
		v = v<<8 | int64(c)
	}
	if negative != (v < 0) {
		return 0, nil, false // more than 64 bits of signed integer hold
	}
	if desc {
		v = ^v
	}
	return v, b[n:], true
}

// keyUint reads an ordered unsigned integer, ascending.
func keyUint(b []byte) (v uint64, rest []byte, ok bool) {
	if len(b) == 0 || b[0] < zeroInt || b[0] > maxInt {
		return 0, nil, false
	}
	n := int(b[0]) - zeroInt
	b = b[1:]
	if n <= smallInt {
		return uint64(n), b, true
	}
	n -= smallInt
	if n > len(b) {
		return 0, nil, false
	}
	for _, c := range b[:n] {
		v = v<<8 | uint64(c)
	}
	return v, b[n:], true
}

// keyUintDesc reads an ordered unsigned integer, descending.
func keyUintDesc(b []byte) (v uint64, rest []byte, ok bool) {
	if len(b) == 0 || b[0] < minInt || b[0] > zeroInt {
		return 0, nil, false
	}
	n := zeroInt - int(b[0])
	b = b[1:]
	if n > len(b) {
		return 0, nil, false
	}
	for _, c := range b[:n] {
		v = v<<8 | uint64(^c)
	}
	return v, b[n:], true
}

// appendCount appends the varint of lengths, counts and tags in values: seven
// bits a byte, the highest first, the high bit set where more follow.
func appendCount(dst []byte, v uint64) []byte {
	if v < 0x80 {
		return append(dst, byte(v))
	}
	for n := (bits.Len64(v) - 1) / 7; n > 0; n-- {
		dst = append(dst, byte(v>>(7*n))|0x80)
	}
	return append(dst, byte(v)&0x7f)
}

// count reads what appendCount wrote.
func count(b []byte) (v uint64, rest []byte, ok bool) {
	for i, c := range b {
		if v>>57 != 0 {
			return 0, nil, false
		}
		v = v<<7 | uint64(c&0x7f)
		if c < 0x80 {
			return v, b[i+1:], true
		}
	}
	return 0, nil, false
}

// counted reads a count and that many bytes behind it.
func counted(b []byte) (data, rest []byte, ok bool) {
	n, b, ok := count(b)
	if !ok || n > uint64(len(b)) {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}

// uvarint reads encoding/binary's unsigned varint: seven bits a byte, the lowest
// first.
func uvarint(b []byte) (v uint64, rest []byte, ok bool) {
	w := word(b)
	if stops := ^w & highs; stops != 0 {
		n := bits.TrailingZeros64(stops)/8 + 1
		if n > len(b) {
			return 0, nil, false
		}
		return sevens(w & (1<<(8*n) - 1)), b[n:], true
	}
	if len(b) < 9 || b[8] >= 0x80 && (len(b) < 10 || b[9] > 1) {
		return 0, nil, false
	}
	v = sevens(w) | uint64(b[8]&0x7f)<<56
	if b[8] < 0x80 {
		return v, b[9:], true
	}
	return v | uint64(b[9])<<63, b[10:], true
}

// sevens is the low seven bits of each byte of a word behind each other.
func sevens(w uint64) uint64 {
	w = w&0x007f007f007f007f | w&0x7f007f007f007f00>>1
	w = w&0x00003fff00003fff | w&0x3fff00003fff0000>>2
	return w&0x0fffffff | w&0x0fffffff00000000>>4
}

// varint reads encoding/binary's signed varint, in zig-zag.
func varint(b []byte) (v int64, rest []byte, ok bool) {
	if len(b) > 0 && b[0] < 0x80 { // most are one byte
		return int64(b[0]>>1) ^ -int64(b[0]&1), b[1:], true
	}
	u, rest, ok := uvarint(b)
	return int64(u>>1) ^ -int64(u&1), rest, ok
}

// fiveBytes reads a varint of five bytes.
func fiveBytes(b []byte) (v int64, ok bool) {
	if len(b) < 5 || b[4] >= 0x80 {
		return 0, false
	}
	w := binary.LittleEndian.Uint32(b)
	u := uint64(w&0x7f|w>>1&0x3f80|w>>2&0x1fc000|w>>3&0xfe00000) | uint64(b[4])<<28
	return int64(u>>1) ^ -int64(u&1), w&0x80808080 == 0x80808080
}

// either is yes or no, as the condition says: most markers come in pairs.
func either(condition bool, yes, no byte) byte {
	if condition {
		return yes
	}
	return no
}
