package sst

import (
	"bytes"
	"slices"

	"github.com/evac-io/evac/internal/crdb/keys"
)

// covering is a set of range deletions, as pieces that do not overlap, each with
// the newest number. It is asked in ascending order of keys.
type covering struct {
	pieces []RangeDel
	at     int
}

// cover cuts range deletions at each other's borders.
func cover(dels []RangeDel) covering {
	borders := make([][]byte, 0, 2*len(dels))
	for _, d := range dels {
		if keys.Compare(d.From, d.To) < 0 {
			borders = append(borders, d.From, d.To)
		}
	}
	slices.SortFunc(borders, keys.Compare)
	borders = slices.CompactFunc(borders, func(a, b []byte) bool { return keys.Compare(a, b) == 0 })
	var c covering
	if len(borders) < 2 {
		return c
	}
	sorted := slices.Clone(dels)
	slices.SortFunc(sorted, func(a, b RangeDel) int { return keys.Compare(a.From, b.From) })
	var active []RangeDel
	for i, from := range borders[:len(borders)-1] {
		for len(sorted) > 0 && keys.Compare(sorted[0].From, from) <= 0 {
			active, sorted = append(active, sorted[0]), sorted[1:]
		}
		active = slices.DeleteFunc(active, func(d RangeDel) bool { return keys.Compare(d.To, from) <= 0 })
		var newest uint64
		for _, d := range active {
			newest = max(newest, d.Seq)
		}
		if len(active) == 0 {
			continue
		}
		c.add(RangeDel{From: from, To: borders[i+1], Seq: newest})
	}
	return c
}

// add appends a piece, to the last one if it goes on with the same number.
func (c *covering) add(d RangeDel) {
	if n := len(c.pieces); n > 0 && c.pieces[n-1].Seq == d.Seq && bytes.Equal(c.pieces[n-1].To, d.From) {
		c.pieces[n-1].To = d.To
		return
	}
	c.pieces = append(c.pieces, d)
}

// hides says whether a range deletion is newer than an entry.
func (c *covering) hides(e *Entry) bool {
	for c.at < len(c.pieces) && keys.Compare(c.pieces[c.at].To, e.Key) <= 0 {
		c.at++
	}
	return c.at < len(c.pieces) && c.pieces[c.at].Seq > e.Seq && keys.Compare(c.pieces[c.at].From, e.Key) <= 0
}
