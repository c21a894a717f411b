package pg

import (
	"context"
	"fmt"
	"slices"
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
	// send are, by column, the functions that give floating-point values out
	// exactly; used where the servers write such values differently.
	send map[string]string
	// from is what follows the column list; parts are more conditions, each of
	// which reads its share: all rows of the relation between them.
	from  string
	parts []string
	// rows and bytes are estimates.
	rows, bytes int64
	// query is a materialized view's definition.
	query string
}

// recomputed makes a materialized view what its definition gives now.
func (r *relation) recomputed() {
	r.from = "(" + strings.TrimRight(r.query, "; \n") + ") as recomputed"
	r.parts, r.rows, r.query = []string{""}, 0, ""
}

// selects is the query for some columns of one part.
func (r *relation) selects(columns []string, part string) string {
	quoted := make([]string, len(columns))
	for i, c := range columns {
		quoted[i] = Quote(c)
		if f := r.send[c]; f != "" {
			quoted[i] = f + "(" + quoted[i] + ") as " + quoted[i]
		}
	}
	return "select " + strings.Join(quoted, ", ") + " from " + r.from + part
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
		array(select case when b.oid = any(%[2]s) then b.typsend::text when b.typcategory = 'A' and b.typelem = any(%[2]s) then 'array_send' else '' end
			from pg_catalog.pg_attribute a join pg_catalog.pg_type t on t.oid = a.atttypid
			join pg_catalog.pg_type b on b.oid = coalesce(nullif(t.typbasetype, 0), t.oid)
			where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped order by a.attnum),
		coalesce((select k.columns from (
			select i.indisprimary, c2.relname, array_agg(a.attname::text order by p.place) as columns, bool_and(a.attnotnull) as certain
			from pg_catalog.pg_index i
			join pg_catalog.pg_class c2 on c2.oid = i.indexrelid
			cross join lateral unnest(i.indkey::int2[]) with ordinality p(attnum, place)
			join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = p.attnum
			where i.indrelid = c.oid and i.indisunique and i.indisvalid and i.indpred is null and i.indexprs is null and p.place <= i.%[1]s
			group by 1, 2) k where k.certain order by k.indisprimary desc, cardinality(k.columns), k.relname limit 1), '{}'),
		coalesce(x.filter, ''), case c.relkind when 'm' then pg_get_viewdef(c.oid) else '' end
	from pg_catalog.pg_class c
	join pg_catalog.pg_namespace n on n.oid = c.relnamespace
	left join pg_catalog.pg_am m on m.oid = c.relam
	left join (
		select k.relation, e.extcondition[k.place] as filter
		from pg_catalog.pg_extension e, unnest(e.extconfig) with ordinality k(relation, place)) x on x.relation = c.oid
	where (c.relkind = 'r' or c.relkind = 'm' and c.relispopulated) and c.relpersistence <> 't'
		and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
		and (x.relation is not null or not exists (select from pg_catalog.pg_depend d
			where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'))`

// floating are the types whose text form was shortened in version 12: float4,
// float8, point, lseg, path, box, polygon, line and circle.
const floating = "array[700, 701, 600, 601, 602, 603, 604, 628, 718]::oid[]"

// firstShortest is the first version that writes the shortest exact text.
const firstShortest = 12_00_00

// firstIncluded is the first version whose indexes may include columns.
const firstIncluded = 11_00_00

// firstRange is the first version that reads a range of pages by itself.
const firstRange = 14_00_00

// partBytes is about how much of a large table one part holds.
const partBytes = 256 << 20

// tables lists the side's tables; exact asks for floating-point values by
// their bytes.
func (r *reading) tables(ctx context.Context, exact bool) ([]*relation, error) {
	width := "indnatts"
	if r.version >= firstIncluded {
		width = "indnkeyatts"
	}
	rows, err := r.conn.Query(ctx, fmt.Sprintf(relationQuery, width, floating))
	if err != nil {
		return nil, fmt.Errorf("list tables of %s: %w", r.side, err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (*relation, error) {
		t := &relation{class: ClassRow}
		var pages int64
		var filter string
		var send []string
		err := row.Scan(&t.name, &t.rows, &t.bytes, &pages, &t.columns, &send, &t.key, &filter, &t.query)
		if t.query != "" {
			t.class = ClassView
		}
		if exact {
			t.send = map[string]string{}
			for i, c := range t.columns {
				t.send[c] = send[i]
			}
		}
		t.from = "only " + t.name + " " + filter
		t.parts = []string{""}
		if filter == "" && r.version >= firstRange {
			t.parts = pageRanges(pages, t.bytes)
		}
		return t, err
	})
	if err != nil {
		return nil, fmt.Errorf("list tables of %s: %w", r.side, err)
	}
	return list, nil
}

// pageRanges cuts a table into ranges of pages; the last has no end.
func pageRanges(pages, bytes int64) []string {
	n := min(bytes/partBytes, pages)
	if n < 2 {
		return []string{""}
	}
	parts := make([]string, n)
	for i := range n {
		parts[i] = fmt.Sprintf("where ctid >= '(%d,0)'", pages*i/n)
		if i < n-1 {
			parts[i] += fmt.Sprintf(" and ctid < '(%d,0)'", pages*(i+1)/n)
		}
	}
	return parts
}

// sequencesAtOnce bounds how many sequences one query reads.
const sequencesAtOnce = 200

// sequences makes one relation of all sequences, a row for each.
func (r *reading) sequences(ctx context.Context) (*relation, error) {
	rows, err := r.conn.Query(ctx, `
		select format('%I.%I', n.nspname, c.relname) from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
		where c.relkind = 'S' and c.relpersistence <> 't' and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
			and (not exists (select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
				or exists (select from pg_catalog.pg_extension e where c.oid = any(e.extconfig)))
		order by 1`)
	if err != nil {
		return nil, fmt.Errorf("list sequences of %s: %w", r.side, err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("list sequences of %s: %w", r.side, err)
	}
	s := &relation{class: ClassSequence, name: "sequences", columns: []string{"name", "last_value", "is_called"}, key: []string{"name"}, rows: int64(len(names))}
	for some := range slices.Chunk(names, sequencesAtOnce) {
		each := make([]string, len(some))
		for i, name := range some {
			each[i] = fmt.Sprintf("select %s::text as name, last_value, is_called from %s", Literal(name), name)
		}
		s.parts = append(s.parts, "("+strings.Join(each, " union all ")+") s")
	}
	return s, nil
}

// largeObjects makes one relation of all large objects, a row for every 64 KiB.
// Sparse and dense ones of equal content are equal.
func (r *reading) largeObjects(ctx context.Context) (*relation, error) {
	lo := &relation{
		class: ClassLarge, name: "large objects", columns: []string{"oid", "piece", "data"}, key: []string{"oid", "piece"}, parts: []string{""},
		// The size is where the end is; the column that closes must stay.
		from: `(select m.oid, n as piece, lo_get(m.oid, n * 65536::bigint, 65536) as data
			from (select o.oid, lo_lseek64(o.fd, 0, 2) as size, lo_close(o.fd) as closed
				from (select oid, lo_open(oid, 262144) as fd from pg_catalog.pg_largeobject_metadata offset 0) o offset 0) m,
			generate_series(0, greatest(m.size - 1, 0) / 65536) n) l `,
	}
	err := r.conn.QueryRow(ctx, `select count(*) from pg_catalog.pg_largeobject_metadata`).Scan(&lo.rows)
	if err != nil {
		return nil, fmt.Errorf("count large objects of %s: %w", r.side, err)
	}
	return lo, nil
}
