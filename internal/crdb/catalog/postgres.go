package catalog

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// WritePostgres writes the schema of all the users' databases as SQL for
// PostgreSQL 12 or newer which CockroachDB 22.1 or newer takes too, in two parts
// with the marks between them: what must stand before the rows come and what is
// made behind them. It returns what could not be had as it was.
func WritePostgres(w io.Writer, c *Catalog) (notes []string, err error) {
	var scripts []*Script
	for _, o := range c.databasesToWrite() {
		s := Postgres(c, o.tenant, o.id)
		scripts, notes = append(scripts, s), append(notes, s.Notes...)
	}
	return notes, writeAll(w, scripts, func(s *Script) string {
		if len(scripts) == 1 {
			return fmt.Sprintf("-- database %s\n\n", oneLine(s.title()))
		}
		return fmt.Sprintf("-- database %s\nCREATE DATABASE %s;\n\\connect %s\n\n", oneLine(s.title()), ident(s.title()), ident(s.title()))
	})
}

// Postgres is the script that makes a database's schema in a PostgreSQL
// database. Every column that rows store is there under its name, hidden ones
// too.
func Postgres(c *Catalog, tenant uint64, database uint32) *Script {
	tables := c.tablesOf(tenant, database)
	w := c.postgres(tenant, database, tables)
	w.schemas(c, tables, database)
	for i := range c.Types {
		if u := &c.Types[i]; u.Tenant == tenant && u.DatabaseID == database && u.State == Public {
			w.userType(u)
		}
	}
	w.functions(c, database)
	for _, t := range tables {
		if t.Sequence != nil {
			w.sequence(t)
		}
	}
	w.tables(tables)
	for _, t := range tables {
		w.behind(t)
	}
	for _, t := range tables {
		w.foreign(t)
	}
	for _, t := range byIDOrder(tables) {
		if t.View != "" {
			w.view(t)
		}
	}
	for _, t := range tables {
		w.comments(t, name(t))
	}
	return w.Script
}

// postgres writes one database's schema in PostgreSQL's dialect.
type postgres struct {
	*Script
	catalog  *Catalog
	namer    *namer
	database uint32
	used     map[string]bool   // the names of tables and indexes, which share one space in a schema
	next     map[string]int    // the last number behind a name that was taken
	keys     map[*Table]string // the constraints that are the tables' primary keys
	rowid    bool
}

func (c *Catalog) postgres(tenant uint64, database uint32, tables []*Table) *postgres {
	w := &postgres{
		catalog: c, namer: c.namer(tenant), Script: &Script{Tenant: tenant}, database: database,
		used: map[string]bool{}, next: map[string]int{}, keys: map[*Table]string{},
	}
	for _, t := range tables {
		w.Database, w.used[name(t)] = t.Database, true
	}
	return w
}

// userType writes CREATE TYPE.
func (w *postgres) userType(u *UserType) {
	called := qualified(u.Schema, u.Name)
	switch u.Kind {
	case EnumKind, RegionsKind:
		w.before(Statement{SQL: fmt.Sprintf("CREATE TYPE %s AS ENUM (%s)", called, u.labels(false)), What: "type"})
	case CompositeKind:
		var fields []string
		for i := range u.Fields {
			f := &u.Fields[i]
			typ, _ := PostgresType(&f.Type, f.Mod)
			fields = append(fields, ident(f.Name)+" "+typ)
		}
		w.before(Statement{SQL: fmt.Sprintf("CREATE TYPE %s AS (%s)", called, strings.Join(fields, ", ")), What: "type"})
	}
}

// sequence writes CREATE SEQUENCE. PostgreSQL has no virtual ones: an ordinary
// one with wide steps takes its place.
func (w *postgres) sequence(t *Table) {
	s := *t.Sequence
	note := ""
	if s.Virtual {
		s = Sequence{Increment: 1, Min: 1, Max: math.MaxInt64, Start: 1}
		note = fmt.Sprintf("sequence %s was virtual, its values made by unique_rowid(); it is an ordinary one", name(t))
	}
	s.As = map[string]string{"INT2": "smallint", "INT4": "integer"}[strings.ToUpper(s.As)]
	w.before(Statement{SQL: "CREATE SEQUENCE " + name(t) + sequenceOptions(&s), What: "sequence", Table: t, Note: note})
}

// tables writes all tables. What their defaults need stands before them.
func (w *postgres) tables(tables []*Table) {
	var made []Statement
	for _, t := range tables {
		if t.Sequence == nil && t.View == "" {
			made = append(made, w.table(t))
		}
	}
	if w.rowid {
		w.before(Statement{SQL: rowidSequence, What: "sequence", Note: "in place of unique_rowid(): its numbers lie above all that CockroachDB makes before the year 2059"})
	}
	for _, st := range made {
		w.before(st)
	}
}

// needRowid asks for what takes the place of the function unique_rowid.
func (w *postgres) needRowid() { w.rowid = true }

// rowidSequence begins at 2^62: unique_rowid() counts ten microseconds since 2015,
// shifted by 15 bits.
const rowidSequence = `CREATE SEQUENCE public.unique_rowid START 4611686018427387904`

// table writes CREATE TABLE. The primary key is made behind the rows, but has its
// name before all other indexes.
func (w *postgres) table(t *Table) Statement {
	var lines, notes []string
	for i := range t.Columns {
		c := &t.Columns[i]
		if c.Inaccessible {
			continue
		}
		line, more := w.column(t, c)
		notes = append(notes, more...)
		if line != "" {
			lines = append(lines, line)
		}
	}
	w.keys[t] = w.primaryKey(t)
	if more := w.tableNote(t); more != "" {
		notes = append(notes, more)
	}
	st := Statement{SQL: fmt.Sprintf("CREATE TABLE %s (\n\t%s\n)", name(t), strings.Join(lines, ",\n\t")), What: "table", Table: t}
	if len(notes) > 0 {
		st.Note = fmt.Sprintf("table %s: %s", name(t), strings.Join(notes, "; "))
	}
	return st
}

// tableNote says what PostgreSQL's CREATE TABLE cannot have of a table.
func (w *postgres) tableNote(t *Table) string {
	var parts []string
	if t.State == Offline {
		parts = append(parts, "it was offline: "+t.OfflineReason)
	}
	if t.RowTTL {
		parts = append(parts, "its row-level TTL is left out")
	}
	if len(t.Triggers) > 0 {
		parts = append(parts, "its triggers are left out: "+strings.Join(t.Triggers, ", "))
	}
	if len(t.Policies) > 0 {
		parts = append(parts, "its row-level security policies are left out: "+strings.Join(t.Policies, ", "))
	}
	return strings.Join(parts, "; ")
}

// column writes one column of CREATE TABLE; nothing if it cannot be there.
func (w *postgres) column(t *Table, c *Column) (line string, notes []string) {
	note := func(format string, args ...any) {
		notes = append(notes, "column "+ident(c.Name)+" "+fmt.Sprintf(format, args...))
	}
	typ, why := PostgresType(&c.Type, c.Mod)
	if why != "" {
		note("%s", why)
	}
	if locale := c.Type.Locale; locale != "" {
		note("had the collation %s", locale)
	}
	if c.Identity != NoIdentity {
		note("was an identity column: its sequence is its default")
	}
	line = ident(c.Name) + " " + typ
	notNull := !c.Nullable
	switch {
	case c.Computed != "":
		computed, why := w.computed(t, c)
		if why != "" {
			note("was computed as %s: %s", w.namer.expr(c.Computed), why)
			if c.Virtual {
				return "", notes
			}
			notNull = notNull && slices.Contains(t.keyOf(), c.ID) // nobody computes it any more
		}
		line += computed
	case c.Default != "":
		value, why := w.expr(t, c.Default, forDefault)
		if why != "" {
			note("had the default %s: %s", w.namer.expr(c.Default), why)
		} else {
			line += " DEFAULT " + value
		}
	}
	if c.OnUpdate != "" {
		note("had ON UPDATE %s", w.namer.expr(c.OnUpdate))
	}
	if notNull {
		line += " NOT NULL"
	}
	return line, notes
}

// computed writes what makes a column a computed one, or says why it cannot.
func (w *postgres) computed(t *Table, c *Column) (sql, why string) {
	if t.isShard(c) {
		return "", "it was the bucket of a hash-sharded index, it is an ordinary column"
	}
	purpose := forStored
	if c.Virtual {
		purpose = forIndex
	}
	e, why := w.expr(t, c.Computed, purpose)
	if why != "" {
		if c.Virtual {
			return "", why + "; it was not stored and is left out"
		}
		return "", why + "; it is an ordinary column"
	}
	w.computes(c)
	return " GENERATED ALWAYS AS (" + e + ") STORED", ""
}

// keyOf are the columns of the primary key, without the bucket of a sharded one.
func (t *Table) keyOf() []uint32 {
	var out []uint32
	for _, id := range t.Primary.Columns {
		if c := t.Column(id); c != nil && !t.isShard(c) && !c.Inaccessible {
			out = append(out, id)
		}
	}
	return out
}

// primaryKey writes the primary key. PostgreSQL names it after its table, since
// the names of indexes are unique in a schema and half of CockroachDB's are
// called primary.
func (w *postgres) primaryKey(t *Table) string {
	key := t.keyOf()
	if t.Primary.ID == 0 || len(key) == 0 {
		return ""
	}
	return fmt.Sprintf("CONSTRAINT %s PRIMARY KEY (%s)", ident(w.free(t, t.Name+"_pkey")), t.list(key))
}
