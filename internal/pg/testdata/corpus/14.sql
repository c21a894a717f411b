-- What came with PostgreSQL 14.
create type c.multi as range (subtype = int, multirange_type_name = c.multi_many);
create table c.ranges (m c.multi_many, f nummultirange default '{[1,2)}', t text compression pglz); insert into c.ranges values ('{[1,3),[7,9)}', '{}', 'x');
create function c.atomic(n int default 1) returns int language sql begin atomic select n + count(*)::int from c.first_dropped f; end;
create procedure c.atomic_out(n int, out b int) language sql begin atomic insert into c.first_dropped values (n); select n; end;
create statistics c.expression_stat on (lower(name)), (total * 2), mood from c.things;
create statistics c.one_expression on (id % 7) from c.things;
grant pg_read_all_data to corpus_reader;
create index things_bloomy on c.things using brin (id int4_bloom_ops (n_distinct_per_range = 99), total numeric_minmax_multi_ops);
create table c.odd_types (x8 xid8, l pg_lsn, s pg_snapshot, jp jsonpath); insert into c.odd_types values ('7', '16/B374D848', '10:20:10,14', '$.a[*] ? (@ > 1)');
create view c.searched as with recursive w(id, up) as (select id, up from c.tree where up is null union all select t.id, t.up from c.tree t join w on t.up = w.id) search depth first by id set o cycle id set is_cycle using path select id, is_cycle from w order by o;
alter table c.log detach partition c.log_old; alter table c.log attach partition c.log_old for values from (minvalue, minvalue) to ('2024-01-01', 'm');
