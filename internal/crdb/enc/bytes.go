package enc

import (
	"bytes"
	"encoding/binary"
)

// The markers of strings in keys, and how a zero byte and the end are written:
// 00 ff and 00 01, all of it inverted if descending.
const (
	bytesMarker     = 0x12
	bytesDescMarker = 0x13
	escaped00       = 0xff
	escapedEnd      = 0x01
)

// appendKeyBytes appends the ordered encoding of a string of bytes.
func appendKeyBytes(dst, s []byte, desc bool) []byte {
	return appendEscaped(append(dst, either(desc, bytesDescMarker, bytesMarker)), s, desc)
}

func appendEscaped(dst, s []byte, desc bool) []byte {
	from := len(dst)
	for {
		i := bytes.IndexByte(s, 0)
		if i < 0 {
			break
		}
		dst = append(append(dst, s[:i]...), 0, escaped00)
		s = s[i+1:]
	}
	dst = append(append(dst, s...), 0, escapedEnd)
	if desc {
		invert(dst[from:])
	}
	return dst
}

func invert(b []byte) {
	for i, c := range b {
		b[i] = ^c
	}
}

// keyBytes appends the bytes which a string in a key holds.
func keyBytes(dst, key []byte, desc bool) (out, rest []byte, ok bool) {
	if len(key) == 0 {
		return dst, nil, false
	}
	if desc {
		if key[0] != bytesDescMarker {
			return dst, nil, false
		}
		return unescapeDesc(dst, key[1:])
	}
	if key[0] != bytesMarker {
		return dst, nil, false
	}
	return unescape(dst, key[1:])
}

// keyUUID cuts the bytes of a UUID from an ascending key, where they stand as they
// are unless one of them is zero.
func keyUUID(key []byte) (u, rest []byte, ok bool) {
	if len(key) < 19 || key[0] != bytesMarker || key[17] != 0 || key[18] != escapedEnd {
		return nil, nil, false
	}
	a, b := binary.LittleEndian.Uint64(key[1:]), binary.LittleEndian.Uint64(key[9:])
	return key[1:17], key[19:], ((a-ones)&^a|(b-ones)&^b)&highs == 0
}

func unescape(dst, b []byte) (out, rest []byte, ok bool) {
	for {
		i := bytes.IndexByte(b, 0)
		if i < 0 || i+1 >= len(b) {
			return dst, nil, false
		}
		dst = append(dst, b[:i]...)
		switch b[i+1] {
		case escapedEnd:
			return dst, b[i+2:], true
		case escaped00:
			dst, b = append(dst, 0), b[i+2:]
		default:
			return dst, nil, false
		}
	}
}

func unescapeDesc(dst, b []byte) (out, rest []byte, ok bool) {
	for {
		i := bytes.IndexByte(b, 0xff)
		if i < 0 || i+1 >= len(b) {
			return dst, nil, false
		}
		from := len(dst)
		dst = append(dst, b[:i]...)
		invert(dst[from:])
		switch ^b[i+1] {
		case escapedEnd:
			return dst, b[i+2:], true
		case escaped00:
			dst, b = append(dst, 0), b[i+2:]
		default:
			return dst, nil, false
		}
	}
}

// skipEscaped is what follows the end of an escaped string.
func skipEscaped(b []byte, desc bool) (rest []byte, ok bool) {
	var zero byte
	if desc {
		zero = 0xff
	}
	for {
		i := bytes.IndexByte(b, zero)
		if i < 0 || i+1 >= len(b) {
			return nil, false
		}
		switch b[i+1] ^ zero {
		case escapedEnd:
			return b[i+2:], true
		case escaped00:
			b = b[i+2:]
		default:
			return nil, false
		}
	}
}
