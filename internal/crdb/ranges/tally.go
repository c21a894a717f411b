package ranges

import (
	"context"
	"math/bits"

	"github.com/cespare/xxhash/v2"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
)

// Tally adds up the entries that one walk over a span hands out, so that they can
// be held against other replicas without being read again. The zero value is
// empty.
type Tally struct {
	parts  map[*part]*sum
	broken bool // not every entry, or not all of them the preferred replica's
}

// sum is entries in any order: how many, and the sum of their hashes.
type sum struct {
	entries, bytes int64
	hash           uint64
}

func (s *sum) add(key, value []byte) {
	s.entries++
	s.bytes += int64(len(key) + len(value))
	hi, lo := bits.Mul64(xxhash.Sum64(key)^0xa0761d6478bd642f, xxhash.Sum64(value)^0xe7037ed1a0b428db)
	s.hash += hi ^ lo
}

// Tallied is the newest state of all ranges, like View; the entries of the one
// walk over the span are added up.
func (m *Map) Tallied(span keys.Span, t *Tally) engine.View {
	t.parts, t.broken = map[*part]*sum{}, false
	return tallied{authority{m}, span, t}
}

type tallied struct {
	authority
	span  keys.Span
	tally *Tally
}

// Iter walks the pieces of a span one after the other.
func (v tallied) Iter(span keys.Span) engine.Iter {
	it := &iter{m: v.m, span: span, from: span.From}
	if span.String() == v.span.String() {
		it.tally = v.tally
	}
	return it
}

// begin is the sum of a piece that is walked from its beginning; nil without a
// tally.
func (t *Tally) begin(p piece) *sum {
	if t == nil {
		return nil
	}
	if p.base != p.part.bases[0] {
		t.broken = true
	}
	s := t.parts[p.part]
	if s == nil {
		s = &sum{}
		t.parts[p.part] = s
	}
	return s
}

// equal says whether every other replica that can be brought to the same index
// has just the entries that were added up of the preferred one. Where it cannot
// tell, for damage or for a difference, it says no.
func (t *Tally) equal(ctx context.Context, p *part, span keys.Span, others []*base) (want sum, ok bool, err error) {
	if t == nil || t.broken || t.parts[p] == nil {
		return sum{}, false, nil
	}
	want = *t.parts[p]
	for _, b := range others {
		var got sum
		it := b.open().Iter(span)
		for n := 1; it.Next() && (n%4096 != 0 || ctx.Err() == nil); n++ {
			got.add(it.Key(), it.Value())
		}
		hurt := len(it.Damage()) > 0
		if err := closed(it); err != nil {
			return want, false, err
		}
		if hurt || got != want || ctx.Err() != nil {
			return want, false, ctx.Err()
		}
	}
	return want, true, nil
}
