-- What the headcount is measured with; :scale 10 makes about 0.5 GB. The same
-- statements make the same rows on every server.
create table account (id int primary key, branch int, balance int, filler char(84));
insert into account select i, i % 100, i::bigint * 7919 % 100003, '' from generate_series(1, :scale * 200000) i;
create table document (id bigint primary key, made timestamptz not null, doc jsonb not null);
insert into document select i, timestamptz '2024-01-01 00:00Z' + i * interval '17 s', jsonb_build_object('id', i, 'name', md5(i::text), 'mail', 'u' || i || '@example.com', 'tags', jsonb_build_array('t' || i % 50, 't' || i % 17), 'score', i % 1000, 'more', md5((i * 3)::text) || md5((i * 5)::text), 'lines', jsonb_build_array(jsonb_build_object('sku', i % 5000, 'count', i % 9))) from generate_series(1, :scale * 20000) i;
create table sold (id bigint, placed date, customer bigint, total numeric(12,2), note text, primary key (id, placed)) partition by range (placed);
create table sold_old partition of sold for values from (minvalue) to ('2025-06-01');
create table sold_new partition of sold for values from ('2025-06-01') to (maxvalue);
insert into sold select i, date '2025-01-01' + i % 360, i % 20000, (i % 100000) / 100.0, repeat('note ', i % 9) || i from generate_series(1, :scale * 30000) i;
create table file (id int primary key, name text, data bytea);
alter table file alter data set storage external;
insert into file select i, 'f' || i, (select decode(string_agg(md5(i || ':' || k), ''), 'hex') from generate_series(1, 1024) k) from generate_series(1, :scale * 200) i;
create table seen (id uuid primary key, at timestamptz, what text[], weight float8);
insert into seen select md5(i::text)::uuid, timestamptz '2025-01-01 00:00Z' + i * interval '1.5 s', array['w' || i % 7, null, 'x'], i / 7.0 from generate_series(1, :scale * 20000) i;
create table said (at timestamp, line text);
insert into said select timestamp '2025-01-01' + i * interval '1 s', 'line ' || md5(i::text) from generate_series(1, :scale * 20000) i;
vacuum analyze;
