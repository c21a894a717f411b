package enc

import (
	"bytes"
	"math/big"
	"math/bits"
	"strconv"
	"strings"
)

// The markers of decimals in keys. Those between negLarge and posLarge say the
// exponent too: decNegMedium-E and decPosMedium+E, E from 0 to 10.
const (
	decNaN       = 0x18
	decNegInf    = 0x19
	decNegLarge  = 0x1a
	decNegMedium = 0x25
	decNegSmall  = 0x26
	decZero      = 0x27
	decPosSmall  = 0x28
	decPosMedium = 0x29
	decPosLarge  = 0x34
	decInf       = 0x35
	decNaNDesc   = 0x36

	decMediumMax = 10
)

// The bounds of decimals: of their exponents, which CockroachDB itself holds
// below 10^5, and of their coefficients in bytes, for the time it takes to bring
// one from base 256 to base 10.
const (
	maxExponent    = 1 << 30
	maxCoefficient = 1 << 16
)

// decimal is 0.digits × 10^exp, or what its marker says if that is NaN or an
// infinity. A zero has the one digit 0; its exponent tells the zeros behind the
// point.
type decimal struct {
	special byte // decNaN, decInf, decNegInf or 0
	neg     bool
	digits  []byte // in ASCII
	exp     int
}

// isZero says that the value is 0, of whatever sign and scale.
func (d *decimal) isZero() bool { return len(d.digits) == 1 && d.digits[0] == '0' }

// appendText appends the decimal as CockroachDB shows it: with an exponent if
// the plain form would end in more zeros than were given, or begin with more
// than six behind the point.
func (d *decimal) appendText(dst []byte) []byte {
	switch d.special {
	case decNaN:
		return append(dst, "NaN"...)
	case decInf:
		return append(dst, "Infinity"...)
	case decNegInf:
		return append(dst, "-Infinity"...)
	}
	if d.neg {
		dst = append(dst, '-')
	}
	switch {
	case len(d.digits) > d.exp && d.exp > 0:
		dst = append(append(dst, d.digits[:d.exp]...), '.')
		return append(dst, d.digits[d.exp:]...)
	case len(d.digits) == d.exp:
		return append(dst, d.digits...)
	case d.exp <= 0 && (d.exp > -6 || d.isZero() && d.exp > -2000):
		dst = append(dst, '0', '.')
		for range -d.exp {
			dst = append(dst, '0')
		}
		return append(dst, d.digits...)
	}
	return d.appendScientific(dst)
}

func (d *decimal) appendScientific(dst []byte) []byte {
	dst = append(dst, d.digits[0])
	if len(d.digits) > 1 {
		dst = append(append(dst, '.'), d.digits[1:]...)
	}
	dst = append(dst, 'E')
	exp := d.exp - 1
	if exp >= 0 {
		dst = append(dst, '+')
	}
	return appendInt(dst, int64(exp))
}

// decimalOfValue reads the value encoding of a decimal ("nonsorting"): a marker
// for the sign of the number and of its exponent, the exponent unless it is 0,
// the coefficient. The digits go to buf if they find room there.
func decimalOfValue(b, buf []byte) (d decimal, ok bool) {
	if len(b) == 0 {
		return d, false
	}
	marker := b[0]
	b = b[1:]
	sign := 0
	switch marker {
	case decNaN, decInf, decNegInf:
		d.special = marker
		return d, len(b) == 0
	case decZero:
		d.digits, d.exp = append(buf[:0], '0'), 1
		return d, len(b) == 0
	case decPosLarge, decNegLarge:
		sign = 1
	case decPosSmall, decNegSmall:
		sign = -1
	case decPosMedium, decNegMedium:
	default:
		return d, false
	}
	d.neg = marker <= decNegSmall
	if len(b) > maxCoefficient {
		return d, false
	}
	if sign != 0 {
		v, rest, ok := keyUint(b)
		if !ok || v > maxExponent {
			return d, false
		}
		d.exp, b = sign*int(v), rest
	}
	d.digits = appendCoefficient(buf[:0], b)
	return d, true
}

// appendCoefficient appends the digits of an unsigned integer of any length.
func appendCoefficient(dst, b []byte) []byte {
	if len(b) <= 8 {
		return appendUint(dst, bigEndian(b))
	}
	if len(b) <= 16 {
		const e19 = 1e19
		if hi := bigEndian(b[:len(b)-8]); hi != 0 && hi < e19 {
			quo, rem := bits.Div64(hi, bigEndian(b[len(b)-8:]), e19)
			if quo != 0 {
				dst = append(appendUint(dst, quo), '0'+byte(rem/1e18))
				dst = appendPair(dst, int(rem/1e16%100))
				return appendEight(appendEight(dst, uint32(rem/1e8%1e8)), uint32(rem%1e8))
			}
			return appendUint(dst, rem)
		}
	}
	var n big.Int
	return n.SetBytes(b).Append(dst, 10)
}

// appendDecimal appends the text of a decimal's value encoding. Most are short
// and have neither zeros of their own nor an exponent.
func appendDecimal(dst, b []byte) ([]byte, bool) {
	if len(b) >= 2 && len(b) <= 10 {
		if out, ok := appendPlain(dst, b[0], bigEndian(b[2:]), int(b[1])-zeroInt); ok {
			return out, true
		}
	}
	var buf [40]byte
	d, ok := decimalOfValue(b, buf[:])
	if !ok {
		return dst, false
	}
	return d.appendText(dst), true
}

// appendPlain appends a decimal by its marker, its coefficient and how many digits
// stand before the point, if it is one that is shown so.
func appendPlain(dst []byte, marker byte, coefficient uint64, whole int) ([]byte, bool) {
	if marker != decPosLarge && marker != decNegLarge || whole <= 0 || whole > smallInt {
		return dst, false
	}
	n := len(dst)
	dst = room(dst, 24)
	dst[n] = '-'
	n += one(marker == decNegLarge)
	if coefficient >= 1e8 {
		dst = appendUint(dst[:n], coefficient)
		digits := len(dst) - n
		if digits > whole {
			dst = append(dst, 0)
			copy(dst[n+whole+1:], dst[n+whole:])
			dst[n+whole] = '.'
		}
		return dst, digits >= whole
	}
	var w uint64
	var digits int
	if coefficient < 1000 {
		short := thousand[coefficient]
		w, digits = uint64(short&0xffffff), int(short>>24)
	} else {
		w = eight(uint32(coefficient))
		skip := unused(w)
		w, digits = (w|zeros)>>(8*skip), 8-skip
	}
	putWord(dst[n:], w)
	if digits > whole {
		dst[n+whole] = '.'
		putWord(dst[n+whole+1:], w>>(8*whole))
		n++
	}
	return dst[:n+digits], digits >= whole
}

// appendValue appends the value encoding of the decimal.
func (d *decimal) appendValue(dst []byte) []byte {
	if d.special != 0 {
		return append(dst, d.special)
	}
	if d.isZero() && d.exp == 1 && !d.neg {
		return append(dst, decZero)
	}
	switch {
	case d.exp > 0:
		dst = appendKeyUint(append(dst, either(d.neg, decNegLarge, decPosLarge)), uint64(d.exp))
	case d.exp < 0:
		dst = appendKeyUint(append(dst, either(d.neg, decNegSmall, decPosSmall)), uint64(-d.exp))
	default:
		dst = append(dst, either(d.neg, decNegMedium, decPosMedium))
	}
	if len(d.digits) <= 19 {
		var u uint64
		for _, c := range d.digits {
			u = u*10 + uint64(c-'0')
		}
		return appendLow(dst, u, byteLen(u))
	}
	var n big.Int
	n.SetString(string(d.digits), 10)
	return append(dst, n.Bytes()...)
}

// decimalOfKey reads the ordered encoding of a decimal: 0.M × 100^E, where M is
// digits to the base 100, each as 2d+1, the last as 2d, and a zero byte ends
// them. Zeros behind the number are not in it.
func decimalOfKey(key, buf []byte, desc bool) (d decimal, rest []byte, ok bool) {
	if len(key) == 0 {
		return d, nil, false
	}
	marker := key[0]
	key = key[1:]
	switch marker {
	case decNaN, decNaNDesc:
		d.special = decNaN
		return d, key, (marker == decNaNDesc) == desc
	case decInf, decNegInf:
		d.special = either((marker == decNegInf) != desc, decNegInf, decInf)
		return d, key, true
	case decZero:
		d.digits, d.exp = append(buf[:0], '0'), 1
		return d, key, true
	}
	neg, exp, key, ok := keyExponent(marker, key)
	end := bytes.IndexByte(key, 0)
	if !ok || end <= 0 || end > maxCoefficient {
		return d, nil, false
	}
	digits := buf[:0]
	for i, c := range key[:end] {
		if neg {
			c = ^c
		}
		if last := i == end-1; c > 199 || (c&1 == 0) != last {
			return d, nil, false
		}
		pair := c >> 1
		digits = append(digits, '0'+pair/10, '0'+pair%10)
	}
	d = decimal{neg: neg != desc, digits: digits, exp: 2 * exp}
	return d, key[end+1:], d.trim()
}

// keyExponent reads the sign of a number in a key and its exponent to the base
// 100.
func keyExponent(marker byte, key []byte) (neg bool, exp int, rest []byte, ok bool) {
	var e uint64
	sign := 1
	switch {
	case marker == decNegLarge:
		neg = true
		e, key, ok = keyUintDesc(key)
	case marker == decPosLarge:
		e, key, ok = keyUint(key)
	case marker == decNegSmall:
		neg, sign = true, -1
		e, key, ok = keyUint(key)
	case marker == decPosSmall:
		sign = -1
		e, key, ok = keyUintDesc(key)
	case marker > decNegLarge && marker <= decNegMedium:
		neg, ok = true, true
		e = uint64(decNegMedium - marker)
	case marker >= decPosMedium && marker < decPosLarge:
		ok = true
		e = uint64(marker - decPosMedium)
	}
	if !ok || e > maxExponent/2 {
		return false, 0, nil, false
	}
	return neg, sign * int(e), key, true
}

// trim takes away the zeros before and behind the digits; a number of zeros only
// is none.
func (d *decimal) trim() bool {
	for len(d.digits) > 0 && d.digits[0] == '0' {
		d.digits = d.digits[1:]
		d.exp--
	}
	for n := len(d.digits); n > 0 && d.digits[n-1] == '0'; n-- {
		d.digits = d.digits[:n-1]
	}
	return len(d.digits) > 0
}

// appendKey appends the ordered encoding of the decimal; descending it is that
// of the negated one.
func (d *decimal) appendKey(dst []byte, desc bool) []byte {
	switch d.special {
	case decNaN:
		return append(dst, either(desc, decNaNDesc, decNaN))
	case decInf, decNegInf:
		return append(dst, either((d.special == decNegInf) != desc, decNegInf, decInf))
	}
	n := *d
	if !n.trim() {
		return append(dst, decZero)
	}
	neg := n.neg != desc
	odd := n.exp&1 != 0 // the first pair has a zero before its digit
	e := (n.exp + 1) >> 1
	dst = appendExponent(dst, neg, e)
	from := len(dst)
	if odd {
		dst = append(dst, 2*(n.digits[0]-'0')+1)
		n.digits = n.digits[1:]
	}
	for ; len(n.digits) > 1; n.digits = n.digits[2:] {
		dst = append(dst, 2*(10*(n.digits[0]-'0')+n.digits[1]-'0')+1)
	}
	if len(n.digits) == 1 {
		dst = append(dst, 2*(10*(n.digits[0]-'0'))+1)
	}
	dst[len(dst)-1]--
	if neg {
		invert(dst[from:])
	}
	return append(dst, 0)
}

// appendExponent appends the marker of a number in a key and its exponent to the
// base 100.
func appendExponent(dst []byte, neg bool, e int) []byte {
	switch {
	case e < 0 && neg:
		return appendKeyUint(append(dst, decNegSmall), uint64(-e))
	case e < 0:
		return appendKeyUintDesc(append(dst, decPosSmall), uint64(-e))
	case e <= decMediumMax && neg:
		return append(dst, decNegMedium-byte(e))
	case e <= decMediumMax:
		return append(dst, decPosMedium+byte(e))
	case neg:
		return appendKeyUintDesc(append(dst, decNegLarge), uint64(e))
	}
	return appendKeyUint(append(dst, decPosLarge), uint64(e))
}

// lossy says that the row repeats the decimal beside its key: it is a zero or
// ends with one; of the others that are no numbers CockroachDB thinks so too.
func (d *decimal) lossy() bool {
	return d.special != 0 || d.digits[len(d.digits)-1] == '0'
}

// decimalOfText reads a decimal as people and PostgreSQL write it.
func decimalOfText(s string) (d decimal, ok bool) {
	switch strings.ToLower(strings.TrimPrefix(s, "+")) {
	case "nan":
		return decimal{special: decNaN}, true
	case "inf", "infinity":
		return decimal{special: decInf}, true
	case "-inf", "-infinity":
		return decimal{special: decNegInf}, true
	}
	if s != "" && (s[0] == '-' || s[0] == '+') {
		d.neg = s[0] == '-'
		s = s[1:]
	}
	mantissa, exponent, hasExponent := strings.Cut(strings.ToUpper(s), "E")
	if hasExponent {
		v, err := strconv.ParseInt(exponent, 10, 32)
		if err != nil || v > maxExponent/2 || v < -maxExponent/2 {
			return d, false
		}
		d.exp = int(v)
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	d.digits = append([]byte(whole), fraction...)
	d.exp += len(whole)
	for _, c := range d.digits {
		if c < '0' || c > '9' {
			return d, false
		}
	}
	for len(d.digits) > 1 && d.digits[0] == '0' {
		d.digits = d.digits[1:]
		d.exp--
	}
	return d, len(d.digits) > 0 && len(d.digits) <= 2*maxCoefficient
}
