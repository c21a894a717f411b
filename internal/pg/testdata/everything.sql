-- Every kind of object and every odd value that a copy must carry. It runs in an empty database of PostgreSQL 14 or
-- newer as a superuser, with nothing from contrib, no ICU and no XML.
create role evac_owner login password 'owner''s' connection limit 7 valid until '2031-02-03 04:05:06+00';
create role evac_group noinherit;
create role evac_reader;
create role evac_member login; -- nothing refers to it but its membership
create role "evac ""odd"" 이름" createdb;
comment on role evac_owner is 'owns; and ''quotes''';
grant evac_reader to evac_group with admin option;
grant evac_group to evac_owner;
grant evac_reader to evac_member;
grant pg_read_all_stats to evac_owner;
alter role evac_owner set search_path = "$user", app, "Odd, path", '';
alter role evac_reader set statement_timeout = '7s';

create schema app authorization evac_owner;
create schema "Odd ""schema"", 이름
line" authorization "evac ""odd"" 이름";
create schema empty_schema;
comment on schema app is E'with ''quotes'', \\ and\nTOC lines:\n--\n-- TOC entry 1 (class 1259 OID 1)\n-- Name: x; Type: INDEX; Schema: app; Owner: y\n--';
comment on schema public is 'changed here';
grant create on schema public to evac_reader;

-- types
create type app.mood as enum ('sad', 'ok', 'happy''s');
alter type app.mood add value 'elated' after 'happy''s';
alter type app.mood add value 'meh' before 'ok';
create type app.addr as (street text, zip varchar(5));
create domain app.posint as int not null default 1 constraint positive check (value > 0);
create domain app.short as text collate "C";
alter domain app.short add constraint fits check (length(value) < 9) not valid;
create type app.floatrange as range (subtype = float8, subtype_diff = float8mi);
create type app.pair;
create function app.pair_in(cstring) returns app.pair language internal immutable strict as 'int8in';
create function app.pair_out(app.pair) returns cstring language internal immutable strict as 'int8out';
create type app.pair (input = app.pair_in, output = app.pair_out, like = int8);
create collation app.posix (provider = libc, locale = 'POSIX');
create cast (app.addr as text) with inout as assignment;
comment on type app.mood is 'moods';
comment on domain app.posint is 'positive';
alter type app.mood owner to evac_owner;
grant usage on type app.posint to evac_reader;
revoke usage on type app.addr from public;

-- functions
create function app.touch() returns trigger language plpgsql as $body$begin
	-- a body with $$, 'quotes', "names" and
	--
	-- TOC entry 7 (class 1255 OID 7)
	new.changed := now(); return new;
end$body$;
create function app.plus(int, int default 2) returns int language sql immutable parallel safe as 'select $1 + $2';
create function app.atomic(a int) returns int language sql begin atomic select case when a > 0 then 1 else 2 end; end;
create function app.secret() returns int language sql security definer set search_path = app, pg_temp set work_mem = '4MB' as 'select 1';
revoke all on function app.secret() from public;
grant execute on function app.secret() to evac_reader with grant option;
create procedure app.nothing(inout x int) language plpgsql as 'begin x := x + 1; end';
create aggregate app.total(int) (sfunc = int4pl, stype = int, initcond = '0');
create aggregate app.pick(float8 order by anyelement) (sfunc = ordered_set_transition, stype = internal, finalfunc = percentile_disc_final, finalfunc_extra);
create operator app.|+| (leftarg = int, rightarg = int, function = app.plus, commutator = operator(app.|+|));
create operator family app.fam using btree;
create operator class app.ops for type int using btree family app.fam as operator 1 <, operator 2 <=, operator 3 =, operator 4 >=, operator 5 >, function 1 btint4cmp(int, int);
create conversion app.conv for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8;
create function app.handler() returns language_handler language c as '$libdir/plpgsql', 'plpgsql_call_handler';
create language plother handler app.handler;
create access method heap_too type table handler heap_tableam_handler;
comment on function app.plus(int, int) is 'adds';
alter function app.plus(int, int) owner to evac_owner;
create text search dictionary app.dict (template = simple, stopwords = english);
create text search configuration app.conf (copy = simple);
alter text search configuration app.conf alter mapping for word with app.dict;

-- sequences
create sequence app.never;
create sequence app.used increment 5 start 100 cache 7 maxvalue 200000 cycle;
select setval('app.used', 98765);
create sequence app.set_not_called as smallint;
select setval('app.set_not_called', 17, false);
create sequence app.down increment -1 minvalue -100 maxvalue -1;
select nextval('app.down');
grant usage on sequence app.used to evac_reader with grant option;

-- tables
create table app.customer (
	id bigint generated always as identity (start 1000 increment 2) primary key,
	email app.short not null unique, name text collate app.posix not null, mood app.mood not null default 'ok', home app.addr,
	tags text[] not null default '{}', balance numeric(20, 6) not null default 0 check (balance > -1000),
	label text generated always as (id::text || ':' || upper(name)) stored,
	ticket int not null default nextval('app.used'), priority app.posint, changed timestamptz, dropped int);
alter table app.customer drop column dropped;
insert into app.customer (email, name, mood, home, tags, balance)
	select 'u' || g, 'Name ' || g, (array['sad', 'meh', 'ok', 'happy''s', 'elated']::app.mood[])[1 + g % 5], row('street ' || g, null)::app.addr, array['t' || g % 7, null], g / 7.0
	from generate_series(1, 3000) g;
comment on table app.customer is 'customers';
comment on column app.customer.label is 'made';
alter table app.customer alter email set statistics 500, alter name set storage external, alter name set (n_distinct = -0.5);
create index customer_lower on app.customer (lower(email::text) text_pattern_ops desc nulls last) where balance > 10;
create index customer_tags on app.customer using gin (tags) with (fastupdate = off);
create unique index customer_include on app.customer (ticket, id) include (email);
create index customer_brin on app.customer using brin (balance) with (pages_per_range = 8);
create index customer_expr on app.customer (app.plus(priority), ((home).street));
alter index app.customer_expr alter column 1 set statistics 77;
comment on index app.customer_lower is E'lower\n--\n-- TOC entry 5 (class 1259 OID 5)\n--';
alter table app.customer cluster on customer_include;
alter table app.customer replica identity using index customer_email_key;
alter table app.customer owner to evac_owner;
grant select (id, email) on app.customer to "evac ""odd"" 이름";
grant insert, update on app.customer to evac_group with grant option;
set session authorization evac_owner;
grant delete on app.customer to evac_reader;
reset session authorization;
create statistics app.stat (dependencies, ndistinct, mcv) on mood, balance from app.customer;
create statistics app.stat_expr on (lower(email::text)) from app.customer;
alter statistics app.stat set statistics 55;
comment on statistics app.stat is 'extended';

create table app.orders (
	id bigserial, customer bigint not null, placed date not null, total numeric(12, 2) not null, note text, primary key (id, placed)
) partition by range (placed);
create table app.orders_rest partition of app.orders default;
create table app.orders_1 partition of app.orders for values from ('2025-01-01') to ('2025-02-01');
create table app.orders_2 (note text, placed date not null, id bigint not null, customer bigint not null, gone int, total numeric(12, 2) not null);
alter table app.orders_2 drop column gone;
alter table app.orders attach partition app.orders_2 for values from ('2025-02-01') to ('2025-03-01');
insert into app.orders (customer, placed, total, note)
	select 1000 + 2 * (g % 3000), date '2025-01-01' + g % 90, g / 100.0, repeat('note ', g % 9) from generate_series(1, 5000) g;
create index on app.orders (customer);
create index orders_1_only on app.orders_1 (total);
alter table app.orders add constraint orders_customer foreign key (customer) references app.customer on delete cascade deferrable initially deferred;
alter table app.orders_1 set (fillfactor = 80, autovacuum_enabled = false);
create table app.ev (k int, region text, v jsonb) partition by list (region);
create table app.ev_eu partition of app.ev for values in ('eu', null) partition by hash (k);
create table app.ev_eu0 partition of app.ev_eu for values with (modulus 2, remainder 0);
create table app.ev_eu1 partition of app.ev_eu for values with (modulus 2, remainder 1);
create table app.ev_us partition of app.ev for values in ('us');
insert into app.ev select g, case g % 3 when 0 then 'eu' when 1 then 'us' end, jsonb_build_object('g', g) from generate_series(1, 900) g;

create table app.base (a int primary key, b text default 'base');
create table app.child (c text) inherits (app.base);
create table app.grandchild (b text default 'grandchild') inherits (app.child);
insert into app.base select g, 'b' from generate_series(1, 10) g;
insert into app.child select g, 'b', 'c' from generate_series(11, 20) g;
insert into app.grandchild select g, 'b', 'c' from generate_series(21, 30) g;

create table app.booking (room int, during tsrange, exclude using gist (during with &&) where (room = 1));
insert into app.booking select g % 2 + 1, tsrange(timestamp '2025-01-01' + g * interval '1 hour', timestamp '2025-01-01' + g * interval '1 hour' + interval '50 min') from generate_series(1, 99) g;
create table app.emp (id int generated by default as identity primary key, boss int references app.emp, name text);
insert into app.emp (boss, name) select nullif(g / 10, 0), 'e' || g from generate_series(1, 500) g;
create table app.a (id int primary key, b_id int);
create table app.b (id int primary key, a_id int references app.a);
alter table app.a add foreign key (b_id) references app.b deferrable;
insert into app.a values (1, null), (2, null); insert into app.b values (1, 2); update app.a set b_id = 1;
create table app.unchecked (x int, constraint later check (x > 0) no inherit);
insert into app.unchecked values (5);
alter table app.unchecked drop constraint later;
insert into app.unchecked values (-5);
alter table app.unchecked add constraint later check (x > 0) not valid;
comment on constraint later on app.unchecked is 'one day';
create unlogged table app.cache (k text primary key, v bytea);
insert into app.cache select 'k' || g, decode(md5(g::text), 'hex') from generate_series(1, 400) g;
create unlogged table app.cache_id (id int generated always as identity (start 50));
insert into app.cache_id default values;
create table app.no_columns ();
insert into app.no_columns default values; insert into app.no_columns default values;
create table app.only_made (made int generated always as (7) stored);
insert into app.only_made default values; insert into app.only_made default values; insert into app.only_made default values;
create table app.no_rows (x int unique nulls not distinct);
create table app.typed of app.addr (street default 'here');
insert into app.typed values (default, '1');
create table app.heaped (x int) using heap_too;
insert into app.heaped select generate_series(1, 50);
create table "Odd ""schema"", 이름
line"."Ta""ble
%s\" ("Col umn" int primary key, "select" text, "ünï""" text default 'it''s', "a.b" int default 3, "line
feed" text);
insert into "Odd ""schema"", 이름
line"."Ta""ble
%s\" select g, e'a\tb\nc\\N\r' || chr(g + 32), null, g, '\N' from generate_series(1, 700) g;
create index "odd "" index" on "Odd ""schema"", 이름
line"."Ta""ble
%s\" ("ünï""", "line
feed");
create table app.wide (id int primary key, data bytea);
alter table app.wide alter data set storage external;
insert into app.wide select g, decode(repeat(md5(g::text), 3000), 'hex') from generate_series(1, 40) g;
create table app.types (
	id int, i2 int2, f4 float4, f8 float8, n numeric, n2 numeric(5, -2), b bool, c char(5), q "char", vc varchar(7), d date, t time, ttz timetz, ts timestamp, tstz timestamptz,
	iv interval, bi bit(5), vb varbit, by bytea, j json, jb jsonb, jp jsonpath, x xml, pt point, ln line, ls lseg, bx box, pg path, po polygon, ci circle, tv tsvector, tq tsquery,
	r4 int4range, rn numrange, rt tstzrange, fr app.floatrange, m4 int4multirange, fm app.floatmultirange, l pg_lsn, o oid, nm name, u uuid, ip inet, cd cidr, mc macaddr, m8 macaddr8,
	arr int[][], ta text[], ra int4range[], md app.mood[], ad app.addr[], dm app.posint[], money money, rc regclass, rp regprocedure, rt2 regtype, ro regrole, xid8 xid8, tid tid, pr app.pair);
insert into app.types values (
	1, 1, 'NaN', '-Infinity', 'NaN', 12345, true, 'ab', 'x', 'x', 'infinity', '24:00', '12:00+05', '-infinity', 'infinity',
	'1 mon -3 days 04:05:06.7', '10101', '1', '\x00ff5c0a', '{"a": 1.0,"a":2}', '{"a": 1.0}', '$.a[*] ? (@ > 1)', null, '(1,2)', '{1,2,3}', '[(0,0),(1,1)]', '((0,0),(1,1))', '[(0,0),(1,1)]', '((0,0),(1,1),(1,0))', '<(0,0),1>', 'a:1A b:2', 'a & !b',
	'[1,5)', '(,5.5]', '["2000-01-01 00:00+00",infinity]', '[1.5,2.5)', '{[1,2),[5,6)}', '{[1,2),[3,4)}', '16/B374D848', 4294967295, 'nm', '00112233-4455-6677-8899-aabbccddeeff', '10.1.2.3/8', '10.0.0.0/8', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05',
	'[0:1][2:3]={{1,2},{3,NULL}}', '{NULL,"NULL","","a,b","q\"q"}', '{"[1,5)",empty}', '{sad,elated}', '{"(s,)","(,\"z\"\"\")"}', '{1,2}', 1234567.89, 'app.customer', 'app.plus(int,int)', 'app.mood', 'evac_owner', '18446744073709551615', '(7,3)', '99'),
	(2, null, 1e-37, 0.1, 1e100, -67890, false, '', '', '', '0044-03-15 BC', '00:00', '00:00+15:59', '4713-01-01 BC', '294276-12-31 23:59:59.999999+00',
	'-178000000 years', null, '', '', '[]', 'null', null, null, '(NaN,Infinity)', null, null, null, '((1,1))', null, null, '', '',
	'empty', 'empty', null, '(,)', '{}', '{}', '0/0', 0, '', null, '::1', '::/0', null, null, '{}', '{}', '{}', '{}', '{}', '{}', '-0.01', null, null, null, null, null, null, null),
	(3, -32768, '-0', 5e-324, 'Infinity', null, null, '이름', '\377', '이름', '-infinity', '23:59:59.999999', null, '0001-01-01 00:00:00 BC', '-infinity', '00:00:00', null, null, null, '"\u0000"', '"이름\t"', null, null, null, null, null, null, null, null, null, null, null,
	null, '[NaN,]', null, '[-Infinity,Infinity]', null, null, null, null, null, null, null, null, null, null, '{{{1}},{{2}}}', null, null, null, null, null, null, null, null, null, null, null, null, null);

-- large objects
create table app.files (id int primary key, o oid);
insert into app.files select g, lo_from_bytea(900000 + g, decode(repeat(md5(g::text), g), 'hex')) from generate_series(1, 30) g;
select lo_from_bytea(900100, '');
select lo_from_bytea(900101, decode(repeat('00ff10', 900000), 'hex'));
select lo_from_bytea(900102, decode(repeat('ab', 1048576), 'hex'));
alter large object 900001 owner to evac_owner;
grant select on large object 900002 to evac_reader with grant option;
grant update on large object 900002 to public;
revoke all on large object 900003 from postgres;
comment on large object 900004 is 'large ''object''';

-- views, triggers, rules, row security
create view app.v_customer as select id, email, mood from app.customer where balance > 100 with local check option;
create view app.v_barrier with (security_barrier, security_invoker) as select * from app.v_customer;
create view app.v_group as select c.id, c.name, count(*) as n from app.customer c join app.orders o on o.customer = c.id group by c.id;
create recursive view app.v_tree (id, depth) as select id, 1 from app.emp where boss is null union all select e.id, t.depth + 1 from app.emp e join v_tree t on e.boss = t.id;
alter view app.v_customer alter column mood set default 'ok';
comment on view app.v_customer is 'rich';
create materialized view app.m_sales as select placed, count(*) as n, sum(total) as s from app.orders group by 1;
create unique index on app.m_sales (placed);
create materialized view app.m_on_m as select sum(n) as n from app.m_sales;
create materialized view app.m_empty as select 1 as x with no data;
grant select on app.orders to evac_owner;
alter materialized view app.m_sales owner to evac_owner;
create trigger touch before update of name on app.customer for each row when (old.name is distinct from new.name) execute function app.touch();
create trigger off after insert on app.customer for each row execute function app.touch();
alter table app.customer disable trigger off;
create trigger always after delete on app.customer for each row execute function app.touch();
alter table app.customer enable always trigger always;
create trigger statement after update on app.emp referencing old table as o new table as n for each statement execute function app.touch();
create constraint trigger late after insert on app.emp deferrable initially deferred for each row execute function app.touch();
create trigger instead instead of insert on app.v_group for each row execute function app.touch();
create trigger each_part after insert on app.orders for each row execute function app.touch();
alter table app.orders_1 disable trigger each_part;
comment on trigger touch on app.customer is 'touches';
create rule nothing as on delete to app.emp where old.id < 0 do instead (select 1; update app.emp set name = ';' where false);
alter table app.emp disable rule nothing;
alter table app.customer enable row level security;
create policy everyone on app.customer for all to evac_group using (true) with check (balance >= 0);
create policy strict on app.customer as restrictive for select to public using (email <> 'x');
alter table app.emp enable row level security, force row level security;
alter table app.emp replica identity full;

-- foreign data, publications, default privileges, event triggers
create foreign data wrapper dummy options (debug 'true');
create server elsewhere type 't' version 'v' foreign data wrapper dummy options (host 'h', dbname 'd''d');
create user mapping for evac_reader server elsewhere options (user 'u', password 'hidden');
create user mapping for public server elsewhere;
create foreign table app.far (a int options (c 'd') not null, b text) server elsewhere options (t 'x');
grant usage on foreign server elsewhere to evac_reader;
create publication pub_some for table app.emp (id, boss), app.customer where (id > 0) with (publish = 'insert,update');
create publication pub_all for all tables;
create publication pub_schema for tables in schema empty_schema;
alter publication pub_some owner to evac_owner;
alter default privileges for role evac_owner in schema app grant select on tables to evac_reader;
alter default privileges for role evac_owner revoke execute on functions from public;
alter default privileges grant usage on schemas to evac_group;
create table app.seen_ddl (what text);
create function app.on_ddl() returns event_trigger language plpgsql as $$begin insert into app.seen_ddl values (tg_event || ' ' || tg_tag); end$$;
create function app.on_drop() returns event_trigger language plpgsql as $$begin raise exception 'an event trigger fired during the copy'; end$$;
truncate app.seen_ddl;

-- around the database
do $$ begin
	execute format('comment on database %I is %L', current_database(), 'the ''shop''');
	execute format('alter database %I set timezone = ''Asia/Seoul''', current_database());
	execute format('alter database %I set search_path = app, "Odd, path", public', current_database());
	execute format('alter database %I set default_transaction_read_only = off', current_database());
	execute format('alter database %I set evac.own = ''x, "y" = z''', current_database());
	execute format('alter role evac_owner in database %I set work_mem = ''8192kB''', current_database());
	execute format('alter role all in database %I set lc_messages = ''C''', current_database());
	execute format('revoke temporary on database %I from public', current_database());
	execute format('grant create on database %I to evac_group with grant option', current_database());
	execute format('alter database %I owner to evac_owner', current_database());
end $$;

create event trigger on_ddl on ddl_command_end when tag in ('CREATE TABLE') execute function app.on_ddl();
create event trigger on_drop on sql_drop execute function app.on_drop();
create event trigger on_refresh on ddl_command_start when tag in ('REFRESH MATERIALIZED VIEW', 'CREATE INDEX', 'DROP SCHEMA') execute function app.on_drop();
alter event trigger on_drop enable always;
comment on event trigger on_ddl is 'looks';
