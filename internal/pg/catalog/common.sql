-- What the members below have in common. They read the same on PostgreSQL 9.4
-- to 18: columns that not every version has are reached through row_to_json,
-- whole catalogs by members that stand under "-- since VERSION". Go fills in
-- the words with a colon; the search path is empty.
with anywhere as (
	select oid, quote_ident(nspname) as name, nspname, nspowner, nspacl from pg_catalog.pg_namespace
	where nspname !~ '^(pg|evac)_' and nspname <> 'information_schema' and not exists ( -- evac's own left out too
		select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_namespace'::regclass and d.objid = pg_namespace.oid and d.deptype = 'e')
), space as (
	select * from anywhere where :schema_meant
), member as ( -- what belongs to an extension comes with it, what makes and casts a range with its type
	select classid, objid from pg_catalog.pg_depend
	where deptype = 'e' or deptype = 'i' and classid in ('pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_cast'::regclass)
), relation as ( -- an index is meant with its table, a sequence with the table that owns it
	select c.oid as id, c.*, row_to_json(c) as j, c.oid::regclass::text as name,
		case c.relkind when 'r' then 'table' when 'p' then 'table' when 'v' then 'view' when 'm' then 'materialized view'
			when 'S' then 'sequence' when 'f' then 'foreign table' when 'c' then 'type' when 'i' then 'index' when 'I' then 'index' end as class
	from pg_catalog.pg_class c join anywhere own on own.oid = c.relnamespace
	left join pg_catalog.pg_index x on x.indexrelid = c.oid
	left join pg_catalog.pg_depend w on c.relkind = 'S' and w.classid = 'pg_catalog.pg_class'::regclass and w.objid = c.oid and w.objsubid = 0
		and w.refclassid = 'pg_catalog.pg_class'::regclass and w.deptype in ('a', 'i')
	left join pg_catalog.pg_class o on o.oid = coalesce(x.indrelid, w.refobjid)
	left join pg_catalog.pg_namespace os on os.oid = o.relnamespace
	where c.relkind <> 't' and c.relpersistence <> 't' and :relation_meant and not exists (
		select from member m where m.classid = 'pg_catalog.pg_class'::regclass and m.objid = c.oid)
), attribute as (
	select a.*, row_to_json(a) as j, r.class as relation_class, r.name as relation_name, r.relkind,
		row_number() over (partition by a.attrelid order by a.attnum) as place
	from pg_catalog.pg_attribute a join relation r on r.id = a.attrelid
	where a.attnum > 0 and not a.attisdropped and r.relkind in ('r', 'p', 'v', 'm', 'f', 'c')
), routine as (
	select p.oid as id, p.*, row_to_json(p) as j, format('%s.%I(%s)', space.name, p.proname, regexp_replace(pg_get_function_identity_arguments(p.oid), '(^|, )IN ', '\1', 'g')) as identity
	from pg_catalog.pg_proc p join space on space.oid = p.pronamespace
	where not exists (select from member m where m.classid = 'pg_catalog.pg_proc'::regclass and m.objid = p.oid)
), datatype as (
	select t.oid as id, t.*, format_type(t.oid, null) as identity
	from pg_catalog.pg_type t join space on space.oid = t.typnamespace
	where t.typtype in ('b', 'd', 'e', 'r') and t.typelem = 0 and not exists (
		select from member m where m.classid = 'pg_catalog.pg_type'::regclass and m.objid = t.oid)
), owned as ( -- for the rights: whose it is and who may what
	select class, name as identity, relowner as owner, relacl as acl, case relkind when 'S' then 's' else 'r' end as kind
	from relation where relkind in ('r', 'p', 'v', 'm', 'f', 'S')
	union all select 'schema', name, nspowner, nspacl, 'n' from space
	union all select 'function', identity, proowner, proacl, 'f' from routine
	union all select 'type', identity, typowner, typacl, 'T' from datatype
	union all select 'type', r.name, t.typowner, t.typacl, 'T' from relation r join pg_catalog.pg_type t on t.typrelid = r.id where r.relkind = 'c'
	union all select 'database', '', datdba, datacl, 'd' from pg_catalog.pg_database where datname = current_database() and :outside
	union all select 'large object', oid::text, lomowner, lomacl, 'L' from pg_catalog.pg_largeobject_metadata where :outside
	union all select 'foreign-data wrapper', quote_ident(fdwname), fdwowner, fdwacl, 'F' from pg_catalog.pg_foreign_data_wrapper w
		where :outside and not exists (select from member m where m.classid = 'pg_catalog.pg_foreign_data_wrapper'::regclass and m.objid = w.oid)
	union all select 'server', quote_ident(srvname), srvowner, srvacl, 'S' from pg_catalog.pg_foreign_server w
		where :outside and not exists (select from member m where m.classid = 'pg_catalog.pg_foreign_server'::regclass and m.objid = w.oid)
	union all select 'language', quote_ident(lanname), lanowner, lanacl, 'l' from pg_catalog.pg_language l
		where :outside and l.oid >= 16384 and not exists (select from member m where m.classid = 'pg_catalog.pg_language'::regclass and m.objid = l.oid)
), referred as ( -- roles that own something here or were granted something
	select refobjid as role from pg_catalog.pg_shdepend s join pg_catalog.pg_database d on d.datname = current_database() and d.oid = s.dbid
	where refclassid = 'pg_catalog.pg_authid'::regclass
	union select datdba from pg_catalog.pg_database where datname = current_database()
)
