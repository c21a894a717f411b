alter schema app owner to shop_owner;
alter table app.customer owner to shop_owner;
alter materialized view app.daily_sales owner to shop_owner;
alter function app.plus(int, int) owner to shop_owner;
alter type app.tier owner to shop_owner;

grant usage on schema app to shop_read;
grant select on all tables in schema app to shop_read;
grant insert, update on app.customer, app.orders, app.order_line, app.order_key, app.stock, app.session to shop_write;
grant delete on app.session to shop_write;
grant usage on all sequences in schema app to shop_write;
grant usage on sequence app.invoice_seq to shop_write with grant option;
grant select (id, name) on app.customer to "Night ""Crew""";
alter default privileges in schema app grant select on tables to shop_read;

alter table app.customer enable row level security;
create policy everyone_reads on app.customer for select to shop_read using (true);
create policy app_writes on app.customer to shop_write using (true) with check (balance >= 0);
