package pg

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// splitSections divides a script's entries into what stands before the data and
// what follows it. pg_dump writes first the one section, then the other, then
// privileges, event triggers and the filling of materialized views.
func splitSections(entries []entry) (before, after []entry) {
	for i, e := range entries {
		if followers[e.Type] {
			return entries[:i], entries[i:]
		}
	}
	return entries, nil
}

// followers are the types of pg_dump's section post-data (pg_dump.c), and the
// privileges, which it writes after that.
var followers = map[string]bool{
	"INDEX": true, "INDEX ATTACH": true, "CONSTRAINT": true, "CHECK CONSTRAINT": true, "FK CONSTRAINT": true, "TRIGGER": true, "RULE": true,
	"STATISTICS": true, "ROW SECURITY": true, "POLICY": true, "PUBLICATION": true, "PUBLICATION TABLE": true, "PUBLICATION TABLES IN SCHEMA": true,
	"SUBSCRIPTION": true, "SUBSCRIPTION TABLE": true, "DEFAULT ACL": true, "EVENT TRIGGER": true, "MATERIALIZED VIEW DATA": true, "ACL": true,
}

// afterPlan is the order in which entries are made after the data.
type afterPlan struct {
	// Tables are indexes and constraints on indexes, table by table, largest
	// table first; the tables are independent of each other.
	Tables [][]entry
	// Rest follows in the script's order.
	Rest []entry
	// Last waits for the very end: event triggers must not see the copy.
	Last []entry
}

// planAfter sorts the entries of the post-data section; source tells of which
// table an index or constraint is.
func planAfter(ctx context.Context, source *pgx.Conn, entries []entry) (afterPlan, error) {
	var p afterPlan
	place, err := indexTables(ctx, source)
	if err != nil {
		return p, fmt.Errorf("list indexes of source: %w", err)
	}
	groups := make(map[int][]entry)
	for _, e := range entries {
		rank, indexed := place[address{e.Class, e.OID}]
		switch {
		case e.Type == "EVENT TRIGGER", strings.HasPrefix(e.Name, "EVENT TRIGGER "):
			p.Last = append(p.Last, e)
		case indexed && (e.Type == "INDEX" || e.Type == "CONSTRAINT"):
			groups[rank] = append(groups[rank], e)
		default:
			p.Rest = append(p.Rest, e)
		}
	}
	ranks := make([]int, 0, len(groups))
	for rank := range groups {
		ranks = append(ranks, rank)
	}
	slices.Sort(ranks)
	for _, rank := range ranks {
		p.Tables = append(p.Tables, groups[rank])
	}
	return p, nil
}

// address is where an object stands in the catalogs.
type address struct{ class, oid uint32 }

// indexTables gives each index, and each constraint that has one, the rank of
// its table by size.
func indexTables(ctx context.Context, source *pgx.Conn) (map[address]int, error) {
	rows, err := source.Query(ctx, `
		with ranked as (
			select c.oid, row_number() over (order by pg_table_size(c.oid) desc, c.oid)::int as rank
			from pg_catalog.pg_class c where c.relkind in ('r', 'p', 'm') and c.relpersistence <> 't')
		select 'pg_class'::regclass::oid, i.indexrelid, r.rank from pg_catalog.pg_index i join ranked r on r.oid = i.indrelid
		union all
		select 'pg_constraint'::regclass::oid, o.oid, r.rank from pg_catalog.pg_constraint o join ranked r on r.oid = o.conrelid
		where o.contype in ('p', 'u', 'x')`)
	if err != nil {
		return nil, err
	}
	place := map[address]int{}
	var a address
	var rank int
	_, err = pgx.ForEachRow(rows, []any{&a.class, &a.oid, &rank}, func() error {
		place[a] = rank
		return nil
	})
	return place, err
}
