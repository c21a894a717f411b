-- What a database is, one line for each object, for people and diff: read by psql, and sharing nothing with the code
-- under test; it only reads. Wording that differs between majors is left out (view texts: their rows are compared), and so is the
-- privilege MAINTAIN (m), which 17 gives to owners.
\pset tuples_only on
\pset format unaligned
set search_path = pg_catalog; set timezone = 'UTC'; set client_min_messages = warning;
\set space '(select oid, nspname as space from pg_namespace where nspname !~ ''^pg_'' and nspname <> ''information_schema'')'
select format('schema|%s|%s|%s|%s', nspname, pg_get_userbyid(nspowner), (select string_agg(regexp_replace(x::text, '(=[a-zA-Z*]*)m\*?', '\1'), ',' order by x::text) from unnest(coalesce(nspacl, acldefault('n', nspowner))) x), obj_description(n.oid, 'pg_namespace')) from pg_namespace n join :space s using (oid) order by 1;
select format('rel|%s|%s|%s|%s|%s|%s|%s|%s|%s|%s|%s|%s', c.oid::regclass, relkind, relpersistence, pg_get_userbyid(relowner), relrowsecurity, relforcerowsecurity, relreplident,
	array(select unnest(reloptions) order by 1), (select string_agg(regexp_replace(x::text, '(=[a-zA-Z*]*)m\*?', '\1'), ',' order by x::text) from unnest(coalesce(relacl, acldefault(case relkind when 'S' then 's' else 'r' end::"char", relowner))) x), relispopulated, pg_get_expr(relpartbound, c.oid), amname)
	from pg_class c join :space s on s.oid = relnamespace left join pg_am a on a.oid = relam where relkind not in ('t', 'c') order by 1;
select format('parent|%s|%s|%s', inhrelid::regclass, inhseqno, inhparent::regclass) from pg_inherits order by 1;
select format('part|%s|%s', partrelid::regclass, pg_get_partkeydef(partrelid)) from pg_partitioned_table order by 1;
select format('col|%s|%s|%s|%s|%s|%s|%s|%s|%s|%s|%s|%s|%s|%s', attrelid::regclass, row_number() over (partition by attrelid order by attnum), attname, format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated,
	attstorage, nullif(attcompression, ''), nullif(coalesce(attstattarget, -1), -1), nullif(array(select o from unnest(attoptions) o where o !~ '^pg_attver='), '{}'), attfdwoptions, (select string_agg(regexp_replace(x::text, '(=[a-zA-Z*]*)m\*?', '\1'), ',' order by x::text) from unnest(coalesce(attacl, acldefault('c', relowner))) x), case when attcollation <> 0 then attcollation::regcollation end)
	|| '|' || coalesce(pg_get_expr(adbin, adrelid), '') || '|' || attislocal || attinhcount from pg_attribute a join pg_class c on c.oid = attrelid join :space s on s.oid = relnamespace
	left join pg_attrdef d on adrelid = attrelid and adnum = attnum where attnum > 0 and not attisdropped and relkind in ('r', 'p', 'v', 'm', 'f', 'c') order by 1;
select format('idx|%s|%s|valid=%s|clus=%s|ri=%s|%s|%s', indexrelid::regclass, pg_get_indexdef(indexrelid), indisvalid, indisclustered, indisreplident, indisready,
	(select array_agg(nullif(coalesce(attstattarget, -1), -1) order by attnum) from pg_attribute where attrelid = indexrelid)) from pg_index join pg_class c on c.oid = indexrelid join :space s on s.oid = relnamespace order by 1;
select format('con|%s|%s|%s|%s|%s', case when conrelid <> 0 then conrelid::regclass::text else contypid::regtype::text end, conname, pg_get_constraintdef(c.oid), convalidated, conislocal)
	from pg_constraint c join :space s on s.oid = connamespace where contype not in ('n', 't') and not (contype = 'f' and conparentid <> 0) order by 1;
select format('trg|%s|%s|%s|%s', tgrelid::regclass, tgname, tgenabled, pg_get_triggerdef(t.oid)) from pg_trigger t where not tgisinternal order by 1;
select format('pol|%s|%s|%s|%s|%s|%s|%s', polrelid::regclass, polname, polcmd, polpermissive, array(select case when r = 0 then 'public' else pg_get_userbyid(r) end from unnest(polroles) r order by 1), pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)) from pg_policy order by 1;
select format('rule|%s|%s|%s|%s', ev_class::regclass, rulename, ev_enabled, is_instead) from pg_rewrite join pg_class c on c.oid = ev_class join :space s on s.oid = relnamespace order by 1;
select format('evt|%s|%s|%s|%s|%s|%s', evtname, evtevent, evtenabled, evttags, evtfoid::regproc, pg_get_userbyid(evtowner)) from pg_event_trigger order by 1;
select format('fun|%s|%s|%s|%s', p.oid::regprocedure, case when prokind <> 'a' then md5(pg_get_functiondef(p.oid)) end, pg_get_userbyid(proowner), (select string_agg(regexp_replace(x::text, '(=[a-zA-Z*]*)m\*?', '\1'), ',' order by x::text) from unnest(coalesce(proacl, acldefault('f', proowner))) x)) from pg_proc p join :space s on s.oid = pronamespace order by 1;
select format('agg|%s|%s|%s|%s', aggfnoid, aggkind, aggtransfn, agginitval) from pg_aggregate join pg_proc p on p.oid = aggfnoid join :space s on s.oid = pronamespace order by 1;
select format('typ|%s|%s|%s|%s|%s|%s|%s|%s|%s', t.oid::regtype, typtype, pg_get_userbyid(typowner), (select string_agg(regexp_replace(x::text, '(=[a-zA-Z*]*)m\*?', '\1'), ',' order by x::text) from unnest(coalesce(typacl, acldefault('T', typowner))) x), typnotnull, typdefault, format_type(typbasetype, typtypmod), typinput,
	(select string_agg(enumlabel, ',' order by enumsortorder) from pg_enum where enumtypid = t.oid)) from pg_type t join :space s on s.oid = typnamespace order by 1;
select format('range|%s|%s|%s|%s', rngtypid::regtype, rngsubtype::regtype, rngsubdiff, to_jsonb(r) -> 'rngmultitypid' is not null) from pg_range r where rngtypid >= 16384 order by 1;
select format('oper|%s|%s|%s', o.oid::regoperator, oprcode, oprcom::regoperator) from pg_operator o join :space s on s.oid = oprnamespace order by 1;
select format('opc|%s|%s|%s', opcname, opcintype::regtype, opcfamily <> 0) from pg_opclass join :space s on s.oid = opcnamespace order by 1;
select format('amop|%s|%s|%s', opfname, amopstrategy, amopopr::regoperator) from pg_amop join pg_opfamily f on f.oid = amopfamily join :space s on s.oid = opfnamespace order by 1;
select format('cast|%s|%s|%s|%s', castsource::regtype, casttarget::regtype, castcontext, castmethod) from pg_cast where oid >= 16384 order by 1;
select format('coll|%s|%s|%s', collname, collprovider, collcollate) from pg_collation join :space s on s.oid = collnamespace order by 1;
select format('conv|%s|%s', conname, conproc) from pg_conversion join :space s on s.oid = connamespace order by 1;
select format('lang|%s|%s', lanname, (select string_agg(regexp_replace(x::text, '(=[a-zA-Z*]*)m\*?', '\1'), ',' order by x::text) from unnest(coalesce(lanacl, acldefault('l', lanowner))) x)) from pg_language order by 1;
select format('am|%s|%s|%s', amname, amtype, amhandler) from pg_am order by 1;
select format('tsc|%s|%s|%s', c.oid::regconfig, (select string_agg(maptokentype || ':' || mapdict::regdictionary, ',' order by maptokentype, mapseqno) from pg_ts_config_map where mapcfg = c.oid), cfgparser) from pg_ts_config c join :space s on s.oid = cfgnamespace order by 1;
select format('tsd|%s|%s', d.oid::regdictionary, dictinitoption) from pg_ts_dict d join :space s on s.oid = dictnamespace order by 1;
select format('stx|%s|%s|%s|%s', stxname, pg_get_statisticsobjdef(x.oid), nullif(coalesce(stxstattarget, -1), -1), pg_get_userbyid(stxowner)) from pg_statistic_ext x order by 1;
select format('ext|%s|%s', extname, extnamespace::regnamespace) from pg_extension order by 1;
select format('fdw|%s|%s|%s', fdwname, array(select unnest(fdwoptions) order by 1), (select string_agg(regexp_replace(x::text, '(=[a-zA-Z*]*)m\*?', '\1'), ',' order by x::text) from unnest(coalesce(fdwacl, acldefault('F', fdwowner))) x)) from pg_foreign_data_wrapper order by 1;
select format('srv|%s|%s|%s|%s|%s', srvname, srvtype, srvversion, array(select unnest(srvoptions) order by 1), (select string_agg(regexp_replace(x::text, '(=[a-zA-Z*]*)m\*?', '\1'), ',' order by x::text) from unnest(coalesce(srvacl, acldefault('S', srvowner))) x)) from pg_foreign_server order by 1;
select format('um|%s|%s|%s', srvname, usename, array(select unnest(umoptions) order by 1)) from pg_user_mappings order by 1;
select format('ft|%s|%s', ftrelid::regclass, array(select unnest(ftoptions) order by 1)) from pg_foreign_table order by 1;
select format('pub|%s|%s|%s|%s|%s|%s|%s|%s', pubname, pg_get_userbyid(pubowner), puballtables, pubinsert, pubupdate, pubdelete, pubtruncate, pubviaroot) from pg_publication order by 1;
select format('pubrel|%s|%s|%s|%s', pubname, prrelid::regclass, pg_get_expr(prqual, prrelid), prattrs) from pg_publication_rel join pg_publication p on p.oid = prpubid order by 1;
select format('pubns|%s|%s', pubname, pnnspid::regnamespace) from pg_publication_namespace join pg_publication p on p.oid = pnpubid order by 1;
select format('defacl|%s|%s|%s|%s', pg_get_userbyid(defaclrole), nspname, defaclobjtype, (select string_agg(x::text, ',' order by x::text) from unnest(regexp_replace(defaclacl::text, 'm/', '/', 'g')::aclitem[]) x)) from pg_default_acl left join pg_namespace n on n.oid = defaclnamespace order by 1;
select format('cmt|%s|%s|%s', i.type, i.identity, description) from pg_description d cross join lateral pg_identify_object(classoid, objoid, objsubid) i where objoid >= 16384 and classoid <> 'pg_constraint'::regclass order by 1;
select format('cmt|con|%s|%s', conname, description) from pg_description join pg_constraint c on c.oid = objoid where classoid = 'pg_constraint'::regclass and objoid >= 16384 order by 1;
select format('lo|%s|%s|%s|%s', m.oid, pg_get_userbyid(lomowner), (select string_agg(regexp_replace(x::text, '(=[a-zA-Z*]*)m\*?', '\1'), ',' order by x::text) from unnest(coalesce(lomacl, acldefault('L', lomowner))) x), md5(lo_get(m.oid))) from pg_largeobject_metadata m order by 1;
select format('db|%s|%s|%s', pg_get_userbyid(datdba), (select string_agg(regexp_replace(x::text, '(=[a-zA-Z*]*)m\*?', '\1'), ',' order by x::text) from unnest(coalesce(datacl, acldefault('d', datdba))) x), shobj_description(oid, 'pg_database')) from pg_database where datname = current_database();
select format('dbset|%s|%s', coalesce(nullif(setrole, 0)::regrole::text, '*'), array(select c from unnest(setconfig) c where c !~ '^default_transaction_read_only' order by 1)) from pg_db_role_setting join pg_database d on d.oid = setdatabase where datname = current_database() order by 1;
select format('role|%s|%s|%s|%s|%s|%s|%s|%s|%s|%s|%s|%s|%s', rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolbypassrls, rolconnlimit, rolvaliduntil, rolpassword, shobj_description(oid, 'pg_authid'),
	(select setconfig from pg_db_role_setting where setrole = a.oid and setdatabase = 0)) from pg_authid a where rolname ~ '^evac' order by 1;
select format('member|%s|%s|%s', roleid::regrole, member::regrole, admin_option) from pg_auth_members where member::regrole::text ~ '^"?evac' order by 1;
select format('select %L || last_value || %L || is_called from %s;', 'seq|' || c.oid::regclass || '|', '|', c.oid::regclass) from pg_class c join :space s on s.oid = relnamespace where relkind = 'S' order by 1 \gexec
set extra_float_digits = 3; set datestyle = 'iso, mdy'; set intervalstyle = postgres; set lc_monetary = 'C'; set bytea_output = hex;
select format($q$select 'rows|' || %L || '|' || count(*) || '|' || coalesce(md5(string_agg(md5(t::text), '' order by t::text collate "C")), '') from only %s t;$q$, c.oid::regclass, c.oid::regclass)
	from pg_class c join :space s on s.oid = relnamespace where relkind in ('r', 'm') and relispopulated order by 1 \gexec
select format($q$select 'view|' || %L || '|' || count(*) || '|' || coalesce(md5(string_agg(md5(t::text), '' order by t::text collate "C")), '') from %s t;$q$, c.oid::regclass, c.oid::regclass)
	from pg_class c join :space s on s.oid = relnamespace where relkind = 'v' order by 1 \gexec
