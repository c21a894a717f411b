-- What an old database is, one line for each object, for diff: read by psql
-- on PostgreSQL 9.4 to 18, and sharing nothing with the code under test.
\pset tuples_only on
\pset format unaligned
set search_path = pg_catalog; set timezone = 'UTC'; set client_min_messages = warning;
set datestyle = 'iso, mdy'; set intervalstyle = postgres; set lc_monetary = 'C'; set bytea_output = hex;
set extra_float_digits = 0; -- 15 digits, the only form that all versions share
\set space '(select oid, nspname as space from pg_namespace where nspname !~ ''^pg_'' and nspname <> ''information_schema'')'
\set plain '''(=[a-zA-Z*]*)m\\*?'', ''\\1'''
select format('schema|%s|%s|%s', nspname, pg_get_userbyid(nspowner), obj_description(n.oid, 'pg_namespace')) from pg_namespace n join :space s on s.oid = n.oid where nspname <> 'public' order by 1;
select format('rel|%s|%s|%s|%s|%s|%s|%s|%s', c.oid::regclass, relkind, relpersistence, pg_get_userbyid(relowner), relreplident, array(select unnest(reloptions) order by 1), relispopulated,
	(select string_agg(regexp_replace(x::text, :plain), ',' order by x::text) from unnest(coalesce(relacl, acldefault(case relkind when 'S' then 's' else 'r' end::"char", relowner))) x))
	from pg_class c join :space s on s.oid = relnamespace where relkind not in ('t', 'c') order by 1;
select format('parent|%s|%s|%s', inhrelid::regclass, inhseqno, inhparent::regclass) from pg_inherits order by 1;
select format('col|%s|%s|%s|%s|%s|%s|%s|%s|%s|%s|%s', attrelid::regclass, row_number() over (partition by attrelid order by attnum), attname, format_type(atttypid, atttypmod), attnotnull,
	attstorage, nullif(coalesce(attstattarget, -1), -1), array(select o from unnest(attoptions) o where o !~ '^pg_attver=' order by 1), attfdwoptions, attacl, pg_get_expr(adbin, adrelid)) from pg_attribute a join pg_class c on c.oid = attrelid join :space s on s.oid = relnamespace
	left join pg_attrdef d on adrelid = attrelid and adnum = attnum where attnum > 0 and not attisdropped and relkind in ('r', 'v', 'm', 'f', 'c') order by 1;
select format('idx|%s|%s|valid=%s|clus=%s|ri=%s', indexrelid::regclass, translate(pg_get_indexdef(indexrelid), '()', ''), indisvalid, indisclustered, indisreplident)
	from pg_index join pg_class c on c.oid = indexrelid join :space s on s.oid = relnamespace order by 1;
select format('con|%s|%s|%s|%s|%s', conrelid::regclass, contypid::regtype, conname, replace(translate(pg_get_constraintdef(c.oid), '()''', ''), '-1000::integer', '-1000'), convalidated)
	from pg_constraint c join :space s on s.oid = connamespace where contype not in ('n', 't') order by 1;
select format('trg|%s|%s|%s|%s', tgrelid::regclass, tgname, tgenabled, tgtype) from pg_trigger t where not tgisinternal order by 1;
select format('rule|%s|%s|%s|%s', ev_class::regclass, rulename, ev_enabled, is_instead) from pg_rewrite join pg_class c on c.oid = ev_class join :space s on s.oid = relnamespace order by 1;
select format('evt|%s|%s|%s|%s|%s|%s', evtname, evtevent, evtenabled, evttags, evtfoid::regproc, pg_get_userbyid(evtowner)) from pg_event_trigger order by 1;
select format('fun|%s|%s|%s|%s|%s|%s|%s|%s', p.oid::regprocedure, prosrc, provolatile, proisstrict, procost, prorows, proconfig, pg_get_userbyid(proowner))
	|| (select string_agg(x::text, ',' order by x::text) from unnest(coalesce(proacl, acldefault('f', proowner))) x)
	from pg_proc p join :space s on s.oid = pronamespace where not exists (select from pg_depend where objid = p.oid and deptype in ('e', 'i')) order by 1;
select format('typ|%s|%s|%s|%s|%s|%s|%s', t.oid::regtype, typtype, pg_get_userbyid(typowner), typnotnull, typdefault, format_type(typbasetype, typtypmod),
	(select string_agg(enumlabel, ',' order by enumsortorder) from pg_enum where enumtypid = t.oid)) from pg_type t join :space s on s.oid = typnamespace
	where typtype <> 'm' and typcategory <> 'A' and not exists (select from pg_class where oid = typrelid and relkind = 'S') and not exists (select from pg_depend where objid = t.oid and deptype = 'e') order by 1;
select format('oper|%s|%s', o.oid::regoperator, oprcode) from pg_operator o join :space s on s.oid = oprnamespace where not exists (select from pg_depend where objid = o.oid and deptype = 'e') order by 1;
select format('cast|%s|%s|%s|%s', castsource::regtype, casttarget::regtype, castcontext, castmethod) from pg_cast c where oid >= 16384 and not exists (select from pg_depend where objid = c.oid and deptype in ('e', 'i')) order by 1;
select format('coll|%s|%s', collname, collcollate) from pg_collation join :space s on s.oid = collnamespace order by 1;
select format('conv|%s|%s', conname, conproc) from pg_conversion join :space s on s.oid = connamespace order by 1;
select format('tsc|%s|%s', c.oid::regconfig, (select string_agg(maptokentype || ':' || mapdict::regdictionary, ',' order by maptokentype, mapseqno) from pg_ts_config_map where mapcfg = c.oid)) from pg_ts_config c join :space s on s.oid = cfgnamespace order by 1;
select format('ext|%s|%s', extname, nspname) from pg_extension join pg_namespace n on n.oid = extnamespace order by 1;
select format('srv|%s|%s|%s|%s|%s', srvname, srvtype, srvversion, array(select unnest(srvoptions) order by 1), srvacl) from pg_foreign_server order by 1;
select format('um|%s|%s|%s', srvname, usename, array(select unnest(umoptions) order by 1)) from pg_user_mappings order by 1;
select format('ft|%s|%s', ftrelid::regclass, array(select unnest(ftoptions) order by 1)) from pg_foreign_table order by 1;
select format('defacl|%s|%s|%s|%s', pg_get_userbyid(defaclrole), nspname, defaclobjtype, (select string_agg(x::text, ',' order by x::text) from unnest(regexp_replace(defaclacl::text, 'm/', '/', 'g')::aclitem[]) x)) from pg_default_acl left join pg_namespace n on n.oid = defaclnamespace order by 1;
select format('cmt|%s|%s|%s', i.type, i.identity, description) from pg_description d cross join lateral pg_identify_object(classoid, objoid, objsubid) i
	where objoid >= 16384 and not exists (select from pg_depend where objid = objoid and deptype = 'e') order by 1;
select format('db|%s|%s|%s', pg_get_userbyid(datdba), (select string_agg(x::text, ',' order by x::text) from unnest(coalesce(datacl, acldefault('d', datdba))) x), shobj_description(oid, 'pg_database')) from pg_database where datname = current_database();
select format('dbset|%s|%s', pg_get_userbyid(setrole), array(select c from unnest(setconfig) c where c !~ '^default_transaction_read_only' order by 1)) from pg_db_role_setting join pg_database d on d.oid = setdatabase where datname = current_database() order by 1;
select format('role|%s|%s|%s|%s|%s|%s|%s|%s|%s|%s|%s', rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolconnlimit, rolvaliduntil, rolpassword, shobj_description(oid, 'pg_authid'),
	(select setconfig from pg_db_role_setting where setrole = a.oid and setdatabase = 0)) from pg_authid a where rolname ~ '^evac_old' order by 1;
select format('member|%s|%s|%s', pg_get_userbyid(roleid), pg_get_userbyid(member), admin_option) from pg_auth_members where pg_get_userbyid(member) ~ '^evac_old' order by 1;
select format('lo|%s|%s|%s|%s', m.oid, pg_get_userbyid(lomowner), (select string_agg(x::text, ',' order by x::text) from unnest(coalesce(lomacl, acldefault('L', lomowner))) x), md5(lo_get(m.oid))) from pg_largeobject_metadata m order by 1;
select format('select %L || last_value || %L || is_called from %s;', 'seq|' || c.oid::regclass || '|', '|', c.oid::regclass) from pg_class c join :space s on s.oid = relnamespace where relkind = 'S' order by 1 \gexec
select format($q$select 'rows|' || %L || '|' || count(*) || '|' || coalesce(md5(string_agg(md5(t::text), '' order by t::text collate "C")), '') from only %s t;$q$, c.oid::regclass, c.oid::regclass)
	from pg_class c join :space s on s.oid = relnamespace where relkind in ('r', 'm') and relispopulated order by 1 \gexec
select format($q$select 'view|' || %L || '|' || count(*) || '|' || coalesce(md5(string_agg(md5(t::text), '' order by t::text collate "C")), '') from %s t;$q$, c.oid::regclass, c.oid::regclass)
	from pg_class c join :space s on s.oid = relnamespace where relkind = 'v' order by 1 \gexec
