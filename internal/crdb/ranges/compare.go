package ranges

import (
	"bytes"
	"context"
	"fmt"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
)

// Comparison is what comparing the replicas of a span at the same index gave.
type Comparison struct {
	Entries, Bytes int64        // of the first replica of each range that has others
	Compared       int64        // entries that two replicas or more have the same
	Differences    []Difference // the first of them, neighbours joined
	Differing      int64        // entries that are not the same everywhere
	Alone          []string     // ranges whose first replica has no other to be compared with, and why
}

// Difference is user keys in which the replicas of one range are not the same.
type Difference struct {
	RangeID uint64
	Span    keys.Span
	Entries int64
	Stores  []uint64 // that differ from the others, or lack something

	at int64 // how many entries came before the last of it
}

// maxDifferences is how many stretches of differences are listed.
const maxDifferences = 1000

// series is the keys of CockroachDB's own metrics. A store merges them when it
// likes, so that equal ones need not look equal.
var series = keys.PrefixSpan([]byte("\x04tsd"))

// Compare reads all replicas of a span of user keys, brought to the same index,
// beside each other. What is damaged in one is compared between the others. If the
// preferred replica's entries of just this span were tallied, only the other ones
// are read as long as nothing differs; nil: they were not.
func (m *Map) Compare(ctx context.Context, span keys.Span, read *Tally) (Comparison, error) {
	c := &Comparison{}
	for i := range m.parts {
		p := &m.parts[i]
		both := p.span.Intersect(span)
		if both.Empty() {
			continue
		}
		for _, s := range subtract([]keys.Span{both}, series) {
			if err := c.span(ctx, p, s, read); err != nil {
				return *c, fmt.Errorf("compare replicas of range %d: %w", p.rng.RangeID, err)
			}
		}
	}
	return *c, nil
}

// span compares a part: by the sums if they are equal, else entry by entry.
func (c *Comparison) span(ctx context.Context, p *part, span keys.Span, read *Tally) error {
	one := &Comparison{}
	bases := p.comparable(one)
	if len(bases) == 1 {
		c.take(one)
		return nil
	}
	s, equal, err := read.equal(ctx, p, span, bases[1:])
	if err != nil {
		return err
	}
	if !equal {
		return c.again(ctx, p, span)
	}
	one.Entries, one.Bytes, one.Compared = s.entries, s.bytes, s.entries
	c.take(one)
	return nil
}

// side is one replica in a comparison.
type side struct {
	engine.Iter
	source *Source
	more   bool
}

func (s *side) next() { s.more = s.Next() }

// damagedAt says whether the replica may lack a key for its damage.
func (s *side) damagedAt(user []byte) bool {
	_, hurt := s.source.damaged.next(keys.Span{From: user, To: append(user[:len(user):len(user)], 0)})
	return hurt
}

// again compares a part until no damage is met that was not known before: what
// looks like a difference may be damage.
func (c *Comparison) again(ctx context.Context, p *part, span keys.Span) error {
	for {
		one := &Comparison{}
		news, err := one.part(ctx, p, span)
		if err != nil {
			return err
		}
		if !news {
			c.take(one)
			return nil
		}
	}
}

// take adds what another part came to.
func (c *Comparison) take(o *Comparison) {
	c.Entries += o.Entries
	c.Bytes += o.Bytes
	c.Compared += o.Compared
	c.Differing += o.Differing
	c.Alone = append(c.Alone, o.Alone...)
	c.Differences = append(c.Differences, o.Differences[:min(len(o.Differences), maxDifferences-len(c.Differences))]...)
}

// comparable are the replicas that can be brought to the same index; it notes
// those that cannot, and the one that has no other.
func (p *part) comparable(c *Comparison) (out []*base) {
	for i, b := range p.bases {
		if i > 0 && !b.reaches {
			c.Alone = append(c.Alone, fmt.Sprintf("range %d: store %d is behind, and the log does not reach", p.rng.RangeID, b.replica.Store()))
			continue
		}
		out = append(out, b)
	}
	if len(out) == 1 {
		c.Alone = append(c.Alone, fmt.Sprintf("range %d: only store %d has it", p.rng.RangeID, out[0].replica.Store()))
	}
	return out
}

// part compares once; it says whether new damage was met.
func (c *Comparison) part(ctx context.Context, p *part, span keys.Span) (news bool, err error) {
	bases := p.comparable(c)
	var sides []*side
	for _, b := range bases {
		sides = append(sides, &side{Iter: b.open().Iter(span), source: b.replica.Source})
	}
	for _, s := range sides {
		s.next()
	}
	for n := 0; ctx.Err() == nil || n%4096 != 0; n++ {
		if !c.step(p, sides) {
			break
		}
	}
	err = ctx.Err()
	for _, s := range sides {
		news = len(s.source.damaged.add(s.Damage())) > 0 || news
		if e := closed(s); err == nil {
			err = e
		}
	}
	return news, err
}

// step compares the replicas' next entry and passes over it.
func (c *Comparison) step(p *part, sides []*side) bool {
	var first *side
	for _, s := range sides {
		if s.more && (first == nil || keys.Compare(s.Key(), first.Key()) < 0) {
			first = s
		}
	}
	if first == nil {
		return false
	}
	key, value := first.Key(), first.Value()
	if first == sides[0] {
		c.Entries++
		c.Bytes += int64(len(key) + len(value))
	}
	var differ []*side
	equal := 0
	for _, s := range sides {
		if s != first && s.more && keys.Compare(s.Key(), key) == 0 && bytes.Equal(s.Value(), value) {
			equal++
		} else if s != first {
			differ = append(differ, s)
		}
	}
	if equal > 0 {
		c.Compared++
	}
	if len(differ) > 0 {
		c.differ(p, first, differ)
	}
	for _, s := range sides {
		if s != first && s.more && keys.Compare(s.Key(), key) == 0 {
			s.next()
		}
	}
	first.next()
	return true
}

// differ keeps a difference, unless damage is why.
func (c *Comparison) differ(p *part, first *side, differ []*side) {
	user, _, err := keys.Split(first.Key())
	if err != nil {
		return
	}
	var stores []uint64
	for _, s := range differ {
		if !s.damagedAt(user) {
			stores = append(stores, s.source.Store)
		}
	}
	if len(stores) == 0 || first.damagedAt(user) {
		return
	}
	c.Differing++
	if n := len(c.Differences); n > 0 {
		last := &c.Differences[n-1]
		if last.RangeID == p.rng.RangeID && c.Entries-last.at < neighbours {
			last.Span.To, last.Entries, last.at = append(bytes.Clone(user), 0), last.Entries+1, c.Entries
			return
		}
		if n == maxDifferences {
			return
		}
	}
	c.Differences = append(c.Differences, Difference{
		RangeID: p.rng.RangeID, Span: only(bytes.Clone(user)), Entries: 1, Stores: stores, at: c.Entries,
	})
}

// neighbours is how close, in entries, two differences are one.
const neighbours = 16

// only is the span of one user key.
func only(user []byte) keys.Span {
	return keys.Span{From: user, To: append(user[:len(user):len(user)], 0)}
}
