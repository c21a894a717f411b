alter table app.customer add primary key (id);
alter table app.customer add unique (mail);
create index on app.customer (lower(name));
create index customer_rich on app.customer (balance desc nulls last) include (mail) where balance > 900;
create index on app.customer using gin (labels);
create index on app.customer using brin (touched);

alter table app.product add primary key (id);
create index product_sku on app.product ((detail ->> 'sku'));
create index product_tags on app.product using gin ((detail -> 'tags') jsonb_path_ops);
create index product_added on app.product (added);
create index on app.product using hash (name);

alter table app.stock add primary key (product_id);
alter table app.stock add constraint stock_product foreign key (product_id) references app.product on delete cascade;

alter table app.order_key add primary key (key);

alter table app.orders add primary key (id, placed_on);
create index on app.orders (customer_id);
create index orders_key on app.orders (key);
alter table app.orders add constraint orders_customer
  foreign key (customer_id) references app.customer on delete cascade deferrable initially deferred;

alter table app.order_line add primary key (order_id, line);
alter table app.order_line add constraint line_product foreign key (product_id) references app.product not valid;

create index on app.visit (id);
create index session_basket on app.session (md5(basket));
