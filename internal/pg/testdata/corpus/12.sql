-- What came with PostgreSQL 12.
create table c.computed (id int primary key, a int, twice int generated always as (a * 2) stored, label text generated always as ('n' || id) stored not null);
insert into c.computed (id, a) select g, g from generate_series(1, 500) g;
create index computed_twice on c.computed (twice);
create table c.all_computed (a int generated always as (7) stored); insert into c.all_computed default values;
create statistics c.mcv_stat (mcv) on mood, amount from c.things;
create access method c_heap type table handler heap_tableam_handler;
create table c.heaped (a int) using c_heap; insert into c.heaped select generate_series(1, 9);
create materialized view c.heaped_view using c_heap as select a from c.heaped;
create table c.referring (id bigint references c.hashed on delete cascade); insert into c.referring select g from generate_series(1, 100) g;
create function c.support(internal) returns internal language internal as 'generate_series_int4_support';
create function c.planned(int, int) returns setof int language sql support c.support as 'select generate_series($1, $2)';
create index things_gist_include on c.things using gist (point(id, id)) include (amount);
alter table c.things set (vacuum_truncate = false, toast.vacuum_index_cleanup = false);
