-- Members give class, identity, definition, and how loosely servers of
-- different majors are compared: 0 as it is; 1 without blanks, parentheses and
-- the ways to write a number, 2 without qualifiers too.

-- since 9.4 tables, views, sequences, composite types
select class, name, concat_ws(' ', class, relpersistence, 'replica identity ' || nullif(relreplident::text, 'd'),
	case when j->>'relrowsecurity' = 'true' then 'row security' end, case when j->>'relforcerowsecurity' = 'true' then 'forced' end,
	'of ' || nullif(reloftype, 0)::regtype,
	'inherits ' || (select string_agg(h.inhparent::regclass::text, ', ' order by h.inhseqno) from pg_catalog.pg_inherits h where h.inhrelid = r.id),
	'using ' || (select nullif(a.amname, 'heap') from pg_catalog.pg_am a where a.oid = r.relam and r.relkind in ('r', 'm')),
	'with ' || (select string_agg(o, ', ' order by o) from unnest(reloptions) o),
	'toast with ' || (select string_agg(o, ', ' order by o) from pg_catalog.pg_class t, unnest(t.reloptions) o where t.oid = r.reltoastrelid),
	case when relkind = 'm' and not relispopulated then 'not populated' end,
	(select concat_ws(' ', 'server', s.srvname, (select string_agg(o, ', ' order by o) from unnest(f.ftoptions) o)) from pg_catalog.pg_foreign_table f
		join pg_catalog.pg_foreign_server s on s.oid = f.ftserver where f.ftrelid = r.id),
	'owned by ' || (select concat(d.refobjid::regclass, '.', quote_ident(a.attname)) from pg_catalog.pg_depend d
		join pg_catalog.pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
		where r.relkind = 'S' and d.classid = 'pg_catalog.pg_class'::regclass and d.objid = r.id and d.refclassid = 'pg_catalog.pg_class'::regclass and d.deptype in ('a', 'i'))), 0
from relation r where relkind in ('r', 'p', 'v', 'm', 'f', 'S', 'c')

-- since 10 partitions
select 'partition', name, concat_ws(' ', 'by ' || (select pg_get_partkeydef(r.id) where relkind = 'p'), pg_get_expr(relpartbound, r.id)), 1
from relation r where relkind = 'p' or relpartbound is not null

-- since 9.4 columns; pg_attver is a server's own stamp on a column's last change
select 'column', relation_name || '.' || quote_ident(attname), concat_ws(' ', place || '.', format_type(atttypid, atttypmod),
	case when attnotnull then 'not null' end,
	'collate ' || (select concat(quote_ident(n.nspname), '.', quote_ident(l.collname)) from pg_catalog.pg_collation l join pg_catalog.pg_namespace n on n.oid = l.collnamespace
		where l.oid = attcollation and l.oid <> (select y.typcollation from pg_catalog.pg_type y where y.oid = atttypid)),
	'identity ' || nullif(j->>'attidentity', ''), 'generated ' || nullif(j->>'attgenerated', ''),
	'storage ' || attstorage::text, 'compression ' || nullif(j->>'attcompression', ''),
	'statistics ' || nullif(j->>'attstattarget', '-1'),
	'with ' || (select string_agg(o, ', ' order by o) from unnest(attoptions) o where o !~ '^pg_attver='), (select string_agg(o, ', ' order by o) from unnest(attfdwoptions) o),
	'default ' || (select pg_get_expr(d.adbin, d.adrelid) from pg_catalog.pg_attrdef d where d.adrelid = attrelid and d.adnum = attnum)), 1
from attribute

-- since 9.4 views
select class || ' definition', name, pg_get_viewdef(id), 2 from relation where relkind in ('v', 'm')

-- since 9.4 what views, rules and policies use, for their definitions are compared without qualifiers
select 'use', concat_ws(' ', i.type, i.identity), string_agg(distinct concat_ws(' ', u.type, u.identity), ', '), 0
from (
	select w.oid, 'pg_catalog.pg_rewrite'::regclass as catalog, case when w.rulename = '_RETURN' then 'pg_catalog.pg_class'::regclass else 'pg_catalog.pg_rewrite'::regclass end as shown,
		case when w.rulename = '_RETURN' then w.ev_class else w.oid end as named, w.ev_class as own
	from pg_catalog.pg_rewrite w join relation r on r.id = w.ev_class
	union all select p.oid, 'pg_catalog.pg_policy'::regclass, 'pg_catalog.pg_policy'::regclass, p.oid, p.polrelid from pg_catalog.pg_policy p join relation r on r.id = p.polrelid --[9.5+]
	) o
join pg_catalog.pg_depend d on d.classid = o.catalog and d.objid = o.oid and d.refclassid in ('pg_catalog.pg_class'::regclass, 'pg_catalog.pg_proc'::regclass) and d.refobjid <> o.own
cross join lateral pg_identify_object(o.shown, o.named, 0) i
cross join lateral pg_identify_object(d.refclassid, d.refobjid, 0) u
group by 1, 2

-- since 9.4 indexes
select 'index', r.name, concat_ws(' ', pg_get_indexdef(r.id), case when not i.indisvalid then 'invalid' end,
	case when i.indisprimary then 'primary' end, case when i.indisclustered then 'clustered' end, case when i.indisreplident then 'replica identity' end,
	'statistics ' || (select string_agg(concat(a.attnum, ' ', row_to_json(a)->>'attstattarget'), ', ' order by a.attnum)
		from pg_catalog.pg_attribute a where a.attrelid = r.id and coalesce((row_to_json(a)->>'attstattarget')::int, -1) > 0)), 1
from relation r join pg_catalog.pg_index i on i.indexrelid = r.id

-- since 9.4 constraints; those of partitions come with their parent's; not null is told of by the column, except where both sides name it
select 'constraint', quote_ident(c.conname) || ' on ' || coalesce(r.name, d.identity),
	concat_ws(' ', pg_get_constraintdef(c.oid), case when not c.convalidated then 'not valid' end), 1
from pg_catalog.pg_constraint c left join relation r on r.id = c.conrelid left join datatype d on d.id = c.contypid
where (c.contype not in ('n', 't') or c.contype = 'n' and :both_name_not_null and c.conrelid <> 0)
	and coalesce(r.id, d.id) is not null and coalesce(row_to_json(c)->>'conparentid', '0') = '0'

-- since 9.4 triggers
select 'trigger', quote_ident(t.tgname) || ' on ' || r.name, concat_ws(' ', replace(pg_get_triggerdef(t.oid), 'EXECUTE PROCEDURE', 'EXECUTE FUNCTION'), t.tgenabled), 1
from pg_catalog.pg_trigger t join relation r on r.id = t.tgrelid
where not t.tgisinternal and coalesce(row_to_json(t)->>'tgparentid', '0') = '0'

-- since 9.4 rules
select 'rule', quote_ident(w.rulename) || ' on ' || r.name, concat_ws(' ', pg_get_ruledef(w.oid), w.ev_enabled), 2
from pg_catalog.pg_rewrite w join relation r on r.id = w.ev_class where w.rulename <> '_RETURN'

-- since 9.5 policies
select 'policy', quote_ident(p.polname) || ' on ' || r.name, concat_ws(' ', p.polcmd, case when row_to_json(p)->>'polpermissive' = 'false' then 'restrictive' else 'permissive' end,
	'to ' || (select string_agg(case m when 0 then 'public' else pg_get_userbyid(m)::text end, ', ' order by m = 0, pg_get_userbyid(m)) from unnest(p.polroles) m),
	'using ' || pg_get_expr(p.polqual, p.polrelid), 'check ' || pg_get_expr(p.polwithcheck, p.polrelid)), 2
from pg_catalog.pg_policy p join relation r on r.id = p.polrelid

-- since 9.4 functions, procedures, aggregates
select 'function', identity, concat_ws(' ', coalesce(j->>'prokind', case when j->>'proisagg' = 'true' then 'a' when j->>'proiswindow' = 'true' then 'w' else 'f' end),
	l.lanname, regexp_replace(pg_get_function_arguments(p.id), '(^|, )IN ', '\1', 'g'), 'returns ' || pg_get_function_result(p.id), provolatile, 'parallel ' || nullif(j->>'proparallel', 'u'),
	case when proisstrict then 'strict' end, case when prosecdef then 'security definer' end, case when proleakproof then 'leakproof' end,
	'cost', procost, 'rows', prorows, 'support ' || nullif(j->>'prosupport', '-'), 'set ' || proconfig::text,
	(select concat_ws(' ', 'aggregate', a.aggkind, a.aggtransfn, a.aggfinalfn, 'combine ' || nullif(row_to_json(a)->>'aggcombinefn', '-'), a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn,
		a.aggtranstype::regtype, a.aggtransspace, a.agginitval, a.aggminitval, a.aggsortop::regoper)
		from pg_catalog.pg_aggregate a where a.aggfnoid = p.id),
	nullif(probin, ''), prosrc), 0
from routine p join pg_catalog.pg_language l on l.oid = p.prolang

-- since 14 functions whose bodies the server has read
select 'function body', identity, substr(pg_get_functiondef(p.id), strpos(pg_get_functiondef(p.id), 'BEGIN ATOMIC')), 2
from routine p where (j->>'prosqlbody') is not null and j->>'prokind' <> 'a'

-- since 9.4 types
select 'type', t.identity, concat_ws(' ', t.typtype, t.typcategory, case when t.typispreferred then 'preferred' end,
	'enum ' || (select string_agg(quote_literal(e.enumlabel), ', ' order by e.enumsortorder) from pg_catalog.pg_enum e where e.enumtypid = t.id),
	'domain of ' || format_type(nullif(t.typbasetype, 0), t.typtypmod), case when t.typtype = 'd' and t.typnotnull then 'not null' end,
	'collate ' || (select concat(quote_ident(n.nspname), '.', quote_ident(l.collname)) from pg_catalog.pg_collation l join pg_catalog.pg_namespace n on n.oid = l.collnamespace
		where t.typtype = 'd' and l.oid = t.typcollation and l.oid <> (select b.typcollation from pg_catalog.pg_type b where b.oid = t.typbasetype)),
	'default ' || t.typdefault,
	(select concat_ws(' ', 'range of', g.rngsubtype::regtype, g.rngcanonical, g.rngsubdiff, (select c.opcname from pg_catalog.pg_opclass c where c.oid = g.rngsubopc))
		from pg_catalog.pg_range g where g.rngtypid = t.id),
	case when t.typtype = 'b' then concat_ws(' ', t.typinput, t.typoutput, t.typreceive, t.typsend, t.typmodin, t.typmodout, t.typlen, t.typalign, t.typstorage) end), 1
from datatype t

-- since 9.4 operators
select 'operator', i.identity, concat_ws(' ', o.oprcode::regprocedure, o.oprcom::regoperator, o.oprnegate::regoperator, o.oprrest, o.oprjoin,
	case when o.oprcanmerge then 'merges' end, case when o.oprcanhash then 'hashes' end, 'owner', pg_get_userbyid(o.oprowner)), 0
from pg_catalog.pg_operator o join space on space.oid = o.oprnamespace cross join lateral pg_identify_object('pg_catalog.pg_operator'::regclass, o.oid, 0) i
where not exists (select from member m where m.classid = 'pg_catalog.pg_operator'::regclass and m.objid = o.oid)

-- since 9.4 operator classes and families
select 'operator class', i.identity, concat_ws(' ', c.opcintype::regtype, case when c.opcdefault then 'default' end, 'family', f.identity,
	'storage ' || nullif(c.opckeytype, 0)::regtype, 'owner', pg_get_userbyid(c.opcowner)), 0
from pg_catalog.pg_opclass c join space on space.oid = c.opcnamespace
cross join lateral pg_identify_object('pg_catalog.pg_opclass'::regclass, c.oid, 0) i cross join lateral pg_identify_object('pg_catalog.pg_opfamily'::regclass, c.opcfamily, 0) f
where not exists (select from member m where m.classid = 'pg_catalog.pg_opclass'::regclass and m.objid = c.oid)

-- since 9.4 operator families
select 'operator family', i.identity, concat_ws(' ',
	(select string_agg(concat_ws(' ', a.amopstrategy, a.amoppurpose, a.amopopr::regoperator), ', ' order by a.amopstrategy, a.amopopr::regoperator::text)
		from pg_catalog.pg_amop a where a.amopfamily = f.oid),
	(select string_agg(concat_ws(' ', a.amprocnum, a.amproc::regprocedure, a.amproclefttype::regtype, a.amprocrighttype::regtype), ', '
		order by a.amprocnum, a.amproclefttype::regtype::text, a.amprocrighttype::regtype::text) from pg_catalog.pg_amproc a where a.amprocfamily = f.oid),
	'owner', pg_get_userbyid(f.opfowner)), 0
from pg_catalog.pg_opfamily f join space on space.oid = f.opfnamespace cross join lateral pg_identify_object('pg_catalog.pg_opfamily'::regclass, f.oid, 0) i
where not exists (select from member m where m.classid = 'pg_catalog.pg_opfamily'::regclass and m.objid = f.oid)

-- since 9.4 casts
select 'cast', i.identity, concat_ws(' ', nullif(c.castfunc, 0)::regprocedure, c.castcontext, c.castmethod), 0
from pg_catalog.pg_cast c cross join lateral pg_identify_object('pg_catalog.pg_cast'::regclass, c.oid, 0) i
where :outside and c.oid >= 16384 and not exists (select from member m where m.classid = 'pg_catalog.pg_cast'::regclass and m.objid = c.oid)

-- since 9.4 conversions
select 'conversion', i.identity, concat_ws(' ', pg_encoding_to_char(c.conforencoding), pg_encoding_to_char(c.contoencoding), c.conproc,
	case when c.condefault then 'default' end, 'owner', pg_get_userbyid(c.conowner)), 0
from pg_catalog.pg_conversion c join space on space.oid = c.connamespace cross join lateral pg_identify_object('pg_catalog.pg_conversion'::regclass, c.oid, 0) i
where not exists (select from member m where m.classid = 'pg_catalog.pg_conversion'::regclass and m.objid = c.oid)

-- since 9.4 text search configurations
select 'text search configuration', i.identity, concat_ws(' ', (select p.prsname from pg_catalog.pg_ts_parser p where p.oid = c.cfgparser),
	(select string_agg(concat_ws(' ', k.maptokentype, k.mapdict::regdictionary), ', ' order by k.maptokentype, k.mapseqno) from pg_catalog.pg_ts_config_map k where k.mapcfg = c.oid),
	'owner', pg_get_userbyid(c.cfgowner)), 0
from pg_catalog.pg_ts_config c join space on space.oid = c.cfgnamespace cross join lateral pg_identify_object('pg_catalog.pg_ts_config'::regclass, c.oid, 0) i
where not exists (select from member m where m.classid = 'pg_catalog.pg_ts_config'::regclass and m.objid = c.oid)

-- since 9.4 text search dictionaries
select 'text search dictionary', i.identity, concat_ws(' ', (select t.tmplname from pg_catalog.pg_ts_template t where t.oid = c.dicttemplate), c.dictinitoption,
	'owner', pg_get_userbyid(c.dictowner)), 0
from pg_catalog.pg_ts_dict c join space on space.oid = c.dictnamespace cross join lateral pg_identify_object('pg_catalog.pg_ts_dict'::regclass, c.oid, 0) i
where not exists (select from member m where m.classid = 'pg_catalog.pg_ts_dict'::regclass and m.objid = c.oid)

-- since 9.4 text search parsers
select 'text search parser', i.identity, concat_ws(' ', c.prsstart, c.prstoken, c.prsend, c.prsheadline, c.prslextype), 0
from pg_catalog.pg_ts_parser c join space on space.oid = c.prsnamespace cross join lateral pg_identify_object('pg_catalog.pg_ts_parser'::regclass, c.oid, 0) i
where not exists (select from member m where m.classid = 'pg_catalog.pg_ts_parser'::regclass and m.objid = c.oid)

-- since 9.4 text search templates
select 'text search template', i.identity, concat_ws(' ', c.tmplinit, c.tmpllexize), 0
from pg_catalog.pg_ts_template c join space on space.oid = c.tmplnamespace cross join lateral pg_identify_object('pg_catalog.pg_ts_template'::regclass, c.oid, 0) i
where not exists (select from member m where m.classid = 'pg_catalog.pg_ts_template'::regclass and m.objid = c.oid)

-- since 9.5 transforms; older servers say "on language"
select 'transform', replace(i.identity, ' on language ', ' language '), concat_ws(' ', c.trffromsql, c.trftosql), 0
from pg_catalog.pg_transform c cross join lateral pg_identify_object('pg_catalog.pg_transform'::regclass, c.oid, 0) i
where :outside and not exists (select from member m where m.classid = 'pg_catalog.pg_transform'::regclass and m.objid = c.oid)

-- since 9.6 access methods
select 'access method', quote_ident(c.amname), concat_ws(' ', c.amtype, c.amhandler), 0
from pg_catalog.pg_am c where :outside and c.oid >= 16384 and not exists (select from member m where m.classid = 'pg_catalog.pg_am'::regclass and m.objid = c.oid)

-- since 9.4 languages
select 'language', quote_ident(c.lanname), concat_ws(' ', case when c.lanpltrusted then 'trusted' end, c.lanplcallfoid::regproc, c.laninline::regproc, c.lanvalidator::regproc), 0
from pg_catalog.pg_language c where :outside and c.oid >= 16384 and not exists (select from member m where m.classid = 'pg_catalog.pg_language'::regclass and m.objid = c.oid)

-- since 9.4 collations
select 'collation', space.name || '.' || quote_ident(c.collname), concat_ws(' ', coalesce(row_to_json(c)->>'collprovider', 'c'), coalesce(row_to_json(c)->>'collisdeterministic', 'true'),
	case when :same_major then coalesce(row_to_json(c)->>'colllocale', row_to_json(c)->>'colliculocale', c.collcollate::text) end, 'owner', pg_get_userbyid(c.collowner)), 0
from pg_catalog.pg_collation c join space on space.oid = c.collnamespace
where not exists (select from member m where m.classid = 'pg_catalog.pg_collation'::regclass and m.objid = c.oid)

-- since 9.4 extensions; their versions are noted, not compared
select 'extension', quote_ident(e.extname), 'schema ' || n.nspname, 0
from pg_catalog.pg_extension e join pg_catalog.pg_namespace n on n.oid = e.extnamespace where :outside

-- since 10 statistics objects
select 'statistics', space.name || '.' || quote_ident(s.stxname), concat_ws(' ', pg_get_statisticsobjdef(s.oid), 'target ' || nullif(row_to_json(s)->>'stxstattarget', '-1'),
	'owner', pg_get_userbyid(s.stxowner)), 1
from pg_catalog.pg_statistic_ext s join relation r on r.id = s.stxrelid join anywhere space on space.oid = s.stxnamespace

-- since 9.4 event triggers
select 'event trigger', quote_ident(e.evtname), concat_ws(' ', e.evtevent, e.evtfoid::regprocedure, e.evtenabled, e.evttags::text, 'owner', pg_get_userbyid(e.evtowner)), 0
from pg_catalog.pg_event_trigger e
where :outside and not exists (select from member m where m.classid = 'pg_catalog.pg_event_trigger'::regclass and m.objid = e.oid)

-- since 10 publications, but for evac's own
select 'publication', quote_ident(p.pubname), concat_ws(' ', case when p.puballtables then 'all tables' end,
	'insert', p.pubinsert, 'update', p.pubupdate, 'delete', p.pubdelete,
	case when :both_truncate then 'truncate ' || (row_to_json(p)->>'pubtruncate') end, 'via root ' || nullif(row_to_json(p)->>'pubviaroot', 'false'),
	'generated columns ' || nullif(row_to_json(p)->>'pubgencols', 'n'),
	'tables ' || (select string_agg(r.prrelid::regclass::text, ', ' order by r.prrelid::regclass::text) from pg_catalog.pg_publication_rel r where r.prpubid = p.oid),
	'owner', pg_get_userbyid(p.pubowner)), 0
from pg_catalog.pg_publication p where :outside and p.pubname !~ '^evac_'

-- since 15 what publications leave out
select 'publication table', concat(quote_ident(p.pubname), ' of ', r.prrelid::regclass), concat_ws(' ', 'where ' || pg_get_expr(r.prqual, r.prrelid),
	'columns ' || (select string_agg(quote_ident(a.attname), ', ' order by a.attname) from pg_catalog.pg_attribute a where a.attrelid = r.prrelid and a.attnum = any(r.prattrs))), 1
from pg_catalog.pg_publication_rel r join pg_catalog.pg_publication p on p.oid = r.prpubid
where :outside and p.pubname !~ '^evac_' and (r.prqual is not null or r.prattrs is not null)

-- since 15 schemas of publications
select 'publication schema', concat(quote_ident(p.pubname), ' of ', quote_ident(n.nspname)), '', 0
from pg_catalog.pg_publication_namespace r join pg_catalog.pg_publication p on p.oid = r.pnpubid join pg_catalog.pg_namespace n on n.oid = r.pnnspid
where :outside and p.pubname !~ '^evac_'

-- since 10 subscriptions; a copy of one is disabled
select 'subscription', quote_ident(s.subname), concat_ws(' ', 'publications', s.subpublications::text, 'owner', pg_get_userbyid(s.subowner)), 0
from pg_catalog.pg_subscription s join pg_catalog.pg_database d on d.oid = s.subdbid
where :outside and d.datname = current_database() and s.subname !~ '^evac_'

-- since 9.4 foreign-data wrappers
select 'foreign-data wrapper', quote_ident(w.fdwname), concat_ws(' ', nullif(w.fdwhandler, 0)::regproc, nullif(w.fdwvalidator, 0)::regproc, (select string_agg(o, ', ' order by o) from unnest(w.fdwoptions) o)), 0
from pg_catalog.pg_foreign_data_wrapper w
where :outside and not exists (select from member m where m.classid = 'pg_catalog.pg_foreign_data_wrapper'::regclass and m.objid = w.oid)

-- since 9.4 foreign servers
select 'server', quote_ident(s.srvname), concat_ws(' ', w.fdwname, s.srvtype, s.srvversion, (select string_agg(o, ', ' order by o) from unnest(s.srvoptions) o)), 0
from pg_catalog.pg_foreign_server s join pg_catalog.pg_foreign_data_wrapper w on w.oid = s.srvfdw
where :outside and not exists (select from member m where m.classid = 'pg_catalog.pg_foreign_server'::regclass and m.objid = s.oid)

-- since 9.4 user mappings; their options hold passwords
select 'user mapping', case umuser when 0 then 'public' else quote_ident(pg_get_userbyid(umuser)) end || ' on ' || quote_ident(srvname), '', 0
from pg_catalog.pg_user_mappings where :outside

-- since 9.4 owners and rights
select 'rights', trim(o.class || ' ' || o.identity), concat_ws(' ', 'owner', quote_ident(pg_get_userbyid(o.owner)), (
	select string_agg(concat(case x.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(x.grantee)) end, '=', x.privilege_type,
		case when x.is_grantable then '*' end), ' ' order by x.grantee = 0, pg_get_userbyid(x.grantee), x.privilege_type, x.is_grantable)
	from aclexplode(coalesce(o.acl, acldefault(o.kind::"char", o.owner))) x where :both_maintain or x.privilege_type <> 'MAINTAIN')), 0
from owned o

-- since 9.4 rights on columns
select 'rights', 'column ' || relation_name || '.' || quote_ident(attname), (
	select string_agg(concat(case x.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(x.grantee)) end, '=', x.privilege_type,
		case when x.is_grantable then '*' end), ' ' order by x.grantee = 0, pg_get_userbyid(x.grantee), x.privilege_type, x.is_grantable)
	from aclexplode(attacl) x), 0
from attribute where cardinality(attacl) > 0

-- since 9.4 default rights
select 'default rights', concat_ws(' ', quote_ident(pg_get_userbyid(d.defaclrole)), space.name, d.defaclobjtype), (
	select string_agg(concat(case x.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(x.grantee)) end, '=', x.privilege_type,
		case when x.is_grantable then '*' end), ' ' order by x.grantee = 0, pg_get_userbyid(x.grantee), x.privilege_type, x.is_grantable)
	from aclexplode(d.defaclacl) x where :both_maintain or x.privilege_type <> 'MAINTAIN'), 0
from pg_catalog.pg_default_acl d left join space on space.oid = d.defaclnamespace where space.oid is not null or d.defaclnamespace = 0 and :outside

-- since 9.4 settings of the database and of roles; a freeze's own is left out
select 'setting', concat_ws(' ', case when s.setdatabase = 0 then 'of role' else 'of database' end, case when s.setdatabase <> 0 and s.setrole <> 0 then 'for' end,
	quote_ident(pg_get_userbyid(nullif(s.setrole, 0)))), x.list, 0
from pg_catalog.pg_db_role_setting s left join pg_catalog.pg_database d on d.oid = s.setdatabase
cross join lateral (select string_agg(c, ', ' order by c) as list from unnest(s.setconfig) c where c !~ '^default_transaction_read_only=') x
where :outside and x.list is not null and (d.datname = current_database() or s.setdatabase = 0 and s.setrole in (select role from referred))

-- since 9.4 comments
select 'comment', concat_ws(' ', i.type, case i.type when 'transform' then replace(i.identity, ' on language ', ' language ') else i.identity end), d.description, 0
from pg_catalog.pg_description d cross join lateral pg_identify_object(d.classoid, d.objoid, d.objsubid) i
where (d.objoid >= 16384 or d.classoid = 'pg_catalog.pg_largeobject'::regclass
		or d.classoid = 'pg_catalog.pg_namespace'::regclass and d.objoid in (select oid from space) and d.description <> 'standard public schema')
	and not exists (select from member m where m.classid = d.classoid and m.objid = d.objoid)
	and not (i.type in ('subscription', 'publication') and i.identity ~ '^evac_')
	and (:everything
		or d.classoid = 'pg_catalog.pg_class'::regclass and d.objoid in (select id from relation)
		or d.classoid = 'pg_catalog.pg_constraint'::regclass and (select c.conrelid from pg_catalog.pg_constraint c where c.oid = d.objoid) in (select id from relation)
		or d.classoid = 'pg_catalog.pg_trigger'::regclass and (select c.tgrelid from pg_catalog.pg_trigger c where c.oid = d.objoid) in (select id from relation)
		or d.classoid = 'pg_catalog.pg_rewrite'::regclass and (select c.ev_class from pg_catalog.pg_rewrite c where c.oid = d.objoid) in (select id from relation)
		or d.classoid = 'pg_catalog.pg_proc'::regclass and d.objoid in (select id from routine)
		or d.classoid = 'pg_catalog.pg_type'::regclass and d.objoid in (select id from datatype)
		or d.classoid = 'pg_catalog.pg_namespace'::regclass and d.objoid in (select oid from space))

-- since 9.4 the database's comment
select 'comment', 'database', d.description, 0
from pg_catalog.pg_shdescription d join pg_catalog.pg_database b on b.oid = d.objoid
where :outside and d.classoid = 'pg_catalog.pg_database'::regclass and b.datname = current_database()
