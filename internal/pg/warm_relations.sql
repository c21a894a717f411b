-- What has blocks in this database, with how often they were accessed. TOAST
-- tables and their indexes go by the name of their table, which is the same on
-- a logical copy.
select c.oid, coalesce(pg_catalog.pg_relation_filenode(c.oid), 0::oid), c.relkind::text, coalesce(a.amname::text, ''),
	n.nspname::text, t.relname::text, case when c.relkind = 'i' then c.relname::text else '' end,
	case
		when c.relkind = 't' then format('%I.%I (TOAST)', n.nspname, t.relname)
		when c.relkind = 'i' and o.oid is not null then format('%I.%I (index of TOAST)', n.nspname, t.relname)
		else format('%I.%I', n.nspname, c.relname)
	end,
	case
		-- The size of a relation that is locked cannot be asked for.
		when exists (select from pg_catalog.pg_locks l where l.relation = c.oid and l.mode = 'AccessExclusiveLock') then c.relpages
		else coalesce(pg_catalog.pg_relation_size(c.oid), 0) / current_setting('block_size')::int8
	end,
	c.reltuples::float8,
	o.oid is not null,
	has_schema_privilege(n.oid, 'usage') and has_table_privilege(t.oid, 'select'),
	n.nspname in ('pg_catalog', 'information_schema'),
	coalesce(pg_catalog.pg_stat_get_blocks_fetched(c.oid), 0)::float8
from pg_catalog.pg_class c
left join pg_catalog.pg_index x on x.indexrelid = c.oid
left join pg_catalog.pg_am a on a.oid = c.relam and c.relkind = 'i'
left join pg_catalog.pg_class o on o.reltoastrelid = coalesce(x.indrelid, c.oid) and o.reltoastrelid <> 0
join pg_catalog.pg_class t on t.oid = coalesce(o.oid, x.indrelid, c.oid)
join pg_catalog.pg_namespace n on n.oid = t.relnamespace
where c.relkind in ('r', 'm', 't', 'i') and c.relpersistence <> 't' and pg_catalog.pg_relation_filenode(c.oid) is not null
	and (x.indexrelid is null or x.indisvalid)
