package salvage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/rows"
)

// Loss is what a table would lose if a backup of a moment were restored: the rows
// that were written since.
type Loss struct {
	Table    string `json:"table"`
	Rows     int64  `json:"rows"`               // now
	Inserted int64  `json:"inserted"`           // not there then
	Updated  int64  `json:"updated"`            // there then, and written since
	Deleted  int64  `json:"deleted"`            // there then, and not now
	AtLeast  string `json:"at_least,omitempty"` // why more may have been lost; empty: that is all
}

// Lost is how many rows a roll-back loses.
func (l Loss) Lost() int64 { return l.Inserted + l.Updated + l.Deleted }

// LossSince counts by table what was written since a moment.
func (c *Cluster) LossSince(ctx context.Context, at keys.Timestamp) ([]Loss, error) {
	p, err := c.Plan(ctx, nil)
	if err != nil {
		return nil, err
	}
	byTable := map[uint64]*Loss{}
	out := make([]Loss, len(p.Tables))
	for i, t := range p.Tables {
		out[i].Table = FullName(t)
		byTable[t.Tenant<<32|uint64(t.ID)] = &out[i]
	}
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, task := range p.Tasks {
		if task.Index != 0 {
			continue
		}
		g.Go(func() error {
			one, err := c.lossOf(ctx, p, task, at)
			mu.Lock()
			defer mu.Unlock()
			to := byTable[task.Tenant<<32|uint64(task.Table)]
			to.Rows, to.Inserted, to.Updated, to.Deleted = to.Rows+one.Rows, to.Inserted+one.Inserted, to.Updated+one.Updated, to.Deleted+one.Deleted
			if to.AtLeast == "" {
				to.AtLeast = one.AtLeast
			}
			return err
		})
	}
	return out, g.Wait()
}

// lossOf counts the rows of one task.
func (c *Cluster) lossOf(ctx context.Context, p *Plan, task Task, at keys.Timestamp) (Loss, error) {
	d := p.decoders[c.Catalog.Table(task.Tenant, task.Table)]
	var out Loss
	err := c.patiently(func() error {
		out = Loss{}
		return c.countSince(ctx, d, keys.Span(task.Span), at, &out)
	})
	if err != nil {
		return out, err
	}
	rests, err := c.rests(keys.Span(task.Span))
	if err != nil {
		return out, err
	}
	for _, r := range rests {
		if r.Doubt != "" {
			out.AtLeast = r.named() + r.Doubt
		}
	}
	if out.AtLeast == "" {
		out.AtLeast = c.garbage(rests, at)
	}
	return out, nil
}

// garbage says that versions of a moment may have been collected: a row that was
// there then and was deleted since has left no trace.
func (c *Cluster) garbage(rests []Rest, at keys.Timestamp) string {
	if c.Map == nil {
		return ""
	}
	whose := map[uint64]bool{}
	for _, r := range rests {
		whose[r.Range] = true
	}
	for _, r := range c.Map.Ranges {
		if r.Chosen != nil && whose[r.RangeID] && r.Chosen.GC.Compare(at) > 0 {
			return fmt.Sprintf("versions before %s may have been collected as garbage: rows deleted since may have left no trace", r.Chosen.GC.Time().Format("2006-01-02T15:04:05Z"))
		}
	}
	return ""
}

// then is one row, now and at a moment.
type then struct {
	key           []byte
	now, was, new bool // it is there now; it was there then; it was written since
}

// countSince walks all versions of a span's rows.
func (c *Cluster) countSince(ctx context.Context, d *rows.Decoder, span keys.Span, at keys.Timestamp, out *Loss) (err error) {
	it := c.Reader().Versions(span)
	defer func() { err = errors.Join(err, it.Err(), it.Close()) }()
	var row then
	rowOf := d.Rows()
	other := false // the current key is of a table that is interleaved
	seen := false  // a version at or before the moment, of the current key
	for n := 0; it.Next(); n++ {
		if n%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if it.First() {
			start := rowOf(it.Key())
			if other = start == nil; other {
				continue
			}
			if row.key == nil || !bytes.Equal(start, row.key) {
				row.count(out)
				row = then{key: append(row.key[:0], start...)}
			}
			seen = false
		}
		if other {
			continue
		}
		deleted := it.DeletedAt()
		value := len(it.Value()) > 0
		if it.First() && value && deleted.IsZero() {
			row.now = true
		}
		if it.Timestamp().Compare(at) > 0 || deleted.Compare(at) > 0 {
			row.new = true
		}
		if !seen && it.Timestamp().Compare(at) <= 0 {
			seen = true
			row.was = row.was || value && (deleted.IsZero() || deleted.Compare(at) > 0)
		}
	}
	row.count(out)
	return nil
}

// count adds a row.
func (r *then) count(out *Loss) {
	if r.now {
		out.Rows++
	}
	switch {
	case r.key == nil || !r.new:
	case r.now && r.was:
		out.Updated++
	case r.now:
		out.Inserted++
	case r.was:
		out.Deleted++
	}
}
