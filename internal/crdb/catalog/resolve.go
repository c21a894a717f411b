package catalog

import (
	"fmt"
	"slices"

	"github.com/evac-io/evac/internal/crdb/enc"
)

// resolveTable makes a table whole: its types, its families, its indexes.
func (l *loader) resolveTable(t *Table) {
	doubt := func(format string, args ...any) { l.doubt(t.Tenant, t.ID, t.Name, format, args...) }
	t.eachColumn(func(c *Column) {
		l.resolveType(t.Tenant, t.ID, t.Name, &c.Type, c.Mod.UserType, 0)
	})
	if t.format == 1 && len(t.Families) == 0 {
		t.Families = familiesOf(t)
	}
	t.eachIndex(func(ix *Index) {
		t.resolveIndex(ix)
		for _, id := range slices.Concat(ix.Columns, ix.Extra) {
			if t.Column(id) == nil {
				doubt("index %q has column %d, which is not there", ix.Name, id)
			}
		}
	})
	seen := map[uint32]bool{}
	for _, c := range t.Columns {
		if seen[c.ID] {
			doubt("two columns with id %d", c.ID)
		}
		seen[c.ID] = true
	}
	if t.HasRows() && t.Primary.ID == 0 {
		doubt("no primary index")
	}
}

// resolveIndex brings an index to one form: a direction for each column, and the
// columns stored in the form before 2.0 known as such.
func (t *Table) resolveIndex(ix *Index) {
	for len(ix.Desc) < len(ix.Columns) {
		ix.Desc = append(ix.Desc, false)
	}
	ix.Desc = ix.Desc[:len(ix.Columns)]
	if len(ix.Store) > 0 {
		return
	}
	for _, name := range ix.storeNames {
		if c := t.named(name); c != nil && slices.Contains(ix.Extra, c.ID) {
			ix.OldStoring = append(ix.OldStoring, c.ID)
		}
	}
}

// familiesOf are the families of a table whose descriptor is older than
// families: the primary key's columns in family 0, each other column in one of
// its own with the column's id.
func familiesOf(t *Table) []Family {
	out := []Family{{Name: "primary", Columns: slices.Clone(t.Primary.Columns)}}
	for i := range t.Columns {
		c := &t.Columns[i]
		if !slices.Contains(t.Primary.Columns, c.ID) {
			out = append(out, Family{ID: c.ID, Name: fmt.Sprintf("fam_%d_%s", c.ID, c.Name), Columns: []uint32{c.ID}, Default: c.ID})
		}
	}
	return out
}

// resolveType gives a type what its values are read by: the members of an enum,
// the fields of a composite type, the collator of a locale.
func (l *loader) resolveType(tenant uint64, id uint32, name string, t *enc.Type, user uint32, depth int) {
	if depth > maxTypeDepth {
		return
	}
	if user == 0 && t.OID > firstUserOID {
		user = t.OID - firstUserOID
	}
	switch t.Family {
	case enc.CollatedFamily:
		collator, err := enc.NewCollator(t.Locale)
		if err != nil {
			l.doubt(tenant, id, name, "%v", err)
		}
		t.Collator = collator
	case enc.EnumFamily:
		u := l.userType(tenant, id, name, user)
		if u != nil {
			t.Enum, t.Name = &u.Members, qualified(u.Schema, u.Name)
		}
	case enc.TupleFamily:
		if u := l.types[object{tenant, user}]; user != 0 && u != nil {
			t.Name = qualified(u.Schema, u.Name)
			t.Tuple, t.Labels = nil, nil
			for _, f := range u.Fields {
				t.Tuple, t.Labels = append(t.Tuple, f.Type), append(t.Labels, f.Name)
			}
		}
		for i := range t.Tuple {
			l.resolveType(tenant, id, name, &t.Tuple[i], 0, depth+1)
		}
	case enc.ArrayFamily:
		if t.Elem != nil {
			l.resolveType(tenant, id, name, t.Elem, 0, depth+1)
		}
	}
}

// userType is a user-defined type that a table uses; one that is not there is
// doubted.
func (l *loader) userType(tenant uint64, id uint32, name string, user uint32) *UserType {
	u := l.types[object{tenant, user}]
	if u == nil {
		l.doubt(tenant, id, name, "its type %d is not there", user)
	}
	return u
}

// resolveAncestors finds how many columns an interleaved index shares where its
// descriptor is too old to say: all that the ancestor has beyond its own
// ancestors.
func (l *loader) resolveAncestors(t *Table) {
	t.eachIndex(func(ix *Index) {
		var shared uint32
		for i := range ix.Ancestors {
			a := &ix.Ancestors[i]
			if of := l.catalog.Table(t.Tenant, a.Table); of != nil && a.Shared == 0 {
				if parent := of.Index(a.Index); parent != nil && len(parent.Columns) > int(shared) {
					a.Shared = uint32(len(parent.Columns)) - shared
				}
			}
			shared += a.Shared
		}
	})
}

// resolveLegacy makes foreign keys out of those that indexes had before 19.2.
func (l *loader) resolveLegacy(t *Table) {
	for _, old := range t.legacy {
		fk := old.ForeignKey
		to := l.catalog.Table(t.Tenant, fk.Table)
		if to == nil {
			l.doubt(t.Tenant, t.ID, t.Name, "foreign key %q refers to table %d, which is not there", fk.Name, fk.Table)
			continue
		}
		ix := to.Index(old.index)
		if ix == nil {
			l.doubt(t.Tenant, t.ID, t.Name, "foreign key %q refers to index %d of %q, which is not there", fk.Name, old.index, to.Name)
			continue
		}
		n := min(len(fk.Columns), len(ix.Columns))
		if old.shared > 0 {
			n = min(n, int(old.shared))
		}
		fk.Columns, fk.References = fk.Columns[:n], ix.Columns[:n]
		t.Foreign = append(t.Foreign, fk)
	}
	t.legacy = nil
}
