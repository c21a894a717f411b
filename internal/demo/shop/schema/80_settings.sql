alter table app.product alter added set statistics 500;
alter table app.orders_2026_01 set (fillfactor = 80, autovacuum_enabled = false);
alter table app.product cluster on product_added;
alter table app.staff replica identity full;
create publication shop_changes for table app.product, app.staff with (publish = 'insert,update');

comment on table app.customer is 'who buys';
comment on column app.customer.sort_key is 'made by the database';
comment on function app.plus(int, int) is 'adds';
comment on index app.product_sku is 'finds a product by its sku';
comment on constraint orders_customer on app.orders is 'every order has a buyer';
comment on type app.tier is 'how good a customer is';

do $$
begin
  execute format('alter database %I set timezone = ''UTC''', current_database());
  execute format('alter role shop_owner in database %I set work_mem = ''8MB''', current_database());
  execute format('comment on database %I is %L', current_database(), 'the shop');
end
$$;
