package salvage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"path"
	"slices"

	"github.com/evac-io/evac/internal/crdb/catalog"
	"github.com/evac-io/evac/internal/crdb/enc"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/mvcc"
	"github.com/evac-io/evac/internal/crdb/ranges"
	"github.com/evac-io/evac/internal/crdb/rows"
)

// Gone is a table that was dropped, or the rows that one had before it was
// truncated, as far as they are still stored. It has no part in the verdict.
type Gone struct {
	Table
	Since string `json:"since,omitempty"` // when that was done, as near as the versions of the descriptor tell
	AsOf  string `json:"as_of,omitempty"` // the moment at which its rows were read; empty: the newest
}

// gone is such a table with the moment at which its rows are to be read.
type gone struct {
	*catalog.Table
	at  keys.Timestamp // zero: the newest
	dir string
}

// history finds the tables whose rows users can no longer reach, by all versions
// of the descriptors which are still there.
func (c *Cluster) history(ctx context.Context) ([]*catalog.Table, error) {
	if c.Backup != nil {
		return nil, nil
	}
	tenants, err := c.tenants(ctx)
	if err != nil {
		return nil, err
	}
	var raws []catalog.Raw
	var names []catalog.Name
	for _, tenant := range tenants {
		own, err := c.versions(ctx, tenant)
		if err != nil {
			return nil, fmt.Errorf("read the versions of system.descriptor of tenant %d: %w", tenant, err)
		}
		called, err := c.namespace(ctx, tenant)
		if err != nil {
			return nil, err
		}
		raws, names = append(raws, own...), append(names, called...)
	}
	list, _ := catalog.History(raws, names) // what is odd about a version, the newest says too, or it decides nothing
	return slices.DeleteFunc(list, func(t *catalog.Table) bool { return t.System() || t.Gone.Why == catalog.WhyPrimaryKey }), nil
}

// versions are all versions of a tenant's descriptors.
func (c *Cluster) versions(ctx context.Context, tenant uint64) (out []catalog.Raw, err error) {
	prefix := keys.IndexPrefix(tenant, descriptorTable, 1)
	for {
		out = nil
		it := c.Reader().Versions(keys.PrefixSpan(prefix))
		for it.Next() && ctx.Err() == nil {
			id, rest, ok := keys.TakeUvarint(it.Key()[len(prefix):])
			if !ok || !bytes.Equal(rest, []byte{0x8a, 0x89}) {
				continue
			}
			raw := catalog.Raw{Tenant: tenant, ID: uint32(id), At: it.Timestamp()}
			if len(it.Value()) > 0 {
				tag, data, err := enc.SplitValue(it.Value())
				if err != nil || tag != enc.TagBytes {
					continue
				}
				raw.Bytes = bytes.Clone(data)
			}
			out = append(out, raw)
		}
		err := errors.Join(it.Close(), ctx.Err())
		if !errors.Is(err, ranges.ErrReadAgain) {
			return out, err
		}
	}
}

// addGone cuts the rows of dropped and truncated tables into tasks.
func (c *Cluster) addGone(ctx context.Context, p *Plan, list []*catalog.Table, wanted []string) error {
	view := c.View()
	for _, t := range list {
		if len(wanted) > 0 && !slices.Contains(wanted, FullName(t)) {
			continue
		}
		d, err := rows.New(t, rows.Options{Loadable: c.opt.Loadable})
		if err != nil {
			p.Left = append(p.Left, fmt.Sprintf("table %q was %s at %s: its descriptor of that time cannot be used: %v", FullName(t), t.Gone.Why, t.Gone.At.Time(), err))
			continue
		}
		g := gone{Table: t, dir: c.goneDir(t)}
		if g.at, err = c.lastSeen(d.Span()); err != nil {
			return err
		}
		has, err := c.hasKeys(ctx, d.Span(), g.at)
		if err != nil {
			return err
		}
		if !has {
			p.Left = append(p.Left, fmt.Sprintf("table %q was %s at %s, and none of its rows is left", FullName(t), t.Gone.Why, t.Gone.At.Time()))
			continue
		}
		p.gone, p.decoders[t] = append(p.gone, g), d
		for i, s := range cut(view, d, d.Span(), c.piece()) {
			p.task(view, t, Task{Gone: len(p.gone), Span: s, Part: path.Join(g.dir, fmt.Sprintf("part-%05d.%s", i, c.format()))})
		}
	}
	return nil
}

// goneDir is the folder of a dropped table: beside those of the others, where no
// table's can be, since "@" does not stand in their names.
func (c *Cluster) goneDir(t *catalog.Table) string {
	dir := fmt.Sprintf("%s@dropped-%d", Dir(t), t.ID)
	if now := c.Catalog.Table(t.Tenant, t.ID); now != nil && now.Live() {
		dir += fmt.Sprintf("-%d", t.Primary.ID)
	}
	return dir
}

// lastSeen is the moment before the last range tombstone over a span: since 22.2
// that is how tables are dropped. Zero if there is none: the rows still stand.
func (c *Cluster) lastSeen(span keys.Span) (keys.Timestamp, error) {
	list, err := c.View().RangeTombstones(span)
	at := keys.Timestamp{}
	for _, t := range list {
		if t.At.Compare(at) > 0 && (c.asOf.IsZero() || t.At.Compare(c.asOf) <= 0) {
			at = t.At
		}
	}
	switch {
	case at.IsZero():
		return c.asOf, err
	case at.Logical > 0:
		return keys.Timestamp{Wall: at.Wall, Logical: at.Logical - 1}, err
	}
	return keys.Timestamp{Wall: at.Wall - 1, Logical: math.MaxInt32}, err
}

// readerAt reads all keys at a moment.
func (c *Cluster) readerAt(at keys.Timestamp) *mvcc.Reader {
	if c.Backup != nil {
		return mvcc.NewReader(c.Backup.View(), c.outcomes, at)
	}
	return c.Map.Reader(at)
}

// mergeGone adds up the tasks of dropped and truncated tables.
func (c *Cluster) mergeGone(p *Plan, results []Result, again map[uint64]bool, rep *Report) error {
	for i, g := range p.gone {
		out := Gone{Table: Table{Name: FullName(g.Table), Dir: g.dir, ID: g.ID, State: g.Gone.Why, LeftOut: p.decoders[g.Table].LeftOut(), Indexes: []Index{}}}
		if !g.Gone.At.IsZero() {
			out.Since = g.Gone.At.String()
		}
		if !g.at.IsZero() {
			out.AsOf = g.at.String()
		}
		var sum rows.Result
		for _, task := range p.Tasks {
			if task.Gone != i+1 {
				continue
			}
			r := results[task.ID]
			sum.Add(r.Rows)
			out.Parts = append(out.Parts, Part{Name: task.Part, Rows: r.Rows.Rows, File: *r.File})
			out.Bytes += r.File.Bytes
			rests, err := c.settled(task, r.Rests, again)
			if err != nil {
				return err
			}
			out.rest(rests)
		}
		out.take(sum)
		rep.Dropped = append(rep.Dropped, out)
		rep.Notes = append(rep.Notes, fmt.Sprintf("table %q was %s at %s: %d of its rows are left, in %q; nobody can say whether that is all of them", out.Name, g.Gone.Why, g.Gone.At.Time(), out.Rows, out.Dir))
		if out.DoubtCount > 0 {
			rep.Notes = append(rep.Notes, fmt.Sprintf("table %q, %s: %d doubts, %d rows are not proved", out.Name, g.Gone.Why, out.DoubtCount, out.Withheld))
		}
	}
	return nil
}
