-- What a move could leave behind on a server beside what it moved, read by psql. Lines that begin with "left" must be the
-- same before and after a move, all must be after its undo.
\pset tuples_only on
\pset format unaligned
set search_path = pg_catalog;
select format('left|slot|%s|%s', slot_name, slot_type) from pg_replication_slots order by 1;
select format('left|subscription|%s', subname) from pg_subscription order by 1;
select format('left|origin|%s', roname) from pg_replication_origin order by 1;
select format('left|prepared|%s', gid) from pg_prepared_xacts order by 1;
select format('left|tablespace|%s', spcname) from pg_tablespace order by 1;
select format('left|database|%s', datname) from pg_database order by 1;
select format('left|file setting|%s|%s|%s|%s', sourcefile, sourceline, name, setting) from pg_file_settings order by 1;
select format('left|setting|%s|%s|%s', name, reset_val, source) from pg_settings where source in ('configuration file', 'command line', 'global') order by 1;
select format('role|%s', rolname) from pg_roles order by 1;
select format('role setting|%s|%s|%s', coalesce(setrole, 0), d.datname, setconfig) from pg_db_role_setting left join pg_database d on d.oid = setdatabase order by 1;
