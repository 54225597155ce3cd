-- Every table with rows of users, every command, and every way to ask: as the user, as anon, and as the server's own role with and
-- without the user's claims. No one reaches the rows of another user.
-- cspell:ignore siud
begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;

-- Roles can be acted as only by a member; on a hosted project the owner is one of the roles it made.
do $$ begin execute format('grant exai_server to %I', current_user); end $$;
grant usage on schema extensions to anon, authenticated, exai_server;

create function pg_temp.person(who text) returns uuid language sql immutable as $$
  select ('00000000-0000-4000-8000-00000000000' || who)::uuid
$$;
create function pg_temp.id(kind text, who text) returns uuid language sql immutable as $$
  select (md5(kind || who))::uuid
$$;
insert into auth.users (id) select pg_temp.person(w) from unnest(array['a', 'b']) as w;

-- `made` inserts a row of a user; `by_user` and `by_server` insert one more, as the role writes it. In all three, %1$L is the user, %2$L
-- a new identifier, %3$s one of the letters. The letters of the commands are those of 01_row_level_security.sql; a column is one that
-- the role may update.
create temporary table probe (
  position integer generated always as identity, tab text, made text, by_user text, by_server text, user_can text, server_can text,
  user_column text, server_column text, owner text not null default 'user_id', own_insert text not null default '1'
);
insert into probe (tab, made, by_user, by_server, user_can, server_can, user_column, server_column) values
  ('sessions', 'insert into public.sessions (id, user_id) values (md5(''session'' || %3$L)::uuid, %1$L)',
    'insert into public.sessions (user_id) values (%1$L)', null, 'siud', '', 'client_name', null),
  ('mcp_sessions', 'insert into public.mcp_sessions (user_id, mcp_session_id, slot) values (%1$L, ''first'', ''blue'')',
    'insert into public.mcp_sessions (user_id, mcp_session_id) values (%1$L, %2$L)',
    'insert into public.mcp_sessions (user_id, mcp_session_id, slot) values (%1$L, %2$L, ''blue'')', 'siud', 'i', 'metadata', null),
  ('conversations', 'insert into public.conversations (id, user_id) values (md5(''conversation'' || %3$L)::uuid, %1$L)',
    'insert into public.conversations (user_id) values (%1$L)', null, 'siud', '', 'title', null),
  ('messages', 'insert into public.messages (user_id, conversation_id, role, content) values (%1$L, md5(''conversation'' || %3$L)::uuid, ''user'', ''x'')',
    'insert into public.messages (user_id, conversation_id, role, content) values (%1$L, md5(''conversation'' || %3$L)::uuid, ''user'', ''x'')',
    'insert into public.messages (user_id, conversation_id, role, content, provider) values (%1$L, md5(''conversation'' || %3$L)::uuid, ''assistant'', ''x'', ''kimi'')',
    'siud', 'i', 'content', null),
  ('files', 'insert into public.files (id, user_id, name, size_bytes, storage_path) values (md5(''file'' || %3$L)::uuid, %1$L, ''x'', 1, %1$L || ''/first'')',
    'insert into public.files (user_id, name, size_bytes, storage_path) values (%1$L, ''x'', 1, %1$L || ''/'' || %2$L)', null, 'siud', '', 'name', null),
  ('provider_file_uploads', 'insert into public.provider_file_uploads (user_id, file_id, provider) values (%1$L, md5(''file'' || %3$L)::uuid, ''kimi'')',
    'insert into public.provider_file_uploads (user_id, file_id, provider) values (%1$L, md5(''file'' || %3$L)::uuid, ''glm'')',
    'insert into public.provider_file_uploads (user_id, file_id, provider, status, provider_file_id, uploaded_at) values (%1$L, md5(''file'' || %3$L)::uuid, ''glm'', ''uploaded'', ''x'', now())',
    'siu', 'siu', 'metadata', 'status'),
  ('user_profiles', 'insert into public.user_profiles (user_id) values (%1$L)',
    'insert into public.user_profiles (user_id) values (%1$L)', null, 'siud', '', 'display_name', null),
  ('api_keys', 'insert into public.api_keys (user_id, name, prefix, key_hash) values (%1$L, ''x'', ''exai'', md5(%1$L) || md5(%1$L))', null, null, 'su', 'su', 'name', 'last_used_at'),
  ('rate_limits', 'insert into public.rate_limits (user_id, name, per_minute, burst) values (%1$L, ''requests'', 1, 1)', null, null, 's', 's', null, null),
  ('rate_limit_buckets', 'insert into public.rate_limit_buckets (user_id, name, tokens) values (%1$L, ''requests'', 1)', null,
    'insert into public.rate_limit_buckets (user_id, name, tokens) values (%1$L, ''chats'', 1)', 's', 'siu', null, 'tokens'),
  ('audit_log', 'insert into public.audit_log (user_id, action) values (%1$L, ''x'')', null,
    'insert into public.audit_log (user_id, action) values (%1$L, ''x'')', 's', 'i', null, null),
  ('uploads', 'insert into public.uploads (id, user_id, name, size_bytes) values (md5(''upload'' || %3$L)::uuid, %1$L, ''x'', 2)',
    'insert into public.uploads (user_id, name, size_bytes) values (%1$L, ''x'', 2)', null, 'si', 'su', null, 'received_bytes'),
  ('upload_parts', 'insert into public.upload_parts (user_id, upload_id, part_number, size_bytes, sha256) values (%1$L, md5(''upload'' || %3$L)::uuid, 1, 1, repeat(''a'', 64))', null,
    'insert into public.upload_parts (user_id, upload_id, part_number, size_bytes, sha256) values (%1$L, md5(''upload'' || %3$L)::uuid, 2, 1, repeat(''a'', 64))', 's', 'sid', null, null),
  ('storage_objects', 'insert into public.storage_objects (user_id, bucket, path, size_bytes) values (%1$L, ''files'', %1$L || ''/first'', 1)', null,
    'insert into public.storage_objects (user_id, bucket, path, size_bytes) values (%1$L, ''files'', %1$L || ''/'' || %2$L, 1)', 's', 'siu', null, 'etag'),
  ('tool_calls', 'insert into public.tool_calls (user_id, tool, outcome, duration_ms) values (%1$L, ''echo'', ''ok'', 1)', null,
    'insert into public.tool_calls (user_id, tool, outcome, duration_ms) values (%1$L, ''echo'', ''ok'', 1)', 's', 'i', null, null),
  ('provider_usage', 'insert into public.provider_usage (user_id, provider, model, outcome, duration_ms) values (%1$L, ''kimi'', ''x'', ''ok'', 1)', null,
    'insert into public.provider_usage (user_id, provider, model, outcome, duration_ms) values (%1$L, ''kimi'', ''x'', ''ok'', 1)', 's', 'i', null, null),
  ('exai_issues', 'insert into public.exai_issues (reported_by, title) values (%1$L, ''x'')',
    'insert into public.exai_issues (reported_by, title) values (%1$L, ''x'')', null, 'si', '', null, null);
update probe set owner = 'reported_by' where tab = 'exai_issues';
-- The policy lets the row through, and the key finds the one that is there.
update probe set own_insert = '23505' where tab = 'user_profiles';

do $$
declare
  p record;
  who text;
begin
  for p in select * from probe order by position loop
    foreach who in array array['a', 'b'] loop
      execute format(p.made, pg_temp.person(who), gen_random_uuid(), who);
    end loop;
  end loop;
end
$$;

-- The number of rows that a statement reaches, 'refused', or the code of another error. Everything is undone.
create function pg_temp.outcome(actor text, statement text) returns text language plpgsql as $$
declare
  affected bigint;
  ended text;
begin
  perform set_config('request.jwt.claims', case actor
    when 'user' then json_build_object('sub', pg_temp.person('a'), 'role', 'authenticated')::text
    when 'server' then json_build_object('sub', pg_temp.person('a'), 'role', 'authenticated')::text
    when 'anon' then '{"role": "anon"}'
    else ''
  end, true);
  -- A request of a's with an API key.
  perform set_config('request.api_key_hash', case actor when 'server' then repeat(md5(pg_temp.person('a')::text), 2) else '' end, true);
  perform set_config('role', case actor when 'user' then 'authenticated' when 'anon' then 'anon' else 'exai_server' end, true);
  begin
    execute statement;
    get diagnostics affected = row_count;
    raise exception using errcode = 'P0099', message = affected::text;
  exception
    when sqlstate 'P0099' then ended := sqlerrm;
    when insufficient_privilege then ended := 'refused';
    when others then ended := sqlstate;
  end;
  perform set_config('role', 'none', true);
  perform set_config('request.jwt.claims', '', true);
  return ended;
end
$$;

create temporary view question as
select p.position, p.tab, a.actor, c.command, w.who,
  case c.command
    when 'select' then format('select from public.%I where %I = %L', p.tab, p.owner, pg_temp.person(w.who))
    when 'insert' then format(coalesce(a.inserts, p.made), pg_temp.person(w.who), gen_random_uuid(), w.who)
    when 'update' then format('update public.%1$I set %2$I = %2$I where %3$I = %4$L', p.tab, coalesce(a.updates, p.owner), p.owner, pg_temp.person(w.who))
    else format('delete from public.%I where %I = %L', p.tab, p.owner, pg_temp.person(w.who))
  end as statement,
  case
    when strpos(a.can, left(c.command, 1)) = 0 then 'refused'
    when w.who = 'a' and a.actor in ('user', 'server') then case c.command when 'insert' then p.own_insert else '1' end
    when c.command = 'insert' then 'refused'
    else '0'
  end as expected
from probe as p
cross join lateral (values
  ('user', p.user_can, p.by_user, p.user_column), ('server', p.server_can, p.by_server, p.server_column),
  ('server without a user', p.server_can, p.by_server, p.server_column), ('anon', '', p.by_user, p.user_column)
) as a(actor, can, inserts, updates)
cross join (values ('select'), ('insert'), ('update'), ('delete')) as c(command)
cross join (values ('a'), ('b')) as w(who);

select plan(2 + (select count(*) from question)::integer);

select set_eq(
  $$ select c.relname::text from pg_attribute as a join pg_class as c on c.oid = a.attrelid
     where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and a.attname in ('user_id', 'reported_by') $$,
  'select tab from probe',
  'every table with an owner is looked at'
);
select is(pg_temp.outcome('user', 'select from public.rate_limits where user_id is null'), '3', 'users see the default limits');

select is(
  pg_temp.outcome(actor, statement), expected,
  format('%s, %s of %s: %s row', actor, command, tab, case who when 'a' then 'the own' else 'another user''s' end)
) from question order by position, actor, command, who;

select * from finish();
rollback;
