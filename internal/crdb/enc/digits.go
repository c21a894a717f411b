package enc

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// What is written most is written by hand here: digits, eight at a time. A word
// of eight bytes is little-endian, its first byte the lowest; whole words are
// written, and what was too much is cut off or written over.

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
	zeros = ones * '0'
)

// room makes dst n bytes longer, whatever stands in them.
func room(dst []byte, n int) []byte {
	if n > cap(dst)-len(dst) {
		dst = grown(dst, n)
	}
	return dst[:len(dst)+n]
}

//go:noinline
func grown(dst []byte, n int) []byte { return slices.Grow(dst, n) }

func putWord(b []byte, w uint64) { binary.LittleEndian.PutUint64(b, w) }

// eight is a number below 10^8 as eight bytes of 0 to 9.
func eight(v uint32) uint64 {
	return twoFours(v/10000, v%10000)
}

// twoFours is two numbers below 10^4 as eight bytes of 0 to 9: both are divided
// by a hundred at once, then all four by ten. Multiplying and shifting divides.
func twoFours(a, b uint32) uint64 {
	x := uint64(a) | uint64(b)<<32
	hundreds := x * 10486 >> 20 & (0x7f | 0x7f<<32)
	return fourTwos(hundreds | (x-100*hundreds)<<16)
}

// fourTwos is four numbers below 100, sixteen bits each, as eight bytes of 0 to 9.
func fourTwos(x uint64) uint64 {
	tens := x * 103 >> 10 & (0xf | 0xf<<16 | 0xf<<32 | 0xf<<48)
	return tens | (x-10*tens)<<8
}

// thousand is the digits of each number below a thousand, behind each other from
// the lowest byte on, and how many they are in the highest.
var thousand = func() (t [1000]uint32) {
	for v := range uint32(1000) {
		w := v/100 | v/10%10<<8 | v%10<<16 | '0'*0x010101
		skip := one(v < 100) + one(v < 10)
		t[v] = w>>(8*skip)&0xffffff | uint32(3-skip)<<24
	}
	return t
}()

// appendUint appends a number.
func appendUint(dst []byte, v uint64) []byte {
	if v >= 1e8 {
		return appendEight(appendUint(dst, v/1e8), uint32(v%1e8))
	}
	return appendSmall(dst, uint32(v))
}

// appendSmall appends a number below 10^8.
func appendSmall(dst []byte, v uint32) []byte {
	n := len(dst)
	dst = room(dst, 8)
	if v < 1000 {
		w := thousand[v]
		binary.LittleEndian.PutUint32(dst[n:], w)
		return dst[:n+int(w>>24)]
	}
	w := eight(v)
	skip := unused(w)
	putWord(dst[n:], (w|zeros)>>(8*skip))
	return dst[:n+8-skip]
}

// unused is how many of eight digits stand before the first that is needed; a 0
// has one digit.
func unused(w uint64) int { return bits.TrailingZeros64(w|1<<56) / 8 }

// appendEight appends a number below 10^8 in eight digits.
func appendEight(dst []byte, v uint32) []byte {
	return appendWord(dst, eight(v)|zeros)
}

// appendWord appends the eight bytes of a word.
func appendWord(dst []byte, w uint64) []byte {
	n := len(dst)
	dst = room(dst, 8)
	putWord(dst[n:], w)
	return dst
}

// appendInt appends a number with its sign.
func appendInt(dst []byte, v int64) []byte {
	n := len(dst)
	dst = room(dst, 9)
	dst[n] = '-'
	sign := uint64(v >> 63)
	dst = dst[:n+int(sign&1)]
	u := (uint64(v) ^ sign) - sign
	if u >= 1e8 {
		return appendUint(dst, u)
	}
	return appendSmall(dst, uint32(u))
}

// one is 1 if the condition holds, else 0, without a jump that a processor would
// have to guess.
func one(condition bool) int {
	n := 0
	if condition {
		n = 1
	}
	return n
}

// appendPair appends a number below a hundred in two digits.
func appendPair(dst []byte, n int) []byte { return append(dst, '0'+byte(n/10), '0'+byte(n%10)) }

// hexOf is 32 bits as eight hexadecimal digits: the nibbles are spread over eight
// bytes, and those above nine get the distance to the letters.
func hexOf(v uint32) uint64 {
	x := uint64(v)
	x = (x | x<<16) & 0x0000ffff0000ffff
	x = (x | x<<8) & 0x00ff00ff00ff00ff
	x = (x | x<<4) & 0x0f0f0f0f0f0f0f0f
	letters := (x + ones*6) >> 4 & ones
	return bits.ReverseBytes64(x + zeros + letters*('a'-'0'-10))
}

// appendHex appends bytes as hexadecimal digits.
func appendHex(dst, b []byte) []byte {
	n := len(dst)
	dst = room(dst, 2*len(b)+8)
	for ; len(b) >= 4; b, n = b[4:], n+8 {
		putWord(dst[n:], hexOf(binary.BigEndian.Uint32(b)))
	}
	if len(b) > 0 {
		putWord(dst[n:], hexOf(uint32(bigEndian(b))<<(8*(4-len(b)))))
	}
	return dst[:n+2*len(b)]
}

// word is the first eight bytes, the first the lowest; what is missing is zero.
func word(b []byte) uint64 {
	n := len(b)
	if n >= 8 {
		return binary.LittleEndian.Uint64(b)
	}
	if n >= 4 {
		return uint64(binary.LittleEndian.Uint32(b)) | uint64(binary.LittleEndian.Uint32(b[n-4:]))<<(8*(n-4))
	}
	if n > 0 {
		return uint64(b[0]) | uint64(b[n/2])<<(8*(n/2)) | uint64(b[n-1])<<(8*(n-1))
	}
	return 0
}

// bigEndian is the number that at most eight bytes hold, the first the highest.
func bigEndian(b []byte) uint64 {
	return bits.ReverseBytes64(word(b)) >> (64 - 8*len(b))
}
