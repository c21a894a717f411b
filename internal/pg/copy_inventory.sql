-- Everything in a database that is not there by initdb, in the order in which it can be dropped: what it is, its name,
-- and the statement that drops it. What belongs to an extension comes and goes with that; $1 are extensions to leave.
with
member as (select classid, objid from pg_catalog.pg_depend where deptype = 'e'),
auto as (select classid, objid from pg_catalog.pg_depend where deptype in ('a', 'i', 'P', 'S')),
space as (
	select n.oid, n.nspname from pg_catalog.pg_namespace n
	where n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'evac_ledger')
		and not exists (select from member where classid = 'pg_namespace'::regclass and objid = n.oid)),
loose as ( -- objects straight in the schema public, which itself stays
	select 'pg_proc'::regclass as class, p.oid from pg_catalog.pg_proc p where p.pronamespace = to_regnamespace('public')
	union all select 'pg_type'::regclass, t.oid from pg_catalog.pg_type t left join pg_catalog.pg_class c on c.oid = t.typrelid
		where t.typnamespace = to_regnamespace('public') and (t.typrelid = 0 or c.relkind = 'c') and t.typtype not in ('m', 'p') and t.typcategory <> 'A'
	union all select 'pg_operator'::regclass, oid from pg_catalog.pg_operator where oprnamespace = to_regnamespace('public')
	union all select 'pg_opclass'::regclass, oid from pg_catalog.pg_opclass where opcnamespace = to_regnamespace('public')
	union all select 'pg_opfamily'::regclass, oid from pg_catalog.pg_opfamily where opfnamespace = to_regnamespace('public')
	union all select 'pg_collation'::regclass, oid from pg_catalog.pg_collation where collnamespace = to_regnamespace('public')
	union all select 'pg_conversion'::regclass, oid from pg_catalog.pg_conversion where connamespace = to_regnamespace('public')
	union all select 'pg_ts_config'::regclass, oid from pg_catalog.pg_ts_config where cfgnamespace = to_regnamespace('public')
	union all select 'pg_ts_dict'::regclass, oid from pg_catalog.pg_ts_dict where dictnamespace = to_regnamespace('public')
	union all select 'pg_ts_parser'::regclass, oid from pg_catalog.pg_ts_parser where prsnamespace = to_regnamespace('public')
	union all select 'pg_ts_template'::regclass, oid from pg_catalog.pg_ts_template where tmplnamespace = to_regnamespace('public')
	union all select 'pg_statistic_ext'::regclass, oid from pg_catalog.pg_statistic_ext where stxnamespace = to_regnamespace('public') --[10+]
	union all select 'pg_foreign_data_wrapper'::regclass, oid from pg_catalog.pg_foreign_data_wrapper
	union all select 'pg_language'::regclass, oid from pg_catalog.pg_language where oid >= 16384
	union all select 'pg_am'::regclass, oid from pg_catalog.pg_am where oid >= 16384
	union all select 'pg_cast'::regclass, oid from pg_catalog.pg_cast where oid >= 16384),
object as (
	select 0 as step, 'event trigger' as what, e.evtname::text as name, format('drop event trigger if exists %I', e.evtname) as drop
	from pg_catalog.pg_event_trigger e where not exists (select from member where classid = 'pg_event_trigger'::regclass and objid = e.oid)
	union all select 2, 'publication', p.pubname, format('drop publication if exists %I', p.pubname) from pg_catalog.pg_publication p --[10+]
	union all select 3, 'subscription', s.subname, --[10+]
		format('alter subscription %1$I disable; alter subscription %1$I set (slot_name = none); drop subscription %1$I', s.subname) --[10+]
	from pg_catalog.pg_subscription s join pg_catalog.pg_database d on d.oid = s.subdbid where d.datname = current_database() --[10+]
	union all
	-- partitions before their parents, whose fall would take them all at once
	select
		case when c.relispartition and c.relkind = 'r' then 4 else 5 end, --[10+]
		5, --[<10]
		k.what, format('%s.%s', s.nspname, c.relname), format('drop %s if exists %I.%I cascade', k.what, s.nspname, c.relname)
	from pg_catalog.pg_class c join space s on s.oid = c.relnamespace
	join (values ('r', 'table'), ('p', 'table'), ('v', 'view'), ('m', 'materialized view'), ('f', 'foreign table'), ('S', 'sequence')) k(kind, what)
		on k.kind = c.relkind::text
	where not exists (select from member where classid = 'pg_class'::regclass and objid = c.oid)
		and (c.relkind <> 'S' or not exists (select from auto where classid = 'pg_class'::regclass and objid = c.oid))
	union all
	select 6, i.type, i.identity, format('drop %s if exists %s cascade', case when l.class = 'pg_proc'::regclass and i.type not in ('function', 'aggregate') then 'routine'
			when i.type = 'statistics object' then 'statistics' else replace(i.type, '-', ' ') end, i.identity)
	from loose l cross join lateral pg_catalog.pg_identify_object(l.class, l.oid, 0) i
	where not exists (select from member where classid = l.class and objid = l.oid)
		and not exists (select from pg_catalog.pg_depend where classid = l.class and objid = l.oid and deptype = 'i')
	union all
	select 7, 'transform', i.identity, format('drop transform if exists for %s language %I cascade', format_type(t.trftype, null), l.lanname)
	from pg_catalog.pg_transform t join pg_catalog.pg_language l on l.oid = t.trflang
	cross join lateral pg_catalog.pg_identify_object('pg_transform'::regclass, t.oid, 0) i
	where not exists (select from member where classid = 'pg_transform'::regclass and objid = t.oid)
	union all
	select 8, 'schema', s.nspname, format('drop schema if exists %I cascade', s.nspname) from space s where s.nspname <> 'public'
	union all
	select 9, 'extension', e.extname, format('drop extension if exists %I cascade', e.extname) from pg_catalog.pg_extension e where e.extname <> all($1::text[])
	union all
	select 1, 'default privileges', coalesce(pg_get_userbyid(a.defaclrole) || ' in ' || n.nspname, pg_get_userbyid(a.defaclrole)), (
		select string_agg(sql, '; ' order by back, sql) from (
			select false as back, format('alter default privileges for role %I %s revoke all on %s from %s', pg_get_userbyid(a.defaclrole),
				'in schema ' || quote_ident(n.nspname), k.what, case when x.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(x.grantee)) end) as sql
			from (select distinct grantee from aclexplode(a.defaclacl)) x
			union all
			select true, format('alter default privileges for role %I grant %s on %s to %s', pg_get_userbyid(a.defaclrole), x.privilege_type, k.what,
				case when x.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(x.grantee)) end)
			from aclexplode(acldefault(case a.defaclobjtype when 'S' then 's' else a.defaclobjtype end, a.defaclrole)) x where a.defaclnamespace = 0) back)
	from pg_catalog.pg_default_acl a left join pg_catalog.pg_namespace n on n.oid = a.defaclnamespace
	join (values ('r', 'tables'), ('S', 'sequences'), ('f', 'functions'), ('T', 'types'), ('n', 'schemas'), ('L', 'large objects')) k(type, what)
		on k.type = a.defaclobjtype::text
	where n.nspname is distinct from 'evac_ledger')
select step < 2, what, name, drop from object order by step, name
