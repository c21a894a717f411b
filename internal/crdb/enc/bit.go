package enc

import (
	"encoding/binary"
	"math/bits"
)

// The markers of bit strings in keys, and what ends their words.
const (
	bitMarker     = 0x3a
	bitDescMarker = 0x3b
)

// bitArrayLen is the length of a bit string's value encoding, a count of bits
// and their words of 64, the first bit the highest; -1 if it is none.
func bitArrayLen(b []byte) int {
	n, rest, ok := count(b)
	if !ok || n > uint64(len(rest))*8 {
		return -1
	}
	return len(b) - len(rest) + wordsOf(int(n))*8
}

func wordsOf(bits int) int { return (bits + 63) / 64 }

// bitsOfValue reads a bit string's value encoding.
func bitsOfValue(payload []byte) (n int, words []byte, ok bool) {
	size := bitArrayLen(payload)
	if size < 0 || size != len(payload) {
		return 0, nil, false
	}
	v, words, _ := count(payload)
	return int(v), words, true
}

func appendBits(dst, payload []byte) ([]byte, bool) {
	n, words, ok := bitsOfValue(payload)
	if !ok {
		return dst, false
	}
	from := len(dst)
	for _, c := range words[:(n+7)/8] {
		// The product holds eight copies of the byte, nine bits apart: its highest
		// bit stands in the first byte, its lowest in the eighth.
		eight := uint64(c) * 0x8040201008040201 >> 7 & 0x0101010101010101
		dst = binary.LittleEndian.AppendUint64(dst, eight|0x3030303030303030)
	}
	return dst[:from+n], true
}

// appendKeyBits appends the ordered encoding of a bit string from its value
// encoding: the words, an end, how many bits the last word has.
func appendKeyBits(dst, payload []byte, desc bool) ([]byte, bool) {
	n, words, ok := bitsOfValue(payload)
	if !ok {
		return dst, false
	}
	last := uint64(0)
	if n > 0 {
		last = uint64((n-1)%64 + 1)
	}
	if desc {
		dst = append(dst, bitDescMarker)
		for ; len(words) > 0; words = words[8:] {
			dst = appendKeyUintDesc(dst, binary.BigEndian.Uint64(words))
		}
		return appendKeyUintDesc(append(dst, 0xff), last), true
	}
	dst = append(dst, bitMarker)
	for ; len(words) > 0; words = words[8:] {
		dst = appendKeyUint(dst, binary.BigEndian.Uint64(words))
	}
	return appendKeyUint(append(dst, 0), last), true
}

// keyBits appends a bit string's value encoding from its key.
func keyBits(dst, key []byte, desc bool) (out, rest []byte, ok bool) {
	marker, end, read := byte(bitMarker), byte(0), keyUint
	if desc {
		marker, end, read = bitDescMarker, 0xff, keyUintDesc
	}
	if len(key) == 0 || key[0] != marker {
		return dst, nil, false
	}
	var n uint64
	words := 0
	for rest = key[1:]; len(rest) > 0 && rest[0] != end; words++ {
		if _, rest, ok = read(rest); !ok {
			return dst, nil, false
		}
	}
	if len(rest) == 0 {
		return dst, nil, false
	}
	last, rest, ok := read(rest[1:])
	if !ok || last > 64 || (last == 0) != (words == 0) {
		return dst, nil, false
	}
	if words > 0 {
		n = uint64(words-1)*64 + last
	}
	dst = appendCount(dst, n)
	for key = key[1:]; words > 0; words-- {
		var w uint64
		w, key, _ = read(key)
		if words == 1 && last < 64 && bits.TrailingZeros64(w) < int(64-last) {
			return dst, nil, false
		}
		dst = binary.BigEndian.AppendUint64(dst, w)
	}
	return dst, rest, true
}
