create extension citext;
create table app.coupon (code citext primary key, percent int not null);
insert into app.coupon select 'Save' || g, g % 90 from generate_series(1, 500) g;
