package store

import (
	"bytes"
	"slices"
	"sort"

	"github.com/evac-io/evac/internal/crdb/keys"
)

// Split implements engine.View. No piece is much larger than asked: a table whose
// bytes may lie in several pieces is opened to see where, one that lies by itself
// counts as a whole, so that cutting a large store does not read all its indexes.
func (v view) Split(span keys.Span, size int64) [][]byte {
	size = max(size, 1)
	weights := v.s.weights(span, size)
	var out [][]byte
	var last []byte // where a cut is possible, behind the one before
	n := int64(0)   // bytes behind the last cut
	for i := 0; i < len(weights); {
		user, more := weights[i].user, int64(0)
		for ; i < len(weights) && bytes.Equal(weights[i].user, user); i++ {
			more += weights[i].size
		}
		if last != nil && n >= size/4 && n+more > size+size/4 {
			out, n = append(out, bytes.Clone(last)), 0
		}
		n += more
		switch {
		case !span.Contains(user) || bytes.Equal(user, span.From):
			last = nil
		case n >= size:
			out, n, last = append(out, bytes.Clone(user)), 0, nil
		default:
			last = user
		}
	}
	return out
}

// weights are user keys, sorted, and about how many stored bytes lie before each,
// back to the one before.
func (s *Store) weights(span keys.Span, size int64) []cut {
	small := max(size/32, 1) // what is no larger may lie anywhere
	var out []cut
	for _, r := range s.mem.runs {
		out = append(out, r.cuts(small)...)
	}
	tables := slices.Collect(s.in(span))
	ends := make([][]byte, 0, len(tables))
	for _, t := range tables {
		if t.span.To != nil {
			ends = append(ends, t.span.To)
		}
	}
	slices.SortFunc(ends, bytes.Compare)
	var alone []TableMeta
	for _, t := range tables {
		switch {
		case t.Size <= small:
			out = append(out, cut{t.span.To, t.Size})
		case t.Size <= size && within(t.span, span) && endsIn(ends, t.span) == 1:
			alone = append(alone, t)
		default:
			out = append(out, s.tableCuts(t, span, small)...)
		}
	}
	out = slices.DeleteFunc(out, func(c cut) bool { return c.user == nil || bytes.Compare(c.user, span.From) < 0 })
	sortCuts(out)
	return s.around(out, alone, span, size)
}

func sortCuts(list []cut) {
	slices.SortFunc(list, func(a, b cut) int { return bytes.Compare(a.user, b.user) })
}

// endsIn counts the ends of tables that lie behind the beginning of a span, and
// not behind its end.
func endsIn(ends [][]byte, span keys.Span) int {
	behind := func(user []byte) int {
		return sort.Search(len(ends), func(i int) bool { return bytes.Compare(ends[i], user) > 0 })
	}
	if span.To == nil {
		return len(ends) - behind(span.From)
	}
	return behind(span.To) - behind(span.From)
}

// around puts tables, none of which has another one's end in it, among the weights.
// They are not cut: what little of others lies before their ends counts there. If
// it is not little, they are.
func (s *Store) around(weights []cut, alone []TableMeta, span keys.Span, size int64) []cut {
	first := func(user []byte) int {
		return sort.Search(len(weights), func(i int) bool { return bytes.Compare(weights[i].user, user) > 0 })
	}
	var more []cut
	for _, t := range alone {
		inside := weights[first(t.span.From):first(t.span.To)]
		sum := int64(0)
		for _, c := range inside {
			sum += c.size
		}
		if sum > size/8 {
			more = append(more, s.tableCuts(t, span, max(size/32, 1))...)
			continue
		}
		for i := range inside {
			inside[i].user = t.span.To
		}
		more = append(more, cut{t.span.To, t.Size})
	}
	out := append(weights, more...)
	sortCuts(out)
	return out
}

// tableCuts are the places at which a table may be cut into pieces of about so
// many bytes, the last one its end.
func (s *Store) tableCuts(t TableMeta, span keys.Span, size int64) []cut {
	var cuts []cut
	rest := t.Size
	entry := s.cache.get(t)
	if entry.table != nil {
		rest = entry.table.Size(span)
		for _, user := range entry.table.Cuts(span, size) {
			cuts = append(cuts, cut{user, size})
			rest -= size
		}
	}
	s.cache.put(entry)
	return append(cuts, cut{t.span.To, max(rest, 0)})
}
