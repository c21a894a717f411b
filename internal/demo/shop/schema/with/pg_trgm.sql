create extension pg_trgm;
create index product_name_like on app.product using gin (name gin_trgm_ops);
