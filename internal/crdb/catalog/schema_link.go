package catalog

import (
	"fmt"
	"slices"
	"strings"

	"github.com/evac-io/evac/internal/crdb/enc"
)

// linkIndex finds the columns of an index, and makes the bucket of a sharded one.
func (s *schemaFile) linkIndex(t *schemaTable, ix *schemaIndex) {
	if ix.Shards = ix.shards; ix.shards > 0 {
		for _, p := range ix.parts {
			ix.ShardedBy = append(ix.ShardedBy, p.name)
		}
		ix.ShardColumn = fmt.Sprintf("crdb_internal_%s_shard_%d", strings.Join(ix.ShardedBy, "_"), ix.shards)
		if t.named(ix.ShardColumn) == nil {
			s.hidden(t, ix.ShardColumn)
		}
		ix.parts = append([]part{{name: ix.ShardColumn}}, ix.parts...)
	}
	for _, p := range ix.parts {
		c := t.named(p.name)
		if c == nil {
			s.doubt(t.Tenant, t.ID, t.Name, "index %q has the column %q, which is not there", ix.Name, p.name)
			continue
		}
		ix.Columns, ix.Desc = append(ix.Columns, c.ID), append(ix.Desc, p.desc)
	}
	if ix.Name == "" {
		ix.Name = defaultIndexName(t, ix)
	}
}

// defaultIndexName is what CockroachDB calls an index without a name.
func defaultIndexName(t *schemaTable, ix *schemaIndex) string {
	out := t.Name
	for _, p := range ix.parts {
		out += "_" + p.name
	}
	if ix.Unique {
		return out + "_key"
	}
	return out + "_idx"
}

// linkTypes finds the user-defined types of columns.
func (s *schemaFile) linkTypes(t *schemaTable) {
	for i := range t.Columns {
		c := &t.Columns[i]
		path, ok := t.types[c.ID]
		if !ok {
			continue
		}
		u := s.typeNamed(path)
		if u == nil {
			s.doubt(t.Tenant, t.ID, t.Name, "its type %q is not there", strings.Join(path, "."))
			continue
		}
		of := &c.Type
		if of.Family == enc.ArrayFamily && of.Elem != nil {
			of = of.Elem
		} else {
			c.Mod.UserType = u.ID
		}
		of.Family, of.OID = enc.EnumFamily, firstUserOID+u.ID
	}
}

// typeNamed is the user-defined type of the file with that path.
func (s *schemaFile) typeNamed(path []string) *UserType {
	for i := range s.catalog.Types {
		u := &s.catalog.Types[i]
		if u.Name == path[len(path)-1] {
			return u
		}
	}
	return nil
}

// linkFamilies puts the columns that no family names into the first, and finds
// the column of families that have only one beside the key.
func (t *schemaTable) linkFamilies() {
	if len(t.Families) == 0 {
		t.Families = []Family{{Name: "primary"}}
	}
	for i := range t.Columns {
		if c := &t.Columns[i]; !c.Virtual && t.FamilyOf(c.ID) == nil {
			t.Families[0].Columns = append(t.Families[0].Columns, c.ID)
		}
	}
	for i := range t.Families {
		f := &t.Families[i]
		n := 0
		for _, id := range f.Columns {
			if !slices.Contains(t.Primary.Columns, id) {
				n++
				f.Default = id
			}
		}
		if n != 1 {
			f.Default = 0
		}
	}
}

// linkParents finds the ancestors of interleaved indexes.
func (s *schemaFile) linkParents(t *schemaTable) {
	for n, tree := range t.parents {
		parent := s.tableNamed(tree.parent, t)
		if parent == nil {
			s.doubt(t.Tenant, t.ID, t.Name, "it is interleaved in %q, which is not there", strings.Join(tree.parent, "."))
			continue
		}
		ix := &t.Primary
		if n >= 0 {
			ix = &t.Indexes[n]
		}
		ix.Ancestors = s.ancestors(t, tree, 0)
	}
}

// ancestors are the tables which a table of the file is interleaved into,
// outermost first.
func (s *schemaFile) ancestors(t *schemaTable, tree schemaTree, depth int) []Ancestor {
	parent := s.tableNamed(tree.parent, t)
	if parent == nil || depth > len(s.tables) {
		return nil
	}
	var out []Ancestor
	if above, ok := parent.parents[-1]; ok {
		out = s.ancestors(parent, above, depth+1)
	}
	shared := tree.shared
	for _, a := range out {
		shared -= int(a.Shared)
	}
	return append(out, Ancestor{Table: parent.ID, Index: parent.Primary.ID, Shared: uint32(max(shared, 0))})
}

// linkRef makes a foreign key.
func (s *schemaFile) linkRef(t *schemaTable, ref schemaRef) {
	to := s.tableNamed(ref.to, t)
	if to == nil {
		s.doubt(t.Tenant, t.ID, t.Name, "foreign key %q refers to %q, which is not there", ref.Name, strings.Join(ref.to, "."))
		return
	}
	fk := ref.ForeignKey
	fk.Table = to.ID
	for _, name := range ref.columns {
		if c := t.named(name); c != nil {
			fk.Columns = append(fk.Columns, c.ID)
		}
	}
	for _, name := range ref.references {
		if c := to.named(name); c != nil {
			fk.References = append(fk.References, c.ID)
		}
	}
	if len(ref.references) == 0 {
		fk.References = to.keyOf()
	}
	t.Foreign = append(t.Foreign, fk)
}
