package salvage

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/evac-io/evac/internal/crdb/catalog"
	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/ranges"
	"github.com/evac-io/evac/internal/crdb/rows"
)

// Merge adds up what the tasks found, holds the indexes against the rows, proves
// what rests on the log alone, and writes schema and report.
func (c *Cluster) Merge(ctx context.Context, p *Plan, results []Result, dir string, opt Options) (*Report, error) {
	rep := c.newReport(p)
	if err := c.proveBackup(ctx, p, rep, opt); err != nil {
		return nil, err
	}
	again, err := c.prove(ctx, results)
	if err != nil {
		return nil, err
	}
	tasks := map[*catalog.Table][]Task{}
	for _, task := range p.Tasks {
		if t := c.Catalog.Table(task.Tenant, task.Table); !task.Raw && task.Gone == 0 {
			tasks[t] = append(tasks[t], task)
		}
	}
	for _, t := range p.Tables {
		one, err := c.mergeTable(ctx, p.decoders[t], t, tasks[t], results, again, opt)
		if err != nil {
			return nil, fmt.Errorf("count table %q: %w", FullName(t), err)
		}
		rep.Tables = append(rep.Tables, one)
	}
	if err := c.mergeInterleaved(ctx, p, tasks, results, dir, rep); err != nil {
		return nil, err
	}
	if err := c.mergeGone(p, results, again, rep); err != nil {
		return nil, err
	}
	if err := c.mergeRaw(p, results, again, rep); err != nil {
		return nil, err
	}
	c.mergeDamage(rep, results)
	if err := c.sequences(rep); err != nil {
		return nil, err
	}
	if err := c.survey(ctx, rep, opt); err != nil {
		return nil, err
	}
	rep.settle()
	if err := errors.Join(syncAll(ctx, dir, p, results), c.writeSchema(rep, dir)); err != nil {
		return nil, err
	}
	return rep, rep.write(dir)
}

// prove counts the ranges of which something rests on the log, after reading
// them again so that all their damage is known. It says which they are.
func (c *Cluster) prove(ctx context.Context, results []Result) (map[uint64]bool, error) {
	again := map[uint64]bool{}
	if c.Backup != nil {
		return again, nil
	}
	open := map[uint64]bool{} // to a proof: what they rest on does not say whether it is all
	for _, r := range c.Map.Ranges {
		open[r.RangeID] = r.Chosen != nil && (r.Chosen.Lost || r.Replay.Problem != "")
	}
	rests, err := c.beside(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range results {
		rests = append(rests, r.Rests...)
	}
	for _, s := range rests {
		if s.Store == 0 || open[s.Range] {
			again[s.Range] = true
		}
	}
	for _, r := range c.Map.Ranges {
		if !again[r.RangeID] {
			continue
		}
		for _, s := range r.Spans {
			if err := c.walk(ctx, s); err != nil {
				return nil, err
			}
		}
		if _, err := c.Map.Prove(ctx, r); err != nil {
			return nil, err
		}
	}
	return again, nil
}

// beside is what the keys that are read beside the tables' rest on: those of the
// schema and of the sequences.
func (c *Cluster) beside(ctx context.Context) (out []Rest, err error) {
	spans := slices.Clone(c.read)
	for _, t := range c.Catalog.Tables {
		if givesOut(t) {
			spans = append(spans, rows.SequenceSpan(t))
		}
	}
	for _, s := range spans {
		if err := c.walk(ctx, s); err != nil {
			return nil, err
		}
		rests, err := c.rests(s)
		if err != nil {
			return nil, err
		}
		out = append(out, rests...)
	}
	return out, nil
}

// walk reads a span for nothing but its damage.
func (c *Cluster) walk(ctx context.Context, span keys.Span) error {
	for {
		it := c.Map.View().Iter(span)
		for it.Next() && ctx.Err() == nil {
			continue
		}
		err := errors.Join(it.Err(), it.Close(), ctx.Err())
		if !errors.Is(err, ranges.ErrReadAgain) {
			return err
		}
	}
}

// mergeTable adds up the tasks of one table.
func (c *Cluster) mergeTable(ctx context.Context, d *rows.Decoder, t *catalog.Table, tasks []Task, results []Result, again map[uint64]bool, opt Options) (*Table, error) {
	out := &Table{Name: FullName(t), Dir: Dir(t), ID: t.ID, State: t.State.String(), Given: c.given[t], LeftOut: d.LeftOut()}
	var sum rows.Result
	for _, task := range tasks {
		r := results[task.ID]
		sum.Add(r.Rows)
		if task.Index == 0 {
			out.Parts = append(out.Parts, Part{Name: task.Part, Rows: r.Rows.Rows, File: *r.File})
			out.Bytes += r.File.Bytes
		}
		out.Compared += r.Compared
		out.Differs += r.Differs
		out.Unlike = append(out.Unlike, r.Unlike...)
		rests, err := c.settled(task, r.Rests, again)
		if err != nil {
			return nil, err
		}
		out.rest(rests)
	}
	for i := range out.Rests {
		if r := &out.Rests[i]; r.Doubt != "" {
			r.Keys = c.spanName(keys.Span(r.Span))
		}
	}
	out.take(sum)
	for _, id := range sum.Among {
		if c.Catalog.Table(t.Tenant, id) == nil {
			out.Lost = append(out.Lost, id)
		}
	}
	for _, ix := range d.Indexes() {
		one, err := c.headcount(ctx, d, ix, sum, opt)
		if err != nil {
			return nil, err
		}
		out.Indexes = append(out.Indexes, one)
	}
	return out, nil
}

// settled is what the keys of a task rest on, now that ranges were proved.
func (c *Cluster) settled(task Task, rests []Rest, again map[uint64]bool) ([]Rest, error) {
	if c.Backup == nil && !slices.ContainsFunc(rests, func(r Rest) bool { return again[r.Range] }) {
		return rests, nil
	}
	return c.rests(keys.Span(task.Span))
}

// headcount holds an index against the rows; where the sums differ, it names the
// entries.
func (c *Cluster) headcount(ctx context.Context, d *rows.Decoder, ix *rows.Index, sum rows.Result, opt Options) (Index, error) {
	out := Index{ID: ix.ID, Name: ix.Name, Check: string(ix.Check), Why: ix.Why}
	if ix.Check == rows.No {
		return out, nil
	}
	for _, e := range sum.Entries {
		if e.Index == ix.ID {
			out.Rows, out.Entries = e.Want, e.Have
			out.Equal = e.Want == e.Have && e.WantSum == e.HaveSum
		}
	}
	if ix.Check == rows.BothWays && out.Equal {
		return out, nil
	}
	open := func(span keys.Span) rows.Opener {
		return func() (rows.Source, error) { return c.Reader().Iter(span), nil }
	}
	for {
		named, count, err := d.Compare(ctx, ix.ID, open(d.Span()), open(ix.Span()), rows.Size{Rows: out.Rows + out.Entries, Memory: opt.memory() / 2})
		if errors.Is(err, ranges.ErrReadAgain) {
			continue
		}
		for _, m := range named {
			out.Mismatches = append(out.Mismatches, m.String())
		}
		out.Mismatched, out.Equal = count, count == 0
		return out, err
	}
}

// mergeDamage gathers the damage that any task or the survey met, each once.
func (c *Cluster) mergeDamage(rep *Report, results []Result) {
	all := c.damage()
	for _, r := range results {
		all = append(all, r.Damage...)
	}
	rep.Damage = c.named(all)
}

// named lists each damage once, sorted.
func (c *Cluster) named(all []engine.Damage) []Damage {
	out := make([]Damage, 0, len(all))
	for _, d := range all {
		out = append(out, Damage{Store: d.Store, File: d.File, Offset: d.Offset, Size: d.Size, Span: Span(d.Span), Keys: c.spanName(d.Span), Why: d.Why})
	}
	slices.SortFunc(out, Damage.compare)
	return slices.CompactFunc(out, func(a, b Damage) bool { return a.compare(b) == 0 })
}
