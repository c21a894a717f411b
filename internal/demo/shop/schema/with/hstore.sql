create extension hstore;
alter table app.customer add wishes hstore;
update app.customer set wishes = hstore('w' || id % 10, 'v' || id) where id % 50 = 0;
create index on app.customer using gin (wishes);
