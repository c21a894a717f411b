-- Every kind of object that PostgreSQL 9.4 has, and odd values. It runs in an
-- empty database of 9.4 or any later version as a superuser.
create role evac_old_owner login password 'owner''s' connection limit 7 valid until '2031-02-03 04:05:06+00';
create role evac_old_group noinherit;
create role evac_old_reader;
create role "evac_old ""odd"" 이름" createdb;
comment on role evac_old_owner is 'owns; and ''quotes''';
grant evac_old_reader to evac_old_group with admin option;
grant evac_old_group to evac_old_owner;
alter role evac_old_owner set search_path = "$user", app, "Odd, path";
alter role evac_old_reader set statement_timeout = '7s';

create schema app authorization evac_old_owner;
create schema "Odd ""schema"", 이름" authorization "evac_old ""odd"" 이름";
create schema empty_schema;
comment on schema app is E'with ''quotes'', \\ and\n--\n-- TOC entry 1 (class 1259 OID 1)\n';
grant create on schema public to evac_old_reader;

-- types, functions, operators
create type app.mood as enum ('sad', 'ok', 'happy''s');
alter type app.mood add value 'meh' before 'ok';
create type app.addr as (street text, zip varchar(5), at point, weight float8);
create type app.person as (name text, home app.addr, scores float4[]);
create domain app.posint as int not null default 1 constraint positive check (value > 0);
create domain app.ratio as float8 check (value >= 0 and value <= 1 or value = 2);
create domain app.finer as app.ratio check (value < 3);
create domain app.short as text collate "C";
create type app.floatrange as range (subtype = float8, subtype_diff = float8mi);
create type app.pair;
create function app.pair_in(cstring) returns app.pair language internal immutable strict as 'int8in';
create function app.pair_out(app.pair) returns cstring language internal immutable strict as 'int8out';
create type app.pair (input = app.pair_in, output = app.pair_out, like = int8);
create collation app.posix (locale = 'POSIX');
create function app.plus(a int, b int default 2) returns int language sql immutable strict as 'select a + b';
create function app.touch() returns trigger language plpgsql as $f$
begin
	-- a body with '; "$$ in it
	if tg_op = 'UPDATE' then new.note := coalesce(new.note, '') || '*'; end if;
	return case tg_op when 'DELETE' then old else new end;
end $f$;
create function app.rows_of(n int, out a int, out b text) returns setof record language sql rows 50 cost 7 set work_mem = '4MB' as
	'select g, g::text from generate_series(1, n) g';
create aggregate app.product(int) (sfunc = int4mul, stype = int, initcond = '1');
create operator app.@+ (procedure = app.plus, leftarg = int, rightarg = int);
create cast (app.addr as text) with inout as assignment;
create conversion app.latin for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8;
create text search dictionary app.plain (template = simple, stopwords = english);
create text search configuration app.words (copy = simple);
alter text search configuration app.words alter mapping for asciiword with app.plain, simple;
comment on function app.plus(int, int) is 'adds';
grant execute on function app.plus(int, int) to evac_old_reader;
revoke execute on function app.touch() from public;

-- tables
create table app.customer (
	id bigserial primary key, email text not null unique, name varchar(40), mood app.mood default 'ok', home app.addr, people app.person[],
	priority app.posint, ratio app.finer, tags text[] not null default '{}', born date, balance numeric(12, 2) default 0.00,
	profile jsonb, doc json, gone int, active boolean default true, note text, seen timestamp with time zone default now(),
	check (priority > 0 and balance > -1000 and id > 0),
	constraint named check (name <> '' or email like '%@%')
) with (fillfactor = 90, autovacuum_enabled = true);
alter table app.customer drop column gone;
insert into app.customer (email, name, mood, home, people, priority, ratio, tags, born, balance, profile, doc, active, note)
	select 'user' || g || '@example.com', nullif('이름 ' || g, '이름 7'), (array['sad', 'meh', 'ok', 'happy''s'])[g % 4 + 1]::app.mood,
		row('street "' || g || '"', g % 99999, point(g / 3.0, 1), g / 7.0)::app.addr, array[row('p', row('s', 'z', null, 1e-7 * g)::app.addr, array[g / 3.0, null])::app.person],
		g % 5 + 1, (g % 10) / 10.0, array['t' || g % 7, null, 'quote"d'], date '1970-01-01' + g, g * 1.25,
		('{"a": ' || g || ', "b": [1, "x", null]}')::jsonb, '{"keep":  "spaces", "keep": 2}', g % 3 > 0, e'tab\t, line\n, back\\slash ' || g
	from generate_series(1, 3000) g;
comment on table app.customer is 'who buys';
comment on column app.customer.home is 'where; they''live';
alter table app.customer alter email set statistics 500, alter note set storage external, alter name set (n_distinct = -0.5);
create unique index customer_lower on app.customer (lower(email));
create index customer_partial on app.customer (born desc nulls last) where active and balance > 10 and mood <> 'sad';
create index customer_tags on app.customer using gin (tags);
create index customer_profile on app.customer using gin (profile jsonb_path_ops);
create index customer_expr on app.customer (app.plus(priority), ((home).street));
alter table app.customer cluster on customer_lower;
alter table app.customer replica identity using index customer_email_key;
alter table app.customer owner to evac_old_owner;
grant select (id, email) on app.customer to "evac_old ""odd"" 이름";
grant insert, update on app.customer to evac_old_group with grant option;
set session authorization evac_old_owner;
grant delete on app.customer to evac_old_reader;
reset session authorization;

-- partitions by inheritance, as 9.4 has them
create table app.orders (id serial, customer bigint not null, placed date not null, total numeric(12, 2), note text);
create table app.orders_1 (check (placed >= '2025-01-01' and placed < '2025-02-01'), primary key (id)) inherits (app.orders);
create table app.orders_2 (check (placed >= '2025-02-01' and placed < '2025-03-01'), primary key (id)) inherits (app.orders);
create function app.route() returns trigger language plpgsql as $$
begin
	if new.placed < '2025-02-01' then insert into app.orders_1 values (new.*); else insert into app.orders_2 values (new.*); end if;
	return null;
end $$;
create trigger route before insert on app.orders for each row execute procedure app.route();
insert into app.orders (customer, placed, total) select g % 3000 + 1, date '2025-01-01' + g % 58, g / 100.0 from generate_series(1, 4000) g;
alter table app.orders_1 add foreign key (customer) references app.customer deferrable initially deferred;
alter table app.orders_2 add constraint later foreign key (customer) references app.customer on delete cascade not valid;
create index on app.orders_1 (customer);
create table app.child (extra text default 'child') inherits (app.orders_1);
insert into app.child (id, customer, placed) values (100000, 1, '2025-01-05');

create table app.booking (room int, during tsrange, exclude using gist (during with &&) where (room = 1));
insert into app.booking select g % 2 + 1, tsrange(timestamp '2025-01-01' + g * interval '1 hour', timestamp '2025-01-01' + g * interval '1 hour' + interval '50 min') from generate_series(1, 99) g;
create table app.a (id int primary key, b_id int);
create table app.b (id int primary key, a_id int references app.a);
alter table app.a add foreign key (b_id) references app.b deferrable;
insert into app.a values (1, null), (2, null); insert into app.b values (1, 2); update app.a set b_id = 1;
create unlogged table app.cache (k text primary key, v bytea);
insert into app.cache select 'k' || g, decode(md5(g::text), 'hex') from generate_series(1, 400) g;
create table app.no_columns ();
insert into app.no_columns default values; insert into app.no_columns default values;
create table app.no_key (a int, b text, note text);
insert into app.no_key select g % 10, 'twice' from generate_series(1, 100) g;
create table app.typed of app.addr (street with options default 'here');
insert into app.typed values (default, '1', '(0.1,0.2)', 0.3);
create table "Odd ""schema"", 이름"."Ta""ble %s\" ("Col umn" int primary key, "select" text, "ünï""" text default 'it''s', "a.b" int default 3);
insert into "Odd ""schema"", 이름"."Ta""ble %s\" select g, e'a\tb\nc\\N\r' || chr(g + 32), null, g from generate_series(1, 700) g;
create table app.wide (id int primary key, data bytea);
alter table app.wide alter data set storage external;
insert into app.wide select g, decode(repeat(md5(g::text), 3000), 'hex') from generate_series(1, 40) g;
create table app.types (
	id int, i2 int2, f4 float4, f8 float8, n numeric, n2 numeric(5, 2), b bool, c char(5), q "char", vc varchar(7), d date, t time, ttz timetz, ts timestamp, tstz timestamptz,
	iv interval, bi bit(5), vb varbit, by bytea, j json, jb jsonb, pt point, ls lseg, bx box, pg path, po polygon, ci circle, tv tsvector, tq tsquery,
	r4 int4range, rn numrange, rt tstzrange, fr app.floatrange, l pg_lsn, o oid, nm name, u uuid, ip inet, cd cidr, mc macaddr,
	arr int[][], ta text[], fa float8[], ra int4range[], md app.mood[], ad app.addr[], dm app.ratio, money money, pr app.pair);
insert into app.types values (
	1, 1, 'NaN', '-Infinity', 'NaN', 123.45, true, 'ab', 'x', 'x', 'infinity', '24:00', '12:00+05', '-infinity', 'infinity',
	'1 mon -3 days 04:05:06.7', '10101', '1', '\x00ff5c0a', '{"a": 1.0,"a":2}', '{"a": 1.0}', '(1,2)', '[(0,0),(1,1)]', '((0,0),(1,1))', '[(0,0),(1,1)]', '((0,0),(1,1),(1,0))', '<(0,0),1>', 'a:1A b:2', 'a & !b',
	'[1,5)', '(,5.5]', '["2000-01-01 00:00+00",infinity]', '[1.1,2.7)', '16/B374D848', 4294967295, 'nm', '00112233-4455-6677-8899-aabbccddeeff', '10.1.2.3/8', '10.0.0.0/8', '08:00:2b:01:02:03',
	'[0:1][2:3]={{1,2},{3,NULL}}', '{NULL,"NULL","","a,b","q\"q"}', '{0.1,NaN,1e-300}', '{"[1,5)",empty}', '{sad,ok}', '{"(s,,\"(1,0.7)\",0.1)","(,\"z\",,)"}', 0.7, 1234567.89, '99'),
	(2, null, 1e-37, 0.1, 1e100, -678.90, false, '', '', '', '0044-03-15 BC', '00:00', '00:00+15:59', '4713-01-01 BC', '294276-12-31 23:59:59.999999+00',
	'-178000000 years', null, '', '', '[]', 'null', '(0.1,1e-5)', null, null, '((1,1))', null, null, '', '',
	'empty', 'empty', null, '(,)', '0/0', 0, '', null, '::1', '::/0', null, '{}', '{}', '{}', '{}', '{}', '{}', 0.3, '-0.01', null),
	(3, -32768, '0.1', 5e-324, '1e-10', null, null, '이름', '\377', '이름', '-infinity', '23:59:59.999999', null, '0001-01-01 00:00:00 BC', '-infinity', '00:00:00', null, null, null,
	'"\u00e9"', '"이름\t"', null, null, null, null, null, '<(0.1,0.2),0.3>', null, null,
	null, '[1.50,]', null, '[0.1,0.2]', null, null, null, null, null, null, null, '{{{1}},{{2}}}', null, null, null, null, null, null, null, null);
create sequence app.odd_steps increment -7 minvalue -5000 maxvalue 100 start 93 cache 5 cycle;
select nextval('app.odd_steps'), nextval('app.odd_steps');
create sequence app.unused;
alter sequence app.unused owned by app.wide.id;

-- large objects
create table app.files (id int primary key, o oid);
insert into app.files select g, lo_create(900000 + g) from generate_series(1, 30) g;
insert into app.files values (100, lo_create(900100)), (101, lo_create(900101));
select lo_put(o, 0, decode(repeat(md5(id::text), id), 'hex')) from app.files where id <= 30;
select lo_put(900101, 0, decode(repeat('00ff10', 900000), 'hex'));
alter large object 900001 owner to evac_old_owner;
grant select on large object 900002 to evac_old_reader with grant option;
comment on large object 900004 is 'large ''object''';

-- views, triggers, rules
create view app.v_customer as select id, email, mood from app.customer where balance > 100 with local check option;
create view app.v_barrier with (security_barrier) as select * from app.v_customer;
create view app.v_group as select c.id, c.name, count(*) as n, extract(year from max(o.placed)) as y
	from app.customer c join app.orders o on o.customer = c.id where c.email like '%5%' and (c.active or c.mood in ('ok', 'sad')) group by c.id;
create recursive view app.v_down (n) as values (1) union all select n + 1 from v_down where n < 5;
comment on view app.v_customer is 'rich';
create materialized view app.m_sales as select placed, count(*) as n, sum(total) as s from app.orders group by 1;
create unique index on app.m_sales (placed);
create materialized view app.m_on_m as select sum(n) as n from app.m_sales;
create materialized view app.m_empty as select 1 as x with no data;
grant select on app.orders to evac_old_owner;
alter materialized view app.m_sales owner to evac_old_owner;
create trigger touch before update of name on app.customer for each row when (old.name is distinct from new.name and new.id > 0 and new.active) execute procedure app.touch();
create trigger off after insert on app.customer for each row execute procedure app.touch();
alter table app.customer disable trigger off;
create trigger always after delete on app.customer for each row execute procedure app.touch();
alter table app.customer enable always trigger always;
create constraint trigger late after insert on app.no_key deferrable initially deferred for each row execute procedure app.touch();
create trigger instead instead of insert on app.v_group for each row execute procedure app.touch();
comment on trigger touch on app.customer is 'touches';
create rule redirect as on delete to app.no_key where old.a < 0 do instead (select 1; update app.no_key set b = ';' where false);
create rule quiet as on update to app.v_barrier do instead nothing;
alter table app.no_key disable rule redirect;

-- foreign data, default privileges, event triggers
create foreign data wrapper dummy options (debug 'true');
create server elsewhere type 't' version 'v' foreign data wrapper dummy options (host 'h', dbname 'd''d');
create user mapping for evac_old_reader server elsewhere options (user 'u', password 'hidden');
create foreign table app.far (a int options (c 'd') not null, b text) server elsewhere options (t 'x');
grant usage on foreign server elsewhere to evac_old_reader;
alter default privileges for role evac_old_owner in schema app grant select on tables to evac_old_reader;
alter default privileges for role evac_old_owner revoke execute on functions from public;
create function app.on_ddl() returns event_trigger language plpgsql as $$begin raise exception 'an event trigger fired during the copy'; end$$;

-- around the database
do $$ begin
	execute format('comment on database %I is %L', current_database(), 'the ''shop''');
	execute format('alter database %I set timezone = ''Asia/Seoul''', current_database());
	execute format('alter database %I set search_path = app, "Odd, path", public', current_database());
	execute format('alter database %I set evac.own = ''x, "y" = z''', current_database());
	execute format('alter role evac_old_owner in database %I set work_mem = ''8192kB''', current_database());
	execute format('revoke temporary on database %I from public', current_database());
	execute format('grant create on database %I to evac_old_group with grant option', current_database());
	execute format('alter database %I owner to evac_old_owner', current_database());
end $$;
create event trigger on_ddl on ddl_command_start when tag in ('CREATE TABLE', 'CREATE INDEX', 'DROP SCHEMA') execute procedure app.on_ddl();
create event trigger on_drop on sql_drop execute procedure app.on_ddl();
alter event trigger on_drop enable always;
comment on event trigger on_ddl is 'looks';
