package mvcc

import (
	"bytes"
	"slices"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
)

// tombs are range tombstones as disjoint stretches in order, each with the
// newest tombstone over it. Walking on uses up those behind.
type tombs []engine.RangeTombstone

// newTombs cuts the tombstones that hold at a moment, or ever for the zero one.
func newTombs(list []engine.RangeTombstone, asOf keys.Timestamp) tombs {
	var cuts [][]byte
	var live []engine.RangeTombstone
	for _, t := range list {
		if asOf.IsZero() || t.At.Compare(asOf) <= 0 {
			live = append(live, t)
			cuts = append(cuts, t.Span.From)
			if t.Span.To != nil {
				cuts = append(cuts, t.Span.To)
			}
		}
	}
	slices.SortFunc(cuts, bytes.Compare)
	cuts = slices.CompactFunc(cuts, bytes.Equal)
	slices.SortFunc(live, func(a, b engine.RangeTombstone) int { return bytes.Compare(a.Span.From, b.Span.From) })
	var out tombs
	var over []engine.RangeTombstone // those begun and not ended
	for i, from := range cuts {
		var to []byte
		if i+1 < len(cuts) {
			to = cuts[i+1]
		}
		over = slices.DeleteFunc(over, func(t engine.RangeTombstone) bool { return !t.Span.Contains(from) })
		for len(live) > 0 && bytes.Compare(live[0].Span.From, from) <= 0 {
			over, live = append(over, live[0]), live[1:]
		}
		if len(over) > 0 {
			newest := slices.MaxFunc(over, func(a, b engine.RangeTombstone) int { return a.At.Compare(b.At) })
			out = append(out, engine.RangeTombstone{Span: keys.Span{From: from, To: to}, At: newest.At})
		}
	}
	return out
}

// cover says whether a version is deleted. The user keys of the calls ascend.
func (t *tombs) cover(user []byte, at keys.Timestamp) bool {
	for len(*t) > 0 && (*t)[0].Span.To != nil && bytes.Compare((*t)[0].Span.To, user) <= 0 {
		*t = (*t)[1:]
	}
	return len(*t) > 0 && (*t)[0].Span.Contains(user) && at.Compare((*t)[0].At) < 0
}
