package ranges

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/mvcc"
)

// meta2 is the addressing records of all ranges: under their end key, each has a
// copy of the range's descriptor.
func meta2() keys.Span { return keys.PrefixSpan([]byte{3}) }

// fillHoles names what should be in the holes, and takes in replicas that are on
// a store but whose descriptor or applied index the damage took.
func (m *Map) fillHoles(ctx context.Context, mode Mode) error {
	if len(m.Holes) == 0 {
		return nil
	}
	known, err := m.addressed(ctx)
	if err != nil {
		return err
	}
	found := false
	for _, d := range known {
		if m.inHole(d.Span()) && m.adopt(d, mode) {
			found = true
		}
	}
	if found {
		m.finish()
	}
	m.nameHoles(known)
	return nil
}

// addressed are the descriptors that any addressing record or any store's own
// record still has, the newest of each range, by start key.
func (m *Map) addressed(ctx context.Context) ([]*Descriptor, error) {
	newest := map[uint64]*Descriptor{}
	keep := func(d *Descriptor) {
		if old := newest[d.RangeID]; old == nil || old.Generation < d.Generation {
			newest[d.RangeID] = d
		}
	}
	for _, r := range m.Ranges {
		keep(&r.Descriptor)
	}
	readers := []*mvcc.Reader{m.Reader(keys.Timestamp{})}
	for _, s := range m.Sources {
		readers = append(readers, mvcc.NewReader(s.View, m.outcomes, keys.Timestamp{}))
	}
	for i, reader := range readers {
		it := reader.Iter(meta2())
		for it.Next() {
			if d, err := descriptorOf(it.Key(), it.Value()); err == nil {
				keep(d)
			}
		}
		if i > 0 {
			m.Sources[i-1].damaged.add(it.Damage())
		}
		if err := it.Close(); err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	out := make([]*Descriptor, 0, len(newest))
	for _, d := range newest {
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b *Descriptor) int {
		return cmp.Or(bytes.Compare(a.Start, b.Start), cmp.Compare(b.Generation, a.Generation))
	})
	return out, nil
}

func (m *Map) inHole(span keys.Span) bool {
	return slices.ContainsFunc(m.Holes, func(h Hole) bool { return h.Span.Overlaps(span) })
}

// adopt makes a range out of what its members' damaged stores still have of it.
func (m *Map) adopt(d *Descriptor, mode Mode) bool {
	var replicas []*Replica
	for _, s := range m.Sources {
		if m := d.Member(s.Store); m == nil || !s.damaged.touches(keys.RangeIDSpan()) && !s.damaged.touches(keys.RangeLocalSpan(keys.Span{})) {
			continue
		}
		p := s.replicas[d.RangeID]
		if p == nil {
			p = &Replica{Source: s, RangeID: d.RangeID}
			s.replicas[d.RangeID] = p
		}
		p.Damaged, p.Lost = true, !p.State
		if p.Desc == nil {
			p.Desc = d
		}
		replicas = append(replicas, p)
	}
	if len(replicas) == 0 {
		return false
	}
	r := newRange(d, replicas, mode)
	if len(r.bases) == 0 {
		return false
	}
	r.note("its descriptor comes from the addressing records: its own is lost")
	for i, old := range m.Ranges {
		if old.RangeID == r.RangeID {
			m.Ranges[i] = r
			return true
		}
	}
	m.Ranges = append(m.Ranges, r)
	slices.SortFunc(m.Ranges, byStart)
	return true
}

// nameHoles cuts the holes by the ranges that should be there.
func (m *Map) nameHoles(known []*Descriptor) {
	var out []Hole
	for _, h := range m.Holes {
		for _, d := range known {
			cut := d.Span().Intersect(h.Span)
			if cut.Empty() || len(d.Members) == 0 {
				continue
			}
			if before := (keys.Span{From: h.Span.From, To: cut.From}); !before.Empty() {
				out = append(out, Hole{Span: before})
			}
			out = append(out, Hole{Span: cut, RangeID: d.RangeID, Members: d.Members})
			h.Span.From = cut.To
		}
		if !h.Span.Empty() {
			out = append(out, h)
		}
	}
	m.Holes = out
}
