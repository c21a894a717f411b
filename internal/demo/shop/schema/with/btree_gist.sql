create extension btree_gist;
create table app.desk (room int, during tstzrange, exclude using gist (room with =, during with &&));
insert into app.desk
select g % 50, tstzrange(at, at + interval '50 min')
from generate_series(1, 2000) g, lateral (select timestamptz '2026-01-01 00:00Z' + g / 50 * interval '1 hour' as at) a;
