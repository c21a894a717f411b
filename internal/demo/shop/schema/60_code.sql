-- Takes an order in: key, lines and stock in one transaction. A key that was
-- taken before gives the same order's number again and changes nothing.
create function app.place_order(new_key uuid, buyer bigint, products int[], quantities int[]) returns bigint
language plpgsql as $$
declare
  today constant date := current_date;
  number bigint;
begin
  number := nextval('app.orders_id_seq');
  insert into app.order_key values (new_key, number, today) on conflict do nothing;
  if not found then
    return (select order_id from app.order_key where key = new_key);
  end if;
  insert into app.order_line (order_id, line, product_id, quantity, price)
    select number, l.line, l.product, l.quantity, p.price
    from unnest(products, quantities) with ordinality as l (product, quantity, line)
    join app.product p on p.id = l.product;
  insert into app.orders (id, key, customer_id, placed_on, total)
    select number, new_key, buyer, today, coalesce(sum(quantity * price), 0) from app.order_line where order_id = number;
  -- Always in the same order, so that two orders never wait for each other.
  perform from app.stock where product_id = any(products) order by product_id for update;
  update app.stock s set on_hand = s.on_hand - l.quantity, touched = now()
    from (select product_id, sum(quantity) as quantity from app.order_line where order_id = number group by 1) l
    where s.product_id = l.product_id;
  return number;
end
$$;

create function app.touch() returns trigger language plpgsql as $$
begin
  new.touched := now();
  return new;
end
$$;
create function app.never() returns trigger language plpgsql as $$
begin
  raise exception 'this trigger is disabled and must stay so';
end
$$;
create function app.plus(int, int) returns int language sql immutable parallel safe as 'select $1 + $2';
create function app.customers() returns bigint language sql security definer set search_path = app
  as 'select count(*) from customer';
revoke all on function app.customers() from public;
grant execute on function app.customers() to shop_read;
create procedure app.housekeeping() language plpgsql as $$
begin
  delete from app.session where false;
end
$$;
create aggregate app.total(int) (sfunc = int4pl, stype = int, initcond = '0');
create operator app.|+| (leftarg = int, rightarg = int, function = app.plus);
create cast (app.address as text) with inout;

create view app.good_customer as select id, mail, tier from app.customer where balance > 100 with check option;
create view app.tier_sales as
  select c.tier, count(*) as orders, sum(o.total) as total
  from app.customer c join app.orders o on o.customer_id = c.id group by 1;
create view "Back Office"."All of it" as select * from "Back Office"."Lost ""&"" Found";
create materialized view app.daily_sales as select placed_on, count(*) as orders, sum(total) as total from app.orders group by 1;
create unique index on app.daily_sales (placed_on);
create materialized view app.not_yet as select 1 as one with no data;

create trigger customer_touch before update on app.customer for each row execute function app.touch();
create trigger customer_never after insert on app.customer for each row execute function app.never();
alter table app.customer disable trigger customer_never;
create trigger visit_touch before delete on app.visit for each row execute function app.never();
create rule tier_sales_is_read_only as on insert to app.tier_sales do instead nothing;

create function app.ddl_seen() returns event_trigger language plpgsql as $$
begin
  null;
end
$$;
create event trigger shop_ddl on ddl_command_end when tag in ('DROP TABLE', 'ALTER TABLE') execute function app.ddl_seen();

create statistics app.orders_together (dependencies, ndistinct) on customer_id, placed_on from app.orders;
create text search configuration app.shop_words (copy = simple);

create foreign data wrapper warehouse;
create server depot foreign data wrapper warehouse options (host 'depot.example');
create user mapping for shop_read server depot options (region 'seoul');
create foreign table app.depot_stock (product_id int, on_hand int) server depot options (sheet 'stock');
