create collation app.any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
create table app.brand (name text collate app.any_case primary key);
insert into app.brand select 'Brand ' || g from generate_series(1, 300) g;
