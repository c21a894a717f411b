package pg

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// relation is something with rows on one side: a table, or one of the
// pseudo-tables of sequences, large objects and catalog objects.
type relation struct {
	class string
	name  string
	// columns in the order of the side; key names the ones that identify a
	// row, nil if there is none.
	columns []string
	key     []string
	// integers and uuids are columns by which a locator can find rows.
	integers, uuids []string
	// forms are, by column, those that give floating-point values out exactly;
	// used where the servers write such values differently.
	forms map[string]exactForm
	// parts hold all rows of the relation between them.
	parts []part
	// rows and bytes are estimates.
	rows, bytes int64
	// query is a materialized view's definition.
	query string
	// portable asks for SQL that CockroachDB understands too.
	portable bool
}

// part is a share of a relation's rows: those of from that meet a condition, ""
// all of them.
type part struct{ from, where string }

// recomputed makes a materialized view what its definition gives now.
func (r *relation) recomputed() {
	r.parts = []part{{from: "(" + strings.TrimRight(r.query, "; \n") + ") as recomputed"}}
	r.rows, r.query, r.integers, r.uuids = 0, "", nil, nil
}

// selects is the query for some columns of a part.
func (r *relation) selects(columns []string, p part) string {
	quoted := make([]string, len(columns))
	for i, c := range columns {
		quoted[i] = r.value(c)
		if r.forms[c] != nil {
			quoted[i] += " as " + Quote(c)
		}
	}
	sql := "select " + strings.Join(quoted, ", ") + " from " + p.from
	if p.where != "" {
		sql += " where " + p.where
	}
	return sql
}

// value is a column as it is compared.
func (r *relation) value(column string) string {
	return r.forms[column].of(Quote(column))
}

// relationQuery lists what holds rows of its own: plain tables, partitions and
// parents of inheritance each for themselves, and materialized views that are
// filled. Of an extension's tables only those that it declares to hold the
// user's rows (pg_extension.extconfig). The key is the primary key, else the
// smallest unique index over columns that are never null.
const relationQuery = `
	select format('%%I.%%I', n.nspname, c.relname), greatest(c.reltuples, 0)::bigint, pg_table_size(c.oid),
		case when coalesce(m.amname, 'heap') = 'heap' then pg_relation_size(c.oid) / current_setting('block_size')::int else 0 end,
		array(select a.attname::text from pg_catalog.pg_attribute a
			where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped order by a.attnum),
		array(select a.atttypid from pg_catalog.pg_attribute a
			where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped order by a.attnum),
		coalesce((select k.columns from (
			select i.indisprimary, c2.relname, array_agg(a.attname::text order by p.place) as columns, bool_and(a.attnotnull) as certain
			from pg_catalog.pg_index i
			join pg_catalog.pg_class c2 on c2.oid = i.indexrelid
			cross join lateral unnest(i.indkey::int2[]) with ordinality p(attnum, place)
			join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = p.attnum
			where i.indrelid = c.oid and i.indisunique and i.indisvalid and i.indpred is null and i.indexprs is null and p.place <= i.%[1]s
			group by 1, 2) k where k.certain order by k.indisprimary desc, cardinality(k.columns), k.relname limit 1), '{}'),
		array(select a.attname::text from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and a.atttypid = any('{int2,int4,int8}'::regtype[]) order by a.attnum),
		array(select a.attname::text from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and a.atttypid = 'uuid'::regtype),
		coalesce(x.filter, ''), case c.relkind when 'm' then pg_get_viewdef(c.oid) else '' end
	from pg_catalog.pg_class c
	join pg_catalog.pg_namespace n on n.oid = c.relnamespace
	left join pg_catalog.pg_am m on m.oid = c.relam
	left join (
		select k.relation, e.extcondition[k.place] as filter
		from pg_catalog.pg_extension e, unnest(e.extconfig) with ordinality k(relation, place)) x on x.relation = c.oid
	where (c.relkind = 'r' or c.relkind = 'm' and c.relispopulated) and c.relpersistence <> 't'
		and n.nspname not in ('information_schema', 'evac_ledger') and n.nspname !~ '^pg_' and %[2]s
		and (x.relation is not null or not exists (select from pg_catalog.pg_depend d
			where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'))`

// firstShortest is the first version that writes the shortest exact text.
const firstShortest = 12_00_00

// firstIncluded is the first version whose indexes may include columns.
const firstIncluded = 11_00_00

// firstRange is the first version that reads a range of pages by itself.
const firstRange = 14_00_00

// partBytes is about how much of a large table one part holds.
const partBytes = 256 << 20

// tables lists the side's tables that are meant; exact asks for floating-point
// values by their bytes.
func (r *reading) tables(ctx context.Context, meant Filter, exact bool) ([]*relation, error) {
	if r.roach != nil {
		return r.roachTables(ctx, meant)
	}
	width := "indnatts"
	if r.version >= firstIncluded {
		width = "indnkeyatts"
	}
	var forms map[uint32]exactForm
	if exact {
		var err error
		if forms, err = exactForms(ctx, r.conn); err != nil {
			return nil, fmt.Errorf("read types of %s: %w", r.side, err)
		}
	}
	rows, err := r.conn.Query(ctx, fmt.Sprintf(relationQuery, width, r.condition(meant)))
	if err != nil {
		return nil, fmt.Errorf("list tables of %s: %w", r.side, err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (*relation, error) {
		t := &relation{class: ClassRow, forms: map[string]exactForm{}}
		var pages int64
		var filter string
		var types []uint32
		err := row.Scan(&t.name, &t.rows, &t.bytes, &pages, &t.columns, &types, &t.key, &t.integers, &t.uuids, &filter, &t.query)
		if t.query != "" {
			t.class = ClassView
		}
		for i, c := range t.columns {
			t.forms[c] = forms[types[i]]
		}
		all := part{from: "only " + t.name}
		t.parts = []part{all}
		switch {
		case filter != "":
			t.parts[0].from = "(select * from only " + t.name + " " + filter + ") filtered"
		case r.version >= firstRange:
			t.parts = pageRanges(all, pages, t.bytes)
		}
		return t, err
	})
	if err != nil {
		return nil, fmt.Errorf("list tables of %s: %w", r.side, err)
	}
	return list, nil
}

// pageRanges cuts a table into ranges of pages; the last has no end.
func pageRanges(all part, pages, bytes int64) []part {
	n := min(bytes/partBytes, pages)
	if n < 2 {
		return []part{all}
	}
	parts := make([]part, n)
	for i := range n {
		parts[i] = part{all.from, fmt.Sprintf("ctid >= '(%d,0)'", pages*i/n)}
		if i < n-1 {
			parts[i].where += fmt.Sprintf(" and ctid < '(%d,0)'", pages*(i+1)/n)
		}
	}
	return parts
}
