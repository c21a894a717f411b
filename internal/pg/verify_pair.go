package pg

import (
	"context"
	"slices"
	"sync"
)

// pair is the same relation on both sides; one side may be nil.
type pair struct {
	source, target *relation
	// columns are those that both sides have, the key's first.
	columns []string
	keys    int
	// suspects are kept if rows are looked at again (see verify_live.go);
	// again is the pair whose suspects are looked at.
	suspects *suspects
	again    *pair
	// seen counts the rows that differ, also those that do not count.
	seen int64

	mu      sync.Mutex
	pending int // parts not yet read
	hasher  *hasher
	sums    [2]*sums
	tally   Tally
	found   []Difference
}

func newPair(source, target *relation) *pair {
	p := &pair{source: source, target: target}
	one := p.any()
	p.tally.Table, p.tally.Class = one.name, one.class
	p.columns = one.columns
	if source != nil && target != nil {
		source.portable = source.portable || target.portable
		target.portable = source.portable
		common := func(c string) bool { return slices.Contains(source.columns, c) && slices.Contains(target.columns, c) }
		if key := source.key; !slices.ContainsFunc(key, func(c string) bool { return !common(c) }) {
			p.keys = len(key)
		}
		p.columns = slices.Clone(source.key[:p.keys])
		for _, c := range source.columns {
			if common(c) && !slices.Contains(p.columns, c) {
				p.columns = append(p.columns, c)
			}
		}
	}
	return p
}

func (p *pair) any() *relation {
	if p.source != nil {
		return p.source
	}
	return p.target
}

func (p *pair) class() string { return p.any().class }

// String names the pair in errors.
func (p *pair) String() string {
	if p.ofTable() {
		return "table " + p.any().name
	}
	return p.any().name
}

// ofTable tells whether the rows are those of a table or materialized view.
func (p *pair) ofTable() bool { return p.class() == ClassRow || p.class() == ClassView }

// both tells whether there is something to compare; where a relation stands on
// one side only, its rows are counted.
func (p *pair) both() bool { return p.source != nil && p.target != nil }

// sides are the relations there are.
func (p *pair) sides() []*relation {
	return slices.DeleteFunc([]*relation{p.source, p.target}, func(r *relation) bool { return r == nil })
}

func (p *pair) parts() (n int) {
	for _, r := range p.sides() {
		n = max(n, len(r.parts))
	}
	return n
}

func (p *pair) bytes() (n int64) {
	for _, r := range p.sides() {
		n = max(n, r.bytes)
	}
	return n
}

func (p *pair) estimate() (n int64) {
	for _, r := range p.sides() {
		n += r.rows
	}
	return n
}

// begin makes the pair ready to be read.
func (v *verifier) begin(ctx context.Context, p *pair) error {
	var places *keyRange
	if p.bytes() > smallRelation && p.both() && p.keys > 0 && p.source.placed != placedNot && p.source.placed == p.target.placed && p.target.key[0] == p.source.key[0] {
		var err error
		if places, err = v.places(ctx, p); err != nil {
			return err
		}
	}
	p.hasher, p.pending, p.sums = v.seeds.hasher(p.bytes(), places), p.parts(), [2]*sums{}
	return nil
}

// places cuts the keys that either side has.
func (v *verifier) places(ctx context.Context, p *pair) (*keyRange, error) {
	a, b, some, err := p.source.keyEnds(ctx, v.source.conn)
	if err != nil {
		return nil, err
	}
	c, d, more, err := p.target.keyEnds(ctx, v.target.conn)
	switch {
	case err != nil || !some && !more:
		return nil, err
	case !some:
		a, b = c, d
	case !more:
		c, d = a, b
	}
	return places(p.source.key[0], p.source.placed == placedUUID, min(a, c), max(b, d)), nil
}

// ended takes the sums of a part in; last tells that it was the last one.
func (p *pair) ended(part [2]*sums) (last bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for side, s := range part {
		if p.sums[side] == nil {
			p.sums[side] = s
			continue
		}
		p.sums[side].add(s)
	}
	p.pending--
	return p.pending == 0
}
