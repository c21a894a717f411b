package pg

import (
	"slices"
	"sync"
)

// pair is the same relation on both sides; one side may be nil.
type pair struct {
	source, target *relation
	// columns are those that both sides have, the key's first.
	columns []string
	keys    int

	mu      sync.Mutex
	pending int // parts not yet read
	sums    [2]*sums
	tally   Tally
	found   []Difference
}

// bucketsOfLarge is how many buckets a relation has that is not small.
const bucketsOfLarge, smallRelation = 4096, 4 << 20

func newPair(source, target *relation) *pair {
	p := &pair{source: source, target: target}
	one := p.any()
	p.tally.Table, p.tally.Class = one.name, one.class
	p.columns = one.columns
	if source != nil && target != nil {
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
	p.pending = p.parts()
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

func (p *pair) newSums(v *verifier) *sums {
	n := 1
	if p.bytes() > smallRelation {
		n = bucketsOfLarge
	}
	return &sums{hasher: v.hasher, keys: p.keys, buckets: make([]bucket, n), read: v.Read}
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
