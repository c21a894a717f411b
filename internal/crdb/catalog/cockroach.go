package catalog

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// WriteCockroach writes the schema of all the users' databases as SQL for
// CockroachDB 22.1 or newer: what SHOW CREATE shows, foreign keys behind the
// tables. It returns what could not be had as it was.
func WriteCockroach(w io.Writer, c *Catalog) (notes []string, err error) {
	var scripts []*Script
	for _, o := range c.databasesToWrite() {
		s := Cockroach(c, o.tenant, o.id)
		scripts, notes = append(scripts, s), append(notes, s.Notes...)
	}
	return notes, writeAll(w, scripts, func(s *Script) string {
		return fmt.Sprintf("-- database %s\nCREATE DATABASE IF NOT EXISTS %s;\nUSE %s;\n\n", oneLine(s.title()), ident(s.title()), ident(s.title()))
	})
}

// Cockroach is the script that makes a database's schema in CockroachDB. Its
// tables have their indexes from the first, as SHOW CREATE writes them.
func Cockroach(c *Catalog, tenant uint64, database uint32) *Script {
	w := &cockroach{catalog: c, namer: c.namer(tenant), Script: &Script{Tenant: tenant}}
	tables := c.tablesOf(tenant, database)
	if len(tables) > 0 {
		w.Database = tables[0].Database
	}
	w.schemas(c, tables, database)
	for i := range c.Types {
		if u := &c.Types[i]; u.Tenant == tenant && u.DatabaseID == database && u.State == Public {
			w.userType(u)
		}
	}
	w.functions(c, database)
	for _, t := range tables {
		if t.Sequence != nil {
			w.before(Statement{SQL: "CREATE SEQUENCE " + name(t) + sequenceOptions(t.Sequence), What: "sequence", Table: t, ID: t.ID})
		}
	}
	for _, t := range tables {
		if t.Sequence == nil && t.View == "" {
			w.table(t)
		}
	}
	for _, t := range tables {
		w.behind(t)
	}
	for _, t := range byIDOrder(tables) {
		if t.View != "" {
			w.view(t)
		}
	}
	for _, t := range tables {
		w.comments(t, name(t))
		t.eachIndex(func(ix *Index) {
			if ix.Comment != "" {
				on := fmt.Sprintf("COMMENT ON INDEX %s@%s IS %s", name(t), ident(ix.Name), literal(ix.Comment))
				w.after(Statement{SQL: on, What: "comment", Table: t, Optional: true})
			}
		})
	}
	return w.Script
}

// cockroach writes one database's schema in CockroachDB's dialect.
type cockroach struct {
	*Script
	catalog *Catalog
	namer   *namer
}

// name is a table as SQL names it within its database.
func name(t *Table) string { return qualified(t.Schema, t.Name) }

// table writes CREATE TABLE.
func (w *cockroach) table(t *Table) {
	lines := slices.Concat(w.columns(t), w.indexes(t))
	for _, u := range t.Unique {
		line := fmt.Sprintf("%sUNIQUE WITHOUT INDEX (%s)", constraint(u.Name), t.list(u.Columns))
		if u.Predicate != "" {
			line += " WHERE " + w.namer.expr(u.Predicate)
		}
		lines = append(lines, line)
	}
	for _, c := range t.Checks {
		if !c.Hidden && !c.NotNull && c.Validity == Validated {
			lines = append(lines, fmt.Sprintf("%sCHECK (%s)", constraint(c.Name), w.namer.expr(c.Expr)))
		}
	}
	for i, f := range t.Families {
		if columns := t.list(w.written(t, f.Columns)); columns != "" {
			lines = append(lines, withID(f.ID, uint32(i))+fmt.Sprintf("FAMILY %s (%s)", ident(f.Name), columns))
		}
	}
	sql := fmt.Sprintf("CREATE TABLE %s (\n\t%s\n)%s", name(t), strings.Join(lines, ",\n\t"), w.partitioning(t, &t.Primary))
	w.before(Statement{SQL: sql, What: "table", Table: t, Note: w.tableNote(t), ID: t.ID})
}

// withID is a comment with an id, where it is not the one that a new table would
// give.
func withID(id, expected uint32) string {
	if id == expected {
		return ""
	}
	return fmt.Sprintf("/* id %d */ ", id)
}

// columns writes the columns of CREATE TABLE.
func (w *cockroach) columns(t *Table) []string {
	var lines []string
	var last uint32
	for i := range t.Columns {
		c := &t.Columns[i]
		if c.Computed != "" {
			w.computes(c)
		}
		if !c.Inaccessible && !t.isShard(c) {
			lines = append(lines, withID(c.ID, last+1)+w.column(c))
			last = max(last, c.ID)
		}
	}
	return lines
}

// indexes writes the primary key and the indexes of CREATE TABLE.
func (w *cockroach) indexes(t *Table) []string {
	var lines []string
	if t.Primary.ID != 0 {
		lines = append(lines, withID(t.Primary.ID, 1)+fmt.Sprintf("%sPRIMARY KEY %s", constraint(t.Primary.Name), w.indexBody(t, &t.Primary)))
	}
	last := t.Primary.ID
	for i := range t.Indexes {
		ix := &t.Indexes[i]
		if !ix.Disabled {
			lines = append(lines, withID(ix.ID, last+1)+indexKind(ix)+" "+ident(ix.Name)+" "+w.indexBody(t, ix))
			last = max(last, ix.ID)
		}
	}
	return lines
}

// written are those columns that CREATE TABLE names.
func (w *cockroach) written(t *Table, ids []uint32) []uint32 {
	var out []uint32
	for _, id := range ids {
		for i := range t.Columns {
			if c := &t.Columns[i]; c.ID == id && !c.Inaccessible && !t.isShard(c) {
				out = append(out, id)
			}
		}
	}
	return out
}

// tableNote says what CREATE TABLE cannot have of the table.
func (w *cockroach) tableNote(t *Table) string {
	var parts []string
	if n := len(t.Primary.Ancestors); n > 0 {
		if parent := w.catalog.Table(t.Tenant, t.Primary.Ancestors[n-1].Table); parent != nil {
			parts = append(parts, "was interleaved in "+name(parent))
		}
	}
	if t.State == Offline {
		parts = append(parts, "was offline: "+t.OfflineReason)
	}
	if t.Locality != "" {
		parts = append(parts, "had the locality "+t.Locality)
	}
	if t.RowTTL {
		parts = append(parts, "had a row-level TTL")
	}
	if len(t.Triggers) > 0 {
		parts = append(parts, "had the triggers "+strings.Join(t.Triggers, ", "))
	}
	if len(t.Policies) > 0 {
		parts = append(parts, "had the row-level security policies "+strings.Join(t.Policies, ", "))
	}
	if len(parts) == 0 {
		return ""
	}
	return fmt.Sprintf("table %s %s", name(t), strings.Join(parts, ", "))
}

// column writes one column of CREATE TABLE.
func (w *cockroach) column(c *Column) string {
	out := ident(c.Name) + " " + CockroachType(&c.Type, c.Mod)
	if c.Hidden {
		out += " NOT VISIBLE"
	}
	if c.Nullable {
		out += " NULL"
	} else {
		out += " NOT NULL"
	}
	switch {
	case c.Identity != NoIdentity:
		out += " GENERATED " + map[Identity]string{IdentityAlways: "ALWAYS", IdentityByDefault: "BY DEFAULT"}[c.Identity] + " AS IDENTITY"
		if opts := strings.TrimSpace(c.IdentityOpts); opts != "" {
			out += " (" + opts + ")"
		}
	case c.Default != "":
		out += " DEFAULT " + w.namer.expr(c.Default)
	}
	if c.OnUpdate != "" {
		out += " ON UPDATE " + w.namer.expr(c.OnUpdate)
	}
	if c.Computed != "" {
		out += " AS (" + w.namer.expr(c.Computed) + ")" + map[bool]string{true: " VIRTUAL", false: " STORED"}[c.Virtual]
	}
	return out
}

// indexKind begins an index in CREATE TABLE.
func indexKind(ix *Index) string {
	switch {
	case ix.Kind == Inverted:
		return "INVERTED INDEX"
	case ix.Kind == Vector:
		return "VECTOR INDEX"
	case ix.Unique:
		return "UNIQUE INDEX"
	}
	return "INDEX"
}

// indexBody writes the columns of an index and what stands behind them.
func (w *cockroach) indexBody(t *Table, ix *Index) string {
	out := "(" + strings.Join(w.indexColumns(t, ix), ", ") + ")"
	if ix.Shards > 0 {
		out += fmt.Sprintf(" USING HASH WITH (bucket_count=%d)", ix.Shards)
	}
	if ix.ID == t.Primary.ID {
		return out + w.interleave(t, ix)
	}
	if stored := t.stored(ix); len(stored) > 0 {
		out += " STORING (" + t.list(stored) + ")"
	}
	out += w.partitioning(t, ix)
	if ix.Predicate != "" {
		out += " WHERE " + w.namer.expr(ix.Predicate)
	}
	if ix.NotVisible {
		out += " NOT VISIBLE"
	}
	return out + extra(t, ix) + w.interleave(t, ix)
}

// extra says in a comment which columns of a primary key the entries of an index
// have, where they are not those of the present one, as ParseSchema reads it.
func extra(t *Table, ix *Index) string {
	list := t.list(ix.Extra)
	if slices.Equal(ix.Extra, t.extraOf(ix)) || len(ix.OldStoring) > 0 || strings.Contains(list, "*/") {
		return ""
	}
	return " /* EXTRA (" + list + ") */"
}

// interleave says in a comment what an index was interleaved into, as ParseSchema
// reads it.
func (w *cockroach) interleave(t *Table, ix *Index) string {
	n, shared := len(ix.Ancestors), 0
	if n == 0 {
		return ""
	}
	for _, a := range ix.Ancestors {
		shared += int(a.Shared)
	}
	parent := w.catalog.Table(t.Tenant, ix.Ancestors[n-1].Table)
	if parent == nil {
		return ""
	}
	columns := strings.ReplaceAll(t.list(ix.Columns[:min(shared, len(ix.Columns))]), "*/", "")
	return fmt.Sprintf(" /* INTERLEAVE IN PARENT %s (%s) */", strings.ReplaceAll(name(parent), "*/", ""), columns)
}

// indexColumns writes the columns of an index, without the bucket that sharding
// puts first.
func (w *cockroach) indexColumns(t *Table, ix *Index) []string {
	var out []string
	for i, id := range ix.Columns {
		c := t.Column(id)
		if c == nil || ix.Shards > 0 && c.Name == ix.ShardColumn {
			continue
		}
		one := ident(c.Name)
		if c.Inaccessible {
			one = "(" + w.namer.expr(c.Computed) + ")"
		}
		last := i == len(ix.Columns)-1
		switch {
		case ix.Kind != Forward && last:
		case ix.Desc[i]:
			one += " DESC"
		default:
			one += " ASC"
		}
		out = append(out, one)
	}
	return out
}

// behind writes what a table has that refers to others.
func (w *cockroach) behind(t *Table) {
	for _, c := range t.Checks {
		if !c.Hidden && !c.NotNull && c.Validity == Unvalidated {
			sql := fmt.Sprintf("ALTER TABLE %s ADD %sCHECK (%s) NOT VALID", name(t), constraint(c.Name), w.namer.expr(c.Expr))
			w.after(Statement{SQL: sql, What: "constraint", Table: t})
		}
	}
	for _, fk := range t.Foreign {
		if st, ok := foreignKey(w.catalog, t, fk, w.Script); ok {
			w.after(st)
		}
	}
	if t.Sequence != nil {
		w.setval(t)
	}
	if s := t.Sequence; s != nil && s.OwnerTable != 0 {
		if sql, ok := ownedBy(w.catalog, t); ok {
			w.after(Statement{SQL: sql, What: "sequence", Table: t})
		}
	}
}

// view writes CREATE VIEW.
func (w *cockroach) view(t *Table) {
	kind := "VIEW"
	if t.Materialized {
		kind = "MATERIALIZED VIEW"
	}
	var columns []string
	for _, c := range t.Columns {
		if !c.Hidden {
			columns = append(columns, ident(c.Name))
		}
	}
	sql := fmt.Sprintf("CREATE %s %s (%s) AS %s", kind, name(t), strings.Join(columns, ", "), w.namer.expr(t.View))
	w.after(Statement{SQL: sql, What: "view", Table: t, ID: t.ID})
}
