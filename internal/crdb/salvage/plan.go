package salvage

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/evac-io/evac/internal/crdb/catalog"
	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/rows"
	"github.com/evac-io/evac/internal/fault"
)

// defaultPiece is Options.Piece without being given.
const defaultPiece = 32 << 20

// piece is about how many stored bytes one task reads.
func (c *Cluster) piece() int64 { return cmp.Or(c.opt.Piece, defaultPiece) }

// Task is a piece of the work: the rows of a stretch of keys of one table, or the
// entries of one of its indexes. It is plain data, and may be done twice.
type Task struct {
	ID     int    `json:"id"`
	Tenant uint64 `json:"tenant"`
	Table  uint32 `json:"table"`
	Index  uint32 `json:"index,omitempty"` // whose entries are counted; 0: rows are written
	Span   Span   `json:"span"`
	Raw    bool   `json:"raw,omitempty"`  // keys and values are written as they are: nobody describes the table
	Gone   int    `json:"gone,omitempty"` // which of the dropped tables it is, counted from 1
	Part   string `json:"part,omitempty"` // the file of the rows, below the output folder, slashes between
	Bytes  int64  `json:"bytes"`          // stored, about
}

// Plan is all tasks, the same for whoever asks and however many workers there are.
type Plan struct {
	Tables []*catalog.Table // by name
	Tasks  []Task           // in the order of keys
	Bytes  int64
	Left   []string // tables that are left out, and why
	Raw    []Raw    // tables without a descriptor, not counted yet

	gone     []gone // dropped and truncated tables
	decoders map[*catalog.Table]*rows.Decoder
}

// Plan chooses the tables and cuts their keys into tasks.
func (c *Cluster) Plan(ctx context.Context, wanted []string) (*Plan, error) {
	p := &Plan{decoders: map[*catalog.Table]*rows.Decoder{}}
	missing := slices.Clone(wanted)
	for _, t := range c.Catalog.Tables {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		name := FullName(t)
		asked := slices.Contains(wanted, name)
		missing = slices.DeleteFunc(missing, func(s string) bool { return s == name })
		if !t.HasRows() || len(wanted) > 0 && !asked || t.System() && !asked {
			continue
		}
		switch {
		case t.State == catalog.Dropped && c.opt.Dropped:
			continue // see addGone
		case t.State == catalog.Adding, t.State == catalog.Dropped:
			p.Left = append(p.Left, fmt.Sprintf("table %q is %s", name, t.State))
			continue
		case t.External:
			p.Left = append(p.Left, fmt.Sprintf("the rows of table %q lie elsewhere", name))
			continue
		}
		p.Tables = append(p.Tables, t)
	}
	// In the order of their keys, so that a table file is opened once for all.
	for _, t := range slices.SortedFunc(slices.Values(p.Tables), byKey) {
		if err := c.add(p, t); err != nil {
			return nil, err
		}
	}
	if len(missing) > 0 {
		return nil, fault.New(fault.Invalid, fmt.Sprintf("no table %q in these stores", missing), "evac cockroach survey STORE… lists the tables")
	}
	if len(p.Tables) == 0 && !c.asOf.IsZero() && c.Backup == nil {
		return nil, fault.New(fault.Invalid, fmt.Sprintf("no table has rows at %s: these stores know of none so early", time.Unix(0, c.asOf.Wall).UTC().Format(time.RFC3339Nano)), "give a later --as-of, or none for the newest rows; evac cockroach survey STORE… lists the tables")
	}
	dropped, err := c.history(ctx)
	if err != nil {
		return nil, err
	}
	if c.opt.Dropped {
		if err := c.addGone(ctx, p, dropped, wanted); err != nil {
			return nil, err
		}
	}
	if len(wanted) > 0 {
		return p, nil
	}
	return p, c.addRaw(ctx, p, dropped)
}

// reads is the decoder of a task, and the moment at which it reads.
func (c *Cluster) reads(p *Plan, task Task) (*rows.Decoder, keys.Timestamp) {
	if task.Gone > 0 {
		g := p.gone[task.Gone-1]
		return p.decoders[g.Table], g.at
	}
	return p.decoders[c.Catalog.Table(task.Tenant, task.Table)], c.asOf
}

// byKey is the order in which tables have their keys.
func byKey(a, b *catalog.Table) int {
	return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.ID, b.ID))
}

// add cuts a table and its indexes into tasks.
func (c *Cluster) add(p *Plan, t *catalog.Table) error {
	view := c.View()
	d, err := rows.New(t, rows.Options{Loadable: c.opt.Loadable})
	if err != nil {
		return err
	}
	p.decoders[t] = d
	dir := Dir(t)
	for i, s := range cut(view, d, d.Span(), c.piece()) {
		p.task(view, t, Task{Span: s, Part: path.Join(dir, fmt.Sprintf("part-%05d.%s", i, c.format()))})
	}
	for _, ix := range d.Indexes() {
		if ix.Check == rows.No {
			continue
		}
		for _, s := range cut(view, d, ix.Span(), c.piece()) {
			p.task(view, t, Task{Index: ix.ID, Span: s})
		}
	}
	return nil
}

func (p *Plan) task(view engine.View, t *catalog.Table, task Task) {
	task.ID, task.Tenant, task.Table, task.Bytes = len(p.Tasks), t.Tenant, t.ID, view.Size(keys.Span(task.Span))
	p.Bytes += task.Bytes
	p.Tasks = append(p.Tasks, task)
}

// cut cuts a span into pieces, none of which begins within a row.
func cut(view engine.View, d *rows.Decoder, span keys.Span, size int64) []Span {
	var out []Span
	from := span.From
	for _, at := range view.Split(span, size) {
		at = d.RowStart(at)
		if bytes.Compare(at, from) > 0 && span.Contains(at) {
			out = append(out, Span{From: from, To: bytes.Clone(at)})
			from = out[len(out)-1].To
		}
	}
	return append(out, Span{From: from, To: span.To})
}

// FullName is database.schema.table.
func FullName(t *catalog.Table) string {
	name := t.Database + "." + t.Schema + "." + t.Name
	if t.Tenant > 1 {
		return fmt.Sprintf("tenant %d: %s", t.Tenant, name)
	}
	return name
}

// Dir is the folder of a table's parts, below the output folder, slashes
// between. Databases of other tenants than the system's have "@" and its number
// behind their names.
func Dir(t *catalog.Table) string {
	database := encodeName(t.Database)
	if t.Tenant > 1 {
		database += fmt.Sprintf("@%d", t.Tenant)
	}
	return path.Join("data", database, encodeName(t.Schema)+"."+encodeName(t.Name))
}

// encodeName makes a name one part of a path: percent-encoded, dots too, so that
// the one between schema and table is the only one.
func encodeName(name string) string {
	return strings.NewReplacer("+", "%20", ".", "%2E", "~", "%7E").Replace(url.QueryEscape(name))
}
