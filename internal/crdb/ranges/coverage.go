package ranges

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/evac-io/evac/internal/crdb/keys"
)

// Hole is a stretch of keys that no replica of these stores speaks for.
type Hole struct {
	Span    keys.Span
	RangeID uint64   // of the range that should be there, 0 if nobody knows
	Members []Member // its replicas, as the addressing records say
}

// Overlap is a stretch of keys that two ranges claim.
type Overlap struct {
	Span      keys.Span
	Kept      uint64 // the range that it goes to, being the newer
	Left      uint64
	Ambiguous bool // both are of the same generation
}

// everything is the keys that ranges cut between them.
func everything() keys.Span { return keys.Span{From: keys.LocalMax(), To: keys.MaxKey()} }

// cover gives each range the keys that no newer range claims.
func cover(list []*Range) (holes []Hole, overlaps []Overlap) {
	var cuts [][]byte
	list = slices.Clone(list)
	for _, r := range list {
		r.Spans = nil
		s := r.Span()
		cuts = append(cuts, s.From, s.To)
	}
	all := everything()
	cuts = append(cuts, all.From, all.To)
	slices.SortFunc(cuts, bytes.Compare)
	cuts = slices.CompactFunc(cuts, bytes.Equal)
	slices.SortStableFunc(list, func(a, b *Range) int { return bytes.Compare(a.first(), b.first()) })
	var over []*Range
	for i := 0; i+1 < len(cuts); i++ {
		span := keys.Span{From: cuts[i], To: cuts[i+1]}
		over = slices.DeleteFunc(over, func(r *Range) bool { return bytes.Compare(r.End, span.From) <= 0 })
		for len(list) > 0 && bytes.Compare(list[0].first(), span.From) <= 0 {
			over, list = append(over, list[0]), list[1:]
		}
		if len(over) == 0 {
			holes = append(holes, Hole{Span: span})
			continue
		}
		best := slices.MinFunc(over, newer)
		best.Spans = extend(best.Spans, span)
		for _, r := range over {
			if r != best {
				overlaps = append(overlaps, Overlap{Span: span, Kept: best.RangeID, Left: r.RangeID, Ambiguous: r.Generation == best.Generation})
			}
		}
	}
	return holes, overlaps
}

// newer orders ranges that claim the same keys: the higher generation first.
func newer(a, b *Range) int {
	applied := func(r *Range) uint64 {
		if r.Chosen == nil {
			return 0
		}
		return r.Chosen.Applied
	}
	return cmp.Or(
		cmp.Compare(b.Generation, a.Generation),
		cmp.Compare(applied(b), applied(a)),
		cmp.Compare(b.RangeID, a.RangeID),
	)
}

// extend adds a span that comes behind the others.
func extend(spans []keys.Span, s keys.Span) []keys.Span {
	if n := len(spans); n > 0 && bytes.Equal(spans[n-1].To, s.From) {
		spans[n-1].To = s.To
		return spans
	}
	return append(spans, s)
}
