package pg

import (
	"bytes"
	"encoding/binary"
	"math"
	"net/netip"
)

// appendNumeric writes a decimal without exponent as digits to the base of 10,000.
func appendNumeric(dst, v []byte) ([]byte, bool) {
	sign := uint16(0)
	if len(v) > 0 && v[0] == '-' {
		sign, v = 0x4000, v[1:]
	}
	point := len(v)
	for i, c := range v {
		if c == '.' && point == len(v) && i > 0 && i+1 < len(v) {
			point = i
		} else if c < '0' || c > '9' {
			return dst, false
		}
	}
	if len(v) == 0 || len(v) > maxNumeric {
		return dst, false
	}
	scale := max(len(v)-point-1, 0)
	start, count, weight := len(dst), 0, 0
	dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0) // count, weight, sign, scale
	for place := (point - 1) / 4; place >= -(scale+3)/4; place-- {
		group := groupOf(v, point, place)
		if count == 0 && group == 0 {
			continue
		}
		if count == 0 {
			weight = place
		}
		dst, count = binary.BigEndian.AppendUint16(dst, group), count+1
	}
	for count > 0 && dst[len(dst)-1] == 0 && dst[len(dst)-2] == 0 {
		dst, count = dst[:len(dst)-2], count-1
	}
	if count == 0 {
		sign = 0
	}
	for i, n := range [4]uint16{uint16(count), uint16(int16(weight)), sign, uint16(scale)} {
		binary.BigEndian.PutUint16(dst[start+2*i:], n)
	}
	return dst, true
}

// groupOf are the four digits that stand for a power of 10,000.
func groupOf(v []byte, point, place int) (group uint16) {
	for left := 4*place + 3; left >= 4*place; left-- {
		at := point - 1 - left
		if left < 0 {
			at++ // behind the point
		}
		group *= 10
		if at >= 0 && at < len(v) {
			group += uint16(v[at] - '0')
		}
	}
	return group
}

// maxNumeric is how long a decimal may be that is turned.
const maxNumeric = 1000

func appendOID(dst, v []byte) ([]byte, bool) {
	n, ok := digitsOf(v)
	return binary.BigEndian.AppendUint32(dst, uint32(n)), ok && n <= math.MaxUint32
}

// appendTime writes microseconds since midnight.
func appendTime(dst, v []byte) ([]byte, bool) {
	micros, ok := microsOf(v)
	return binary.BigEndian.AppendUint64(dst, uint64(micros)), ok
}

// appendTimeZone writes a time, and how many seconds its zone lies to the west.
func appendTimeZone(dst, v []byte) ([]byte, bool) {
	n := len(v) - len("+00:00")
	if n < 0 || v[n] != '+' && v[n] != '-' || v[n+3] != ':' {
		return dst, false
	}
	hours, ok := digitsOf(v[n+1 : n+3])
	minutes, ok1 := digitsOf(v[n+4:])
	west := hours*3600 + minutes*60
	if v[n] == '+' {
		west = -west
	}
	dst, ok2 := appendTime(dst, v[:n])
	return binary.BigEndian.AppendUint32(dst, uint32(int32(west))), ok && ok1 && ok2 && hours < 15 && minutes < 60
}

// appendInterval writes microseconds, days and months: 1 year 2 mons -3 days
// +04:05:06.7.
func appendInterval(dst, v []byte) ([]byte, bool) {
	var micros, days, months int64
	for len(v) > 0 {
		word, rest, more := bytes.Cut(v, []byte{' '})
		negative := len(word) > 0 && word[0] == '-'
		if negative || len(word) > 0 && word[0] == '+' {
			word = word[1:]
		}
		if !more { // a time of day, of any length
			n, ok := longTime(word)
			if micros = n; negative {
				micros = -n
			}
			if !ok {
				return dst, false
			}
			break
		}
		n, ok := digitsOf(word)
		if negative {
			n = -n
		}
		unit, rest, more := bytes.Cut(rest, []byte{' '})
		switch string(unit) {
		case "year", "years":
			months += 12 * n
		case "mon", "mons":
			months += n
		case "day", "days":
			days += n
		default:
			return dst, false
		}
		if !ok || len(word) > 7 || more && len(rest) == 0 {
			return dst, false
		}
		v = rest
		if !more {
			break
		}
	}
	dst = binary.BigEndian.AppendUint64(dst, uint64(micros))
	dst = binary.BigEndian.AppendUint32(dst, uint32(int32(days)))
	return binary.BigEndian.AppendUint32(dst, uint32(int32(months))), true
}

// longTime reads hours of up to six digits, minutes and seconds, as microseconds.
func longTime(v []byte) (micros int64, ok bool) {
	at := bytes.IndexByte(v, ':')
	if at < 2 || at > 6 {
		return 0, false
	}
	hours, ok := digitsOf(v[:at])
	rest := append(append(make([]byte, 0, 16), "00"...), v[at:]...)
	micros, ok1 := microsOf(rest)
	return hours*3_600_000_000 + micros, ok && ok1
}

// appendBits writes how many there are, and they, eight to a byte.
func appendBits(dst, v []byte) ([]byte, bool) {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(v)))
	for i, c := range v {
		if c != '0' && c != '1' {
			return dst, false
		}
		if i%8 == 0 {
			dst = append(dst, 0)
		}
		dst[len(dst)-1] |= (c - '0') << (7 - i%8)
	}
	return dst, true
}

// The families of addresses, as PostgreSQL numbers them.
const inet4, inet6 = 2, 3

func appendInet(dst, v []byte) ([]byte, bool) {
	at, err := netip.ParseAddr(string(v))
	bits := at.BitLen()
	if err != nil {
		net, err := netip.ParsePrefix(string(v))
		if at, bits = net.Addr(), net.Bits(); err != nil {
			return dst, false
		}
	}
	family := byte(inet6)
	if at.Is4() {
		family = inet4
	}
	address := at.AsSlice()
	return append(append(dst, family, byte(bits), 0, byte(len(address))), address...), at.Zone() == ""
}

// appendList writes an array of one dimension.
func appendList(dst, v []byte, oid uint32, form binaryForm) ([]byte, bool) {
	if len(v) < 2 || v[0] != '{' || v[len(v)-1] != '}' {
		return dst, false
	}
	v = v[1 : len(v)-1]
	start := len(dst)
	dst = append(dst, make([]byte, 12)...) // dimensions, nulls, type of the elements
	binary.BigEndian.PutUint32(dst[start+8:], oid)
	if len(v) == 0 {
		return dst, true
	}
	dst[start+3] = 1
	dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 1) // how many, from which
	count := uint32(0)
	for ok, more := true, true; more; count++ {
		var item []byte
		if item, v, more, ok = nextItem(v); !ok {
			return dst, false
		}
		if item == nil {
			dst = append(dst, 0xff, 0xff, 0xff, 0xff)
			dst[start+7] = 1
			continue
		}
		at := len(dst)
		if dst, ok = form(append(dst, 0, 0, 0, 0), item); !ok {
			return dst, false
		}
		binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	}
	binary.BigEndian.PutUint32(dst[start+12:], count)
	return dst, true
}

// nextItem cuts the first element off; a null is nil.
func nextItem(v []byte) (item, rest []byte, more, ok bool) {
	if len(v) == 0 || v[0] != '"' {
		item, rest, more = bytes.Cut(v, []byte{','})
		if string(item) == "NULL" {
			return nil, rest, more, true
		}
		return item, rest, more, len(item) > 0 && !bytes.ContainsAny(item, "{}\"\\ \t\n\r\v\f") && !bytes.EqualFold(item, []byte("null"))
	}
	item = []byte{}
	for i := 1; i < len(v); i++ {
		switch v[i] {
		case '"':
			if rest = v[i+1:]; len(rest) == 0 {
				return item, nil, false, true
			}
			return item, rest[1:], true, rest[0] == ','
		case '\\':
			if i++; i == len(v) {
				return nil, nil, false, false
			}
		}
		item = append(item, v[i])
	}
	return nil, nil, false, false
}
