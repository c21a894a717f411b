-- Sizes come as settings shop.* of the session, so that tests can be small.
insert into app.customer (mail, name, tier, home, labels, born, balance, last_ip, device, ref)
select 'buyer' || g || '@shop.example', 'Buyer ' || g,
  (enum_range(null::app.tier))[1 + g % 5],
  row('Street ' || g % 997, 'City ' || g % 89, lpad((g % 99999)::text, 5, '0'))::app.address,
  array['l' || g % 7, 'l' || g % 11],
  date '1950-01-01' + g % 20000, (g::bigint * 7919 % 1000003) / 1000.0,
  ('10.' || g % 256 || '.' || g / 256 % 256 || '.9')::inet, '08:00:2b:01:02:03',
  md5('customer' || g)::uuid
from generate_series(1, current_setting('shop.customers')::int) g;

insert into app.product (name, price, detail, band, added)
select 'Product ' || g || chr(44032 + g % 11000), (g % 5000) / 100.0,
  jsonb_build_object('sku', md5('p' || g), 'tags', jsonb_build_array('t' || g % 50, 't' || g % 31),
    'size', jsonb_build_object('w', g % 90 / 7.0, 'h', g % 180 / 3.0), 'active', g % 3 = 0),
  app.price_band(g % 10, g % 10 + 1), timestamptz '2024-01-01' + g * interval '1 hour'
from generate_series(1, current_setting('shop.products')::int) g;

insert into app.stock (product_id, on_hand) select id, 1000000 from app.product;

insert into app.orders (key, customer_id, placed_on, total, note, tier)
select md5('order' || g)::uuid, 1000 + 2 * (g % current_setting('shop.customers')::int),
  date '2026-01-01' + g % 370, (g % 100000) / 100.0,
  case g % 5 when 0 then null when 1 then e'leave at\tthe door\n\\.' else 'note ' || g end,
  (enum_range(null::app.tier))[1 + g % 3]
from generate_series(1, current_setting('shop.orders')::int) g;

insert into app.order_key select key, id, placed_on from app.orders;

insert into app.order_line
select g, l, 1 + (g * 31 + l * 7) % current_setting('shop.products')::int, 1 + (g + l) % 4, (g % 5000) / 100.0
from generate_series(1, current_setting('shop.orders')::int) g, generate_series(1, 3) l;

insert into app.visit
select g, case g % 2 when 0 then 'asia' else 'europe' end, jsonb_build_object('page', g % 300, 'ms', g % 977)
from generate_series(1, current_setting('shop.visits')::int) g;

insert into app.party select g, 'party ' || g from generate_series(1, 100) g;
insert into app.supplier select g, 'supplier ' || g, '30 days' from generate_series(101, 200) g;
insert into app.delivery_slot
select g % 20, tstzrange(at, at + interval '50 min')
from generate_series(1, 4000) g, lateral (select timestamptz '2026-01-01 00:00Z' + g / 20 * interval '1 hour' as at) a;
insert into app.staff (boss, name) select nullif(g / 10, 0), 'staff ' || g from generate_series(1, 2000) g;
insert into app.shelf select g, null from generate_series(1, 200) g;
insert into app.room select g, g * 2 from generate_series(1, 100) g;
update app.shelf set room_id = (id + 1) / 2;
insert into app.session select 's' || g, decode(md5(g::text), 'hex') from generate_series(1, 1000) g;
insert into app.nothing default values;
insert into app.nothing default values;
insert into app.moved values (1, 'x'), (2, null);
insert into "Back Office"."Lost ""&"" Found" select g, e'a\tb\nc\\', null from generate_series(1, 500) g;

insert into app.photo
select g, 'photo ' || g, (select decode(string_agg(md5(g || ':' || i), ''), 'hex') from generate_series(1, 512) i)
from generate_series(1, current_setting('shop.photos')::int) g;
insert into app.contract
select g, lo_from_bytea(0, (select string_agg(image, '' order by id) from app.photo where id % 20 = g % 20 and id <= 800))
from generate_series(1, 20) g;
do $$
declare
  scan oid;
begin
  for scan in select c.scan from app.contract c order by id limit 3 loop
    execute format('comment on large object %s is %L', scan, 'a signed contract');
    execute format('grant select on large object %s to shop_read', scan);
  end loop;
end
$$;

insert into app.oddity values
  (1, 1, 'NaN', '-Infinity', 'NaN', true, 'ab', 'x', 'infinity', '24:00', '12:00+05', '-infinity', 'infinity',
   '1 mon -3 days', '10101', '1', '{"a": 1.0,"a":2}', '(1,2)', '[(0,0),(1,1)]', '((0,0),(1,1))', '((0,0),(1,1))',
   '((0,0),(1,1),(1,0))', '<(0,0),1>', 'a b', 'a & b', '[1,5)', '0/16B3748', 12345, 'nm',
   '[0:1][2:3]={{1,2},{3,NULL}}', 12.34, 'pg_class'),
  (2, null, 1e-37, 0.1, 1e100, false, '', '', '0044-03-15 BC', '00:00', '00:00+00', '1999-01-08 04:05:06.123456',
   '2000-01-01 00:00+14', '178000000 years', null, null, null, null, null, null, null, null, null, null, null,
   'empty', null, null, null, '{}', null, null);
