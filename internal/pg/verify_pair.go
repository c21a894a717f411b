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
		p.findable()
	}
	return p
}

// findable puts a column first by which rows without a key can be found again.
func (p *pair) findable() {
	i := slices.IndexFunc(p.columns, p.integer)
	if p.keys == 0 && i > 0 {
		column := p.columns[i]
		p.columns = slices.Insert(slices.Delete(p.columns, i, i+1), 0, column)
	}
}

func (p *pair) integer(column string) bool {
	return slices.Contains(p.source.integers, column) && slices.Contains(p.target.integers, column)
}

func (p *pair) uuid(column string) bool {
	return slices.Contains(p.source.uuids, column) && slices.Contains(p.target.uuids, column)
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

// estimate is how many rows there may be to compare: each counts once.
func (p *pair) estimate() int64 { return p.any().rows }

// begin makes the pair ready to be read.
func (v *verifier) begin(ctx context.Context, p *pair) error {
	var places *locator
	if p.bytes() > smallRelation && p.both() {
		var err error
		if places, err = v.locator(ctx, p); err != nil {
			return err
		}
	}
	p.hasher, p.pending, p.sums = v.seeds.hasher(p.bytes(), places), p.parts(), [2]*sums{}
	return nil
}

// locator divides by the first column, if that can be done.
func (v *verifier) locator(ctx context.Context, p *pair) (*locator, error) {
	switch {
	case len(p.columns) == 0:
		return nil, nil
	case p.keys > 0 && (p.integer(p.columns[0]) || p.uuid(p.columns[0])):
		return v.ranges(ctx, p)
	case p.keys == 0 && p.integer(p.columns[0]):
		return lowBits(p.columns[0]), nil
	}
	return nil, nil
}

// ranges cuts the keys that either side has.
func (v *verifier) ranges(ctx context.Context, p *pair) (*locator, error) {
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
	return rangesOf(p.columns[0], p.uuid(p.columns[0]), min(a, c), max(b, d)), nil
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
