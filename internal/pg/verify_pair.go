package pg

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
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

// worker compares pairs with a session on each side.
type worker struct {
	*verifier
	conns [2]*pgx.Conn
}

func (v *verifier) worker(ctx context.Context) (*worker, error) {
	source, err := v.source.join(ctx)
	if err != nil {
		return nil, err
	}
	target, err := v.target.join(ctx)
	if err != nil {
		return nil, errors.Join(err, hangUp(ctx, source))
	}
	return &worker{verifier: v, conns: [2]*pgx.Conn{source, target}}, nil
}

func (w *worker) close(ctx context.Context) error {
	return errors.Join(hangUp(ctx, w.conns[0]), hangUp(ctx, w.conns[1]))
}

// bothSides runs read for each side that the pair has, at once.
func (w *worker) bothSides(ctx context.Context, p *pair, read func(ctx context.Context, side int, r *relation) error) error {
	group, ctx := errgroup.WithContext(ctx)
	for side, r := range []*relation{p.source, p.target} {
		if r == nil {
			continue
		}
		group.Go(func() error {
			if err := read(ctx, side, r); err != nil {
				return fmt.Errorf("read %s: %w", [...]Side{Source, Target}[side], err)
			}
			return nil
		})
	}
	return group.Wait()
}

// compare sums one part of both sides up. Whoever ends the last part says what
// came of it.
func (w *worker) compare(ctx context.Context, p *pair, part int) error {
	sums := [2]*sums{p.newSums(w.verifier), p.newSums(w.verifier)}
	err := w.bothSides(ctx, p, func(ctx context.Context, side int, r *relation) error {
		if part >= len(r.parts) {
			return nil
		}
		defer sums[side].say()
		_, err := w.conns[side].PgConn().CopyTo(ctx, sums[side], "copy ("+r.selects(p.columns, r.parts[part])+") to stdout")
		return err
	})
	if err != nil {
		return err
	}
	if last := p.ended(sums); !last {
		return nil
	}
	return w.judge(ctx, p)
}

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

// judge counts a pair whose sums are complete, and names what differs.
func (w *worker) judge(ctx context.Context, p *pair) error {
	source, target := p.sums[0], p.sums[1]
	p.sums = [2]*sums{}
	p.tally.Rows = source.rows
	w.Total(w.rows.Add(source.rows + target.rows - p.estimate())) // now known
	at, weight := source.differ(target)
	var err error
	switch {
	case p.source == nil || p.target == nil: // the catalogs name it
		p.tally.Missing, p.tally.Extra = source.rows, target.rows
		return nil
	case at == nil:
		return nil
	case p.source.query != "":
		return w.compareRecomputed(ctx, p)
	case weight <= w.Memory/int64(max(w.Jobs, 1)):
		err = w.nameFew(ctx, p, at)
	default:
		err = w.nameMany(ctx, p)
	}
	if err == nil && p.tally.Equal() {
		err = errors.New("the sums differ, but no row does: a side reads differently each time")
	}
	return err
}

// compareRecomputed compares a materialized view whose stored rows differ once
// more, with what its definition gives on the source now: a copy fills it anew,
// while the source's rows may be older than the tables they came from.
func (w *worker) compareRecomputed(ctx context.Context, p *pair) error {
	p.source.recomputed()
	p.target.rows = 0 // counted already
	p.pending = p.parts()
	for part := range p.parts() {
		if err := w.compare(ctx, p, part); err != nil {
			return err
		}
	}
	return nil
}

// nameFew reads the rows of the buckets that disagree into memory.
func (w *worker) nameFew(ctx context.Context, p *pair, at []bool) error {
	rows := [2]*chosen{}
	err := w.bothSides(ctx, p, func(ctx context.Context, side int, r *relation) error {
		rows[side] = &chosen{hasher: w.hasher, keys: p.keys, at: at}
		for _, part := range r.parts {
			if _, err := w.conns[side].PgConn().CopyTo(ctx, rows[side], "copy ("+r.selects(p.columns, part)+") to stdout"); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	compare := func(a, b []byte) int { return compareKeys(a, b, p.keys) }
	return mergeRows(rows[0].sorted(), rows[1].sorted(), compare, func(source, target []byte) { w.tell(p, source, target) })
}

// nameMany lets the servers sort both sides.
func (w *worker) nameMany(ctx context.Context, p *pair) error {
	group, ctx := errgroup.WithContext(ctx)
	source := streamRows(ctx, group, w.conns[0], Source, p.source.orderedSQL(p.columns, p.keys))
	target := streamRows(ctx, group, w.conns[1], Target, p.target.orderedSQL(p.columns, p.keys))
	compare := func(a, b []byte) int { return compareKeys(a, b, max(p.keys, 1)) }
	group.Go(func() error {
		return mergeRows(source.next, target.next, compare, func(source, target []byte) {
			if p.keys == 0 {
				source, target = withoutFirst(source), withoutFirst(target)
			}
			w.tell(p, source, target)
		})
	})
	return group.Wait()
}

// withoutFirst cuts the first field off; nil stays nil.
func withoutFirst(row []byte) []byte {
	for i, c := range row {
		if c == '\t' {
			return row[i+1:]
		}
	}
	return row[len(row):]
}

// tell counts a difference, and keeps it if there is room.
func (w *worker) tell(p *pair, source, target []byte) {
	d := Difference{Class: p.class(), Table: p.any().name, Kind: Different}
	switch {
	case target == nil:
		d.Kind = Missing
		p.tally.Missing++
	case source == nil:
		d.Kind = Extra
		p.tally.Extra++
	default:
		p.tally.Different++
	}
	if len(p.found) >= w.MaxDifferences {
		return
	}
	d.describe(p, source, target)
	p.found = append(p.found, d)
	if w.told.Add(1) <= int64(w.MaxDifferences) {
		w.Found(d)
	}
}

// describe fills in key and values.
func (d *Difference) describe(p *pair, source, target []byte) {
	n := len(p.columns)
	var sides [2][][]byte
	for i, row := range [][]byte{source, target} {
		if row != nil {
			sides[i] = fields(row, n)
		}
	}
	key := sides[0]
	if source == nil {
		key = sides[1]
	}
	key = key[:min(p.keys, len(key))]
	if p.ofTable() {
		d.Key = keyText(key)
	} else {
		d.name(key)
	}
	d.Source, d.Target = values(p, source, sides[0], sides[1]), values(p, target, sides[1], sides[0])
}

// name calls what is no row of a table by its own name.
func (d *Difference) name(key [][]byte) {
	words := make([]string, len(key))
	for i, k := range key {
		words[i] = string(k)
	}
	switch d.Class {
	case ClassLarge:
		d.Table, d.Key = "large object "+words[0], "piece "+words[1]
	default:
		d.Table = strings.Join(words, " ")
	}
}

// values shows a side's columns: all of a row that stands alone, else those
// that are not the same.
func values(p *pair, row []byte, own, other [][]byte) map[string]*string {
	if row == nil {
		return nil
	}
	shownColumns := map[string]*string{}
	first := 0
	if !p.ofTable() {
		first = p.keys // the name says it
	}
	for i := first; i < len(p.columns); i++ {
		if len(other) > 0 && slices.Equal(own[i], other[i]) && (own[i] == nil) == (other[i] == nil) {
			continue
		}
		shownColumns[p.columns[i]] = shown(own[i])
	}
	return shownColumns
}
