-- The names of what a database is made of, without what belongs to an extension, and without what a copy may have to
-- leave out (publications, event triggers). Constraints that a partition has from its parent have names of the server's.
with
member as (select classid, objid from pg_catalog.pg_depend where deptype = 'e'),
space as (
	select n.oid, n.nspname from pg_catalog.pg_namespace n
	where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
		and not exists (select from member where classid = 'pg_namespace'::regclass and objid = n.oid)),
relation as (
	select c.oid, c.relkind, format('%I.%I', s.nspname, c.relname) as name from pg_catalog.pg_class c join space s on s.oid = c.relnamespace
	where c.relpersistence <> 't' and not exists (select from member where classid = 'pg_class'::regclass and objid = c.oid))
select 'schema ' || nspname from space
union all select case relkind when 'r' then 'table ' when 'p' then 'table ' when 'v' then 'view ' when 'm' then 'materialized view '
	when 'f' then 'foreign table ' when 'S' then 'sequence ' when 'i' then 'index ' when 'I' then 'index ' else 'type ' end || name from relation
union all select 'column ' || r.name || '.' || quote_ident(a.attname) from pg_catalog.pg_attribute a join relation r on r.oid = a.attrelid
	where a.attnum > 0 and not a.attisdropped and r.relkind in ('r', 'p', 'v', 'm', 'f')
union all select 'constraint ' || quote_ident(o.conname) || ' on ' || r.name from pg_catalog.pg_constraint o join relation r on r.oid = o.conrelid
	where o.contype not in ('n', 't') and r.relkind in ('r', 'p', 'f') and coalesce(row_to_json(o) ->> 'conparentid', '0') = '0'
union all select 'trigger ' || quote_ident(t.tgname) || ' on ' || r.name from pg_catalog.pg_trigger t join relation r on r.oid = t.tgrelid where not t.tgisinternal
union all select 'policy ' || quote_ident(p.polname) || ' on ' || r.name from pg_catalog.pg_policy p join relation r on r.oid = p.polrelid --[9.5+]
union all select 'rule ' || quote_ident(w.rulename) || ' on ' || r.name from pg_catalog.pg_rewrite w join relation r on r.oid = w.ev_class
union all select 'function ' || p.oid::regprocedure from pg_catalog.pg_proc p join space s on s.oid = p.pronamespace
	where not exists (select from member where classid = 'pg_proc'::regclass and objid = p.oid)
union all select 'type ' || format_type(t.oid, null) from pg_catalog.pg_type t join space s on s.oid = t.typnamespace
	where t.typtype in ('d', 'e', 'r') and not exists (select from member where classid = 'pg_type'::regclass and objid = t.oid)
union all select 'extended statistics ' || format('%I.%I', s.nspname, x.stxname) from pg_catalog.pg_statistic_ext x join space s on s.oid = x.stxnamespace --[10+]
union all select 'extension ' || extname from pg_catalog.pg_extension
