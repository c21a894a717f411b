package enc

import (
	"encoding/binary"
	"math/bits"
)

// What is written most is written by hand here: whole numbers, pairs of digits,
// hexadecimal digits. Each function makes room once and fills it from its end.

// pairs are the numbers from 00 to 99.
const pairs = "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748495051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899"

// zeros is more than any number of 64 bits has digits.
const zeros = "0000000000000000000000000000000000000000"

// powers are those of ten.
var powers = [20]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19}

// digitsOf is how many digits v has.
func digitsOf(v uint64) int {
	n := bits.Len64(v|1) * 1233 >> 12 // log10(2)
	if v >= powers[n] {
		n++
	}
	return max(n, 1)
}

func appendUint(dst []byte, v uint64) []byte { return appendPadded(dst, v, digitsOf(v)) }

func appendInt(dst []byte, v int64) []byte {
	if v < 0 {
		return appendUint(append(dst, '-'), -uint64(v))
	}
	return appendUint(dst, uint64(v))
}

// appendPadded appends v in n digits, n at least what v has and at most 40.
func appendPadded(dst []byte, v uint64, n int) []byte {
	dst = append(dst, zeros[:n]...)
	i := len(dst)
	for v >= 100 {
		i -= 2
		putPair(dst[i:], int(v%100))
		v /= 100
	}
	if v >= 10 {
		putPair(dst[i-2:], int(v))
	} else if v > 0 {
		dst[i-1] = '0' + byte(v)
	}
	return dst
}

// putPair writes a number below a hundred in two digits.
func putPair(b []byte, n int) {
	_ = b[1]
	pair := pairs[2*n : 2*n+2]
	b[0], b[1] = pair[0], pair[1]
}

// appendPair appends a number below a hundred in two digits.
func appendPair(dst []byte, n int) []byte { return append(dst, pairs[2*n:2*n+2]...) }

// putHex writes 32 bits as eight hexadecimal digits: their nibbles are spread
// over eight bytes, and those above nine get the distance to the letters.
func putHex(b []byte, v uint32) {
	x := uint64(v)
	x = (x | x<<16) & 0x0000ffff0000ffff
	x = (x | x<<8) & 0x00ff00ff00ff00ff
	x = (x | x<<4) & 0x0f0f0f0f0f0f0f0f
	letters := (x + 0x0606060606060606) >> 4 & 0x0101010101010101
	binary.BigEndian.PutUint64(b, x+0x3030303030303030+letters*('a'-'0'-10))
}
