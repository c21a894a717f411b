-- Extensions, made before old.sql; the server's build must have contrib.
create schema contrib;
create extension hstore schema contrib;
create extension citext schema contrib;
create extension pg_trgm schema contrib;
create extension btree_gist schema contrib;
create table public.tagged (id serial primary key, attributes contrib.hstore, label contrib.citext unique, room int, span int4range,
	exclude using gist (room with =, span with &&));
insert into public.tagged (attributes, label, room, span)
	select contrib.hstore(array['a', 'q"', 'n'], array[g::text, 'x => y', null]), 'Label ' || g, g, int4range(g, g + 5) from generate_series(1, 500) g;
create index on public.tagged using gin (attributes);
create index on public.tagged using gist ((label::text) contrib.gist_trgm_ops);
