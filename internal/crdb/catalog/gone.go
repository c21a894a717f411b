package catalog

import (
	"cmp"
	"slices"

	"github.com/evac-io/evac/internal/crdb/keys"
)

// Why rows can no longer be reached.
const (
	WhyDropped    = "dropped"
	WhyTruncated  = "truncated"
	WhyPrimaryKey = "primary key changed"
	WhyUnknown    = "left under an index that no descriptor knows"
)

// History is what the versions of descriptors tell of tables whose rows users
// can no longer reach but which may still be stored: dropped ones, and of a table
// that was truncated or whose primary key was changed the state before. Each is
// a table as its descriptor then was, so that its rows can be read like any
// other's; Gone says why and since when. Of one table there may be several.
func History(descs []Raw, names []Name) ([]*Table, []Doubt) {
	l := newLoader(names)
	replaced := map[object]bool{}
	var gone []*Table
	for _, versions := range byObject(descs) {
		tables := l.tablesOf(versions)
		for _, t := range tables {
			replaced[object{t.Tenant, t.ReplacementOf}] = true
		}
		gone = append(gone, goneOf(tables, versions[len(versions)-1])...)
	}
	for _, t := range gone {
		if t.Gone.Why == WhyDropped && replaced[object{t.Tenant, t.ID}] {
			t.Gone.Why = WhyTruncated
		}
		t.legacy, t.Foreign = nil, nil // the tables they refer to may be gone as well
	}
	l.catalog.Tables = gone
	l.resolve()
	return l.catalog.Tables, l.doubts
}

// byObject gives the versions of each descriptor, oldest first.
func byObject(descs []Raw) [][]Raw {
	sorted := slices.Clone(descs)
	for i := range sorted {
		sorted[i] = sorted[i].known()
	}
	slices.SortStableFunc(sorted, func(a, b Raw) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.ID, b.ID), a.At.Compare(b.At))
	})
	var out [][]Raw
	for len(sorted) > 0 {
		n := 1
		for n < len(sorted) && sorted[n].ID == sorted[0].ID && sorted[n].Tenant == sorted[0].Tenant {
			n++
		}
		out, sorted = append(out, sorted[:n:n]), sorted[n:]
	}
	return out
}

// tablesOf decodes the versions of a table, oldest first. Of anything else the
// last version is filed, by which names and types are resolved.
func (l *loader) tablesOf(versions []Raw) []*Table {
	var tables []*Table
	for i, raw := range slices.Backward(versions) {
		if len(raw.Bytes) == 0 {
			continue
		}
		d, err := decode(raw)
		switch {
		case err != nil:
			l.doubt(raw.Tenant, raw.ID, "", "decode the version of %s: %v", raw.At.Time(), err)
		case d.table == nil:
			l.decode(versions[i : i+1])
			return nil
		default:
			d.table.Tenant, d.table.ID, d.table.At = raw.Tenant, raw.ID, raw.At
			tables = append(tables, d.table)
		}
	}
	slices.Reverse(tables)
	return tables
}

// goneOf picks of a table's versions, oldest first, those under whose primary
// index rows may lie that the last version does not show.
func goneOf(tables []*Table, last Raw) []*Table {
	if len(tables) == 0 {
		return nil
	}
	var out []*Table
	seen := map[uint32]bool{}
	newest := tables[len(tables)-1]
	deleted := len(last.Bytes) == 0
	since := last.At
	for _, t := range slices.Backward(tables) {
		id := t.Primary.ID
		if t.HasRows() && id != 0 && !seen[id] {
			switch {
			case t != newest:
				out = append(out, goneSince(t, changeTo(t, newest), since))
			case deleted || t.State == Dropped:
				out = append(out, goneSince(t, WhyDropped, droppedAt(t, tables, last)))
			}
			seen[id] = true
		}
		since = t.At
	}
	return out
}

func goneSince(t *Table, why string, at keys.Timestamp) *Table {
	t.Gone = &Gone{Why: why, At: at}
	return t
}

// droppedAt is when a table was dropped: with the first of its versions that say
// so, or when its descriptor was deleted.
func droppedAt(t *Table, tables []*Table, last Raw) keys.Timestamp {
	if t.State != Dropped {
		return last.At
	}
	at := t.At
	for _, v := range slices.Backward(tables) {
		if v.State != Dropped {
			break
		}
		at = v.At
	}
	return at
}

// changeTo says why the rows of old lie under another primary index than those
// of t: TRUNCATE gives a table new indexes on the same columns.
func changeTo(old, t *Table) string {
	if slices.Equal(old.Primary.Columns, t.Primary.Columns) && slices.Equal(old.Primary.Desc, t.Primary.Desc) {
		return WhyTruncated
	}
	return WhyPrimaryKey
}

// Under is the table as if its primary index had another id: the form of rows
// that lie under an index which no descriptor knows any more, as far as can be
// guessed. A TRUNCATE whose old descriptor was collected leaves such.
func (t *Table) Under(index uint32) *Table {
	out := *t
	out.Primary.ID = index
	out.Indexes = nil
	out.Gone = &Gone{Why: WhyUnknown}
	return &out
}
