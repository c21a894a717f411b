package enc

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ParseText is the value that people mean by a text: the one AppendValueText
// shows, or any that PostgreSQL would take in its place. Arrays, tuples,
// documents and the types of searches and shapes cannot be read.
func ParseText(t *Type, text string) (Datum, error) {
	d, ok := parseText(t, text)
	if !ok {
		return Datum{}, fmt.Errorf("read %q as %s", text, t.noun())
	}
	return d, nil
}

// noun names a type to people.
func (t *Type) noun() string {
	if t.Name != "" {
		return "a value of " + t.Name
	}
	switch t.Family {
	case BoolFamily:
		return "a truth value (true or false)"
	case IntFamily, OIDFamily:
		return "an integer"
	case FloatFamily, DecimalFamily:
		return "a number"
	case DateFamily:
		return "a date (2020-01-31)"
	case TimestampFamily, TimestampTZFamily:
		return "a timestamp (2020-01-31 23:59:59.999999)"
	case TimeFamily:
		return "a time of day (23:59:59.999999)"
	case IntervalFamily:
		return "an interval (1 mon -2 days 03:04:05)"
	case BytesFamily:
		return `bytes (\x00ff)`
	case UUIDFamily:
		return "a UUID"
	case INetFamily:
		return "an address"
	case BitFamily:
		return "bits"
	}
	return fmt.Sprintf("a value of type family %d", t.Family)
}

func parseText(t *Type, text string) (Datum, bool) {
	switch elementType(t) {
	case TrueValue:
		return parseBool(text)
	case IntValue:
		v, ok := parseInt(t, text)
		return Int(v), ok
	case FloatValue:
		f, err := strconv.ParseFloat(text, 64)
		if t.isFloat4() {
			f = float64(float32(f))
		}
		return Float(f), err == nil
	case DecimalValue:
		d, ok := decimalOfText(text)
		if !ok {
			return Datum{}, false
		}
		return Datum{DecimalValue, d.appendValue(nil)}, true
	case TimeValue:
		i, ok := instantOf(text)
		return Datum{TimeValue, i.appendValue(nil)}, ok
	case DurationValue:
		return parseInterval(text)
	case UUIDValue:
		u, err := hex.DecodeString(strings.ReplaceAll(strings.Trim(text, "{}"), "-", ""))
		return Datum{UUIDValue, u}, err == nil && len(u) == 16
	case IPAddrValue:
		b, ok := inetOf(text)
		return Datum{IPAddrValue, b}, ok
	case BitArrayValue:
		return parseBits(text)
	case BytesValue:
		return parseBytes(t, text)
	}
	return Datum{}, false
}

func parseBool(text string) (Datum, bool) {
	switch strings.ToLower(text) {
	case "t", "true", "yes", "on", "1":
		return Bool(true), true
	case "f", "false", "no", "off", "0":
		return Bool(false), true
	}
	return Datum{}, false
}

func parseInt(t *Type, text string) (int64, bool) {
	switch t.Family {
	case DateFamily:
		return dateOf(text)
	case TimeFamily:
		second, nano, ok := clockOf(text)
		return second*1e6 + nano/1e3, ok && nano%1e3 == 0
	case PGLSNFamily:
		high, low, _ := strings.Cut(text, "/")
		h, err := strconv.ParseUint(high, 16, 32)
		l, errLow := strconv.ParseUint(low, 16, 32)
		return int64(h<<32 | l), err == nil && errLow == nil
	case OIDFamily:
		v, err := strconv.ParseUint(text, 10, 32)
		return int64(v), err == nil
	}
	v, err := strconv.ParseInt(text, 10, 64)
	return v, err == nil
}

func parseBytes(t *Type, text string) (Datum, bool) {
	switch t.Family {
	case BytesFamily:
		digits, isHex := strings.CutPrefix(text, `\x`)
		if !isHex {
			return Bytes([]byte(text)), true
		}
		b, err := hex.DecodeString(digits)
		return Bytes(b), err == nil
	case EnumFamily:
		physical, ok := t.Enum.Physical(text)
		return Bytes(physical), ok
	}
	if t.blankPadded() {
		text = strings.TrimRight(text, " ")
	}
	return Bytes([]byte(text)), true
}

func parseBits(text string) (Datum, bool) {
	words := make([]byte, wordsOf(len(text))*8)
	for i, c := range []byte(text) {
		if c != '0' && c != '1' {
			return Datum{}, false
		}
		words[i/8] |= (c & 1) << (7 - i%8)
	}
	return Datum{BitArrayValue, append(appendCount(nil, uint64(len(text))), words...)}, true
}

// dateOf is the days since 1970 as CockroachDB writes them; the infinities are
// the bounds of their type.
func dateOf(text string) (days int64, ok bool) {
	switch text {
	case "infinity":
		return math.MaxInt64, true
	case "-infinity":
		return math.MinInt64, true
	}
	i, ok := instantOf(text)
	return i.sec / daySeconds, ok && i.sec%daySeconds == 0 && i.nano == 0
}

// instantOf reads "2020-01-31 23:59:59.999999+00:00 BC", of which all behind the
// date may be missing; a T may stand before the time, and a Z for the zone.
func instantOf(text string) (i instant, ok bool) {
	text, bc := strings.CutSuffix(text, " BC")
	at := strings.IndexAny(text, " T")
	date, clock := text, ""
	if at >= 0 {
		date, clock = text[:at], text[at+1:]
	}
	parts := strings.Split(date, "-")
	if len(parts) != 3 {
		return i, false
	}
	year, err := strconv.ParseUint(parts[0], 10, 32)
	month, errMonth := strconv.ParseUint(parts[1], 10, 8)
	day, errDay := strconv.ParseUint(parts[2], 10, 8)
	if err != nil || errMonth != nil || errDay != nil || year == 0 {
		return i, false
	}
	y := int64(year)
	if bc {
		y = 1 - y
	}
	days := daysOf(y, int(month), int(day))
	if month > 12 || month == 0 {
		return i, false
	}
	if yy, mm, dd := civil(days); yy != y || mm != int(month) || dd != int(day) {
		return i, false // no such day
	}
	i.sec = days * daySeconds
	if clock == "" {
		return i, true
	}
	clock, zone := cutZone(clock)
	second, nano, ok := clockOf(clock)
	east, okZone := zoneOf(zone)
	i.sec += second - east
	i.nano = nano
	return i, ok && okZone
}

// cutZone cuts the zone from a time of day.
func cutZone(clock string) (rest, zone string) {
	if at := strings.IndexAny(clock, "+-Z"); at >= 0 {
		return clock[:at], clock[at:]
	}
	return clock, ""
}

// zoneOf is how many seconds a zone lies east of Greenwich: "+09", "-03:30", "Z".
func zoneOf(zone string) (east int64, ok bool) {
	if zone == "" || zone == "Z" {
		return 0, true
	}
	digits := zone[1:]
	if len(digits) == 2 {
		digits += ":00"
	}
	second, nano, ok := clockOf(digits)
	if zone[0] == '-' {
		second = -second
	}
	return second, ok && nano == 0
}

// clockOf reads "23:59", "23:59:59" or "23:59:59.999999999"; 24:00 ends a day.
func clockOf(clock string) (second, nano int64, ok bool) {
	clock, fraction, _ := strings.Cut(clock, ".")
	parts := strings.Split(clock, ":")
	if len(parts) < 2 || len(parts) > 3 || len(fraction) > 9 {
		return 0, 0, false
	}
	for _, p := range parts {
		v, err := strconv.ParseUint(p, 10, 8)
		if err != nil || v > 60 || len(p) != 2 {
			return 0, 0, false
		}
		second = second*60 + int64(v)
	}
	if len(parts) == 2 {
		second *= 60
	}
	if fraction != "" {
		v, err := strconv.ParseUint((fraction + "00000000")[:9], 10, 64)
		if err != nil {
			return 0, 0, false
		}
		nano = int64(v)
	}
	return second, nano, second < daySeconds || second == daySeconds && nano == 0
}

// Int is the datum of an integer, of a date's days since 1970, of a time's
// microseconds and of an OID.
func Int(v int64) Datum { return Datum{IntValue, binary.AppendVarint(nil, v)} }

// Bool is the datum of a truth value.
func Bool(v bool) Datum {
	if v {
		return Datum{Type: TrueValue}
	}
	return Datum{Type: FalseValue}
}

// Float is the datum of a float.
func Float(f float64) Datum { return Datum{FloatValue, appendFloatValue(nil, f)} }

// Bytes is the datum of a string of any kind, of bytes and of an enum's physical
// member; it keeps b.
func Bytes(b []byte) Datum { return Datum{BytesValue, b} }

// Timestamp is the datum of a moment: seconds since 1970, and nanoseconds.
func Timestamp(second, nano int64) Datum {
	return Datum{TimeValue, instant{second, nano}.appendValue(nil)}
}

// Interval is the datum of an interval.
func Interval(months, days, nanos int64) Datum {
	return Datum{DurationValue, interval{months, days, nanos}.appendValue(nil)}
}

// TimeTZ is the datum of a time of day, in microseconds, in a zone that lies so
// many seconds west of Greenwich.
func TimeTZ(micros, west int64) Datum {
	return Datum{TimeTZValue, timeTZ{micros, west}.appendValue(nil)}
}
