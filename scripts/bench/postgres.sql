-- The dataset of bench-postgres, beside pgbench's own tables: what costs a copy
-- time (wide JSON documents under four indexes, incompressible files, partitions,
-- texts under trigrams) and some of what copies lose.
\set ON_ERROR_STOP on
create extension if not exists pg_trgm;
create schema shop;
create type shop.state as enum ('new', 'paid', 'sent', 'back');
create table shop.document (id bigint primary key, made timestamptz not null, body jsonb not null);
insert into shop.document
	select g, timestamptz '2024-02-01' + g * interval '13 s', jsonb_build_object(
		'no', g, 'mail', 'c' || g || '@example.net', 'hash', md5(g::text), 'home', jsonb_build_object('road', md5((g * 7)::text), 'at', jsonb_build_array(g % 180 / 3.0, g % 90 / 7.0)),
		'words', jsonb_build_array('w' || g % 53, 'w' || g % 29, 'w' || g % 13), 'open', g % 4 = 0, 'points', (g % 911) / 9.0, 'left', md5((g * 11)::text), 'right', md5((g * 13)::text),
		'lines', jsonb_build_array(jsonb_build_object('article', 'a' || g % 4801, 'n', g % 8), jsonb_build_object('article', 'a' || g % 4799, 'n', g % 6)))
	from generate_series(1, 10000 * :scale) g;
create index document_mail on shop.document ((body ->> 'mail'));
create index document_made on shop.document (made);
create index document_words on shop.document using gin ((body -> 'words') jsonb_path_ops);
create table shop.file (id int primary key, name text, data bytea);
alter table shop.file alter data set storage external;
insert into shop.file select g, 'file ' || g, (select decode(string_agg(md5(g || '/' || i), ''), 'hex') from generate_series(1, 1024) i) from generate_series(1, 96 * :scale) g;
create table shop.customer (id bigint generated always as identity primary key, name text not null, mail text not null unique, born date, balance numeric(16, 4) not null, tags text[] not null);
insert into shop.customer (name, mail, born, balance, tags)
	select 'Customer ' || md5(g::text), 'c' || g || '@example.net', date '1950-01-01' + g % 20000, (g::int8 * 7907 % 999983) / 1000.0, array['t' || g % 7, 't' || g % 11] from generate_series(1, 4000 * :scale) g;
create index customer_name on shop.customer using gin (name gin_trgm_ops);
create index customer_tags on shop.customer using gin (tags);
create index customer_rich on shop.customer (balance desc) where balance > 900;
create table shop.sale (id bigserial, customer_id bigint not null, day date not null, total numeric(12, 2) not null check (total >= 0), note text, state shop.state not null, primary key (id, day)) partition by range (day);
do $$ begin
	for m in 1..12 loop
		execute format('create table shop.sale_%s partition of shop.sale for values from (%L) to (%L)', m, make_date(2025, m, 1), make_date(2025, m, 1) + interval '1 month');
	end loop;
end $$;
insert into shop.sale (customer_id, day, total, note, state)
	select 1 + g % (4000 * :scale), date '2025-01-01' + g % 365, g % 99991 / 100.0, repeat('word ', g % 9) || g, (array['new', 'paid', 'sent']::shop.state[])[1 + g % 3] from generate_series(1, 24000 * :scale) g;
create index sale_customer on shop.sale (customer_id);
create index sale_day on shop.sale (day, total);
alter table shop.sale add foreign key (customer_id) references shop.customer;
create unlogged table shop.basket (k text primary key, v text);
insert into shop.basket select 'k' || g, md5(g::text) from generate_series(1, 1000) g;
create table shop.attachment (id int primary key, object oid);
insert into shop.attachment select g, lo_from_bytea(0, (select data from shop.file where id = g)) from generate_series(1, 10 * :scale) g;
create materialized view shop.days as select day, count(*) as n, sum(total) as total from shop.sale group by 1;
create unique index days_day on shop.days (day);
