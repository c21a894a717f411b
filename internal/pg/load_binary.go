package pg

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"strconv"
	"time"
)

// A server takes rows in half the time if it need not read text: COPY's binary form
// (PostgreSQL docs, COPY, binary format) has integers, times and UUIDs as it stores
// them. Files whose columns all have such types go over so. Only a text that surely
// means the value is turned into it; rows with another follow in text, and a file with
// many of them goes over as it stands. What the server then holds is compared in text
// all the same, so that a mistake made here shows.

// errNoBinary tells that a value has no certain binary form.
var errNoBinary = errors.New("a value is for the server to read")

// binaryForm appends the bytes of a value, or says that it cannot.
type binaryForm func(dst, v []byte) ([]byte, bool)

// binaryFormOf is that of a type by its OID (PostgreSQL, pg_type.dat), nil if there is
// none.
func binaryFormOf(oid uint32) binaryForm {
	switch oid {
	case 25, 1043, 1042: // text, varchar, bpchar
		return appendItself
	case 16:
		return appendBool
	case 20:
		return func(dst, v []byte) ([]byte, bool) { return appendInt(dst, v, 64) }
	case 23:
		return func(dst, v []byte) ([]byte, bool) { return appendInt(dst, v, 32) }
	case 21:
		return func(dst, v []byte) ([]byte, bool) { return appendInt(dst, v, 16) }
	case 26:
		return appendOID
	case 701:
		return func(dst, v []byte) ([]byte, bool) { return appendFloat(dst, v, 64) }
	case 700:
		return func(dst, v []byte) ([]byte, bool) { return appendFloat(dst, v, 32) }
	case 1700:
		return appendNumeric
	case 17:
		return appendBytea
	case 2950:
		return appendUUID
	case 3802: // jsonb, in version 1 of its form
		return func(dst, v []byte) ([]byte, bool) { return append(append(dst, 1), v...), true }
	case 1082:
		return appendDate
	case 1114, 1184: // timestamp, timestamptz
		return appendMoment
	case 1083:
		return appendTime
	case 1266:
		return appendTimeZone
	case 1186:
		return appendInterval
	case 1560, 1562: // bit, varbit
		return appendBits
	case 869:
		return appendInet
	}
	if element := elementOf(oid); element != 0 {
		form := binaryFormOf(element)
		return func(dst, v []byte) ([]byte, bool) { return appendList(dst, v, element, form) }
	}
	return nil
}

// elementOf is the type of an array's elements, 0 if it is none of those known.
func elementOf(array uint32) uint32 {
	switch array {
	case 1007:
		return 23
	case 1009:
		return 25
	case 1015:
		return 1043
	case 1016:
		return 20
	case 2951:
		return 2950
	}
	return 0
}

// The beginning and end of COPY's binary form.
const (
	binaryHead = "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	binaryTail = "\xff\xff"
)

// binaryReader gives some columns of a file in binary form; nil if a type has none.
func binaryReader(rows *csvRows, order []int, types []uint32) *rowReader {
	forms := make([]binaryForm, len(types))
	for i, oid := range types {
		if forms[i] = binaryFormOf(oid); forms[i] == nil {
			return nil
		}
	}
	r := &rowReader{rows: rows, begin: []byte(binaryHead), end: []byte(binaryTail)}
	r.row = func(dst []byte) ([]byte, error) {
		start := len(dst)
		dst, err := rows.appendBinary(dst, order, forms)
		if errors.Is(err, errNoBinary) && len(r.odd) < oddBytes {
			r.odd = append(rows.appendText(r.odd, order), '\n')
			return dst[:start], nil
		}
		return dst, err
	}
	return r
}

// oddBytes is how much text of rows that have no certain binary form is put aside
// before a file counts as one that goes over as it stands.
const oddBytes = 1 << 20

// appendBinary writes the fields of the record, in some order, as a row.
func (c *csvRows) appendBinary(dst []byte, order []int, forms []binaryForm) ([]byte, error) {
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(order)))
	for i, at := range order {
		v, start := c.fields[at], len(dst)
		if v == nil {
			dst = append(dst, 0xff, 0xff, 0xff, 0xff)
			continue
		}
		var ok bool
		if dst, ok = forms[i](append(dst, 0, 0, 0, 0), v); !ok || len(dst)-start-4 > math.MaxInt32 {
			return dst, errNoBinary
		}
		binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start-4))
	}
	return dst, nil
}

func appendItself(dst, v []byte) ([]byte, bool) { return append(dst, v...), true }

func appendBool(dst, v []byte) ([]byte, bool) {
	switch string(v) {
	case "t", "true":
		return append(dst, 1), true
	case "f", "false":
		return append(dst, 0), true
	}
	return dst, false
}

func appendInt(dst, v []byte, bits int) ([]byte, bool) {
	digits, negative := v, len(v) > 0 && v[0] == '-'
	if negative {
		digits = v[1:]
	}
	n, ok := digitsOf(digits)
	if negative {
		n = -n
	}
	if limit := int64(1) << (bits - 1); !ok || bits < 64 && (n < -limit || n >= limit) {
		return dst, false
	}
	switch bits {
	case 16:
		return binary.BigEndian.AppendUint16(dst, uint16(n)), true
	case 32:
		return binary.BigEndian.AppendUint32(dst, uint32(n)), true
	}
	return binary.BigEndian.AppendUint64(dst, uint64(n)), true
}

// digitsOf reads up to 18 digits, which no int64 is too small for.
func digitsOf(digits []byte) (n int64, ok bool) {
	if len(digits) == 0 || len(digits) > 18 {
		return 0, false
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int64(c-'0')
	}
	return n, true
}

// The least numbers that a float8 and a float4 hold with all their digits.
const leastNormal, leastSingle = 0x1p-1022, 0x1p-126

func appendFloat(dst, v []byte, bits int) ([]byte, bool) {
	for _, c := range v {
		if (c < '0' || c > '9') && c != '-' && c != '+' && c != '.' && c != 'e' && c != 'E' {
			return dst, false
		}
	}
	least := leastNormal
	if bits == 32 {
		least = leastSingle
	}
	f, err := strconv.ParseFloat(string(v), bits)
	if err != nil || math.Abs(f) < least && string(v) != "0" { // the server says that it is out of range, or not
		return dst, false
	}
	if bits == 32 {
		return binary.BigEndian.AppendUint32(dst, math.Float32bits(float32(f))), true
	}
	return binary.BigEndian.AppendUint64(dst, math.Float64bits(f)), true
}

// appendBytea reads the hex form.
func appendBytea(dst, v []byte) ([]byte, bool) {
	if len(v) < 2 || v[0] != '\\' || v[1] != 'x' {
		return dst, false
	}
	dst, err := hex.AppendDecode(dst, v[2:])
	return dst, err == nil
}

func appendUUID(dst, v []byte) ([]byte, bool) {
	if len(v) != 36 || v[8] != '-' || v[13] != '-' || v[18] != '-' || v[23] != '-' {
		return dst, false
	}
	var err error
	for _, piece := range [][]byte{v[:8], v[9:13], v[14:18], v[19:23], v[24:]} {
		if dst, err = hex.AppendDecode(dst, piece); err != nil {
			return dst, false
		}
	}
	return dst, true
}

// appendDate writes days since 2000-01-01.
func appendDate(dst, v []byte) ([]byte, bool) {
	days, ok := daysOf(v)
	return binary.BigEndian.AppendUint32(dst, uint32(days)), ok
}

// appendMoment writes microseconds since 2000-01-01 of a moment in UTC, or of one
// without a zone: 2020-02-29 12:34:56.789+00:00.
func appendMoment(dst, v []byte) ([]byte, bool) {
	for _, utc := range []string{"+00:00", "+00"} {
		if n := len(v) - len(utc); n > 0 && string(v[n:]) == utc {
			v = v[:n]
			break
		}
	}
	if len(v) < 19 || v[10] != ' ' {
		return dst, false
	}
	days, ok := daysOf(v[:10])
	micros, ok1 := microsOf(v[11:])
	return binary.BigEndian.AppendUint64(dst, uint64(int64(days)*86_400_000_000+micros)), ok && ok1
}

// microsOf reads a time of day: 12:34:56.789.
func microsOf(v []byte) (micros int64, ok bool) {
	if len(v) < 8 || v[2] != ':' || v[5] != ':' {
		return 0, false
	}
	hour, ok := digitsOf(v[:2])
	minute, ok1 := digitsOf(v[3:5])
	second, ok2 := digitsOf(v[6:8])
	if part := v[8:]; len(part) > 0 {
		digits := [6]byte{'0', '0', '0', '0', '0', '0'}
		if len(part) > 7 || len(part) < 2 || part[0] != '.' {
			return 0, false
		}
		copy(digits[:], part[1:])
		var ok3 bool
		micros, ok3 = digitsOf(digits[:])
		ok = ok && ok3
	}
	return ((hour*60+minute)*60+second)*1_000_000 + micros, ok && ok1 && ok2 && hour < 24 && minute < 60 && second < 60
}

// daysOf reads a date of four digits for the year, as days since 2000-01-01.
func daysOf(v []byte) (days int32, ok bool) {
	if len(v) != 10 || v[4] != '-' || v[7] != '-' {
		return 0, false
	}
	year, ok1 := digitsOf(v[:4])
	month, ok2 := digitsOf(v[5:7])
	day, ok3 := digitsOf(v[8:])
	date := time.Date(int(year), time.Month(month), int(day), 0, 0, 0, 0, time.UTC)
	if !ok1 || !ok2 || !ok3 || year < 1 || date.Month() != time.Month(month) || date.Day() != int(day) { // a day that is none becomes another
		return 0, false
	}
	const epoch = 946_684_800 // of the server, in seconds since 1970
	return int32((date.Unix() - epoch) / 86_400), true
}
