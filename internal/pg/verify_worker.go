package pg

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

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

// readings are both sides.
func (v *verifier) readings() [2]*reading { return [2]*reading{v.source, v.target} }

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
	read := [2]func(int64){w.Read, w.Read}
	if p.both() {
		read[1] = func(int64) {} // they are the source's rows once more
	}
	sums := [2]*sums{p.hasher.newSums(read[0]), p.hasher.newSums(read[1])}
	err := w.bothSides(ctx, p, func(ctx context.Context, side int, r *relation) error {
		if part >= len(r.parts) {
			return nil
		}
		defer sums[side].say()
		return w.readings()[side].rows(ctx, w.conns[side], r.selects(p.columns, r.parts[part]), sums[side])
	})
	if err != nil {
		return err
	}
	if last := p.ended(sums); !last {
		return nil
	}
	return w.judge(ctx, p)
}

// judge counts a pair whose sums are complete, and names what differs.
func (w *worker) judge(ctx context.Context, p *pair) error {
	source, target := p.sums[0], p.sums[1]
	p.sums = [2]*sums{}
	p.tally.Rows = source.rows
	rows := source.rows
	if p.source == nil {
		rows = target.rows
	}
	w.Total(w.rows.Add(rows - p.estimate())) // now known
	at, weight := source.differ(target)
	var err error
	switch {
	case !p.both(): // the catalogs name it
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
	if err == nil && p.seen == 0 {
		err = errors.New("the sums differ, but no row does: a side reads differently each time")
	}
	return err
}

// compareRecomputed compares a materialized view whose stored rows differ once
// more, with what its definition gives on the source now: a copy fills it anew,
// while the source's rows may be older than the tables they came from.
func (w *worker) compareRecomputed(ctx context.Context, p *pair) error {
	p.source.recomputed()
	if err := w.begin(ctx, p); err != nil {
		return err
	}
	for part := range p.parts() {
		if err := w.compare(ctx, p, part); err != nil {
			return err
		}
	}
	return nil
}

// nameFew reads the rows of the buckets that disagree into memory, at a few
// places only if that is where they lie.
func (w *worker) nameFew(ctx context.Context, p *pair, at []bool) error {
	condition, placed := p.hasher.places.condition(p.hasher.marked(at))
	rows := [2]*chosen{}
	err := w.bothSides(ctx, p, func(ctx context.Context, side int, r *relation) error {
		rows[side] = &chosen{hasher: p.hasher, keys: p.keys, at: at}
		parts := r.parts
		if placed {
			parts = []part{{parts[0].from, condition}}
		}
		for _, part := range parts {
			if err := w.readings()[side].rows(ctx, w.conns[side], r.selects(p.columns, part), rows[side]); err != nil {
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
	var sides [2]*stream
	for side, r := range []*relation{p.source, p.target} {
		sides[side] = w.readings()[side].stream(ctx, group, w.conns[side], r.orderedSQL(p.columns, p.keys))
	}
	compare := func(a, b []byte) int { return compareKeys(a, b, max(p.keys, 1)) }
	group.Go(func() error {
		return mergeRows(sides[0].next, sides[1].next, compare, func(source, target []byte) {
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
