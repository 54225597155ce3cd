-- The role of the server's own connections, and who it acts for.
set lock_timeout = '5s';
set statement_timeout = '60s';

-- It can log in only where it has been given a password: the local image and the cluster stack do that. For what a user does, the
-- server changes to the user's role for one transaction; for what it decides itself, it keeps its own, which is bound to the same user.
do $$
begin
  if not exists (select from pg_roles where rolname = 'exai_server') then
    create role exai_server nologin noinherit;
  end if;
end
$$;

comment on role exai_server is 'The server''s connections: acts for the user of a verified token, one transaction at a time';

grant anon, authenticated to exai_server;
grant usage on schema exai, public to exai_server;

-- Not auth.uid(): on a hosted project, only Supabase can let another role into schema auth.
create function exai.caller() returns uuid
  language sql stable
  security invoker
  set search_path = ''
as $$
  select nullif(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub', '')::uuid
$$;

comment on function exai.caller() is 'The user that the transaction acts for; null without a user';

revoke all on function exai.caller() from public;
grant execute on function exai.caller() to exai_server;
