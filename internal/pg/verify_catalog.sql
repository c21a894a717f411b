-- What the catalogs say of every object of a database, one row each: class,
-- identity, definition. It reads the same on PostgreSQL 9.4 to 18: columns that
-- not every version has are reached through row_to_json, and what servers of
-- different majors write differently (:same_major = false) is compared without
-- qualifiers, blanks and parentheses.
with space as (
	select oid, quote_ident(nspname) as name, nspname, nspowner, nspacl from pg_catalog.pg_namespace
	where nspname !~ '^pg_' and nspname <> 'information_schema' and not exists (
		select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_namespace'::regclass and d.objid = pg_namespace.oid and d.deptype = 'e')
), member as ( -- what belongs to an extension comes with it
	select classid, objid from pg_catalog.pg_depend where deptype = 'e'
), relation as (
	select c.oid as id, c.*, row_to_json(c) as j, c.oid::regclass::text as name,
		case c.relkind when 'r' then 'table' when 'p' then 'table' when 'v' then 'view' when 'm' then 'materialized view'
			when 'S' then 'sequence' when 'f' then 'foreign table' when 'c' then 'type' when 'i' then 'index' when 'I' then 'index' end as class
	from pg_catalog.pg_class c join space on space.oid = c.relnamespace
	where c.relkind <> 't' and c.relpersistence <> 't' and not exists (
		select from member m where m.classid = 'pg_catalog.pg_class'::regclass and m.objid = c.oid)
), attribute as (
	select a.*, row_to_json(a) as j, r.class as relation_class, r.name as relation_name, r.relkind,
		row_number() over (partition by a.attrelid order by a.attnum) as place
	from pg_catalog.pg_attribute a join relation r on r.id = a.attrelid
	where a.attnum > 0 and not a.attisdropped and r.relkind in ('r', 'p', 'v', 'm', 'f', 'c')
), routine as (
	select p.oid as id, p.*, row_to_json(p) as j, format('%s.%I(%s)', space.name, p.proname, pg_get_function_identity_arguments(p.oid)) as identity
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
	union all select 'database', '', datdba, datacl, 'd' from pg_catalog.pg_database where datname = current_database()
	union all select 'large object', oid::text, lomowner, lomacl, 'L' from pg_catalog.pg_largeobject_metadata
	union all select 'foreign-data wrapper', quote_ident(fdwname), fdwowner, fdwacl, 'F' from pg_catalog.pg_foreign_data_wrapper w
		where not exists (select from member m where m.classid = 'pg_catalog.pg_foreign_data_wrapper'::regclass and m.objid = w.oid)
	union all select 'server', quote_ident(srvname), srvowner, srvacl, 'S' from pg_catalog.pg_foreign_server
	union all select 'language', quote_ident(lanname), lanowner, lanacl, 'l' from pg_catalog.pg_language l
		where l.oid >= 16384 and not exists (select from member m where m.classid = 'pg_catalog.pg_language'::regclass and m.objid = l.oid)
), named as ( -- compared by owner and name alone
	select 'pg_catalog.pg_operator'::regclass::oid as catalog, oid, oprowner as owner, oprnamespace as space from pg_catalog.pg_operator
	union all select 'pg_catalog.pg_opclass'::regclass, oid, opcowner, opcnamespace from pg_catalog.pg_opclass
	union all select 'pg_catalog.pg_opfamily'::regclass, oid, opfowner, opfnamespace from pg_catalog.pg_opfamily
	union all select 'pg_catalog.pg_conversion'::regclass, oid, conowner, connamespace from pg_catalog.pg_conversion
	union all select 'pg_catalog.pg_ts_config'::regclass, oid, cfgowner, cfgnamespace from pg_catalog.pg_ts_config
	union all select 'pg_catalog.pg_ts_dict'::regclass, oid, dictowner, dictnamespace from pg_catalog.pg_ts_dict
	union all select 'pg_catalog.pg_ts_parser'::regclass, oid, null, prsnamespace from pg_catalog.pg_ts_parser
	union all select 'pg_catalog.pg_ts_template'::regclass, oid, null, tmplnamespace from pg_catalog.pg_ts_template
	union all select 'pg_catalog.pg_cast'::regclass, oid, null, null from pg_catalog.pg_cast where oid >= 16384
	union all select 'pg_catalog.pg_transform'::regclass, oid, null, null from pg_catalog.pg_transform --[9.5+]
	union all select 'pg_catalog.pg_am'::regclass, oid, null, null from pg_catalog.pg_am where oid >= 16384
), object(class, identity, definition, loose) as (
	select class, name, concat_ws(' ', class, relpersistence, relreplident,
		case when relrowsecurity then 'row security' end, case when relforcerowsecurity then 'forced' end, --[9.5+]
		'of ' || nullif(reloftype, 0)::regtype,
		(select 'partition by ' || pg_get_partkeydef(r.id) where relkind = 'p'), pg_get_expr(relpartbound, r.id), --[10+]
		'inherits ' || (select string_agg(h.inhparent::regclass::text, ', ' order by h.inhseqno) from pg_catalog.pg_inherits h where h.inhrelid = r.id),
		'with ' || (select string_agg(o, ', ' order by o) from unnest(reloptions) o),
		case when relkind = 'm' and not relispopulated then 'not populated' end,
		(select concat_ws(' ', 'server', s.srvname, f.ftoptions::text) from pg_catalog.pg_foreign_table f
			join pg_catalog.pg_foreign_server s on s.oid = f.ftserver where f.ftrelid = r.id)), false
	from relation r where relkind in ('r', 'p', 'v', 'm', 'f', 'S', 'c')
	union all
	select 'column', relation_name || '.' || quote_ident(attname), concat_ws(' ', place || '.', format_type(atttypid, atttypmod),
		case when attnotnull then 'not null' end,
		'collate ' || (select concat(quote_ident(n.nspname), '.', quote_ident(l.collname))
			from pg_catalog.pg_collation l join pg_catalog.pg_namespace n on n.oid = l.collnamespace
			where l.oid = attcollation and l.oid <> (select y.typcollation from pg_catalog.pg_type y where y.oid = atttypid)),
		'identity ' || nullif(j->>'attidentity', ''), 'generated ' || nullif(j->>'attgenerated', ''),
		'storage ' || attstorage::text, 'compression ' || nullif(j->>'attcompression', ''),
		'statistics ' || nullif(j->>'attstattarget', '-1'), (select string_agg(o, ', ' order by o) from unnest(attoptions) o where o !~ '^pg_attver='), attfdwoptions::text,
		'default ' || (select pg_get_expr(d.adbin, d.adrelid) from pg_catalog.pg_attrdef d where d.adrelid = attrelid and d.adnum = attnum)), true
	from attribute
	union all
	select class || ' definition', name, pg_get_viewdef(id), true from relation where relkind in ('v', 'm')
	union all
	select 'sequence parameters', r.name, concat_ws(' ',
		s.seqtypid::regtype, 'start', s.seqstart, 'increment', s.seqincrement, 'from', s.seqmin, 'to', s.seqmax, 'cache', s.seqcache, case when s.seqcycle then 'cycle' end, --[10+]
		'bigint', 'start', s.start_value, 'increment', s.increment, 'from', s.minimum_value, 'to', s.maximum_value, 'cache', --[<10]
		substring(query_to_xml('select cache_value as v from ' || r.name, false, true, '')::text from '<v>(\d+)</v>'), case when s.cycle_option then 'cycle' end, --[<10]
		'owned by ' || (select concat(d.refobjid::regclass, '.', quote_ident(a.attname)) from pg_catalog.pg_depend d
			join pg_catalog.pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
			where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = r.id and d.refclassid = 'pg_catalog.pg_class'::regclass and d.deptype in ('a', 'i'))), false
	from relation r join pg_catalog.pg_sequence s on s.seqrelid = r.id --[10+]
	from relation r cross join lateral pg_sequence_parameters(r.id) s where r.relkind = 'S' --[<10]
	union all
	select 'index', r.name, concat_ws(' ', pg_get_indexdef(r.id), case when not i.indisvalid then 'invalid' end,
		case when i.indisprimary then 'primary' end, case when i.indisclustered then 'clustered' end, case when i.indisreplident then 'replica identity' end), true
	from relation r join pg_catalog.pg_index i on i.indexrelid = r.id
	union all
	select 'constraint', quote_ident(c.conname) || ' on ' || coalesce(r.name, d.identity),
		concat_ws(' ', pg_get_constraintdef(c.oid), case when not c.convalidated then 'not valid' end), true
	from pg_catalog.pg_constraint c left join relation r on r.id = c.conrelid left join datatype d on d.id = c.contypid
	where c.contype not in ('n', 't') and coalesce(r.id, d.id) is not null and coalesce(row_to_json(c)->>'conparentid', '0') = '0'
	union all
	select 'trigger', quote_ident(t.tgname) || ' on ' || r.name, concat_ws(' ', replace(pg_get_triggerdef(t.oid), 'EXECUTE PROCEDURE', 'EXECUTE FUNCTION'), t.tgenabled), true
	from pg_catalog.pg_trigger t join relation r on r.id = t.tgrelid
	where not t.tgisinternal and coalesce(row_to_json(t)->>'tgparentid', '0') = '0'
	union all
	select 'rule', quote_ident(w.rulename) || ' on ' || r.name, concat_ws(' ', pg_get_ruledef(w.oid), w.ev_enabled), true
	from pg_catalog.pg_rewrite w join relation r on r.id = w.ev_class where w.rulename <> '_RETURN'
	union all select 'policy', quote_ident(p.polname) || ' on ' || r.name, concat_ws(' ', p.polcmd, --[9.5+]
		case when coalesce(row_to_json(p)->>'polpermissive', 'true') = 'true' then 'permissive' else 'restrictive' end, --[9.5+]
		'to ' || (select string_agg(case m when 0 then 'public' else pg_get_userbyid(m)::text end, ', ' order by m = 0, pg_get_userbyid(m)) from unnest(p.polroles) m), --[9.5+]
		'using ' || pg_get_expr(p.polqual, p.polrelid), 'check ' || pg_get_expr(p.polwithcheck, p.polrelid)), true --[9.5+]
	from pg_catalog.pg_policy p join relation r on r.id = p.polrelid --[9.5+]
	union all
	select 'function', identity, concat_ws(' ', coalesce(j->>'prokind', case when j->>'proisagg' = 'true' then 'a' when j->>'proiswindow' = 'true' then 'w' else 'f' end),
		l.lanname, pg_get_function_arguments(p.id), 'returns ' || pg_get_function_result(p.id), provolatile, coalesce(j->>'proparallel', 'u'),
		case when proisstrict then 'strict' end, case when prosecdef then 'security definer' end, case when proleakproof then 'leakproof' end,
		'cost', procost, 'rows', prorows, 'set ' || proconfig::text,
		(select concat_ws(' ', 'aggregate', a.aggtransfn, a.aggfinalfn, coalesce(row_to_json(a)->>'aggcombinefn', '-'), a.aggtranstype::regtype, a.agginitval, a.aggsortop::regoper)
			from pg_catalog.pg_aggregate a where a.aggfnoid = p.id),
		nullif(probin, ''), prosrc), false
	from routine p join pg_catalog.pg_language l on l.oid = p.prolang
	union all
	select 'function body', identity, substr(pg_get_functiondef(p.id), strpos(pg_get_functiondef(p.id), 'BEGIN ATOMIC')), true
	from routine p where (j->>'prosqlbody') is not null and j->>'prokind' <> 'a'
	union all
	select 'type', t.identity, concat_ws(' ', t.typtype,
		'enum ' || (select string_agg(quote_literal(e.enumlabel), ', ' order by e.enumsortorder) from pg_catalog.pg_enum e where e.enumtypid = t.id),
		'domain ' || nullif(t.typbasetype, 0)::regtype::text || ' ' || format_type(t.typbasetype, t.typtypmod), case when t.typtype = 'd' and t.typnotnull then 'not null' end,
		'default ' || t.typdefault,
		'range of ' || (select g.rngsubtype::regtype::text from pg_catalog.pg_range g where g.rngtypid = t.id),
		case when t.typtype = 'b' then concat_ws(' ', t.typinput, t.typoutput, t.typlen, t.typalign, t.typstorage) end), false
	from datatype t
	union all
	select 'collation', space.name || '.' || quote_ident(c.collname), concat_ws(' ', coalesce(row_to_json(c)->>'collprovider', 'c'), coalesce(row_to_json(c)->>'collisdeterministic', 'true'),
		case when :same_major then coalesce(row_to_json(c)->>'colllocale', row_to_json(c)->>'colliculocale', c.collcollate) end), false
	from pg_catalog.pg_collation c join space on space.oid = c.collnamespace
	where not exists (select from member m where m.classid = 'pg_catalog.pg_collation'::regclass and m.objid = c.oid)
	union all
	select 'extension', quote_ident(e.extname), 'schema ' || n.nspname, false from pg_catalog.pg_extension e join pg_catalog.pg_namespace n on n.oid = e.extnamespace
	union all select 'statistics', space.name || '.' || quote_ident(s.stxname), pg_get_statisticsobjdef(s.oid), false --[10+]
	from pg_catalog.pg_statistic_ext s join space on space.oid = s.stxnamespace --[10+]
	union all
	select 'event trigger', quote_ident(e.evtname), concat_ws(' ', e.evtevent, e.evtfoid::regprocedure, e.evtenabled, e.evttags::text), false
	from pg_catalog.pg_event_trigger e
	where not exists (select from member m where m.classid = 'pg_catalog.pg_event_trigger'::regclass and m.objid = e.oid)
	union all select 'publication', quote_ident(p.pubname), concat_ws(' ', case when p.puballtables then 'all tables' end, --[10+]
		'insert', p.pubinsert, 'update', p.pubupdate, 'delete', p.pubdelete, 'truncate ' || (row_to_json(p)->>'pubtruncate'), 'via root ' || (row_to_json(p)->>'pubviaroot'), --[10+]
		'tables ' || (select string_agg(r.prrelid::regclass::text, ', ' order by r.prrelid::regclass::text) from pg_catalog.pg_publication_rel r where r.prpubid = p.oid)), false --[10+]
	from pg_catalog.pg_publication p where p.pubname !~ '^evac_(follow|home)_' --[10+]
	union all
	select 'server', quote_ident(s.srvname), concat_ws(' ', w.fdwname, s.srvtype, s.srvversion, s.srvoptions::text), false
	from pg_catalog.pg_foreign_server s join pg_catalog.pg_foreign_data_wrapper w on w.oid = s.srvfdw
	union all -- options of user mappings hold passwords
	select 'user mapping', case umuser when 0 then 'public' else quote_ident(pg_get_userbyid(umuser)) end || ' on ' || quote_ident(srvname), '', false
	from pg_catalog.pg_user_mappings
	union all
	select i.type, i.identity, 'owner ' || pg_get_userbyid(n.owner), false
	from named n cross join lateral pg_identify_object(n.catalog, n.oid, 0) i
	where (n.space is null or n.space in (select oid from space)) and not exists (select from member m where m.classid = n.catalog and m.objid = n.oid)
	union all
	select 'rights', trim(o.class || ' ' || o.identity), concat_ws(' ', 'owner', quote_ident(pg_get_userbyid(o.owner)), (
		select string_agg(concat(case x.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(x.grantee)) end, '=', x.privilege_type,
			case when x.is_grantable then '*' end), ' ' order by x.grantee = 0, pg_get_userbyid(x.grantee), x.privilege_type)
		from aclexplode(coalesce(o.acl, acldefault(o.kind::"char", o.owner))) x where :same_major or x.privilege_type <> 'MAINTAIN')), false
	from owned o
	union all
	select 'rights', 'column ' || relation_name || '.' || quote_ident(attname), (
		select string_agg(concat(case x.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(x.grantee)) end, '=', x.privilege_type,
			case when x.is_grantable then '*' end), ' ' order by x.grantee = 0, pg_get_userbyid(x.grantee), x.privilege_type)
		from aclexplode(attacl) x), false
	from attribute where attacl is not null
	union all
	select 'default rights', concat_ws(' ', quote_ident(pg_get_userbyid(d.defaclrole)), space.name, d.defaclobjtype), (
		select string_agg(concat(case x.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(x.grantee)) end, '=', x.privilege_type,
			case when x.is_grantable then '*' end), ' ' order by x.grantee = 0, pg_get_userbyid(x.grantee), x.privilege_type)
		from aclexplode(d.defaclacl) x where :same_major or x.privilege_type <> 'MAINTAIN'), false
	from pg_catalog.pg_default_acl d left join space on space.oid = d.defaclnamespace
	union all -- the freeze's own setting is left out
	select 'setting', concat_ws(' ', 'of database', 'for ' || quote_ident(pg_get_userbyid(nullif(s.setrole, 0)))), x.list, false
	from pg_catalog.pg_db_role_setting s join pg_catalog.pg_database d on d.oid = s.setdatabase
	cross join lateral (select string_agg(c, ', ' order by c) as list from unnest(s.setconfig) c where c !~ '^default_transaction_read_only=') x
	where d.datname = current_database() and x.list is not null
	union all
	select 'comment', concat_ws(' ', i.type, i.identity), d.description, false
	from pg_catalog.pg_description d cross join lateral pg_identify_object(d.classoid, d.objoid, d.objsubid) i
	where (d.objoid >= 16384 or d.classoid = 'pg_catalog.pg_namespace'::regclass and d.objoid in (select oid from space) and d.description <> 'standard public schema')
		and not exists (select from member m where m.classid = d.classoid and m.objid = d.objoid)
	union all
	select 'comment', 'database', d.description, false
	from pg_catalog.pg_shdescription d join pg_catalog.pg_database b on b.oid = d.objoid
	where d.classoid = 'pg_catalog.pg_database'::regclass and b.datname = current_database()
)
select class, identity, case when loose and not :same_major
	then regexp_replace(definition, '("([^"]|"")*"|\w+)\.|[\s()]', '', 'g') else definition end as definition
from object
