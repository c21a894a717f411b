-- The people and programs that may touch the shop. Roles belong to the whole
-- cluster, so they may stand already.
do $$
declare
  name text;
begin
  foreach name in array array['shop_owner', 'shop_app', 'shop_write', 'shop_read', 'Night "Crew"'] loop
    if not exists (select from pg_roles where rolname = name) then
      execute format('create role %I', name);
    end if;
  end loop;
end
$$;
alter role shop_owner login;
alter role shop_app login;
alter role "Night ""Crew""" login connection limit 3;
grant shop_read to shop_write;
grant shop_write to shop_app, shop_owner;
alter role shop_owner set search_path = app, public;
