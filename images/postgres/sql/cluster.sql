-- What only a superuser of the local server can set up: logins over the socket, the job scheduler, and the right to
-- take a physical backup. A hosted project has none of this, so it is not a migration.

create role exai_backup login inherit;
create role exai_monitor nologin inherit;
create role exai_server nologin noinherit;

-- What pgBackRest calls.
grant pg_read_all_settings to exai_backup;
grant execute on function
  pg_catalog.pg_backup_start(text, boolean),
  pg_catalog.pg_backup_stop(boolean),
  pg_catalog.pg_create_restore_point(text),
  pg_catalog.pg_switch_wal()
to exai_backup;

-- What the exporter's collectors call. Not pg_monitor, which reads the statements of all users.
grant pg_read_all_settings to exai_monitor;
grant execute on function pg_catalog.pg_ls_waldir() to exai_monitor;

create extension pg_cron;
grant usage on schema cron to exai_backup;

-- How many rows each table has, for the record of a backup. The runner may know the numbers and not the rows, which no
-- policy can express; so this one function runs with its owner's rights, takes no argument and returns numbers alone.
create schema exai_local;
revoke all on schema exai_local from public;
grant usage on schema exai_local to exai_backup;

create function exai_local.row_counts() returns jsonb
  language plpgsql stable
  security definer
  set search_path = ''
as $$
declare
  counts jsonb := '{}';
  target record;
  rows bigint;
begin
  for target in
    select n.nspname, c.relname
    from pg_catalog.pg_class as c
    join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
    where c.relkind = 'r' and n.nspname in ('public', 'auth')
    order by 1, 2
  loop
    execute format('select count(*) from %I.%I', target.nspname, target.relname) into rows;
    counts := counts || jsonb_build_object(target.nspname || '.' || target.relname, rows);
  end loop;
  return counts;
end
$$;

revoke all on function exai_local.row_counts() from public;
grant execute on function exai_local.row_counts() to exai_backup;
