package pg

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// What a chunk holds.
const (
	chunkTable    = "table"
	chunkUnlogged = "unlogged" // rows that a crash of the target empties again
	chunkObjects  = "large objects"
)

// chunk is the unit of the data: a range of pages of a table, or a range of
// large objects. It is read, written and entered in the ledger as one.
type chunk struct {
	ID   int
	What string
	// Schema and Table name the table; Columns are those with data of their own.
	Schema, Table string
	Columns       []string
	// Filter is the WHERE clause of an extension's own rows, "" for all rows.
	Filter string
	// First is the first page or OID, Past the one after the last; Past < 0:
	// to the end.
	First, Past int64
	// Binary tells that the rows go in COPY's binary form, Fresh that they are
	// the first and only ones of a table that nothing refers to yet.
	Binary, Fresh bool
	// Weight is the chunk's share of the work in bytes, as the source
	// estimates it.
	Weight int64
}

// String names the chunk in errors.
func (c chunk) String() string {
	if c.What == chunkObjects {
		return fmt.Sprintf("large objects from %d on", c.First)
	}
	return fmt.Sprintf("table %q", c.Schema+"."+c.Table)
}

// whole tells whether the chunk is all of its table.
func (c chunk) whole() bool { return c.First == 0 && c.Past < 0 }

// columnList is the list for COPY, "" for a table without columns of data.
func (c chunk) columnList() string {
	quoted := make([]string, len(c.Columns))
	for i, name := range c.Columns {
		quoted[i] = Quote(name)
	}
	return strings.Join(quoted, ", ")
}

// readSQL is the COPY that reads the chunk. COPY of a table reads that table
// alone, no partitions or children; a query says ONLY.
func (c chunk) readSQL() string {
	name, list := Quote(c.Schema, c.Table), c.columnList()
	if c.whole() && c.Filter == "" {
		return "copy " + name + parens(list) + " to stdout" + c.format()
	}
	where := c.Filter
	if !c.whole() {
		where = fmt.Sprintf("where ctid >= '(%d,0)'", c.First)
		if c.Past >= 0 {
			where += fmt.Sprintf(" and ctid < '(%d,0)'", c.Past)
		}
	}
	return fmt.Sprintf("copy (select %s from only %s %s) to stdout%s", list, name, where, c.format())
}

// writeSQL is the COPY that writes the chunk.
func (c chunk) writeSQL(freeze bool) string {
	sql := "copy " + Quote(c.Schema, c.Table) + parens(c.columnList()) + " from stdin"
	if freeze {
		return sql + " (freeze, format " + c.form() + ")"
	}
	return sql + c.format()
}

func (c chunk) format() string { return " (format " + c.form() + ")" }

func (c chunk) form() string {
	if c.Binary {
		return "binary"
	}
	return "text"
}

func parens(list string) string {
	if list == "" {
		return ""
	}
	return " (" + list + ")"
}

// tableQuery lists what has rows to copy, and whether binary form is sure to be
// read as it was written: values of a type that a user or an extension has made
// may hold OIDs, as arrays and rows do, or change with the extension's version.
// Partitioned, inherited and plain tables are alike: each leaf holds its own. Of
// an extension's tables only those that it declares to hold the user's rows
// (pg_extension.extconfig).
const tableQuery = `
	select n.nspname, c.relname, c.relpersistence = 'u', coalesce(m.amname, 'heap') = 'heap',
		pg_relation_size(c.oid) / current_setting('block_size')::int, pg_table_size(c.oid),
		array(select a.attname::text from pg_catalog.pg_attribute a
			where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped %s order by a.attnum),
		coalesce(x.filter, ''), x.relation is null,
		not exists (select from pg_catalog.pg_attribute a
			join pg_catalog.pg_type t on t.oid = a.atttypid
			join pg_catalog.pg_type b on b.oid = coalesce(nullif(t.typbasetype, 0), t.oid)
			join pg_catalog.pg_type u on u.oid = case when b.typlen = -1 and b.typelem <> 0 then b.typelem else b.oid end
			where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
				and not (u.oid = b.oid and u.typtype = 'e' or u.oid < 16384 and u.typtype in ('b', 'r', 'm')
					and u.typsend <> 0 and u.typreceive <> 0 and u.typname <> 'xml' and u.typname not like 'reg%%'))
	from pg_catalog.pg_class c
	join pg_catalog.pg_namespace n on n.oid = c.relnamespace
	left join pg_catalog.pg_am m on m.oid = c.relam
	left join (
		select e.oid as extension, k.relation, e.extcondition[k.place] as filter
		from pg_catalog.pg_extension e, unnest(e.extconfig) with ordinality k(relation, place)) x on x.relation = c.oid
	where c.relkind = 'r' and c.relpersistence <> 't' and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
		and (x.relation is not null or not exists (select from pg_catalog.pg_depend d
			where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'))
		and %s
	order by 6 desc, 1, 2`

// First versions of what the catalogs of older servers do not have.
const (
	firstGenerated = 12_00_00 // pg_attribute.attgenerated
	firstTidRange  = 14_00_00 // a range of ctid is read without the rest of the table
)

// planTables lists the chunks of all tables, largest table first. A table of
// more than two chunks' size is cut where reading a range of pages is cheap.
// binary tells that both servers write times and numbers alike.
func planTables(ctx context.Context, conn *pgx.Conn, version int, chunkBytes int64, binary bool, meant Filter) ([]chunk, error) {
	generated := ""
	if version >= firstGenerated {
		generated = "and a.attgenerated = ''"
	}
	rows, err := conn.Query(ctx, fmt.Sprintf(tableQuery, generated, meant.SQL("n.nspname", "c.relname")))
	if err != nil {
		return nil, fmt.Errorf("list tables of source: %w", err)
	}
	defer rows.Close()
	var chunks []chunk
	for rows.Next() {
		c := chunk{What: chunkTable, Past: -1}
		var unlogged, heap, own bool
		var pages int64
		if err := rows.Scan(&c.Schema, &c.Table, &unlogged, &heap, &pages, &c.Weight, &c.Columns, &c.Filter, &own, &c.Binary); err != nil {
			return nil, fmt.Errorf("list tables of source: %w", err)
		}
		if unlogged {
			c.What = chunkUnlogged
		}
		c.Binary = c.Binary && binary && len(c.Columns) > 0
		c.Fresh = own && heap && !unlogged // an unlogged table may be filled again when others refer to it
		if !heap || version < firstTidRange || c.Filter != "" || len(c.Columns) == 0 {
			pages = 0
		}
		chunks = append(chunks, c.cut(pages, chunkBytes)...)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list tables of source: %w", err)
	}
	return chunks, nil
}

// cut divides a table's chunk into ranges of pages of about size bytes.
func (c chunk) cut(pages, size int64) []chunk {
	parts := min(c.Weight/size, pages)
	if parts < 2 {
		return []chunk{c}
	}
	c.Fresh = false
	chunks := make([]chunk, parts)
	for i := range parts {
		part := c
		part.First, part.Past = pages*i/parts, pages*(i+1)/parts
		part.Weight = c.Weight / parts
		if i == parts-1 {
			part.Past = -1 // also what grew since pg_class was read
		}
		chunks[i] = part
	}
	return chunks
}

// objectsPerChunk is how many large objects are one transaction.
const objectsPerChunk = 500

// planObjects lists the chunks of the large objects.
func planObjects(ctx context.Context, conn *pgx.Conn) ([]chunk, error) {
	rows, err := conn.Query(ctx, `
		select min(oid)::int8, max(oid)::int8 + 1,
			(pg_relation_size('pg_catalog.pg_largeobject') * count(*) / sum(count(*)) over ())::int8
		from (select oid, (row_number() over (order by oid) - 1) / $1::int as part from pg_catalog.pg_largeobject_metadata) l
		group by part order by part`, objectsPerChunk)
	if err != nil {
		return nil, fmt.Errorf("list large objects of source: %w", err)
	}
	chunks, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (chunk, error) {
		c := chunk{What: chunkObjects, Columns: []string{}}
		return c, row.Scan(&c.First, &c.Past, &c.Weight)
	})
	if err != nil {
		return nil, fmt.Errorf("list large objects of source: %w", err)
	}
	return chunks, nil
}
