create schema app;
create schema "Back Office";
comment on schema app is 'the shop''s own schema – 가게';

create type app.tier as enum ('bronze', 'gold', 'platinum');
alter type app.tier add value 'silver' before 'gold';
alter type app.tier add value 'founder' after 'platinum';
create type app.address as (street text, city text, zip text);
create type app.price_band as range (subtype = float8, subtype_diff = float8mi);
create domain app.quantity as int not null default 1 check (value > 0);
create domain app.mail as text check (value ~ '^[^@\s]+@[^@\s]+$');
create collation app.plain from "C";

create sequence app.invoice_seq increment by 5 start with 100 cache 7;
select setval('app.invoice_seq', 4200, true);
