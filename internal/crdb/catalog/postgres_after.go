package catalog

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/evac-io/evac/internal/crdb/enc"
)

// maxName is the most bytes of a name in PostgreSQL.
const maxName = 63

// free is a name for an index that nothing in the table's schema has yet: the one
// that is wanted, that behind the table's name, or the latter with a number.
func (w *postgres) free(t *Table, wanted string) string {
	if wanted == "" {
		wanted = t.Name + "_idx"
	}
	called := cut(wanted, "")
	if w.used[qualified(t.Schema, called)] && !strings.HasPrefix(wanted, t.Name+"_") {
		wanted = t.Name + "_" + wanted
		called = cut(wanted, "")
	}
	for w.used[qualified(t.Schema, called)] {
		key := qualified(t.Schema, wanted)
		w.next[key]++
		called = cut(wanted, fmt.Sprint(w.next[key]))
	}
	w.used[qualified(t.Schema, called)] = true
	return called
}

// cut makes a name short enough, with an end behind it.
func cut(s, end string) string {
	for len(s)+len(end) > maxName {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return s + end
}

// behind writes what is made when a table's rows are there.
func (w *postgres) behind(t *Table) {
	if t.Sequence != nil {
		w.setval(t)
		if t.Sequence.OwnerTable != 0 {
			if sql, ok := ownedBy(w.catalog, t); ok {
				w.after(Statement{SQL: sql, What: "sequence", Table: t})
			}
		}
		return
	}
	if t.View != "" {
		return
	}
	if key := w.keys[t]; key != "" {
		w.after(Statement{SQL: fmt.Sprintf("ALTER TABLE %s ADD %s", name(t), key), What: "primary key", Table: t})
	}
	for i := range t.Indexes {
		if !t.Indexes[i].Disabled {
			w.index(t, &t.Indexes[i])
		}
	}
	for _, u := range t.Unique {
		w.index(t, &Index{Name: u.Name, Unique: true, Columns: u.Columns, Desc: make([]bool, len(u.Columns)), Predicate: u.Predicate})
	}
	for _, c := range t.Checks {
		w.check(t, c)
	}
}

// foreign writes the foreign keys of a table. The unique indexes that they refer
// to stand by then.
func (w *postgres) foreign(t *Table) {
	for _, fk := range t.Foreign {
		if st, ok := foreignKey(w.catalog, t, fk, w.Script); ok && w.target(t, fk) {
			w.after(st)
		}
	}
}

// target says that what a foreign key refers to is unique in PostgreSQL as well.
func (w *postgres) target(t *Table, fk ForeignKey) bool {
	to := w.catalog.Table(t.Tenant, fk.Table)
	if sameSet(to.keyOf(), fk.References) {
		return true
	}
	for _, ix := range to.Indexes {
		if ix.Unique && ix.Predicate == "" && ix.Kind == Forward && sameSet(to.withoutShard(ix.Columns), fk.References) {
			return true
		}
	}
	for _, u := range to.Unique {
		if u.Predicate == "" && sameSet(u.Columns, fk.References) {
			return true
		}
	}
	w.note("foreign key %s of %s is left out: no unique index of %s has just its columns", ident(fk.Name), name(t), name(to))
	return false
}

func (t *Table) withoutShard(ids []uint32) []uint32 {
	var out []uint32
	for _, id := range ids {
		if c := t.Column(id); c != nil && !t.isShard(c) {
			out = append(out, id)
		}
	}
	return out
}

// sameSet says that two lists have the same ids, in whatever order.
func sameSet(a, b []uint32) bool {
	seen := map[uint32]bool{}
	for _, id := range a {
		seen[id] = true
	}
	for _, id := range b {
		if !seen[id] {
			return false
		}
	}
	return len(a) == len(b)
}

// check writes a CHECK constraint.
func (w *postgres) check(t *Table, c Check) {
	if c.Hidden || c.NotNull || c.Validity == Dropping {
		return
	}
	e, why := w.expr(t, c.Expr, forCheck)
	if why != "" {
		w.note("constraint %s of %s is left out: CHECK (%s): %s", ident(c.Name), name(t), w.namer.expr(c.Expr), why)
		return
	}
	sql := fmt.Sprintf("ALTER TABLE %s ADD %sCHECK (%s)", name(t), constraint(c.Name), e)
	if c.Validity != Validated {
		sql += " NOT VALID"
	}
	w.after(Statement{SQL: sql, What: "constraint", Table: t})
}

// index writes CREATE INDEX, or says why there is none.
func (w *postgres) index(t *Table, ix *Index) {
	leave := func(why string) {
		w.note("index %s of %s is left out: %s", ident(ix.Name), name(t), why)
	}
	columns, method, why := w.indexColumns(t, ix)
	if why != "" {
		leave(why)
		return
	}
	where := ""
	if ix.Predicate != "" {
		e, why := w.expr(t, ix.Predicate, forIndex)
		if why != "" {
			leave("its condition " + w.namer.expr(ix.Predicate) + ": " + why)
			return
		}
		where = " WHERE " + e
	}
	kind := "INDEX"
	if ix.Unique {
		kind = "UNIQUE INDEX"
	}
	called := w.free(t, ix.Name)
	sql := fmt.Sprintf("CREATE %s %s ON %s%s (%s)", kind, ident(called), name(t), method, strings.Join(columns, ", "))
	if stored := t.list(t.present(t.stored(ix))); stored != "" && ix.Kind == Forward {
		sql += " INCLUDE (" + stored + ")"
	}
	st := Statement{SQL: sql + where, What: "index", Table: t}
	if called != ix.Name {
		st.Note = fmt.Sprintf("index %s of %s is called %s", ident(ix.Name), name(t), ident(called))
	}
	w.after(st)
	if ix.Comment != "" {
		on := fmt.Sprintf("COMMENT ON INDEX %s IS %s", qualified(t.Schema, called), literal(ix.Comment))
		w.after(Statement{SQL: on, What: "comment", Table: t})
	}
}

// present are those of the columns that PostgreSQL's table has.
func (t *Table) present(ids []uint32) []uint32 {
	var out []uint32
	for _, id := range ids {
		if c := t.Column(id); c != nil && !c.Inaccessible && !c.Virtual {
			out = append(out, id)
		}
	}
	return out
}

// indexColumns writes the columns of an index and how it is made; why says why it
// cannot be.
func (w *postgres) indexColumns(t *Table, ix *Index) (columns []string, method, why string) {
	switch ix.Kind {
	case Forward:
	case Inverted:
		return w.invertedColumn(t, ix)
	default:
		return nil, "", "it is a vector index"
	}
	for i, id := range ix.Columns {
		c := t.Column(id)
		if c == nil {
			return nil, "", "one of its columns is not there"
		}
		if ix.Shards > 0 && c.Name == ix.ShardColumn {
			continue
		}
		one := ident(c.Name)
		if c.Inaccessible || c.Virtual {
			e, why := w.expr(t, c.Computed, forIndex)
			if why != "" {
				return nil, "", "its expression " + w.namer.expr(c.Computed) + ": " + why
			}
			one = "(" + e + ")"
		}
		if ix.Desc[i] {
			one += " DESC"
		}
		columns = append(columns, one)
	}
	return columns, "", ""
}

// invertedColumn is the column of an inverted index, which is GIN's where the
// column is a document, an array or a text vector.
func (w *postgres) invertedColumn(t *Table, ix *Index) (columns []string, method, why string) {
	if len(ix.Columns) != 1 {
		return nil, "", "it is inverted and has more than one column"
	}
	c := t.Column(ix.Columns[0])
	if c == nil || c.Inaccessible || c.Virtual {
		return nil, "", "it is inverted and of an expression"
	}
	switch c.Type.Family {
	case enc.JSONFamily, enc.ArrayFamily, enc.TSVectorFamily:
		return []string{ident(c.Name)}, " USING gin", ""
	}
	return nil, "", "it is inverted and of " + CockroachType(&c.Type, c.Mod)
}

// view writes CREATE VIEW, as far as its query can be turned into PostgreSQL's
// dialect; PostgreSQL decides whether it takes it.
func (w *postgres) view(t *Table) {
	var columns []string
	for _, c := range t.Columns {
		if !c.Hidden {
			columns = append(columns, ident(c.Name))
		}
	}
	kind := "VIEW"
	if t.Materialized {
		kind = "MATERIALIZED VIEW"
	}
	sql := fmt.Sprintf("CREATE %s %s (%s) AS %s", kind, name(t), strings.Join(columns, ", "), w.query(t.View))
	w.after(Statement{SQL: sql, What: "view", Table: t, Optional: true})
}
