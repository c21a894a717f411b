package keys

import (
	"bytes"
	"math/bits"
)

// The two of CockroachDB's ordered encodings that keys themselves are built of.
const (
	bytesTag   = 0x12
	escape     = 0x00
	escapedEnd = 0x01 // 00 01 ends the bytes
	escapedNul = 0xff // 00 ff is a zero byte in them
	intZero    = 0x88
	intSmall   = 109 // up to here the tag alone is the number
)

// AppendBytes appends b in the ordered encoding of bytes.
func AppendBytes(dst, b []byte) []byte {
	return append(appendEscaped(append(dst, bytesTag), b), escape, escapedEnd)
}

// appendEscaped appends b so that it sorts as b does whatever follows.
func appendEscaped(dst, b []byte) []byte {
	for {
		i := bytes.IndexByte(b, escape)
		if i < 0 {
			return append(dst, b...)
		}
		dst = append(append(dst, b[:i]...), escape, escapedNul)
		b = b[i+1:]
	}
}

// TakeBytes decodes bytes from the front of a key. The answer is a part of the
// key, or appended to buf where the encoding had to escape something.
func TakeBytes(buf, key []byte) (b, rest []byte, ok bool) {
	if len(key) == 0 || key[0] != bytesTag {
		return nil, nil, false
	}
	key = key[1:]
	out, copied := buf[:0], false
	for {
		i := bytes.IndexByte(key, escape)
		if i < 0 || i+1 >= len(key) {
			return nil, nil, false
		}
		switch key[i+1] {
		case escapedEnd:
			if !copied {
				return key[:i:i], key[i+2:], true
			}
			return append(out, key[:i]...), key[i+2:], true
		case escapedNul:
			out, copied = append(append(out, key[:i]...), 0), true
			key = key[i+2:]
		default:
			return nil, nil, false
		}
	}
}

// AppendUvarint appends v in the ordered encoding of unsigned integers.
func AppendUvarint(dst []byte, v uint64) []byte {
	if v <= intSmall {
		return append(dst, byte(intZero+v))
	}
	n := (bits.Len64(v) + 7) / 8
	dst = append(dst, byte(intZero+intSmall+n))
	for i := n - 1; i >= 0; i-- {
		dst = append(dst, byte(v>>(8*i)))
	}
	return dst
}

// TakeUvarint decodes an unsigned integer from the front of a key.
func TakeUvarint(key []byte) (v uint64, rest []byte, ok bool) {
	if len(key) == 0 || key[0] < intZero {
		return 0, nil, false
	}
	if key[0] <= intZero+intSmall {
		return uint64(key[0] - intZero), key[1:], true
	}
	n := int(key[0]) - intZero - intSmall
	if n > 8 || len(key) < 1+n {
		return 0, nil, false
	}
	for _, c := range key[1 : 1+n] {
		v = v<<8 | uint64(c)
	}
	return v, key[1+n:], true
}
