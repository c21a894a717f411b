package catalog

import (
	"slices"

	"github.com/evac-io/evac/internal/crdb/enc"
	"github.com/evac-io/evac/internal/crdb/keys"
)

// Column is the column with that id, be it public or a mutation's; nil if there
// is none.
func (t *Table) Column(id uint32) *Column {
	for i := range t.Columns {
		if t.Columns[i].ID == id {
			return &t.Columns[i]
		}
	}
	for i := range t.Mutations {
		if c := t.Mutations[i].Column; c != nil && c.ID == id {
			return c
		}
	}
	return nil
}

// named is the column of that name.
func (t *Table) named(name string) *Column {
	for i := range t.Columns {
		if t.Columns[i].Name == name {
			return &t.Columns[i]
		}
	}
	for i := range t.Mutations {
		if c := t.Mutations[i].Column; c != nil && c.Name == name {
			return c
		}
	}
	return nil
}

// Index is the index with that id, the primary one and those of mutations too;
// nil if there is none.
func (t *Table) Index(id uint32) *Index {
	var found *Index
	t.eachIndex(func(ix *Index) {
		if ix.ID == id && found == nil {
			found = ix
		}
	})
	return found
}

// FamilyOf is the family that a column lives in, nil if it is in none: a virtual
// column is, and one that was dropped.
func (t *Table) FamilyOf(column uint32) *Family {
	for i := range t.Families {
		if slices.Contains(t.Families[i].Columns, column) {
			return &t.Families[i]
		}
	}
	return nil
}

// Family is the family with that id, nil if there is none.
func (t *Table) Family(id uint32) *Family {
	for i := range t.Families {
		if t.Families[i].ID == id {
			return &t.Families[i]
		}
	}
	return nil
}

func (t *Table) eachColumn(f func(*Column)) {
	for i := range t.Columns {
		f(&t.Columns[i])
	}
	for i := range t.Mutations {
		if t.Mutations[i].Column != nil {
			f(t.Mutations[i].Column)
		}
	}
}

func (t *Table) eachIndex(f func(*Index)) {
	f(&t.Primary)
	for i := range t.Indexes {
		f(&t.Indexes[i])
	}
	for i := range t.Mutations {
		if t.Mutations[i].Index != nil {
			f(t.Mutations[i].Index)
		}
	}
}

// KeyColumn is one column in the keys of an index.
type KeyColumn struct {
	*Column
	Desc      bool
	Composite bool // an entry may repeat it in its value, which then holds
}

// KeyColumns are the columns of an index in the order of its keys: the declared
// ones, and behind them the extra ones, which a unique index has in its keys only
// where a declared one is NULL. A column that the descriptor lacks has none.
func (t *Table) KeyColumns(ix *Index) (declared, extra []KeyColumn) {
	one := func(id uint32, desc bool) KeyColumn {
		c := t.Column(id)
		return KeyColumn{Column: c, Desc: desc, Composite: c != nil && t.repeats(ix, c)}
	}
	for i, id := range ix.Columns {
		declared = append(declared, one(id, ix.Desc[i]))
	}
	if t.IsPrimary(ix) {
		return declared, nil
	}
	for _, id := range ix.Extra {
		extra = append(extra, one(id, false))
	}
	return declared, extra
}

// repeats says that entries of the index may have the column in their values
// beside their keys.
func (t *Table) repeats(ix *Index, c *Column) bool {
	return slices.Contains(ix.Composite, c.ID) || t.IsPrimary(ix) && enc.IsComposite(&c.Type)
}

// IsPrimary says that the entries of an index are whole rows: the primary index,
// and one that is to take its place.
func (t *Table) IsPrimary(ix *Index) bool { return ix.ID == t.Primary.ID || ix.PrimaryEncoding }

// Segment is a part of the keys of an index: a prefix that is the same in all of
// them, and the columns behind it. An index that is not interleaved has one
// segment; an interleaved one has one for each of its ancestors before its own.
type Segment struct {
	Table, Index uint32
	Prefix       []byte // from the second on it begins with the interleave sentinel
	Columns      []KeyColumn
}

// interleaved is the byte between the parts of an interleaved key.
const interleaved = 0xfe

// Segments are the parts of an index's keys up to the family or, of a secondary
// index, up to the extra columns.
func (t *Table) Segments(ix *Index) []Segment {
	declared, _ := t.KeyColumns(ix)
	prefix := keys.TenantPrefix(t.Tenant)
	var out []Segment
	for _, a := range ix.Ancestors {
		n := min(int(a.Shared), len(declared))
		out = append(out, segment(prefix, a.Table, a.Index, declared[:n]))
		declared, prefix = declared[n:], []byte{interleaved}
	}
	return append(out, segment(prefix, t.ID, ix.ID, declared))
}

func segment(prefix []byte, table, index uint32, columns []KeyColumn) Segment {
	out := keys.AppendUvarint(slices.Clip(prefix), uint64(table))
	return Segment{Table: table, Index: index, Prefix: keys.AppendUvarint(out, uint64(index)), Columns: columns}
}

// Span is where the entries of an index lie: the span of the index itself or, if
// it is interleaved, of its outermost ancestor's.
func (t *Table) Span(ix *Index) keys.Span { return keys.PrefixSpan(t.Segments(ix)[0].Prefix) }

// TableSpan is the whole span of a table: all its indexes, dropped ones and tables
// interleaved into it too.
func (t *Table) TableSpan() keys.Span {
	return keys.PrefixSpan(keys.TablePrefix(t.Tenant, t.ID))
}

// Orphans are the ids of indexes that the table once had: entries under them are
// of indexes that were dropped, of a primary key that was changed or of rows
// before a TRUNCATE.
func (t *Table) Orphans() []uint32 {
	var out []uint32
	for id := uint32(1); id < t.NextIndex && id < maxIndexes; id++ {
		if t.Index(id) == nil {
			out = append(out, id)
		}
	}
	return out
}

// maxIndexes bounds the ids that are looked at.
const maxIndexes = 1 << 12

// Children are the tables whose rows lie among those of t.
func (c *Catalog) Children(t *Table) []*Table {
	var out []*Table
	for _, o := range c.Tables {
		if o.Tenant != t.Tenant || o.ID == t.ID {
			continue
		}
		in := false
		o.eachIndex(func(ix *Index) {
			in = in || slices.ContainsFunc(ix.Ancestors, func(a Ancestor) bool { return a.Table == t.ID })
		})
		if in {
			out = append(out, o)
		}
	}
	return out
}
