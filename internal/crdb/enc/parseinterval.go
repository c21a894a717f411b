package enc

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// parseInterval reads an interval in PostgreSQL's own style, as appendText
// writes it: "1 year 2 mons -3 days +04:05:06.789".
func parseInterval(text string) (Datum, bool) {
	var v interval
	words := strings.Fields(text)
	if len(words) == 0 {
		return Datum{}, false
	}
	for len(words) > 0 {
		if strings.Contains(words[0], ":") {
			nanos, ok := spanOf(words[0])
			v.nanos = nanos
			return Datum{DurationValue, v.appendValue(nil)}, ok && len(words) == 1
		}
		n, err := strconv.ParseInt(words[0], 10, 32)
		if err != nil || len(words) == 1 {
			return Datum{}, false
		}
		switch strings.TrimSuffix(words[1], "s") {
		case "year":
			v.months += 12 * n
		case "mon", "month":
			v.months += n
		case "day":
			v.days += n
		default:
			return Datum{}, false
		}
		words = words[2:]
	}
	return Datum{DurationValue, v.appendValue(nil)}, true
}

// spanOf is the nanoseconds of a clock that may show any number of hours.
func spanOf(text string) (int64, bool) {
	clock, minus := strings.CutPrefix(text, "-")
	if !minus {
		clock = strings.TrimPrefix(clock, "+")
	}
	hours, rest, _ := strings.Cut(clock, ":")
	h, err := strconv.ParseUint(hours, 10, 64)
	second, nano, ok := clockOf("00:" + rest)
	if err != nil || h > math.MaxInt64/uint64(time.Hour) || !ok {
		return 0, false
	}
	n := h*uint64(time.Hour) + uint64(second)*uint64(time.Second) + uint64(nano)
	if minus {
		return -int64(n), n <= 1<<63
	}
	return int64(n), n <= math.MaxInt64
}
