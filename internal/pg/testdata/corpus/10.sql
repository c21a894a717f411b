-- Every kind of object that pg_dump knows of PostgreSQL 10, with what it carries of each. It runs as a superuser in an
-- empty database of that version or a newer one, with nothing from contrib.
create role corpus_owner login password 'pw''d' valid until '2031-02-03 04:05:06+00' connection limit 5;
create role corpus_reader;
create role corpus_group noinherit createdb;
create role "corpus ""odd"" ünï 이름" login connection limit 0;
create role corpus_admin login createrole bypassrls replication;
comment on role corpus_reader is 'reads, it''s said';
grant corpus_reader to corpus_group with admin option;
grant corpus_group to corpus_owner;
grant pg_monitor to corpus_admin;
alter role corpus_owner set search_path = "$user", c, "Odd, path";
alter role corpus_owner set work_mem = '5MB';

create schema c authorization corpus_owner;
create schema "select";
create schema "dots.and spaces ""quoted""" authorization "corpus ""odd"" ünï 이름";
create schema "sixty_three_bytes_long_name_of_a_schema_that_just_fits_in_there";
comment on schema c is E'it''s \\ the\n-- corpus';
grant usage on schema c to corpus_reader with grant option;
grant usage, create on schema c to public;
grant usage on schema c to corpus_admin;

-- types
create type c.shell;
create type c.base;
create function c.base_in(cstring) returns c.base language internal immutable strict as 'textin';
create function c.base_out(c.base) returns cstring language internal immutable strict as 'textout';
create function c.base_recv(internal) returns c.base language internal stable strict as 'textrecv';
create function c.base_send(c.base) returns bytea language internal stable strict as 'textsend';
create type c.base (input = c.base_in, output = c.base_out, receive = c.base_recv, send = c.base_send, like = text, category = 'X', default = 'none', delimiter = ';', collatable = true);
create type c.mood as enum ('sad', 'it''s ok', 'happy');
alter type c.mood add value 'meh' before 'happy';
create type c.none as enum ();
create type c.pair as (a int, "b c" text collate "C", d numeric(7, 3)[]);
create type c.empty as ();
create domain c.posint as int default 7 constraint pos check (value > 0) not null;
create domain c.posint_small as c.posint constraint small check (value < 1000);
create domain c.words as text[] collate "C" check (array_length(value, 1) < 5);
create domain c.late as text;
alter domain c.late add constraint later check (value <> '') not valid;
comment on constraint pos on domain c.posint is 'positive';
create function c.float_diff(float8, float8) returns float8 language sql immutable as 'select $1 - $2';
create type c.span as range (subtype = float8, subtype_diff = c.float_diff);
create type c.texts as range (subtype = text, collation = "C", subtype_opclass = text_pattern_ops);
comment on type c.base is 'base'; comment on type c.mood is 'mood'; comment on column c.pair."b c" is 'column of a type';
alter type c.mood owner to corpus_owner;
grant usage on type c.mood to corpus_reader with grant option;
revoke usage on type c.span from public;
create collation c.german (locale = 'C');
comment on collation c.german is 'none';

-- casts, operators, access methods
create function c.to_pair(int) returns c.pair language sql immutable as 'select row($1, null, null)::c.pair';
create cast (int as c.pair) with function c.to_pair(int) as assignment;
create cast (c.base as text) without function as implicit;
create cast (c.mood as int) with inout;
comment on cast (c.base as text) is 'binary';
create function c.same(c.pair, c.pair) returns bool language sql immutable as 'select ($1).a = ($2).a';
create function c.other(c.pair, c.pair) returns bool language sql immutable as 'select ($1).a <> ($2).a';
create function c.less(c.pair, c.pair) returns bool language sql immutable as 'select ($1).a < ($2).a';
create function c.order(c.pair, c.pair) returns int language sql immutable as 'select btint4cmp(($1).a, ($2).a)';
create function c.negated(c.pair) returns c.pair language sql immutable as 'select row(-($1).a, null, null)::c.pair';
create operator c.=== (leftarg = c.pair, rightarg = c.pair, procedure = c.same, commutator = operator(c.===), negator = operator(c.<!>), restrict = eqsel, join = eqjoinsel, hashes, merges);
create operator c.<!> (leftarg = c.pair, rightarg = c.pair, procedure = c.other, commutator = operator(c.<!>), negator = operator(c.===));
create operator c.<<< (leftarg = c.pair, rightarg = c.pair, procedure = c.less);
create operator c.-! (rightarg = c.pair, procedure = c.negated);
comment on operator c.=== (c.pair, c.pair) is 'same'; comment on operator c.-! (none, c.pair) is 'prefix';
create operator family c.pairs using btree;
create operator class c.pair_ops default for type c.pair using btree family c.pairs as operator 1 c.<<<, operator 3 c.===, function 1 c.order(c.pair, c.pair);
alter operator family c.pairs using btree add function 2 (c.pair, c.pair) btint4sortsupport(internal);
create operator class c.int_hash for type int using hash as operator 1 =, function 1 hashint4(int);
comment on operator class c.pair_ops using btree is 'orders'; comment on operator family c.pairs using btree is 'family';
alter operator class c.pair_ops using btree owner to corpus_owner;
create access method c_gist type index handler gisthandler;
comment on access method c_gist is 'gist again';

-- functions
create function c.touch() returns trigger language plpgsql as $a$begin /* $b$ 'quote' "name" ; */ new.changed := now(); return new; end$a$;
create function c.many(a int, inout b text default 'it''s', out d c.mood, variadic e int[] default '{1}') language plpgsql cost 77 as $$begin d := 'sad'; end$$;
create function c.rows(n int default 3) returns setof c.pair language sql stable rows 9 parallel restricted leakproof as 'select row(g, null, null)::c.pair from generate_series(1, n) g';
create function c.tabular() returns table (x int, "y z" text) language sql as 'select 1, $x$a$x$::text';
create function c.secure() returns int language sql security definer set search_path = c, pg_temp set "DateStyle" = 'ISO, DMY' set work_mem from current as 'select 1';
create function c."odd"";name"(int) returns int language sql called on null input as 'select $1';
create function c.window_like() returns bigint language internal window as 'window_row_number';
comment on function c.touch() is 'touches';
alter function c.secure() owner to corpus_owner;
revoke all on function c.secure() from public;
grant execute on function c.secure() to corpus_reader with grant option;
set session authorization corpus_reader;
grant execute on function c.secure() to corpus_group;
reset session authorization;
create function c.unaccum(float8[], float8) returns float8[] language sql immutable strict as 'select $1';
create aggregate c.total(int) (sfunc = int4pl, stype = int, initcond = '0', combinefunc = int4pl, parallel = safe);
create aggregate c.moving(float8) (sfunc = float8_accum, stype = float8[], finalfunc = float8_avg, initcond = '{0,0,0}', msfunc = float8_accum, minvfunc = c.unaccum, mfinalfunc = float8_avg, mstype = float8[], minitcond = '{0,0,0}');
create aggregate c.pick(float8 order by anyelement) (sfunc = ordered_set_transition, stype = internal, finalfunc = percentile_disc_final, finalfunc_extra);
create aggregate c.ranked(variadic "any" order by variadic "any") (sfunc = ordered_set_transition_multi, stype = internal, finalfunc = rank_final, finalfunc_extra, hypothetical);
create aggregate c.least(int) (sfunc = int4smaller, stype = int, sortop = <);
comment on aggregate c.total(int) is 'sums';
create conversion c.latin for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8;
create default conversion c.latin_default for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8;
comment on conversion c.latin is 'latin';
create function c.pl_handler() returns language_handler language c as '$libdir/plpgsql', 'plpgsql_call_handler';
create function c.pl_inline(internal) returns void language c as '$libdir/plpgsql', 'plpgsql_inline_handler';
create function c.pl_check(oid) returns void language c as '$libdir/plpgsql', 'plpgsql_validator';
create trusted language plcorpus handler c.pl_handler inline c.pl_inline validator c.pl_check;
comment on language plcorpus is 'plpgsql again';
alter language plcorpus owner to corpus_owner;
revoke usage on language plcorpus from public;
grant usage on language plcorpus to corpus_reader;
create function c.told() returns int language plcorpus as 'begin return 1; end';
create function c.from_sql(internal) returns internal language internal immutable as 'prsd_lextype';
create transform for c.pair language plcorpus (from sql with function c.from_sql(internal));
comment on transform for c.pair language plcorpus is 'transform';

-- text search
create text search parser c.parser (start = prsd_start, gettoken = prsd_nexttoken, end = prsd_end, lextypes = prsd_lextype, headline = prsd_headline);
create text search template c.template (lexize = dsimple_lexize, init = dsimple_init);
create text search dictionary c.dictionary (template = c.template, accept = false);
create text search configuration c.configuration (parser = c.parser);
alter text search configuration c.configuration add mapping for asciiword, word with c.dictionary, english_stem;
comment on text search parser c.parser is 'p'; comment on text search template c.template is 't'; comment on text search dictionary c.dictionary is 'd'; comment on text search configuration c.configuration is 'c';
alter text search dictionary c.dictionary owner to corpus_owner;

-- sequences
create sequence c.plain;
create sequence c.odd as smallint increment -3 minvalue -900 maxvalue -1 start -4 cache 5 cycle;
select setval('c.odd', -7, false);
comment on sequence c.odd is 'down';
grant usage, select on sequence c.odd to corpus_reader;
alter sequence c.plain owner to corpus_owner;

-- tables
create table c.things (
	id int generated always as identity (start 5 increment 5 cache 2) primary key, by_default bigint generated by default as identity,
	mood c.mood default 'sad' not null, pair c.pair, amount c.posint_small, words c.words, b c.base, span c.span,
	gone int, name text collate "POSIX" constraint named check (name <> 'x') no inherit, changed timestamptz default now(), total numeric(12, 2) default 1.50, bits bit varying(9), ref oid,
	constraint things_name unique (name) deferrable initially deferred, constraint ordered check (id > 0)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.03, toast.autovacuum_enabled = false, user_catalog_table = false);
alter table c.things drop column gone;
alter table c.things alter name set storage external, alter words set storage main, alter name set statistics 321, alter total set (n_distinct = -0.4, n_distinct_inherited = 7);
insert into c.things (mood, pair, amount, words, b, span, name, total, bits)
	select case g % 3 when 0 then 'sad' when 1 then 'meh' else 'it''s ok' end::c.mood, row(g, 'b' || g, array[g / 3.0])::c.pair, 1 + g % 900, array['w' || g, null], ('b' || g)::text::c.base, c.span(g, g + 1.5), 'n' || g, g / 7.0, g::bit(8)::varbit
	from generate_series(1, 2000) g;
comment on table c.things is 'things';
comment on column c.things.name is E'na\tme'; comment on constraint ordered on c.things is 'positive';
create index things_expression on c.things using btree ((total * 2) desc nulls last, lower(name) collate "C" text_pattern_ops) with (fillfactor = 60) where amount > 3;
create unique index things_by on c.things (by_default, id);
create index things_pair on c.things (pair c.pair_ops);
create index things_hash on c.things using hash (id c.int_hash);
create index things_words on c.things using gin (words array_ops) with (fastupdate = off, gin_pending_list_limit = 99);
create index things_span on c.things using gist (span) with (buffering = off);
create index things_brin on c.things using brin (id) with (pages_per_range = 16, autosummarize = on);
create index things_point on c.things using spgist (point(id, id));
comment on index c.things_hash is 'hash';
alter table c.things cluster on things_by;
alter table c.things replica identity using index things_by;
alter table c.things owner to corpus_owner;
grant select, references on c.things to corpus_reader with grant option;
grant update (name, total), select (id) on c.things to corpus_group;
set session authorization corpus_reader;
grant select on c.things to "corpus ""odd"" ünï 이름";
reset session authorization;
create statistics c.things_stat (ndistinct, dependencies) on mood, amount, name from c.things;
comment on statistics c.things_stat is 'extended';
alter statistics c.things_stat owner to corpus_owner;

create table c.parent (id int primary key, kind text not null default 'p', constraint inherited check (id < 100000));
create table c.child (extra int, kind text default 'c', check (extra > 0)) inherits (c.parent);
create table c.second (id int, note text);
create table c.both () inherits (c.child, c.second);
insert into c.parent select g from generate_series(1, 20) g; insert into c.child select g, 'c', 1 from generate_series(21, 30) g; insert into c.both (id, extra, note) select g, 1, 'b' from generate_series(31, 40) g;
create table c.adopted (id int not null, kind text not null, constraint inherited check (id < 100000));
alter table c.adopted inherit c.parent;

create table c.tree (id int primary key, up int references c.tree on delete set null on update cascade deferrable initially deferred, constraint no_self check (id <> up));
insert into c.tree select g, nullif(g / 3, 0) from generate_series(1, 300) g;
create table c.egg (id int primary key, hen int); create table c.hen (id int primary key, egg int references c.egg match full on update restrict);
alter table c.egg add constraint egg_hen foreign key (hen) references c.hen deferrable;
insert into c.egg values (1); insert into c.hen values (1, 1); update c.egg set hen = 1;
create table c.orphan (egg int); insert into c.orphan values (99);
alter table c.orphan add constraint orphan_egg foreign key (egg) references c.egg not valid;
alter table c.orphan add constraint orphan_check check (egg < 50) not valid;
comment on constraint orphan_egg on c.orphan is 'one day';
create table c.booked (room int, during tsrange, note circle, constraint no_overlap exclude using gist (during with &&, note with &&) where (room > 0) deferrable, exclude using gist (note with &&));
insert into c.booked select 1, tsrange(timestamp '2025-01-01' + g * interval '1 day', timestamp '2025-01-01' + g * interval '1 day' + interval '1 h'), circle(point(g * 10, 0), 1) from generate_series(1, 50) g;
create table c.keyed (a int, b int, constraint keyed_pk primary key (b, a) with (fillfactor = 50));
create unique index keyed_uq on c.keyed (a); alter table c.keyed add constraint keyed_uq unique using index keyed_uq;
create table c.nothing (); insert into c.nothing default values; insert into c.nothing default values;
create table c.hollow (a int, b int); alter table c.hollow drop column a, drop column b; insert into c.hollow default values;
create table c.first_dropped (x int, a int, y int, b text default 'b'); alter table c.first_dropped drop column x, drop column y; insert into c.first_dropped values (1), (2);
create table c.typed of c.pair (a with options not null default 3, primary key (a)); insert into c.typed values (1, 'b', '{1.5}');
create unlogged table c.unlogged (id serial primary key, t text) with (autovacuum_enabled = off); insert into c.unlogged (t) select 't' || g from generate_series(1, 99) g;
create table c.full_identity (a int); alter table c.full_identity replica identity full;
create table c.no_identity (a int primary key); alter table c.no_identity replica identity nothing;
create table "select"."from" ("where" int primary key, "a.b" text default 'it''s', "%s $1 \" text, "sp ace
line" int, "ünïcode_이름" int, "sixty_three_bytes_long_name_of_a_column_that_just_fits_in_there_" int);
insert into "select"."from" select g, E'tab\tnewline\nback\\slash', '\N', g, g, g from generate_series(1, 50) g;
create index "odd "" index; name" on "select"."from" ("sp ace
line", "%s $1 \");
create view "dots.and spaces ""quoted"""."view ""v""" as select "where" as "w""" from "select"."from";
comment on column "select"."from"."a.b" is 'odd';
create temporary table not_there (a int);

-- partitions
create table c.log (at date not null, region text, n int) partition by range (at, lower(region));
create table c.log_old partition of c.log for values from (minvalue, minvalue) to ('2024-01-01', 'm');
create table c.log_new (n int, gone int, region text, at date not null); alter table c.log_new drop column gone;
alter table c.log attach partition c.log_new for values from ('2024-01-01', 'm') to (maxvalue, maxvalue);
create table c.listed (k int, region text) partition by list (region);
create table c.listed_ab partition of c.listed (k default 9, constraint ab check (k < 1000)) for values in ('a', 'b', null) partition by range (k);
create table c.listed_ab_low partition of c.listed_ab for values from (minvalue) to (500);
create table c.listed_ab_high partition of c.listed_ab for values from (500) to (maxvalue) with (fillfactor = 90);
create table "select"."part it.ion" partition of c.listed for values in ('it''s');
insert into c.log select date '2023-01-01' + g, chr(97 + g % 26), g from generate_series(1, 900) g;
insert into c.listed select g, (array['a', 'b', 'it''s', null])[1 + g % 4] from generate_series(1, 900) g;
create table c.childless (a int) partition by range (a);
create index log_new_n on c.log_new (n); alter table c.listed_ab_low add primary key (k);

-- views, rules, triggers, policies
create view c.plain_view with (security_barrier = true) as select t.id, t.name, o.k from c.things t join c.listed o on o.k = t.id;
create view c.checked_view as select p.id, p.kind from c.parent p where p.id > 0 with cascaded check option;
alter view c.checked_view alter kind set default 'v';
create view c.on_view as select v.id, count(*) as n from c.plain_view v group by v.id;
create recursive view c.recursive_view (id, depth) as select id, 0 from c.tree where up is null union all select t.id, r.depth + 1 from c.tree t join recursive_view r on t.up = r.id;
create view c.no_columns as select;
-- two views that need each other
create view c.knot as select 1 as a; create view c.knot_two as select a from c.knot; create or replace view c.knot as select k.a from (select 2 as a) k where exists (select 1);
comment on view c.plain_view is 'plain'; comment on column c.plain_view.k is 'k';
grant select on c.plain_view to corpus_reader; alter view c.plain_view owner to corpus_owner; grant select on c.listed to corpus_owner;
create materialized view c.filled as select t.mood, count(*) as n, sum(t.total) as total from c.things t group by t.mood with data;
create unique index filled_key on c.filled (mood); alter materialized view c.filled cluster on filled_key; alter materialized view c.filled alter mood set statistics 5;
create materialized view c.on_filled with (fillfactor = 80) as select f.mood from c.filled f join c.on_view v on v.n = f.n;
create materialized view c.unfilled as select 1 as a with no data;
comment on materialized view c.filled is 'filled';
create function c.uses_view() returns setof c.plain_view language sql as 'select * from c.plain_view';
create trigger t_before before insert or update of name, total on c.things for each row when (new.total > 0) execute procedure c.touch('arg', 'it''s');
create trigger t_truncate after truncate on c.things for each statement execute procedure c.touch();
create trigger t_old after update on c.things referencing old table as was new table as "is" for each statement execute procedure c.touch();
create constraint trigger t_late after insert on c.things from c.egg deferrable initially deferred for each row execute procedure c.touch();
create trigger t_instead instead of delete on c.plain_view for each row execute procedure c.touch();
alter table c.things disable trigger t_truncate, enable replica trigger t_before, enable always trigger t_old;
comment on trigger t_before on c.things is 'before';
create rule r_insert as on insert to c.on_view do instead insert into c.parent values (new.id);
create rule r_also as on update to c.parent do also (delete from c.parent where false; notify changed);
create rule r_nothing as on delete to c.on_view do instead nothing;
alter table c.parent disable rule r_also;
comment on rule r_also on c.parent is 'also';
alter table c.things enable row level security; alter table c.tree enable row level security, force row level security;
create policy p_all on c.things using (true) with check (total > 0);
create policy p_read on c.things as restrictive for select to corpus_reader, corpus_group using (name <> 'secret' and exists (select 1 from c.egg));
create policy p_write on c.tree for insert to public with check (id > 0);
comment on policy p_all on c.things is 'all';

-- foreign data
create foreign data wrapper c_fdw options (a 'b');
create server c_server type 'kind' version '1.2' foreign data wrapper c_fdw options (host 'nowhere.invalid', "odd name" 'it''s');
create user mapping for corpus_reader server c_server options (user 'u', password 'hidden'); create user mapping for public server c_server;
create foreign table c.remote (id int options (column_name 'ID') not null, t text collate "C" default 'x', check (id > 0)) server c_server options (schema_name 's', table_name 'T');
create foreign table c.remote_part partition of c.childless for values from (0) to (10) server c_server;
alter foreign table c.remote alter id set statistics 9;
comment on foreign data wrapper c_fdw is 'f'; comment on server c_server is 's'; comment on foreign table c.remote is 'r'; comment on column c.remote.id is 'i';
grant usage on foreign data wrapper c_fdw to corpus_owner with grant option; grant usage on foreign server c_server to corpus_reader; grant select (id) on c.remote to corpus_reader;
alter server c_server owner to corpus_owner;

-- publications, default privileges, large objects
create publication c_all for all tables;
create publication c_some for table c.parent, c.tree, only c.child with (publish = 'insert,delete');
create publication c_none;
comment on publication c_some is 'some'; alter publication c_some owner to corpus_owner;
alter default privileges for role corpus_owner in schema c grant select, insert on tables to corpus_reader with grant option;
alter default privileges for role corpus_owner revoke all on functions from public;
alter default privileges for role corpus_owner grant usage on types to corpus_reader;
alter default privileges for role corpus_owner in schema c grant usage on sequences to corpus_group;
alter default privileges grant usage on schemas to corpus_reader;
select lo_from_bytea(810001, decode(repeat('00ff5c', 30000), 'hex')), lo_from_bytea(810002, ''), lo_from_bytea(810003, 'text');
alter large object 810001 owner to corpus_owner; grant select, update on large object 810002 to corpus_reader with grant option; comment on large object 810003 is 'large';
update c.things set ref = 810001 where id = 5;

-- the database itself
do $$ begin
	execute format('comment on database %I is %L', current_database(), 'the ''corpus''');
	execute format('alter database %I set timezone = ''Asia/Seoul''', current_database());
	execute format('alter database %I set search_path = c, "Odd, path", public', current_database());
	execute format('alter database %I set corpus.own = ''x, "y" = z''', current_database());
	execute format('alter role corpus_owner in database %I set work_mem = ''8192kB''', current_database());
	execute format('alter role "corpus ""odd"" ünï 이름" in database %I set enable_seqscan = off', current_database());
	execute format('revoke all on database %I from public', current_database());
	execute format('grant create, connect on database %I to corpus_group with grant option', current_database());
	execute format('grant temporary on database %I to corpus_reader', current_database());
	set local role corpus_group; execute format('grant connect on database %I to corpus_reader', current_database()); reset role;
	execute format('alter database %I owner to corpus_owner', current_database());
end $$;
create function c.on_event() returns event_trigger language plpgsql as 'begin end';
create event trigger e_plain on ddl_command_end when tag in ('CREATE TABLE', 'DROP VIEW') execute procedure c.on_event();
create event trigger e_off on sql_drop execute procedure c.on_event(); alter event trigger e_off disable;
create event trigger e_rewrite on table_rewrite execute procedure c.on_event(); alter event trigger e_rewrite enable replica;
comment on event trigger e_plain is 'plain'; 
