package salvage

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/fault"
)

// ParseMoment reads a moment as RFC 3339, or as CockroachDB's AS OF SYSTEM TIME
// takes it: nanoseconds since 1970, a dot, ten digits of the counter. An empty
// text is the zero moment: the newest state.
func ParseMoment(text string) (keys.Timestamp, error) {
	if text == "" {
		return keys.Timestamp{}, nil
	}
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil && t.Year() > 1970 && t.Year() < 2262 { // what nanoseconds can count
		return keys.Timestamp{Wall: t.UnixNano()}, nil
	}
	wall, logical, _ := strings.Cut(text, ".")
	w, err := strconv.ParseInt(wall, 10, 64)
	var l uint64
	if err == nil && logical != "" {
		if l, err = strconv.ParseUint(logical, 10, 31); len(logical) != 10 {
			err = strconv.ErrSyntax
		}
	}
	if err != nil || w <= 0 {
		return keys.Timestamp{}, fault.New(fault.Invalid, fmt.Sprintf("%q is not a moment", text),
			"write it as 2026-01-31T04:05:06Z, or as cluster_logical_timestamp() shows it: 1769832306000000000.0000000000")
	}
	return keys.Timestamp{Wall: w, Logical: int32(l)}, nil
}
