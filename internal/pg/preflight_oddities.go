package pg

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/evac-io/evac/internal/fault"
)

// oddity is something in a database that does not move as it is, or that
// whoever moves it must know.
type oddity struct {
	// from and until bound the source's version, to the target's from below;
	// 0 is no bound.
	from, until, to int
	// query lists the names.
	query string
	// text holds %s for the names. Without a hint it is a warning.
	text, hint string
}

// Versions in which something was given up or changed.
const (
	noUnknown    = 10_00_00 // columns of the type unknown
	noAbstime    = 12_00_00 // abstime, reltime, tinterval; WITH OIDS
	noPostfix    = 14_00_00 // postfix operators; array functions got other signatures
	noPython2    = 15_00_00 // and schema public is no longer everybody's
	noLooseNulls = 18_00_00 // NOT NULL of a parent that a child does not have

	tablesFrom = " from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and "
)

// oddities are those of which a copy, a restore or an upgrade in place trips.
func oddities() []oddity {
	return []oddity{
		{until: noAbstime, to: noAbstime, query: columnsOf("'abstime', 'reltime', 'tinterval', '_abstime', '_reltime', '_tinterval'"),
			text: "columns are of types that PostgreSQL 12 gave up: %s", hint: "on the source: alter table TABLE alter column COLUMN type timestamptz (reltime: interval, tinterval: tstzrange)"},
		{until: noUnknown, to: noUnknown, query: columnsOf("'unknown'"),
			text: "columns are of the type unknown, which PostgreSQL 10 gave up: %s", hint: "on the source: alter table TABLE alter column COLUMN type text (views: make them again with ::text)"},
		{until: noPostfix, to: noPostfix, query: "select o.oid::regoperator::text from pg_catalog.pg_operator o where o.oprright = 0 and " + ours("pg_operator", "o.oid"),
			text: "postfix operators, which PostgreSQL 14 gave up: %s", hint: "on the source: drop operator …, and use a function instead"},
		{until: noPostfix, to: noPostfix, query: `select a.aggfnoid::regprocedure::text from pg_catalog.pg_aggregate a join pg_catalog.pg_proc t on t.oid = a.aggtransfn
				where t.pronamespace = (select oid from pg_catalog.pg_namespace where nspname = 'pg_catalog') and a.aggtranstype in ('anyarray'::regtype, 'anyelement'::regtype)
				and t.proname in ('array_append', 'array_cat', 'array_prepend', 'array_remove', 'array_replace') and ` + ours("pg_proc", "a.aggfnoid::oid"),
			text: "aggregates use array functions whose arguments PostgreSQL 14 changed: %s", hint: "on the source: drop them; on the target: create them with anycompatiblearray for anyarray"},
		{until: noPython2, to: noPython2, query: `select p.oid::regprocedure::text from pg_catalog.pg_proc p join pg_catalog.pg_language l on l.oid = p.prolang
				where l.lanname in ('plpythonu', 'plpython2u') order by 1`,
			text: "functions are written in Python 2, which PostgreSQL 15 gave up: %s", hint: "on the source: create extension plpython3u; create or replace each of them in plpython3u; drop extension plpythonu"},
		{until: noPython2, to: noPython2, query: `select 'public'::text from pg_catalog.pg_namespace where nspname = 'public' and exists (
				select from aclexplode(coalesce(nspacl, acldefault('n', nspowner))) x where x.grantee = 0 and x.privilege_type = 'CREATE')`,
			text: "everybody may make objects in schema %s, on the target as well; PostgreSQL 15 no longer begins so: revoke create on schema public from public"},
		{until: noAbstime, to: noAbstime, query: "select oid::regclass::text from pg_catalog.pg_class where relhasoids and relkind = 'r' and oid >= 16384 order by 1",
			text: "the hidden column oid, which PostgreSQL 12 gave up, is left out: %s"},
		{query: "select format('%I.%I', n.nspname, c.relname) || ' on ' || i.indrelid::regclass from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indexrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace where not i.indisvalid and c.relkind = 'i' and n.nspname !~ '^pg_' order by 1",
			text: "indexes are invalid and are left out: %s; on the source: reindex index INDEX, or drop it"},
		{query: "select o.conrelid::regclass || ' ' || quote_ident(o.conname) from pg_catalog.pg_constraint o where not o.convalidated and o.conrelid >= 16384 order by 1",
			text: "constraints are NOT VALID, and stay so: %s; their rows were never checked (on the source: alter table TABLE validate constraint NAME)"},
		{query: "select nspname::text from pg_catalog.pg_namespace where nspname = '" + ledgerSchema + "'",
			text: "schema %s on the source is the ledger of a copy into it that was never finished", hint: "finish or undo that copy first; or, if the database is whole: drop schema evac_ledger cascade"},
		{query: pathSeekers, text: "functions that a constraint, index, generated column or materialized view calls name tables without a schema: %s; a copy has no search_path, so it stops there (on the source: alter function NAME set search_path = SCHEMA, …)"},
		{query: reorderedColumns, text: "tables that inherit have columns in another order than a dump makes: %s; in the copy those of the parent come first, which an insert without column names feels"},
		{until: noLooseNulls, query: `select c.oid::regclass || '.' || quote_ident(a.attname) from pg_catalog.pg_inherits i join pg_catalog.pg_class c on c.oid = i.inhrelid
				join pg_catalog.pg_attribute a on a.attrelid = i.inhrelid join pg_catalog.pg_attribute p on p.attrelid = i.inhparent and p.attname = a.attname
				where p.attnotnull and not a.attnotnull and a.attnum > 0 and not a.attisdropped and p.attnum > 0 order by 1`,
			text: "columns may be null where their parent's may not, which a dump cannot say: %s", hint: "on the source: alter table CHILD alter column COLUMN set not null"},
		{query: "select format('%I.%I', n.nspname, c.relname)" + tablesFrom + "c.relkind = 'r' and c.relpersistence = 'u' and " + ours("pg_class", "c.oid") + " order by 1",
			text: "unlogged tables: %s; a crash of either server empties them"},
		{query: "select format('%s (%s)', s.srvname, array_to_string(array(select o from unnest(s.srvoptions) o where split_part(o, '=', 1) in ('host', 'hostaddr', 'port', 'dbname', 'server', 'servername', 'address')), ' ')) from pg_catalog.pg_foreign_server s where exists (select from pg_catalog.pg_foreign_table f where f.ftserver = s.oid) order by 1",
			text: "foreign tables are copied without the rows that lie elsewhere; the target's host must reach: %s"},
		{from: 10_00_00, query: "select s.subname::text from pg_catalog.pg_subscription s join pg_catalog.pg_database d on d.oid = s.subdbid where d.datname = current_database() and s.subenabled order by 1",
			text: "the source subscribes to publications elsewhere (%s); the target gets the subscriptions disabled, without their slots"},
		{query: "select l.oid::text || ' of ' || pg_get_userbyid(l.lomowner) from pg_catalog.pg_largeobject_metadata l where not exists (select from pg_catalog.pg_roles r where r.oid = l.lomowner)",
			text: "large objects belong to roles that are no more: %s", hint: "on the source: alter large object OID owner to ROLE"},
	}
}

// reorderedColumns lists tables that were made by themselves and inherit since,
// if their columns stand in another order than CREATE TABLE … INHERITS gives.
const reorderedColumns = `
	with place as (
		select a.attrelid, a.attnum, (select min(i.inhseqno * 10000 + p.attnum) from pg_catalog.pg_inherits i
			join pg_catalog.pg_attribute p on p.attrelid = i.inhparent and p.attname = a.attname and not p.attisdropped where i.inhrelid = a.attrelid) as parents
		from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid
		where a.attnum > 0 and not a.attisdropped and c.relkind = 'r' and exists (
			select from pg_catalog.pg_inherits i join pg_catalog.pg_class p on p.oid = i.inhparent where i.inhrelid = c.oid and p.relkind = 'r'))
	select distinct a.attrelid::regclass::text from place a join place b on b.attrelid = a.attrelid and b.attnum < a.attnum
	where a.parents < coalesce(b.parents, 2147483647) order by 1`

// pathSeekers lists functions that the work of a copy calls and whose text
// names a table without a schema, without a search_path of their own.
const pathSeekers = `
	select distinct p.oid::regprocedure::text from pg_catalog.pg_depend d
	join pg_catalog.pg_proc p on p.oid = d.refobjid join pg_catalog.pg_language l on l.oid = p.prolang
	left join pg_catalog.pg_rewrite w on d.classid = 'pg_catalog.pg_rewrite'::regclass and w.oid = d.objid
	left join pg_catalog.pg_attrdef g on d.classid = 'pg_catalog.pg_attrdef'::regclass and g.oid = d.objid and ` + isGenerated + `
	left join pg_catalog.pg_class c on c.oid = w.ev_class or d.classid = 'pg_catalog.pg_class'::regclass and c.oid = d.objid
	where d.refclassid = 'pg_catalog.pg_proc'::regclass and l.lanname not in ('internal', 'c') and p.oid >= 16384
		and (d.classid = 'pg_catalog.pg_constraint'::regclass or g.oid is not null or c.relkind in ('i', 'I', 'm'))
		and not exists (select from unnest(p.proconfig) s where s like 'search_path=%')
		and regexp_replace(p.prosrc, '\mextract\s*\([^)]*\)', '', 'gi') ~* '\m(from|join)\s+(only\s+)?"?\w+"?(\s|$|[^.\w"(])'
	order by 1`

func columnsOf(types string) string {
	return "select c.oid::regclass || '.' || quote_ident(a.attname) || ' (' || t.typname || ')' from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid join pg_catalog.pg_type t on t.oid = a.atttypid where t.typname in (" +
		types + ") and not a.attisdropped and c.relkind in ('r', 'v', 'm', 'c', 'f', 'p') and c.oid >= 16384 order by 1"
}

// oddities refuses or warns of what of the database does not move as it is.
func (p *preflight) oddities(ctx context.Context) error {
	var wrong []error
	for _, o := range oddities() {
		if p.source.version < o.from || o.until != 0 && p.source.version >= o.until || p.target.version < o.to {
			continue
		}
		names, err := p.source.texts(ctx, "objects", o.query)
		switch {
		case err != nil || len(names) == 0:
			wrong = append(wrong, err)
		case o.hint != "":
			wrong = append(wrong, refused(fault.Failed, names, o.text, o.hint))
		default:
			p.warn(o.text, some(names))
		}
	}
	return errors.Join(wrong...)
}

// nearlyUsed is the share of a sequence's values from which on it is named.
const nearlyUsed = 0.9

// sequences warns of sequences that come to their end: of their own or of the
// column's type that they fill.
func (p *preflight) sequences(ctx context.Context) error {
	names, err := p.source.texts(ctx, "sequences", `
		select format('%I.%I', n.nspname, c.relname)`+tablesFrom+`case when c.relkind = 'S' then has_sequence_privilege(c.oid, 'select') and has_schema_privilege(n.oid, 'usage') end
			and `+p.filter.SQL("n.nspname", "c.relname")+" order by 1")
	if err != nil {
		return err
	}
	var ending []string
	for i := 0; i < len(names); i += sequencesAtOnce {
		some, err := p.endingSequences(ctx, names[i:min(i+sequencesAtOnce, len(names))])
		if err != nil {
			return err
		}
		ending = append(ending, some...)
	}
	if len(ending) > 0 {
		p.warn("sequences come to their end: %s; alter the column to bigint and the sequence to a larger maxvalue before they do", some(ending))
	}
	return nil
}

// endingSequences reads some sequences; servers before 10 tell of one only in itself.
func (p *preflight) endingSequences(ctx context.Context, names []string) ([]string, error) {
	var query string
	for i, name := range names {
		if i > 0 {
			query += " union all "
		}
		limits := "s.max_value, s.min_value, s.increment_by, s.is_cycled from " + name + " s"
		if p.source.version >= firstActualVersion {
			limits = "q.seqmax, q.seqmin, q.seqincrement, q.seqcycle from " + name + " s, pg_catalog.pg_sequence q where q.seqrelid = " + Literal(name) + "::regclass"
		}
		query += "select " + Literal(name) + "::text, " + Literal(name) + "::regclass::oid, s.last_value, " + limits
	}
	return p.source.texts(ctx, "sequences", fmt.Sprintf(`
		with s(name, oid, last, high, low, step, cycled) as (%s),
		bounded as (
			select s.*, least(high, case min(a.atttypid::int) when 21 then %d when 23 then %d else high end) as top
			from s left join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_class'::regclass and d.objid = s.oid and d.deptype in ('a', 'i') and d.refobjsubid > 0
			left join pg_catalog.pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
			group by name, s.oid, last, high, low, step, cycled)
		select name || ' (' || floor(100 * used) || ' %% of ' || case when step > 0 then top else low end || ')' from (
			select *, case when step > 0 then last::numeric / top else last::numeric / low end as used
			from bounded where not cycled and case when step > 0 then top > 0 else low < 0 end) u
		where used > %g order by used desc, name`, query, math.MaxInt16, math.MaxInt32, nearlyUsed))
}
