-- What came with PostgreSQL 18.
create table c.virtual (a int, twice int generated always as (a * 2) virtual, thrice int generated always as (a * 3), kept int generated always as (a * 4) stored); insert into c.virtual (a) values (1), (2);
create table c.named_nulls (a int constraint a_is_there not null, b int constraint b_alone not null no inherit, c int);
alter table c.named_nulls add constraint c_later not null c not valid;
comment on constraint a_is_there on c.named_nulls is 'there';
create table c.named_child (a int constraint other_name not null) inherits (c.named_nulls);
create table c.temporal (id int4range, valid daterange, primary key (id, valid without overlaps)); insert into c.temporal values ('[1,2)', '[2025-01-01,2026-01-01)');
create table c.temporal_ref (id int, of int4range, valid daterange, foreign key (of, period valid) references c.temporal (id, period valid));
create table c.not_enforced (a int, constraint loosely check (a > 0) not enforced, constraint far foreign key (a) references c.parent not enforced); insert into c.not_enforced values (-1);
create publication c_generated for table c.computed with (publish_generated_columns = stored);
create domain c.named_domain as text constraint filled not null;
create function c.retold(a int) returns int language sql begin atomic select a; end;
create table c.parts_not_valid (a int, b int) partition by range (b); create table c.parts_not_valid_1 partition of c.parts_not_valid for values from (1) to (9);
alter table c.parts_not_valid add constraint fk foreign key (a) references c.parent not valid;
