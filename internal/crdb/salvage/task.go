package salvage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/ranges"
	"github.com/evac-io/evac/internal/crdb/rows"
)

// Result is what a task found. It is plain data too.
type Result struct {
	Task     int             `json:"task"`
	Rows     rows.Result     `json:"rows"`
	File     *File           `json:"file,omitempty"`     // of the rows
	Doubtful *File           `json:"doubtful,omitempty"` // of the rows that are not proved
	Rests    []Rest          `json:"rests"`              // what the keys rest on
	Damage   []engine.Damage `json:"damage,omitempty"`
	Compared int64           `json:"compared"` // entries that other replicas have the same
	Differs  int64           `json:"differs"`
	Unlike   []Difference    `json:"unlike,omitempty"` // the first of those that differ
}

// Rest says what a stretch of keys rests on.
type Rest struct {
	Span  Span   `json:"span"`
	Keys  string `json:"keys,omitempty"` // the span for people, if it is in doubt
	Range uint64 `json:"range"`
	Store uint64 `json:"store,omitempty"` // 0: the Raft log over what is left, or a backup
	Index uint64 `json:"index"`           // of the log: what the keys are the state of
	Files int    `json:"files,omitempty"` // of a backup, that have keys of the stretch
	Doubt string `json:"doubt,omitempty"`
}

// Difference is keys that replicas of one range have not the same.
type Difference struct {
	Range   uint64   `json:"range"`
	Span    Span     `json:"span"`
	Entries int64    `json:"entries"`
	Stores  []uint64 `json:"stores"`
}

// Do does one task; dir is the output folder. Damage that shows behind keys which
// were read already makes it begin again.
func (c *Cluster) Do(ctx context.Context, p *Plan, task Task, dir, null string) (Result, error) {
	res := Result{Task: task.ID}
	var read ranges.Tally
	for {
		err := c.attempt(ctx, p, task, dir, null, &read, &res)
		if err == nil {
			break
		}
		if !errors.Is(err, ranges.ErrReadAgain) {
			return res, fmt.Errorf("read table %d: %w", task.Table, err)
		}
	}
	span := keys.Span(task.Span)
	err := c.compare(ctx, span, &read, &res)
	if err != nil {
		return res, err
	}
	if res.Rests, err = c.rests(span); err != nil {
		return res, err
	}
	for _, x := range c.damage() {
		if x.Span.Overlaps(span) {
			res.Damage = append(res.Damage, x)
		}
	}
	return res, nil
}

// compare holds the replicas of a span against each other.
func (c *Cluster) compare(ctx context.Context, span keys.Span, read *ranges.Tally, res *Result) error {
	if c.Backup != nil {
		return nil
	}
	cmp, err := c.Map.Compare(ctx, span, read)
	res.Compared, res.Differs = cmp.Compared, cmp.Differing
	for _, x := range cmp.Differences {
		res.Unlike = append(res.Unlike, Difference{Range: x.RangeID, Span: Span(x.Span), Entries: x.Entries, Stores: x.Stores})
	}
	return err
}

// attempt reads the keys of a task once, and adds them up for the other replicas.
func (c *Cluster) attempt(ctx context.Context, p *Plan, task Task, dir, null string, read *ranges.Tally, res *Result) (err error) {
	if task.Raw {
		return c.attemptRaw(ctx, task, dir, res)
	}
	d, at := c.reads(p, task)
	it := c.tallied(at, keys.Span(task.Span), read).Iter(keys.Span(task.Span))
	if task.Index != 0 {
		res.Rows, err = d.ReadEntries(ctx, task.Index, it)
		return errors.Join(err, c.closed(it))
	}
	name := filepath.Join(dir, filepath.FromSlash(task.Part))
	out, err := createPart(name)
	if err != nil {
		return errors.Join(err, c.closed(it))
	}
	defer func() { err = errors.Join(err, out.discard()) }()
	bad := &lazyPart{name: doubtfulName(name)}
	defer func() { err = errors.Join(err, bad.discard()) }()
	doubtful := &onDemand{CSV: rows.NewDoubtfulCSV(bad, null)}
	res.Rows, err = d.Read(ctx, it, rows.Output{Rows: c.sink(out, null), Doubtful: doubtful})
	// Only what is read to the end gets its name: another call may have it already.
	if err = errors.Join(err, c.closed(it)); err != nil {
		return err
	}
	if res.File, err = out.finish(); err != nil {
		return err
	}
	res.Doubtful, err = bad.finish()
	return err
}

// sink writes the rows of a part.
func (c *Cluster) sink(to io.Writer, null string) rows.Sink {
	if c.format() == Parquet {
		return rows.NewParquet(to)
	}
	return rows.NewCSV(to, null)
}

// rests says what a span rests on, as far as the damage is known.
func (c *Cluster) rests(span keys.Span) ([]Rest, error) {
	if c.Backup != nil {
		return c.backupRests(span), nil
	}
	list, err := c.Map.Provenance(span)
	if err != nil {
		return nil, err
	}
	out := make([]Rest, 0, len(list))
	for _, r := range list {
		one := Rest{Span: Span(r.Span), Range: r.RangeID, Store: r.Store, Index: r.Index, Doubt: r.Doubt}
		if r.Doubt != "" {
			one.Keys = c.spanName(r.Span)
		}
		out = append(out, one)
	}
	return out, nil
}

// doubtfulName is the file of the rows of a part that are not proved: always CSV,
// for they may have values that are none of their types.
func doubtfulName(name string) string {
	dir, base := filepath.Split(name)
	base = strings.TrimSuffix(base, filepath.Ext(base)) + "." + CSV
	return dir + "doubtful-" + strings.TrimPrefix(base, "part-")
}
