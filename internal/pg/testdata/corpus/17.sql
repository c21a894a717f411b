-- What came with PostgreSQL 17.
alter table c.things alter column amount set statistics default;
create collation c.builtin (provider = builtin, locale = 'C.UTF-8');
create table c.sorted (t text collate c.builtin primary key); insert into c.sorted values ('b'), ('A');
grant maintain on c.things to corpus_reader;
create table c.identity_parts (id bigint generated always as identity, d date) partition by range (d);
create table c.identity_part partition of c.identity_parts for values from ('2025-01-01') to ('2026-01-01'); insert into c.identity_parts (d) values ('2025-05-05');
create event trigger e_login on login execute function c.on_event();
