package pg

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// tableFacts is what the order of the work needs to know of a table or
// materialized view of the source.
type tableFacts struct {
	Schema, Name string
	// Root is the topmost partitioned table, the table itself if it is no
	// partition.
	Root uint32
	// Bytes is its size without indexes.
	Bytes int64
	// Sampled is about how many of them ANALYZE looks at.
	Sampled int64
	// Analyze tells that statistics are gathered by its name: those of a
	// partition come with its root's.
	Analyze bool
	// Reads tells that a CHECK or a generated column calls a function that may
	// read other tables, whose rows must be there before.
	Reads bool
}

// keyFacts is what it needs to know of an index or constraint.
type keyFacts struct {
	// Table is the table of it, Other the one that a foreign key refers to.
	Table, Other uint32
	// Cost is about how long building takes, in bytes that COPY would move
	// meanwhile.
	Cost int64
}

// address is where an object stands in the catalogs.
type address struct{ class, oid uint32 }

// facts are read from the source's catalogs once.
type facts struct {
	tables map[uint32]tableFacts
	keys   map[address]keyFacts
	names  map[[2]string]uint32
}

// Building an entry of an index takes longer than copying its bytes; what
// sorts, than what splits texts (measured with the dataset of bench-postgres).
const indexCost = `pg_relation_size(i.indrelid) / 4 + pg_relation_size(i.indexrelid) * case a.amname when 'btree' then 4 when 'hash' then 4 when 'brin' then 0 else 12 end`

// rootsQuery gives each partition its root; before version 10 there is none.
const rootsQuery = `
	with recursive tree(oid, root) as (
		select c.oid, c.oid from pg_catalog.pg_class c where c.relkind in ('r', 'p', 'm') and c.relpersistence <> 't' and not c.relispartition
		union all
		select i.inhrelid, t.root from tree t join pg_catalog.pg_inherits i on i.inhparent = t.oid
		join pg_catalog.pg_class c on c.oid = i.inhrelid where c.relispartition and c.relkind <> 'f')
	select oid, root from tree`

const rootsQueryOld = `select oid, oid as root from pg_catalog.pg_class where relkind in ('r', 'm') and relpersistence <> 't'`

const (
	firstPartitions = 10_00_00 // pg_class.relispartition
	firstStatistics = 10_00_00 // pg_statistic_ext
)

// sampledBytes is what a sample of ANALYZE has: 300 rows for each unit of the
// highest statistics target among the table's columns (src/backend/commands/analyze.c,
// std_typanalyze); all of it if nothing says how many rows there are.
const sampledBytes = `(pg_table_size(c.oid) * least(1, 300 / greatest(c.reltuples, 1) * (
			select coalesce(max(coalesce(nullif(a.attstattarget, -1), current_setting('default_statistics_target')::int)), 0)
			from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped)))::int8`

func readFacts(ctx context.Context, source *pgx.Conn, version int) (facts, error) {
	f := facts{tables: map[uint32]tableFacts{}, keys: map[address]keyFacts{}, names: map[[2]string]uint32{}}
	if err := f.readTables(ctx, source, version); err != nil {
		return f, fmt.Errorf("list tables of source: %w", err)
	}
	if err := f.readKeys(ctx, source, version); err != nil {
		return f, fmt.Errorf("list indexes of source: %w", err)
	}
	return f, nil
}

// tablesThatRead are the tables whose CHECK or generated column calls a
// function of a user's with the words of a query in it.
const tablesThatRead = `
	select coalesce(o.conrelid, g.adrelid) from pg_catalog.pg_depend d
	join pg_catalog.pg_proc p on p.oid = d.refobjid join pg_catalog.pg_language l on l.oid = p.prolang
	left join pg_catalog.pg_constraint o on d.classid = 'pg_catalog.pg_constraint'::regclass and o.oid = d.objid and o.contype = 'c'
	left join pg_catalog.pg_attrdef g on d.classid = 'pg_catalog.pg_attrdef'::regclass and g.oid = d.objid and ` + isGenerated + `
	where d.refclassid = 'pg_catalog.pg_proc'::regclass and l.lanname not in ('internal', 'c')
		and (p.prosrc ~* '\m(from|execute|perform)\M' or p.prosrc = '') and coalesce(o.conrelid, g.adrelid, 0) <> 0`

// isGenerated tells of an expression g that it fills its column; before 12 none
// does, and the catalog has no word for it.
const isGenerated = `exists (select from pg_catalog.pg_attribute a where a.attrelid = g.adrelid and a.attnum = g.adnum and to_json(a)->>'attgenerated' <> '')`

func (f *facts) readTables(ctx context.Context, source *pgx.Conn, version int) error {
	roots := rootsQuery
	if version < firstPartitions {
		roots = rootsQueryOld
	}
	rows, err := source.Query(ctx, `
		select c.oid, n.nspname, c.relname, t.root, pg_table_size(c.oid), `+sampledBytes+`,
			c.oid = t.root and c.relkind <> 'm' and n.nspname <> 'information_schema' and n.nspname !~ '^pg_', c.oid in (`+tablesThatRead+`)
		from (`+roots+`) t join pg_catalog.pg_class c on c.oid = t.oid join pg_catalog.pg_namespace n on n.oid = c.relnamespace`)
	if err != nil {
		return err
	}
	var oid uint32
	var t tableFacts
	_, err = pgx.ForEachRow(rows, []any{&oid, &t.Schema, &t.Name, &t.Root, &t.Bytes, &t.Sampled, &t.Analyze, &t.Reads}, func() error {
		f.tables[oid], f.names[[2]string{t.Schema, t.Name}] = t, oid
		return nil
	})
	return err
}

func (f *facts) readKeys(ctx context.Context, source *pgx.Conn, version int) error {
	query := `
		select 'pg_class'::regclass::oid, i.indexrelid, i.indrelid, 0::oid, ` + indexCost + `
		from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indexrelid join pg_catalog.pg_am a on a.oid = c.relam
		union all
		select 'pg_constraint'::regclass::oid, o.oid, i.indrelid, 0::oid, ` + indexCost + `
		from pg_catalog.pg_constraint o join pg_catalog.pg_index i on i.indexrelid = o.conindid
		join pg_catalog.pg_class c on c.oid = i.indexrelid join pg_catalog.pg_am a on a.oid = c.relam
		where o.contype in ('p', 'u', 'x')
		union all
		select 'pg_constraint'::regclass::oid, o.oid, o.conrelid, o.confrelid, pg_relation_size(o.conrelid) / 2
		from pg_catalog.pg_constraint o where o.contype = 'f'`
	if version >= firstStatistics {
		query += `
		union all
		select 'pg_statistic_ext'::regclass::oid, s.oid, s.stxrelid, 0::oid, 0 from pg_catalog.pg_statistic_ext s`
	}
	rows, err := source.Query(ctx, query)
	if err != nil {
		return err
	}
	var a address
	var k keyFacts
	_, err = pgx.ForEachRow(rows, []any{&a.class, &a.oid, &k.Table, &k.Other, &k.Cost}, func() error {
		f.keys[a] = k
		return nil
	})
	return err
}
