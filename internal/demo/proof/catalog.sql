-- What a database is besides its rows, one fact a row. What servers of
-- different versions word differently (the text of a view) is left out.
with ours as (
  select oid from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'
), foreigners as (
  select classid, objid from pg_depend where deptype = 'e'
), relation as (
  select c.*, c.oid::regclass::text as name from pg_class c
  where c.relnamespace in (select oid from ours) and c.relkind <> 't'
    and (tableoid, c.oid) not in (select classid, objid from foreigners)
), routine as (
  select p.*, p.oid::regprocedure::text as name from pg_proc p
  where p.pronamespace in (select oid from ours) and (tableoid, p.oid) not in (select classid, objid from foreigners)
), kind as (
  select t.*, t.oid::regtype::text as name from pg_type t
  where t.typnamespace in (select oid from ours) and (tableoid, t.oid) not in (select classid, objid from foreigners)
)
select concat_ws(' ', 'schema', nspname, pg_get_userbyid(nspowner), array(select r::text from unnest(nspacl) r order by 1)) from pg_namespace where oid in (select oid from ours)
union all
select concat_ws(' ', 'relation', name, relkind, relpersistence, pg_get_userbyid(relowner), 'rights', array(select r::text from unnest(relacl) r order by 1), 'options', reloptions,
  'secured', relrowsecurity, relforcerowsecurity, 'identity', relreplident, 'filled', relispopulated, pg_get_expr(relpartbound, oid)) from relation
union all
select concat_ws(' ', 'part of', name, inhparent::regclass, inhseqno) from pg_inherits join relation on oid = inhrelid
union all
select concat_ws(' ', 'column', name, attname, format_type(atttypid, atttypmod), 'not null', attnotnull, 'identity', attidentity,
  'generated', attgenerated, 'storage', attstorage, 'statistics', nullif(attstattarget, -1), 'collation', attcollation::regcollation,
  'rights', array(select r::text from unnest(attacl) r order by 1), 'default', pg_get_expr(adbin, adrelid))
  from relation join pg_attribute a on attrelid = relation.oid and attnum > 0 and not attisdropped
  left join pg_attrdef on adrelid = attrelid and adnum = attnum
  where relkind in ('r', 'p', 'v', 'm', 'f')
union all
select concat_ws(' ', 'index', pg_get_indexdef(indexrelid), 'valid', indisvalid, 'clustered', indisclustered)
  from pg_index join relation on oid = indrelid
union all
select concat_ws(' ', 'constraint', coalesce(conrelid::regclass::text, contypid::regtype::text), conname, pg_get_constraintdef(oid), 'valid', convalidated)
  from pg_constraint c where connamespace in (select oid from ours) and contype <> 'n'
  and (tableoid, c.oid) not in (select classid, objid from foreigners)
union all
select concat_ws(' ', 'trigger', pg_get_triggerdef(t.oid), 'enabled', tgenabled) from pg_trigger t join relation on relation.oid = tgrelid where not tgisinternal
union all
select concat_ws(' ', 'rule', name, rulename, ev_type, ev_enabled, is_instead) from pg_rewrite join relation on relation.oid = ev_class
union all
select concat_ws(' ', 'policy', name, polname, polcmd, polpermissive, array(select pg_get_userbyid(r) from unnest(polroles) r order by 1),
  pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)) from pg_policy join relation on relation.oid = polrelid
union all
select concat_ws(' ', 'statistics', pg_get_statisticsobjdef(oid)) from pg_statistic_ext
union all
select concat_ws(' ', 'sequence', schemaname, sequencename, data_type, start_value, min_value, max_value, increment_by, cycle, cache_size, last_value) from pg_sequences
union all
select concat_ws(' ', 'routine', name, prokind, pg_get_userbyid(proowner), array(select r::text from unnest(proacl) r order by 1), prosecdef, provolatile, proparallel, proconfig, md5(prosrc)) from routine
union all
select concat_ws(' ', 'aggregate', name, aggtransfn, aggtranstype::regtype, agginitval) from pg_aggregate join routine on routine.oid = aggfnoid
union all
select concat_ws(' ', 'type', name, typtype, pg_get_userbyid(typowner), array(select r::text from unnest(typacl) r order by 1), typbasetype::regtype, typnotnull, typdefault,
  array(select enumlabel from pg_enum where enumtypid = kind.oid order by enumsortorder),
  (select rngsubtype::regtype::text from pg_range where rngtypid = kind.oid)) from kind
union all
select concat_ws(' ', 'collation', collname, collprovider, collisdeterministic) from pg_collation where collnamespace in (select oid from ours)
union all
select concat_ws(' ', 'operator', oid::regoperator, oprcode) from pg_operator o
  where oprnamespace in (select oid from ours) and (tableoid, o.oid) not in (select classid, objid from foreigners)
union all
select concat_ws(' ', 'cast', castsource::regtype, casttarget::regtype, castcontext, castmethod) from pg_cast join kind on kind.oid = castsource
union all
select concat_ws(' ', 'search configuration', oid::regconfig) from pg_ts_config where cfgnamespace in (select oid from ours)
union all
select concat_ws(' ', 'event trigger', evtname, evtevent, evtenabled, evttags, evtfoid::regproc) from pg_event_trigger
union all
select concat_ws(' ', 'publication', pubname, puballtables, pubinsert, pubupdate, pubdelete, pubtruncate,
  array(select prrelid::regclass::text from pg_publication_rel where prpubid = p.oid order by 1)) from pg_publication p
union all
select concat_ws(' ', 'extension', extname, extnamespace::regnamespace) from pg_extension
union all
select concat_ws(' ', 'wrapper', fdwname, fdwoptions) from pg_foreign_data_wrapper
union all
select concat_ws(' ', 'server', srvname, srvoptions, array(select r::text from unnest(srvacl) r order by 1)) from pg_foreign_server
union all
select concat_ws(' ', 'user mapping', srvname, usename, umoptions) from pg_user_mappings
union all
select concat_ws(' ', 'foreign table', ftrelid::regclass, ftoptions) from pg_foreign_table
union all
select concat_ws(' ', 'default rights', defaclnamespace::regnamespace, defaclobjtype, array(select r::text from unnest(defaclacl) r order by 1)) from pg_default_acl
union all
select concat_ws(' ', 'large objects', count(*), count(lomacl), (select sum(length(data)) from pg_largeobject),
  (select md5(string_agg(md5(data), '' order by loid, pageno)) from pg_largeobject)) from pg_largeobject_metadata
union all
select concat_ws(' ', 'comment', i.type, i.identity, description) from pg_description d,
  lateral pg_identify_object(classoid, objoid, objsubid) i where objoid >= 16384
  and classoid <> 'pg_extension'::regclass and (classoid, objoid) not in (select classid, objid from foreigners)
union all
select concat_ws(' ', 'database', pg_encoding_to_char(encoding), datcollate, datctype, shobj_description(oid, 'pg_database')) from pg_database where datname = current_database()
union all
select concat_ws(' ', 'setting', coalesce(pg_get_userbyid(nullif(setrole, 0)), 'everyone'), setconfig)
  from pg_db_role_setting where setdatabase = (select oid from pg_database where datname = current_database())
