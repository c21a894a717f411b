package store

import (
	"bytes"
	"slices"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/sst"
)

// view is the store as its node saw it last.
type view struct{ s *Store }

// View is the store as it stands: what the logs hold over the live tables.
func (s *Store) View() engine.View { return view{s} }

// Iter implements engine.View.
func (v view) Iter(span keys.Span) engine.Iter {
	dels := slices.Clone(v.s.mem.deletes)
	var sources []sst.Source
	for _, r := range v.s.mem.runs {
		sources = append(sources, r.entries(span))
	}
	for _, run := range v.s.runs {
		tables := touching(run, span)
		if len(tables) == 0 {
			continue
		}
		sources = append(sources, v.s.source(tables, span))
		for _, t := range tables {
			dels = append(dels, v.s.cache.rangeDels(t)...)
		}
	}
	return &viewIter{Merged: sst.Newest(span, dels, sources...), lost: v.s.lostIn(span)}
}

type viewIter struct {
	*sst.Merged
	lost []engine.Damage
}

// Damage adds what the store lost as a whole: files that are not there, and
// stretches of its logs. Each is named once, however often it was in the way.
func (i *viewIter) Damage() []engine.Damage {
	out := slices.Clone(i.lost)
	named := map[string]bool{}
	for _, d := range out {
		named[d.String()] = true
	}
	for _, d := range i.Merged.Damage() {
		if !named[d.String()] {
			named[d.String()] = true
			out = append(out, d)
		}
	}
	return out
}

// lostIn is the damage found when the store was opened, as far as it touches a
// span.
func (s *Store) lostIn(span keys.Span) []engine.Damage {
	var out []engine.Damage
	for _, d := range s.damage {
		if d.Span.Overlaps(span) {
			out = append(out, d)
		}
	}
	return out
}

// RangeTombstones implements engine.View.
func (v view) RangeTombstones(span keys.Span) ([]engine.RangeTombstone, error) {
	ops := slices.Clone(v.s.mem.ranges)
	for t := range v.s.in(span) {
		if t.RangeKeys {
			ops = append(ops, v.s.rangeKeys(t)...)
		}
	}
	ops = slices.DeleteFunc(ops, func(k sst.RangeKey) bool {
		return !span.Overlaps(keys.Span{From: userOf(k.From), To: userOf(k.To)})
	})
	return rangeTombstones(ops, span), nil
}

func (s *Store) rangeKeys(t TableMeta) []sst.RangeKey {
	entry := s.cache.get(t)
	defer s.cache.put(entry)
	if entry.table == nil {
		return nil // the walk over the points names it as damage
	}
	return entry.table.RangeKeys()
}

// Size implements engine.View.
func (v view) Size(span keys.Span) int64 {
	n := int64(0)
	for _, r := range v.s.mem.runs {
		n += r.size(span)
	}
	for t := range v.s.in(span) {
		if within(t.span, span) {
			n += t.Size
		} else {
			n += v.s.tableSize(t, span)
		}
	}
	return n
}

func within(inner, outer keys.Span) bool {
	return bytes.Compare(inner.From, outer.From) >= 0 && (outer.To == nil || inner.To != nil && bytes.Compare(inner.To, outer.To) <= 0)
}

func (s *Store) tableSize(t TableMeta, span keys.Span) int64 {
	entry := s.cache.get(t)
	defer s.cache.put(entry)
	if entry.table == nil {
		return 0
	}
	return entry.table.Size(span)
}

// Split implements engine.View. A table that is small beside a piece counts as
// a whole, so that cutting a large store does not read all its indexes.
func (v view) Split(span keys.Span, size int64) [][]byte {
	size = max(size, 1)
	var weights []cut
	for _, r := range v.s.mem.runs {
		weights = append(weights, r.cuts(max(size/8, 1))...)
	}
	for t := range v.s.in(span) {
		weights = append(weights, v.s.tableCuts(t, span, size)...)
	}
	weights = slices.DeleteFunc(weights, func(c cut) bool { return !span.Contains(c.user) })
	slices.SortFunc(weights, func(a, b cut) int { return bytes.Compare(a.user, b.user) })
	var out [][]byte
	n := int64(0)
	for i, c := range weights {
		n += c.size
		if i+1 < len(weights) && bytes.Equal(c.user, weights[i+1].user) || n < size || bytes.Equal(c.user, span.From) {
			continue
		}
		out, n = append(out, bytes.Clone(c.user)), 0
	}
	return out
}

// tableCuts are the places at which a table may be cut, the last one its end.
func (s *Store) tableCuts(t TableMeta, span keys.Span, size int64) []cut {
	var cuts []cut
	rest := t.Size
	if t.Size > 2*size {
		each := max(size/8, 1)
		entry := s.cache.get(t)
		if entry.table != nil {
			rest = entry.table.Size(span)
			for _, user := range entry.table.Cuts(span, each) {
				cuts = append(cuts, cut{user, each})
				rest -= each
			}
		}
		s.cache.put(entry)
	}
	if end := t.span.To; end != nil {
		cuts = append(cuts, cut{end, max(rest, 0)})
	}
	return cuts
}
