-- What came with PostgreSQL 13.
create publication c_root for table c.log with (publish_via_partition_root = true);
alter statistics c.mcv_stat set statistics 66;
create index things_dedup on c.things (mood) with (deduplicate_items = off);
create trigger log_before before insert on c.log for each row execute function c.touch();
create function c.any_compatible(anycompatible, anycompatible) returns anycompatible language sql as 'select $1';
alter table c.computed alter twice drop expression;
alter type c.base set (storage = external);
create unique index child_not_null on c.keyed (b, a); alter table c.keyed replica identity using index child_not_null;
