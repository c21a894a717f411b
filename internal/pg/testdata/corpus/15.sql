-- What came with PostgreSQL 15.
create table c.one_null (a int, b int, constraint one_null_key unique nulls not distinct (a, b)); insert into c.one_null values (null, 1);
create unique index one_null_b on c.one_null (b) nulls not distinct;
create publication c_filtered for table c.parent (id, kind) where (id > 3), c.tree with (publish = 'insert');
create publication c_schema for tables in schema c, "select";
create view c.invoked with (security_invoker = true, security_barrier = false) as select id from c.parent p;
create unlogged sequence c.unlogged_sequence start 9;
create table c.set_some (a int, b int, foreign key (a, b) references c.keyed (b, a) on delete set null (a) not valid);
grant set on parameter work_mem to corpus_owner with grant option;
grant alter system on parameter corpus.own to corpus_reader;
alter table c.things alter column name set storage extended;
create table c.unlogged_identity (a int generated always as identity, b int) with (fillfactor = 50); alter table c.unlogged_identity set unlogged;
