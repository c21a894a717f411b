-- Conditions that cut a B-tree into parts of about as many rows each, by the
-- histogram of its first key; none where that has another order than the index.
select coalesce(array_agg(concat_ws(' and ',
	case when part > 0 then format('%s operator(%I.%s) %L', h.key, h.schema, h.from_on, h.bounds[1 + part * h.last / h.parts]) end,
	case when part < h.parts - 1 then format('%s operator(%I.%s) %L', h.key, h.schema, h.below, h.bounds[1 + (part + 1) * h.last / h.parts]) end)
	order by part), '{}') || case when min(h.key) is not null and bool_or(h.nulls) then array[min(h.key) || ' is null'] else '{}' end
from (
	select s.bounds, array_upper(s.bounds, 1) - 1 as last, least(array_upper(s.bounds, 1) - 1, $2::int4) as parts, s.nulls,
		format('(%s)%s', pg_catalog.pg_get_indexdef(x.indexrelid, 1, true),
			case when l.oid is not null then format(' collate %I.%I', ln.nspname, l.collname) end) as key,
		n.nspname as schema, below.oprname as below, from_on.oprname as from_on
	from pg_catalog.pg_index x
	join pg_catalog.pg_opclass c on c.oid = x.indclass[0] and c.opcdefault
	join pg_catalog.pg_amop mb on mb.amopfamily = c.opcfamily and mb.amoplefttype = c.opcintype and mb.amoprighttype = c.opcintype and mb.amopstrategy = 1
	join pg_catalog.pg_operator below on below.oid = mb.amopopr
	join pg_catalog.pg_amop mf on mf.amopfamily = c.opcfamily and mf.amoplefttype = c.opcintype and mf.amoprighttype = c.opcintype and mf.amopstrategy = 4
	join pg_catalog.pg_operator from_on on from_on.oid = mf.amopopr
	join pg_catalog.pg_namespace n on n.oid = below.oprnamespace and n.oid = from_on.oprnamespace
	join pg_catalog.pg_class r on r.oid = case x.indkey[0] when 0 then x.indexrelid else x.indrelid end
	join pg_catalog.pg_namespace rn on rn.oid = r.relnamespace
	join pg_catalog.pg_attribute a on a.attrelid = r.oid and a.attnum = case x.indkey[0] when 0 then 1 else x.indkey[0] end
		and a.attcollation = x.indcollation[0]
	left join pg_catalog.pg_collation l on l.oid = x.indcollation[0] left join pg_catalog.pg_namespace ln on ln.oid = l.collnamespace
	cross join lateral (
		select s.histogram_bounds::text::text[] as bounds, not a.attnotnull as nulls from pg_catalog.pg_stats s
		where s.schemaname = rn.nspname and s.tablename = r.relname and s.attname = a.attname and not s.inherited
	) s
	where x.indexrelid = $1 and array_upper(s.bounds, 1) > 2
) h cross join lateral generate_series(0, h.parts - 1) part
