package enc

import (
	"encoding/binary"
)

// The markers of times in keys.
const (
	timeMarker     = 0x14
	durationMarker = 0x16
	timeTZMarker   = 0x3c
)

const (
	daySeconds = 24 * 60 * 60
	dayMicros  = daySeconds * 1e6

	// The days since 1970 of 4714-11-24 BC and of 5874897-12-31: PostgreSQL's
	// dates. Anything outside is an infinity (CockroachDB writes int64's bounds).
	firstDate = -2440588
	lastDate  = 2145042905
)

// instant is a moment as CockroachDB encodes it: seconds since 1970 and
// nanoseconds within one, 0 to 10^9-1.
type instant struct {
	sec  int64
	nano int64
}

func (i instant) ok() bool { return i.nano >= 0 && i.nano < 1e9 }

// instantOfKey reads a moment's ordered encoding.
func instantOfKey(key []byte, desc bool) (i instant, rest []byte, ok bool) {
	if len(key) == 0 || key[0] != timeMarker {
		return i, nil, false
	}
	if i.sec, key, ok = keyInt(key[1:], desc); !ok {
		return i, nil, false
	}
	if i.nano, key, ok = keyInt(key, desc); !ok {
		return i, nil, false
	}
	return i, key, i.ok()
}

func (i instant) appendKey(dst []byte, desc bool) []byte {
	dst = append(dst, timeMarker)
	return appendKeyInt(appendKeyInt(dst, i.sec, desc), i.nano, desc)
}

// instantOfValue reads a moment's value encoding.
func instantOfValue(payload []byte) (i instant, ok bool) {
	if i.sec, payload, ok = varint(payload); !ok {
		return i, false
	}
	i.nano, payload, ok = varint(payload)
	return i, ok && len(payload) == 0 && i.ok()
}

func (i instant) appendValue(dst []byte) []byte {
	return binary.AppendVarint(binary.AppendVarint(dst, i.sec), i.nano)
}

// appendText appends "2020-01-02 03:04:05.123456", then the zone, then BC.
func (i instant) appendText(dst []byte, zone string) []byte {
	days, second := i.sec/daySeconds, int(i.sec%daySeconds)
	if second < 0 {
		days, second = days-1, second+daySeconds
	}
	year, month, day := civil(days)
	if year < 1 || year > 9999 {
		dst = appendClock(append(appendYMD(dst, year, month, day), ' '), int64(second))
	} else {
		dst = append(dst, "0000-00-00 00:00:00"...)
		b := dst[len(dst)-19:]
		putPair(b, int(year)/100)
		putPair(b[2:], int(year)%100)
		putPair(b[5:], month)
		putPair(b[8:], day)
		putPair(b[11:], second/3600)
		putPair(b[14:], second/60%60)
		putPair(b[17:], second%60)
	}
	dst = append(appendFraction(dst, i.nano), zone...)
	if year <= 0 {
		dst = append(dst, " BC"...)
	}
	return dst
}

// appendDate appends the date of a number of days since 1970.
func appendDate(dst []byte, days int64) []byte {
	switch {
	case days < firstDate:
		return append(dst, "-infinity"...)
	case days > lastDate:
		return append(dst, "infinity"...)
	}
	year, month, day := civil(days)
	dst = appendYMD(dst, year, month, day)
	if year <= 0 {
		dst = append(dst, " BC"...)
	}
	return dst
}

// civil is the date of a day since 1970 in the Gregorian calendar, also before
// it was introduced; year 0 is 1 BC. It counts in eras of 400 years that begin
// in March, so that the leap day is the last of a year.
func civil(days int64) (year int64, month, day int) {
	days += 719468 // since 0000-03-01
	era := days / 146097
	rest := uint32(days % 146097)
	if days%146097 < 0 {
		era, rest = era-1, uint32(days%146097+146097)
	}
	yearOfEra := (rest - rest/1460 + rest/36524 - rest/146096) / 365
	dayOfYear := rest - (365*yearOfEra + yearOfEra/4 - yearOfEra/100)
	fromMarch := (5*dayOfYear + 2) / 153
	year, month, day = era*400+int64(yearOfEra), int(fromMarch)+3, int(dayOfYear-(153*fromMarch+2)/5)+1
	if month > 12 {
		return year + 1, month - 12, day
	}
	return year, month, day
}

// daysOf is the inverse of civil.
func daysOf(year int64, month, day int) int64 {
	if month <= 2 {
		year, month = year-1, month+12
	}
	era := year / 400
	if year < 0 {
		era = (year - 399) / 400
	}
	yearOfEra := year - era*400
	dayOfYear := int64((153*(month-3)+2)/5 + day - 1)
	return era*146097 + yearOfEra*365 + yearOfEra/4 - yearOfEra/100 + dayOfYear - 719468
}

func appendYMD(dst []byte, year int64, month, day int) []byte {
	if year <= 0 {
		year = 1 - year
	}
	if year > 9999 {
		dst = appendInt(dst, year)
	} else {
		dst = appendPair(appendPair(dst, int(year/100)), int(year%100))
	}
	dst = appendPair(append(dst, '-'), month)
	return appendPair(append(dst, '-'), day)
}

// appendClock appends hours, minutes and seconds; more than a hundred hours have
// more digits.
func appendClock(dst []byte, second int64) []byte {
	hour, minute := second/3600, int(second/60%60)
	if hour < 100 {
		dst = appendPair(dst, int(hour))
	} else {
		dst = appendInt(dst, hour)
	}
	dst = appendPair(append(dst, ':'), minute)
	return appendPair(append(dst, ':'), int(second%60))
}

// appendFraction appends a point and the digits of nanoseconds without the zeros
// behind them; nothing for none.
func appendFraction(dst []byte, nano int64) []byte {
	if nano == 0 {
		return dst
	}
	dst = append(dst, '.')
	n := 9
	if nano%1000 == 0 {
		nano, n = nano/1000, 6
	}
	for nano%10 == 0 {
		nano, n = nano/10, n-1
	}
	return appendPadded(dst, uint64(nano), n)
}

// appendTime appends a time of day from its microseconds.
func appendTime(dst []byte, micros int64) ([]byte, bool) {
	if micros < 0 || micros > dayMicros {
		return dst, false
	}
	return appendFraction(appendClock(dst, micros/1e6), micros%1e6*1e3), true
}

// timeTZ is a time of day and how many seconds its zone lies west of Greenwich.
type timeTZ struct{ micros, west int64 }

func (z timeTZ) ok() bool {
	return z.micros >= 0 && z.micros <= dayMicros && z.west > -daySeconds && z.west < daySeconds
}

// timeTZOfKey reads the ordered encoding of a time with zone: its moment in
// Greenwich, then the zone.
func timeTZOfKey(key []byte, desc bool) (z timeTZ, rest []byte, ok bool) {
	if len(key) == 0 || key[0] != timeTZMarker {
		return z, nil, false
	}
	if z.micros, key, ok = keyInt(key[1:], desc); !ok {
		return z, nil, false
	}
	if z.west, key, ok = keyInt(key, desc); !ok {
		return z, nil, false
	}
	if z.west <= -daySeconds || z.west >= daySeconds {
		return z, nil, false
	}
	z.micros -= z.west * 1e6
	return z, key, z.ok()
}

func (z timeTZ) appendKey(dst []byte, desc bool) []byte {
	dst = append(dst, timeTZMarker)
	return appendKeyInt(appendKeyInt(dst, z.micros+z.west*1e6, desc), z.west, desc)
}

// timeTZOfValue reads the value encoding of a time with zone.
func timeTZOfValue(payload []byte) (z timeTZ, ok bool) {
	if z.micros, payload, ok = varint(payload); !ok {
		return z, false
	}
	z.west, payload, ok = varint(payload)
	return z, ok && len(payload) == 0 && z.ok()
}

func (z timeTZ) appendValue(dst []byte) []byte {
	return binary.AppendVarint(binary.AppendVarint(dst, z.micros), z.west)
}

func (z timeTZ) appendText(dst []byte) []byte {
	dst, _ = appendTime(dst, z.micros)
	east := -z.west
	if east < 0 {
		dst, east = append(dst, '-'), -east
	} else {
		dst = append(dst, '+')
	}
	dst = appendPair(append(appendPair(dst, int(east/3600)), ':'), int(east/60%60))
	if east%60 != 0 {
		dst = appendPair(append(dst, ':'), int(east%60))
	}
	return dst
}

// interval is a duration as CockroachDB keeps it: its three parts are not
// reducible to each other.
type interval struct{ months, days, nanos int64 }

// The lengths by which intervals are compared: a month of 30 days, a day of 24
// hours.
const (
	dayNanos   = daySeconds * 1e9
	monthNanos = 30 * dayNanos
)

// intervalOfKey reads the ordered encoding of an interval: its length in
// nanoseconds, then months and days.
func intervalOfKey(key []byte, desc bool) (v interval, rest []byte, ok bool) {
	if len(key) == 0 || key[0] != durationMarker {
		return v, nil, false
	}
	length, key, ok := keyInt(key[1:], desc)
	if !ok {
		return v, nil, false
	}
	if v.months, key, ok = keyInt(key, desc); !ok {
		return v, nil, false
	}
	if v.days, key, ok = keyInt(key, desc); !ok {
		return v, nil, false
	}
	v.nanos = length - v.months*monthNanos - v.days*dayNanos
	return v, key, true
}

func (v interval) appendKey(dst []byte, desc bool) []byte {
	dst = append(dst, durationMarker)
	dst = appendKeyInt(dst, v.nanos+v.months*monthNanos+v.days*dayNanos, desc)
	return appendKeyInt(appendKeyInt(dst, v.months, desc), v.days, desc)
}

// intervalOfValue reads the value encoding of an interval.
func intervalOfValue(payload []byte) (v interval, ok bool) {
	if v.months, payload, ok = varint(payload); !ok {
		return v, false
	}
	if v.days, payload, ok = varint(payload); !ok {
		return v, false
	}
	v.nanos, payload, ok = varint(payload)
	return v, ok && len(payload) == 0
}

func (v interval) appendValue(dst []byte) []byte {
	dst = binary.AppendVarint(dst, v.months)
	return binary.AppendVarint(binary.AppendVarint(dst, v.days), v.nanos)
}

// appendText appends the interval in PostgreSQL's own style: "1 year 2 mons 3
// days 04:05:06.789"; what is positive behind something negative says so.
func (v interval) appendText(dst []byte) []byte {
	from, minus := len(dst), false
	for _, part := range [...]struct {
		n    int64
		unit string
	}{{v.months / 12, " year"}, {v.months % 12, " mon"}, {v.days, " day"}} {
		if part.n == 0 {
			continue
		}
		if len(dst) > from {
			dst = append(dst, ' ')
		}
		if minus && part.n > 0 {
			dst = append(dst, '+')
		}
		dst = append(appendInt(dst, part.n), part.unit...)
		if part.n != 1 {
			dst = append(dst, 's')
		}
		minus = part.n < 0
	}
	if v.nanos == 0 && len(dst) > from {
		return dst
	}
	if len(dst) > from {
		dst = append(dst, ' ')
	}
	nanos := uint64(v.nanos)
	if v.nanos < 0 {
		dst, nanos = append(dst, '-'), -nanos
	} else if minus {
		dst = append(dst, '+')
	}
	return appendFraction(appendClock(dst, int64(nanos/1e9)), int64(nanos%1e9))
}
