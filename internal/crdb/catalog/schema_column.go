package catalog

import (
	"slices"

	"github.com/evac-io/evac/internal/crdb/enc"
)

// column takes a column of CREATE TABLE.
func (s *schemaFile) column(t *schemaTable, id uint32) error {
	name, err := s.identifier()
	if err != nil {
		return err
	}
	c := Column{ID: id, Name: name, Nullable: true}
	if c.ID == 0 {
		c.ID = t.nextColumn()
	}
	typ, err := s.typ()
	if err != nil {
		return err
	}
	c.Type, c.Mod = typ.Type, typ.Mod
	if len(typ.User) > 0 {
		t.types[c.ID] = typ.User
	}
	if typ.Serial {
		c.Default, c.Nullable = "unique_rowid()", false
	}
	t.Columns = append(t.Columns, c)
	for n := len(t.Columns) - 1; ; {
		more, err := s.qualifier(t, n)
		if err != nil || !more {
			return err
		}
	}
}

// qualifier takes one of what stands behind a column's type.
func (s *schemaFile) qualifier(t *schemaTable, n int) (more bool, err error) {
	c := &t.Columns[n]
	called, err := s.constraintName()
	if err != nil {
		return false, err
	}
	switch {
	case s.accept("not", "null"):
		c.Nullable = false
	case s.accept("null"):
	case s.accept("not", "visible"):
		c.Hidden = true
	case s.accept("default"):
		c.Default = s.rest(endOfQualifier)
	case s.accept("on", "update"):
		c.OnUpdate = s.rest(endOfQualifier)
	case s.accept("generated", "always", "as", "identity"):
		c.Identity = IdentityAlways
		err = s.identity(c)
	case s.accept("as"), s.accept("generated", "always", "as"):
		err = s.computed(c)
	case s.accept("generated", "by", "default", "as", "identity"):
		c.Identity = IdentityByDefault
		err = s.identity(c)
	case s.accept("primary", "key"):
		t.primary, t.keyName = []part{{name: c.Name}}, called
		t.shards, err = s.sharded()
		c.Nullable = false
	case s.accept("unique"):
		t.indexes = append(t.indexes, schemaIndex{Index: Index{Unique: true, Name: called}, parts: []part{{name: c.Name}}})
	case s.accept("check"):
		var expr string
		expr, err = s.bracketed()
		t.Checks = append(t.Checks, Check{Name: called, Expr: expr})
	case s.peek().is("references"):
		err = s.references(t, called, []string{c.Name})
	case s.accept("create", "if", "not", "exists", "family"), s.accept("create", "family"), s.accept("family"):
		err = s.columnFamily(t, c)
	default:
		return false, nil
	}
	return true, err
}

// endOfQualifier says that what follows is no longer the expression of a
// qualifier.
func endOfQualifier(t token) bool {
	for _, w := range [...]string{",", ";", "not", "null", "default", "on", "as", "generated", "primary", "unique", "check", "references", "create", "family", "constraint"} {
		if t.is(w) {
			return true
		}
	}
	return false
}

// computed takes the expression of a computed column.
func (s *schemaFile) computed(c *Column) (err error) {
	if c.Computed, err = s.bracketed(); err != nil {
		return err
	}
	if s.accept("virtual") {
		c.Virtual = true
		return nil
	}
	s.accept("stored")
	return nil
}

// identity takes the options of an identity column.
func (s *schemaFile) identity(c *Column) error {
	c.Nullable = false
	if !s.accept("(") {
		return nil
	}
	c.IdentityOpts = s.rest(func(token) bool { return false })
	return s.expect(")")
}

// columnFamily puts a column into a family, which it makes.
func (s *schemaFile) columnFamily(t *schemaTable, c *Column) error {
	name, err := s.identifier()
	if err != nil {
		return err
	}
	for i := range t.Families {
		if t.Families[i].Name == name {
			t.Families[i].Columns = append(t.Families[i].Columns, c.ID)
			return nil
		}
	}
	t.Families = append(t.Families, Family{ID: uint32(len(t.Families)), Name: name, Columns: []uint32{c.ID}})
	return nil
}

// link makes whole what needed all of the file: keys, indexes, families, foreign
// keys and types.
func (s *schemaFile) link() {
	for _, t := range s.tables {
		if t.Sequence != nil {
			t.Primary = Index{ID: 1}
			continue
		}
		if t.View != "" {
			continue
		}
		s.linkKey(t)
		s.linkTypes(t)
		s.linkIndexes(t)
		t.linkFamilies()
	}
	for _, t := range s.tables {
		s.linkParents(t)
		for _, ref := range t.refs {
			s.linkRef(t, ref)
		}
	}
}

// linkKey makes the primary index, and the hidden columns that it needs.
func (s *schemaFile) linkKey(t *schemaTable) {
	if len(t.primary) == 0 {
		if t.named("rowid") == nil {
			s.hidden(t, "rowid")
		}
		t.primary = []part{{name: "rowid"}}
	}
	ix := schemaIndex{Index: Index{ID: t.keyID, Name: t.keyName, Unique: true}, parts: t.primary, shards: t.shards}
	if ix.ID == 0 {
		ix.ID = 1
	}
	if ix.Name == "" {
		ix.Name = "primary"
	}
	s.linkIndex(t, &ix)
	t.Primary = ix.Index
	for _, id := range t.Primary.Columns {
		t.Column(id).Nullable = false
	}
}

// linkIndexes makes the secondary indexes.
func (s *schemaFile) linkIndexes(t *schemaTable) {
	last := t.Primary.ID
	for i := range t.indexes {
		ix := &t.indexes[i]
		if ix.ID == 0 {
			ix.ID = last + 1
		}
		last = max(last, ix.ID)
		ix.Version = 1
		s.linkIndex(t, ix)
		ix.Extra = t.extraOf(&ix.Index)
		if ix.extra != nil {
			ix.Extra = nil
		}
		for _, name := range ix.extra {
			if c := t.named(name); c != nil {
				ix.Extra = append(ix.Extra, c.ID)
			}
		}
		for _, name := range ix.storing {
			if c := t.named(name); c != nil {
				ix.Store = append(ix.Store, c.ID)
			}
		}
		ix.Composite = t.compositeOf(&ix.Index)
		t.Indexes = append(t.Indexes, ix.Index)
	}
	t.NextIndex = last + 1
}

// extraOf are the columns of the primary key which the entries of a new index
// have beside its own.
func (t *Table) extraOf(ix *Index) []uint32 {
	var out []uint32
	for _, id := range t.Primary.Columns {
		if !slices.Contains(ix.Columns, id) {
			out = append(out, id)
		}
	}
	return out
}

// compositeOf are the columns of an index of which its keys may lose something;
// the last column of an index that is no ordinary one is not in its keys as such.
func (t *schemaTable) compositeOf(ix *Index) []uint32 {
	columns := ix.Columns
	if ix.Kind != Forward && len(columns) > 0 {
		columns = columns[:len(columns)-1]
	}
	var out []uint32
	for _, id := range slices.Concat(columns, ix.Extra) {
		if c := t.Column(id); c != nil && enc.IsComposite(&c.Type) {
			out = append(out, id)
		}
	}
	return out
}
