package enc

import (
	"encoding/binary"
	"math/bits"
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

// instantOfValue reads a moment's value encoding. From 1974 to 2514 the seconds
// have five bytes, and most fractions have as many or one.
func instantOfValue(payload []byte) (i instant, ok bool) {
	if i.sec, ok = fiveBytes(payload); ok {
		payload = payload[5:]
	} else if i.sec, payload, ok = varint(payload); !ok {
		return i, false
	}
	if i.nano, ok = fiveBytes(payload); ok {
		payload = payload[5:]
	} else if i.nano, payload, ok = varint(payload); !ok {
		return i, false
	}
	return i, len(payload) == 0 && i.ok()
}

func (i instant) appendValue(dst []byte) []byte {
	return binary.AppendVarint(binary.AppendVarint(dst, i.sec), i.nano)
}

// appendText appends "2020-01-02 03:04:05.123456", then the zone, then BC. Nearly
// all moments are of the years 1 to 9999.
func (i instant) appendText(dst []byte, zone string) []byte {
	since := uint64(i.sec + epoch*daySeconds)
	if since < yearOne*daySeconds || since >= yearTenThousand*daySeconds {
		return i.appendFar(dst, zone)
	}
	days := uint32(since / daySeconds)
	second := uint32(since - uint64(days)*daySeconds)
	year, month, day := inEra(days)
	n := len(dst)
	dst = room(dst, 40)
	b := (*[40]byte)(dst[n:])
	putDate((*[16]byte)(b[:]), year, month, day)
	b[10] = ' '
	putWord(b[11:], clockWord(second))
	at := 19
	if i.nano != 0 {
		b[19] = '.'
		at += 1 + putFraction((*[9]byte)(b[20:]), uint32(i.nano))
	}
	if zone != "" {
		const zero = '+' | '0'<<8 | '0'<<16 | ':'<<24 | '0'<<32 | '0'<<40
		putWord(b[at&31:], zero)
		at += len(utc)
	}
	return dst[:n+at]
}

// putDate writes "2020-01-02", and zeros behind it.
func putDate(b *[16]byte, year, month, day uint32) {
	w := zeros | fourTwos(uint64(year/100|year%100<<16)|uint64(month|day<<16)<<32)
	putWord(b[0:], w&0xffffffff|'-'<<32|w&0xffff00000000<<8|'-'<<56)
	putWord(b[8:], w>>48)
}

// clockWord is "03:04:05" from the seconds of less than a hundred hours.
func clockWord(second uint32) uint64 {
	minute := second / 60
	w := zeros | fourTwos(uint64(minute/60|minute%60<<16)|uint64(second%60)<<32)
	return w&0xffff | ':'<<16 | w&0xffff0000<<8 | ':'<<40 | w&0xffff00000000<<16
}

// putFraction writes the digits of nanoseconds, more than none, without the zeros
// behind them, and returns how many they are.
func putFraction(b *[9]byte, nano uint32) int {
	w, last := eight(nano/10), byte(nano%10)
	putWord(b[:], w|zeros)
	if b[8] = '0' + last; last > 0 {
		return 9
	}
	return 8 - bits.LeadingZeros64(w)/8
}

// appendFar appends what has no four digits of the year after Christ.
func (i instant) appendFar(dst []byte, zone string) []byte {
	days, second := i.sec/daySeconds, i.sec%daySeconds
	if second < 0 {
		days, second = days-1, second+daySeconds
	}
	year, month, day := civil(days)
	dst = appendClock(append(appendYMD(dst, year, month, day), ' '), second)
	dst = append(appendFraction(dst, i.nano), zone...)
	if year <= 0 {
		dst = append(dst, " BC"...)
	}
	return dst
}

// appendDate appends the date of a number of days since 1970.
func appendDate(dst []byte, days int64) []byte {
	if since := uint64(days + epoch); since >= yearOne && since < yearTenThousand {
		year, month, day := inEra(uint32(since))
		n := len(dst)
		dst = room(dst, 16)
		putDate((*[16]byte)(dst[n:]), year, month, day)
		return dst[:n+10]
	}
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

// The days from 0000-03-01, which is 1 BC, to others.
const (
	yearOne         = 306
	epoch           = 719468
	yearTenThousand = 3652365
)

// civil is the date of a day since 1970 in the Gregorian calendar, also before
// it was introduced; year 0 is 1 BC.
func civil(days int64) (year int64, month, day int) {
	days += epoch
	era := days / 146097 // 400 years
	if days < era*146097 {
		era--
	}
	y, m, d := inEra(uint32(days - era*146097))
	return 400*era + int64(y), int(m), int(d)
}

// inEra is the date of a day since 0000-03-01, for some million years: years are
// counted from March, so that the leap day is the last. Years of 365.25 days and
// months of 30.6 are counted in fractions of 2^32 and 2^16, so that the same
// product says how many they are and what is left (Neri and Schneider, Euclidean
// affine functions).
func inEra(days uint32) (year, month, day uint32) {
	quarters := 4*days + 3
	century, quarters := quarters/146097, quarters%146097|3
	years := uint64(quarters) * 2939745
	months := 2141*(uint32(years)/2939745/4) + 197913
	year, month, day = 100*century+uint32(years>>32), months>>16, months&0xffff/2141+1
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
		dst = appendPair(append(appendInt(dst, year), '-'), month)
		return appendPair(append(dst, '-'), day)
	}
	n := len(dst)
	dst = room(dst, 16)
	putDate((*[16]byte)(dst[n:]), uint32(year), uint32(month), uint32(day))
	return dst[:n+10]
}

// appendClock appends hours, minutes and seconds; more than a hundred hours have
// more digits.
func appendClock(dst []byte, second int64) []byte {
	hour := second / 3600
	if hour >= 100 {
		dst = appendPair(append(appendInt(dst, hour), ':'), int(second/60%60))
		return appendPair(append(dst, ':'), int(second%60))
	}
	return appendWord(dst, clockWord(uint32(second)))
}

// appendFraction appends a point and the digits of nanoseconds without the zeros
// behind them; nothing for none.
func appendFraction(dst []byte, nano int64) []byte {
	if nano == 0 {
		return dst
	}
	n := len(dst)
	dst = room(dst, 10)
	dst[n] = '.'
	return dst[:n+1+putFraction((*[9]byte)(dst[n+1:]), uint32(nano))]
}

// appendTime appends a time of day from its microseconds.
func appendTime(dst []byte, micros int64) ([]byte, bool) {
	if micros < 0 || micros > dayMicros {
		return dst, false
	}
	return appendFraction(appendWord(dst, clockWord(uint32(micros/1e6))), micros%1e6*1e3), true
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
	n := len(dst)
	if dst = appendWord(dst, clockWord(uint32(east))); east%60 == 0 {
		dst = dst[:n+len("00:00")]
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

// The units of intervals as words, with the s of more than one.
const (
	unitYears = ' ' | 'y'<<8 | 'e'<<16 | 'a'<<24 | 'r'<<32 | 's'<<40
	unitMons  = ' ' | 'm'<<8 | 'o'<<16 | 'n'<<24 | 's'<<32
	unitDays  = ' ' | 'd'<<8 | 'a'<<16 | 'y'<<24 | 's'<<32
)

// appendText appends the interval in PostgreSQL's own style: "1 year 2 mons 3
// days 04:05:06.789"; what is positive behind something negative says so.
func (v interval) appendText(dst []byte) []byte {
	from := len(dst)
	dst, minus := appendPart(dst, from, false, v.months/12, unitYears, 5)
	dst, minus = appendPart(dst, from, minus, v.months%12, unitMons, 4)
	dst, minus = appendPart(dst, from, minus, v.days, unitDays, 4)
	if len(dst) > from {
		if v.nanos == 0 {
			return dst
		}
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

// appendPart appends one part of the interval that begins at from, and says
// whether the last one was negative; size is that of the unit without its s.
func appendPart(dst []byte, from int, minus bool, n int64, unit uint64, size int) ([]byte, bool) {
	if n == 0 {
		return dst, minus
	}
	if len(dst) > from {
		dst = append(dst, ' ')
	}
	if minus && n > 0 {
		dst = append(dst, '+')
	}
	dst = appendWord(appendInt(dst, n), unit)
	return dst[:len(dst)-8+size+one(n != 1)], n < 0
}
