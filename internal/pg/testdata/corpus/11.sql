-- What came with PostgreSQL 11.
create procedure c.committing(inout n int) language plpgsql as $$begin insert into c.first_dropped values (n); commit; n := n + 1; rollback; end$$;
comment on procedure c.committing(int) is 'commits';
grant execute on procedure c.committing(int) to corpus_reader;
create table c.hashed (id bigint, t text, primary key (id)) partition by hash (id);
create table c.hashed_0 partition of c.hashed for values with (modulus 3, remainder 0);
create table c.hashed_1 partition of c.hashed for values with (modulus 3, remainder 1) partition by hash (id);
create table c.hashed_1_a partition of c.hashed_1 for values with (modulus 2, remainder 0);
create table c.hashed_1_b partition of c.hashed_1 for values with (modulus 2, remainder 1);
create table c.hashed_2 (t text, id bigint not null); alter table c.hashed attach partition c.hashed_2 for values with (modulus 3, remainder 2);
create table c.log_rest partition of c.listed default;
insert into c.hashed select g, 't' || g from generate_series(1, 3000) g;
create table c.big_key (id bigint primary key); insert into c.big_key select generate_series(1, 3000);
create index hashed_t on c.hashed (t); create unique index hashed_tid on only c.hashed (t, id);
create index hashed_length on c.hashed (length(t)) with (fillfactor = 66); alter index c.hashed_length alter column 1 set statistics 44;
alter table c.hashed add constraint hashed_check check (id > 0), add constraint hashed_self foreign key (id) references c.big_key deferrable;
create trigger hashed_each after insert on c.hashed for each row execute function c.touch();
create unique index keyed_include on c.keyed (a) include (b); alter table c.keyed add constraint keyed_include unique using index keyed_include deferrable;
alter table c.things alter total set default 2.5; alter table c.first_dropped add column late int not null default 42; insert into c.first_dropped values (3);
create function c.supported(a int[] default array[1]) returns int language sql as 'select a[1]';
create domain c.domain_array as c.mood[] check (value[1] is not null);
create operator class c.range_gist default for type anyrange using c_gist as operator 3 && (anyrange, anyrange),
	function 1 range_gist_consistent(internal, anyrange, smallint, oid, internal), function 2 range_gist_union(internal, internal),
	function 5 range_gist_penalty(internal, internal, internal), function 6 range_gist_picksplit(internal, internal), function 7 range_gist_same(anyrange, anyrange, internal);
create index things_own_gist on c.things using c_gist (span) with (buffering = off);
