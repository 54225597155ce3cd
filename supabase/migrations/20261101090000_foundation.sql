-- Schema of the project's own functions, the roles that work outside the API, and minimal default privileges.
set lock_timeout = '5s';
set statement_timeout = '60s';

-- Roles belong to the cluster and not to the database, so they may already be there. Neither can log in here: the local
-- image lets them in through its socket, and a hosted project grants a login explicitly.
do $$
begin
  if not exists (select from pg_roles where rolname = 'exai_backup') then
    create role exai_backup nologin noinherit;
  end if;
  if not exists (select from pg_roles where rolname = 'exai_monitor') then
    create role exai_monitor nologin noinherit;
  end if;
end
$$;

comment on role exai_backup is 'Runs backups: enqueues, claims and records them, and reads no application data';
comment on role exai_monitor is 'Reads the state of backups for Prometheus, and no application data';

-- Tables that later migrations make start with no privilege of the API's roles; each grants privileges explicitly.
alter default privileges in schema public revoke all on tables from anon, authenticated;
alter default privileges in schema public revoke all on sequences from anon, authenticated;
alter default privileges in schema public revoke all on functions from anon, authenticated;

-- Outside the schemas that the API exposes, so that none of its functions becomes a remote call.
create schema if not exists exai;
revoke all on schema exai from public;
grant usage on schema exai to service_role, exai_backup, exai_monitor;
grant usage on schema public to exai_backup, exai_monitor;

create or replace function exai.touch_updated_at() returns trigger
  language plpgsql
  security invoker
  set search_path = ''
as $$
begin
  new.updated_at := now();
  return new;
end
$$;

revoke all on function exai.touch_updated_at() from public;
