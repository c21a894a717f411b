package catalog

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// tablesOf are the tables of a database that a schema has, by schema and name.
func (c *Catalog) tablesOf(tenant uint64, database uint32) []*Table {
	var out []*Table
	for _, t := range c.Tables {
		if t.Tenant == tenant && t.DatabaseID == database && written(t) {
			out = append(out, t)
		}
	}
	return out
}

// byIDOrder are tables in the order in which they were made.
func byIDOrder(tables []*Table) []*Table {
	out := slices.Clone(tables)
	slices.SortStableFunc(out, func(a, b *Table) int { return int(a.ID) - int(b.ID) })
	return out
}

// schemas writes the schemas of a database.
func (s *Script) schemas(c *Catalog, tables []*Table, database uint32) {
	seen := map[string]bool{"public": true}
	add := func(name string) {
		if !seen[name] {
			seen[name] = true
			s.before(Statement{SQL: "CREATE SCHEMA IF NOT EXISTS " + ident(name), What: "schema"})
		}
	}
	for _, x := range c.Schemas {
		if x.Tenant == s.Tenant && x.DatabaseID == database && x.State == Public {
			add(x.Name)
		}
	}
	for _, t := range tables {
		add(t.Schema)
	}
}

// functions names the functions that the schema had; their bodies are not SQL of
// a schema that can be checked, so they stand in comments.
func (s *Script) functions(c *Catalog, database uint32) {
	for _, f := range c.Functions {
		if f.Tenant == s.Tenant && f.DatabaseID == database && f.State == Public {
			s.before(Statement{What: "function", Note: fmt.Sprintf("function %s is left out: %s", qualified(f.Schema, f.Name), f.Body)})
		}
	}
}

// labels are the members of an enum that can be written, as literals. With bytes,
// those that a new type would not give them stand in comments.
func (u *UserType) labels(withBytes bool) string {
	fresh := slices.Clone(u.Members.Members)
	spread(fresh, nil, nil)
	var out []string
	for i, m := range u.members {
		if m.readOnly && !m.removing { // not yet added
			continue
		}
		one := literal(m.Label)
		if withBytes && !bytes.Equal(m.Physical, fresh[i].Physical) {
			one = fmt.Sprintf("/* bytes %x */ %s", m.Physical, one)
		}
		out = append(out, one)
	}
	return strings.Join(out, ", ")
}

// userType writes CREATE TYPE.
func (w *cockroach) userType(u *UserType) {
	st := Statement{SQL: fmt.Sprintf("CREATE TYPE %s AS ENUM (%s)", qualified(u.Schema, u.Name), u.labels(true)), What: "type", ID: u.ID}
	switch u.Kind {
	case EnumKind:
	case RegionsKind: // made with the regions of the database; a schema has none
		st.Note = "type " + qualified(u.Schema, u.Name) + " was made of the regions of the database"
	case CompositeKind:
		var fields []string
		for i := range u.Fields {
			f := &u.Fields[i]
			fields = append(fields, ident(f.Name)+" "+CockroachType(&f.Type, f.Mod))
		}
		st.SQL = fmt.Sprintf("CREATE TYPE %s AS (%s)", qualified(u.Schema, u.Name), strings.Join(fields, ", "))
	default:
		return
	}
	w.before(st)
}

// sequenceOptions writes the options of a sequence that both dialects know.
func sequenceOptions(s *Sequence) string {
	var out strings.Builder
	if s.As != "" {
		fmt.Fprintf(&out, " AS %s", s.As)
	}
	if s.Virtual {
		return out.String() + " VIRTUAL"
	}
	increment := s.Increment
	if increment == 0 {
		increment = 1
	}
	fmt.Fprintf(&out, " MINVALUE %d MAXVALUE %d INCREMENT %d START %d", s.Min, s.Max, increment, s.Start)
	if s.Cache > 1 && s.Cache < math.MaxInt64 {
		fmt.Fprintf(&out, " CACHE %d", s.Cache)
	}
	return out.String()
}

// setval writes the value that a sequence gave out last. One that gave out none is
// as it is made.
func (s *Script) setval(t *Table) {
	q := t.Sequence
	if q.Last == nil || q.Virtual || *q.Last == q.Start-cmp.Or(q.Increment, 1) || *q.Last < q.Min || *q.Last > q.Max {
		return
	}
	s.after(Statement{SQL: fmt.Sprintf("SELECT setval(%s, %d, true)", literal(name(t)), *q.Last), What: "sequence", Table: t})
}

// isShard says that a column holds the bucket of a hash-sharded index, which the
// index makes by itself.
func (t *Table) isShard(c *Column) bool {
	if !c.Hidden || c.Computed == "" {
		return false
	}
	shard := false
	t.eachIndex(func(ix *Index) { shard = shard || ix.Shards > 0 && ix.ShardColumn == c.Name })
	return shard
}

// stored are the columns that an index was declared to store.
func (t *Table) stored(ix *Index) []uint32 {
	if len(ix.Store) > 0 {
		return ix.Store
	}
	return ix.OldStoring
}

// list writes columns with commas between them; those not there are left out.
func (t *Table) list(ids []uint32) string {
	var out []string
	for _, id := range ids {
		if c := t.Column(id); c != nil {
			out = append(out, ident(c.Name))
		}
	}
	return strings.Join(out, ", ")
}

// constraint begins a constraint that may have a name.
func constraint(called string) string {
	if called == "" {
		return ""
	}
	return "CONSTRAINT " + ident(called) + " "
}

// foreignKey writes a foreign key.
func foreignKey(c *Catalog, t *Table, fk ForeignKey, s *Script) (Statement, bool) {
	to := c.Table(t.Tenant, fk.Table)
	if to == nil || !written(to) {
		s.note("foreign key %s of %s is left out: table %d is not there", ident(fk.Name), name(t), fk.Table)
		return Statement{}, false
	}
	if to.DatabaseID != t.DatabaseID {
		s.note("foreign key %s of %s is left out: it refers to %s of database %s", ident(fk.Name), name(t), name(to), to.Database)
		return Statement{}, false
	}
	if fk.Validity == Dropping {
		return Statement{}, false
	}
	sql := fmt.Sprintf("ALTER TABLE %s ADD %sFOREIGN KEY (%s) REFERENCES %s (%s)",
		name(t), constraint(fk.Name), t.list(fk.Columns), name(to), to.list(fk.References))
	if fk.Match == MatchFull {
		sql += " MATCH FULL"
	}
	if fk.OnDelete != 0 {
		sql += " ON DELETE " + fk.OnDelete.String()
	}
	if fk.OnUpdate != 0 {
		sql += " ON UPDATE " + fk.OnUpdate.String()
	}
	if fk.Validity != Validated {
		sql += " NOT VALID"
	}
	return Statement{SQL: sql, What: "foreign key", Table: t}, true
}

// ownedBy writes whose column a sequence belongs to.
func ownedBy(c *Catalog, t *Table) (string, bool) {
	owner := c.Table(t.Tenant, t.Sequence.OwnerTable)
	if owner == nil || !written(owner) {
		return "", false
	}
	column := owner.Column(t.Sequence.OwnerColumn)
	if column == nil {
		return "", false
	}
	return fmt.Sprintf("ALTER SEQUENCE %s OWNED BY %s.%s", name(t), name(owner), ident(column.Name)), true
}

// comments writes the comments on a table, its columns and its indexes.
func (s *Script) comments(t *Table, called string) {
	kind := "TABLE"
	switch {
	case t.Sequence != nil:
		kind = "SEQUENCE"
	case t.View != "":
		kind = "VIEW"
	}
	add := func(on, text string) {
		if text != "" {
			s.after(Statement{SQL: fmt.Sprintf("COMMENT ON %s IS %s", on, literal(text)), What: "comment", Table: t, Optional: true})
		}
	}
	add(kind+" "+called, t.Comment)
	for _, c := range t.Columns {
		add("COLUMN "+called+"."+ident(c.Name), c.Comment)
	}
}
