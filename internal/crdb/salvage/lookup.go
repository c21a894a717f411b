package salvage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/evac-io/evac/internal/crdb/catalog"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/mvcc"
	"github.com/evac-io/evac/internal/crdb/ranges"
	"github.com/evac-io/evac/internal/crdb/rows"
	"github.com/evac-io/evac/internal/fault"
)

// Query asks for the rows of one table whose key begins with some values.
type Query struct {
	Table string   // "database.schema.table", or its end where that is the only one
	Index string   // by whose columns is asked; empty: the primary key's
	Key   []string // the values of the first columns, as text
	Null  string   // what stands for NULL among them; empty: nothing does
	Limit int      // how many rows are given at most; 0 is 20
}

// Found is the answer to a query.
type Found struct {
	Table   string     `json:"table"`
	Index   string     `json:"index"`
	Columns []Column   `json:"columns"`
	Rows    []FoundRow `json:"rows"`
	More    bool       `json:"more"`   // there are more rows than the limit
	Doubts  []string   `json:"doubts"` // why the answer may not be all, or not the newest
}

// Column is a column of the table.
type Column struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Key  bool   `json:"key"` // of the primary key
}

// Values are the values of a row by column, in PostgreSQL's text form; nil is NULL.
type Values map[string]*string

// FoundRow is one row with its history.
type FoundRow struct {
	Key      Values    `json:"key"`
	Now      Values    `json:"now"`      // nil: the row is not there
	Matches  bool      `json:"matches"`  // the row, as it is now, is the one that was asked for; else it once was
	Versions []Version `json:"versions"` // the newest first; what was never committed before all others
	More     bool      `json:"more"`     // there are older versions than are given
	Since    string    `json:"since"`    // versions before it may have been collected as garbage; empty: none was
	Rests    []Rest    `json:"rests"`    // what the row rests on
	Compared int64     `json:"compared"` // key-value pairs that other replicas have the same
	Differs  int64     `json:"differs"`
}

// The states of a version.
const (
	StateCommitted   = "committed"
	StateDeleted     = "deleted" // committed, too
	StateUncommitted = "uncommitted"
	StateAborted     = "aborted"
	StateUnknown     = "unknown" // nobody can say whether it is committed
)

// Version is what a row was from a moment on.
type Version struct {
	At          string `json:"at"`        // RFC 3339, UTC
	Timestamp   string `json:"timestamp"` // the same as AS OF SYSTEM TIME and --as-of take it
	State       string `json:"state"`
	Transaction string `json:"transaction,omitempty"` // of what is not committed
	Why         string `json:"why,omitempty"`         // it is not
	Values      Values `json:"values"`                // nil: the row was not there
	Doubt       string `json:"doubt,omitempty"`       // the values are not proved
}

// defaultLimit is how many rows a query gives.
const defaultLimit = 20

// Lookup answers a query by reading only the keys it is about.
func (c *Cluster) Lookup(ctx context.Context, q Query) (*Found, error) {
	t, err := c.table(q.Table)
	if err != nil {
		return nil, err
	}
	d, err := rows.New(t, rows.Options{})
	if err != nil {
		return nil, err
	}
	l := &lookup{c: c, d: d, table: t, limit: q.Limit}
	if l.limit <= 0 {
		l.limit = defaultLimit
	}
	if l.path, err = d.Path(q.Index); err != nil {
		return nil, fault.Wrap(fault.Invalid, "", err, "indexes of the table: "+strings.Join(indexNames(t), ", "))
	}
	spans, err := l.spans(q)
	if err != nil {
		return nil, err
	}
	return l.find(ctx, spans)
}

// table is the table of that name, or whose name is the end of it. Tables that
// users do not see any more come last.
func (c *Cluster) table(name string) (*catalog.Table, error) {
	var found []*catalog.Table
	for _, t := range c.Catalog.Tables {
		full := FullName(t)
		if t.HasRows() && (full == name || strings.HasSuffix(full, "."+name)) && (!t.System() || full == name) {
			found = append(found, t)
		}
	}
	if live := slices.DeleteFunc(slices.Clone(found), func(t *catalog.Table) bool { return !t.Live() }); len(live) > 0 {
		found = live
	}
	var names []string
	for _, t := range found {
		names = append(names, FullName(t))
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return nil, fault.New(fault.Invalid, fmt.Sprintf("%d tables are called %q", len(found), name), "name one of "+strings.Join(names, ", "))
	}
	return nil, fault.New(fault.Invalid, fmt.Sprintf("no table %q in these stores", name), "evac cockroach survey STORE… lists the tables")
}

// indexNames are the names of a table's indexes, the primary one first.
func indexNames(t *catalog.Table) []string {
	names := []string{t.Primary.Name}
	for _, ix := range t.Indexes {
		names = append(names, ix.Name)
	}
	return names
}

// lookup is one query at work.
type lookup struct {
	c     *Cluster
	d     *rows.Decoder
	table *catalog.Table
	path  *rows.Path
	limit int
}

// spans are where the answers' keys lie. What is wrong with the values is told
// with the columns that the key has.
func (l *lookup) spans(q Query) ([]keys.Span, error) {
	values := make([]*string, len(q.Key))
	for i := range q.Key {
		if q.Null == "" || q.Key[i] != q.Null {
			values[i] = &q.Key[i]
		}
	}
	var columns []string
	for _, col := range l.path.Columns {
		columns = append(columns, fmt.Sprintf("%s %s", col.Name, catalog.CockroachType(&col.Type, col.Mod)))
	}
	hint := fmt.Sprintf("the key of index %q is (%s): a --key for each, or for the first ones", l.path.Index.Name, strings.Join(columns, ", "))
	if len(values) == 0 {
		return nil, fault.New(fault.Invalid, "no key is given", hint)
	}
	spans, err := l.path.Spans(values)
	return spans, fault.Wrap(fault.Invalid, "read --key", err, hint)
}

// find walks the keys of the spans and gathers the rows that they lead to.
func (l *lookup) find(ctx context.Context, spans []keys.Span) (*Found, error) {
	out := &Found{Table: FullName(l.table), Index: l.path.Index.Name, Rows: []FoundRow{}, Doubts: []string{}}
	for _, col := range l.d.Columns() {
		out.Columns = append(out.Columns, Column{Name: col.Name, Type: catalog.CockroachType(&col.Type, col.Mod), Key: slices.Contains(l.table.Primary.Columns, col.ID)})
	}
	hits := &hits{}
	for _, span := range spans {
		if err := l.c.patiently(func() error { return l.walk(ctx, span, hits) }); err != nil {
			return nil, err
		}
		if err := l.c.doubts(span, out); err != nil {
			return nil, err
		}
	}
	out.More = hits.more
	for _, hit := range hits.list {
		row, err := l.row(ctx, hit, out)
		if err != nil {
			return nil, err
		}
		out.Rows = append(out.Rows, *row)
	}
	return out, nil
}

// hit is a row that the keys of a query lead to.
type hit struct {
	key  []byte
	live bool // by the newest version of a key
}

type hits struct {
	list []*hit
	more bool
}

// add notes a row; false is beyond the limit.
func (h *hits) add(key []byte, live bool, limit int) bool {
	for _, known := range h.list {
		if bytes.Equal(known.key, key) {
			known.live = known.live || live
			return true
		}
	}
	if len(h.list) == limit {
		h.more = true
		return false
	}
	h.list = append(h.list, &hit{key: key, live: live})
	return true
}

// walk notes the rows that the keys of a span lead to, now or in an older version.
func (l *lookup) walk(ctx context.Context, span keys.Span, to *hits) (err error) {
	it := l.c.Reader().History(span)
	defer func() { err = errors.Join(err, it.Close()) }()
	newest := true // of its key: no committed version of it was met
	for it.Next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		newest = newest || it.First()
		key := l.path.RowKey(it.Key(), it.Value())
		if key != nil && !to.add(key, newest && it.Open() == nil && len(it.Value()) > 0 && it.DeletedAt().IsZero(), l.limit) {
			return nil
		}
		newest = newest && it.Open() != nil
	}
	return nil
}

// patiently reads again as long as damage is met behind what was read already.
func (c *Cluster) patiently(read func() error) error {
	for {
		if err := read(); !errors.Is(err, ranges.ErrReadAgain) {
			return err
		}
	}
}

// doubts adds why the keys of a span may not be all, or not the newest.
func (c *Cluster) doubts(span keys.Span, out *Found) error {
	rests, err := c.rests(span)
	if err != nil {
		return err
	}
	for _, r := range rests {
		if r.Doubt != "" {
			out.doubt(r.named() + r.Doubt)
		}
	}
	if c.Map == nil {
		return nil
	}
	for _, h := range c.Map.Holes {
		if h.Span.Overlaps(span) {
			named := Hole{Range: h.RangeID, Members: members(h.Members)}
			out.doubt("no store has some of the keys" + named.whose())
		}
	}
	return nil
}

// named is the range of what something rests on; a backup has none.
func (r Rest) named() string {
	if r.Range == 0 {
		return ""
	}
	return fmt.Sprintf("range %d: ", r.Range)
}

func (f *Found) doubt(text string) {
	if !slices.Contains(f.Doubts, text) {
		f.Doubts = append(f.Doubts, text)
	}
}

// transaction is what became of a transaction, in a version's terms.
func transaction(o *mvcc.Outcome) (state, id, why string) {
	switch o.Verdict {
	case mvcc.Unknown:
		state = StateUnknown
	case mvcc.Open:
		state = StateUncommitted
	default: // dropped, or a write that a committed transaction took back
		state = StateAborted
	}
	return state, fmt.Sprintf("%x", o.ID), o.Why
}
