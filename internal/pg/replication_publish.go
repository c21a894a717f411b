package pg

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// followed is a table whose changes a stream carries.
type followed struct {
	Schema, Name string
	// Identity is relreplident of pg_class; Keyed tells whether by it a row can
	// be told from all others, Full that it takes the whole row for that.
	Identity    string
	Index       string // of the identity "i"
	Keyed, Full bool
	// Owned tells that the user may publish it; Extension that it belongs to one.
	Owned, Extension bool
	// Odd are columns whose type has no equality, by which a whole row cannot
	// be found again.
	Odd []string
	// Triggers are those that fire on the subscriber too.
	Triggers []string
}

func (t followed) name() string   { return Quote(t.Schema, t.Name) }
func (t followed) String() string { return t.Schema + "." + t.Name }

// followedQuery lists permanent tables with rows of their own: leaves of
// partitioned tables, not their roots; of extensions' tables those that hold
// the user's rows. A type has equality by an operator class, or by those of
// what it is made of.
const followedQuery = `
	with recursive part(type, leaf) as (
		select distinct a.atttypid, a.atttypid from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid
		where c.relkind = 'r' and c.oid >= 16384 and a.attnum > 0 and not a.attisdropped
		union
		select p.type, x.leaf from part p join pg_catalog.pg_type t on t.oid = p.leaf cross join lateral (
			select t.typbasetype where t.typtype = 'd'
			union all select t.typelem where t.typlen = -1 and t.typelem <> 0
			union all select a.atttypid from pg_catalog.pg_attribute a where t.typtype = 'c' and a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped) x(leaf)),
	odd(type) as (
		select p.type from part p join pg_catalog.pg_type t on t.oid = p.leaf
		where t.typtype = 'b' and not (t.typlen = -1 and t.typelem <> 0) and not exists (
			select from pg_catalog.pg_opclass o join pg_catalog.pg_am m on m.oid = o.opcmethod
			where m.amname in ('btree', 'hash') and o.opcdefault and (o.opcintype = t.oid or exists (
				select from pg_catalog.pg_cast k where k.castsource = t.oid and k.casttarget = o.opcintype and k.castmethod = 'b' and k.castcontext = 'i'))))
	select n.nspname, c.relname, c.relreplident::text,
		coalesce((select x.relname from pg_catalog.pg_index i join pg_catalog.pg_class x on x.oid = i.indexrelid where i.indrelid = c.oid and i.indisreplident), ''),
		case c.relreplident when 'f' then true when 'n' then false
			when 'i' then exists (select from pg_catalog.pg_index i where i.indrelid = c.oid and i.indisreplident)
			else exists (select from pg_catalog.pg_index i where i.indrelid = c.oid and i.indisprimary and i.indimmediate and i.indisvalid) end,
		c.relreplident = 'f', pg_has_role(c.relowner, 'usage'), e.config is not null,
		array(select a.attname::text from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
			and a.atttypid in (select type from odd) order by a.attnum),
		array(select t.tgname::text from pg_catalog.pg_trigger t where t.tgrelid = c.oid and not t.tgisinternal and t.tgenabled in ('A', 'R') order by 1)
	from pg_catalog.pg_class c
	join pg_catalog.pg_namespace n on n.oid = c.relnamespace
	left join lateral (
		select c.oid = any(coalesce(x.extconfig, '{}')) as config from pg_catalog.pg_depend d join pg_catalog.pg_extension x on x.oid = d.refobjid
		where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e') e on true
	where c.relkind = 'r' and c.relpersistence = 'p' and n.nspname not in ('information_schema', 'evac_ledger') and n.nspname !~ '^pg_'
		and coalesce(e.config, true)
	order by 1, 2`

// tables lists what a stream from this end would carry.
func (e *end) tables(ctx context.Context) ([]followed, error) {
	rows, err := e.conn.Query(ctx, followedQuery)
	if err != nil {
		return nil, fmt.Errorf("list tables of %s: %w", e.side, err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t followed, err error) {
		return t, row.Scan(&t.Schema, &t.Name, &t.Identity, &t.Index, &t.Keyed, &t.Full, &t.Owned, &t.Extension, &t.Odd, &t.Triggers)
	})
	if err != nil {
		return nil, fmt.Errorf("list tables of %s: %w", e.side, err)
	}
	return list, nil
}

// publish makes the stream's publication anew, of the tables that the user
// owns. Each partition is published by itself, so that both sides must be
// divided alike, as a copy is.
func (s *replication) publish(ctx context.Context) error {
	tables, err := s.publisher.tables(ctx)
	if err != nil {
		return err
	}
	var names []string
	for _, t := range tables {
		if t.Owned {
			names = append(names, "only "+t.name())
		}
	}
	sql := "drop publication if exists " + Quote(s.name) + "; create publication " + Quote(s.name)
	if len(names) > 0 {
		sql += " for table " + strings.Join(names, ", ")
	}
	if err := run(ctx, s.publisher.conn, sql); err != nil {
		return fmt.Errorf("publish tables of %s: %w", s.publisher.side, err)
	}
	return nil
}

// unpublish drops the publication, if it is there.
func (s *replication) unpublish(ctx context.Context) error {
	if err := run(ctx, s.publisher.conn, "drop publication if exists "+Quote(s.name)); err != nil {
		return fmt.Errorf("drop publication %q on %s: %w", s.name, s.publisher.side, err)
	}
	return nil
}

// unpublished lists the tables that the stream should carry and does not,
// because they were made after it.
func (s *replication) unpublished(ctx context.Context) ([]string, error) {
	tables, err := s.publisher.tables(ctx)
	if err != nil {
		return nil, err
	}
	carried, err := texts(ctx, s.publisher.conn, "select schemaname || '.' || tablename from pg_catalog.pg_publication_tables where pubname = $1", s.name)
	if err != nil {
		return nil, fmt.Errorf("list published tables of %s: %w", s.publisher.side, err)
	}
	var missing []string
	for _, t := range tables {
		if t.Owned && !slices.Contains(carried, t.String()) {
			missing = append(missing, t.String())
		}
	}
	return missing, nil
}
