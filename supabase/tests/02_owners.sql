-- Behaviour: two users, anon and the service role, with all four commands, on every table that users own.
begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;

select plan(1 + 6 * 15 + 8 + 2 + 13 + 6 + 17 + 6);

-- Two users, each with one row in every table. Written as the owner of the tables.
insert into auth.users (id, email) values
  ('00000000-0000-4000-8000-00000000000a', 'alice@example.com'),
  ('00000000-0000-4000-8000-00000000000b', 'bob@example.com');

create function pg_temp.id(kind text, who text) returns uuid language sql immutable as $$
  select (md5(kind || who))::uuid
$$;
create function pg_temp.person(who text) returns uuid language sql immutable as $$
  select ('00000000-0000-4000-8000-00000000000' || who)::uuid
$$;

insert into public.sessions (id, user_id, client_name)
  select pg_temp.id('session', w), pg_temp.person(w), 'test' from unnest(array['a', 'b']) as w;
insert into public.mcp_sessions (id, user_id, session_id, mcp_session_id, slot)
  select pg_temp.id('mcp', w), pg_temp.person(w), pg_temp.id('session', w), 'blue.1', 'blue' from unnest(array['a', 'b']) as w;
insert into public.conversations (id, user_id, session_id, title)
  select pg_temp.id('conversation', w), pg_temp.person(w), pg_temp.id('session', w), 'hello' from unnest(array['a', 'b']) as w;
insert into public.messages (id, user_id, conversation_id, role, content)
  select pg_temp.id('message', w), pg_temp.person(w), pg_temp.id('conversation', w), 'user', 'hi' from unnest(array['a', 'b']) as w;
insert into public.files (id, user_id, conversation_id, name, size_bytes, storage_path)
  select pg_temp.id('file', w), pg_temp.person(w), pg_temp.id('conversation', w), 'a.txt', 1, pg_temp.person(w) || '/a.txt' from unnest(array['a', 'b']) as w;
insert into public.provider_file_uploads (id, user_id, file_id, provider)
  select pg_temp.id('upload', w), pg_temp.person(w), pg_temp.id('file', w), 'kimi' from unnest(array['a', 'b']) as w;

create function pg_temp.act_as(actor text) returns void language plpgsql as $$
begin
  perform set_config('role', case when actor in ('a', 'b') then 'authenticated' else actor end, true);
  perform set_config('request.jwt.claims', case
    when actor in ('a', 'b') then json_build_object('sub', pg_temp.person(actor), 'role', 'authenticated')
    else json_build_object('role', actor)
  end::text, true);
end
$$;
create function pg_temp.act_as_owner() returns void language plpgsql as $$
begin
  perform set_config('request.jwt.claims', '', true);
  perform set_config('role', 'none', true);
end
$$;
grant usage on schema extensions to anon, authenticated, service_role;

-- What each actor gets out of one statement: the number of rows, or the class of the refusal.
create function pg_temp.outcome(actor text, statement text) returns text language plpgsql as $$
declare
  affected bigint;
begin
  perform pg_temp.act_as(actor);
  begin
    execute statement;
    get diagnostics affected = row_count;
    -- Undone, so that every statement meets the same rows.
    raise exception using errcode = 'P0099', message = affected::text;
  exception
    when sqlstate 'P0099' then
      perform pg_temp.act_as_owner();
      return sqlerrm;
    when insufficient_privilege then
      perform pg_temp.act_as_owner();
      return 'refused';
    when others then
      perform pg_temp.act_as_owner();
      return sqlerrm;
  end;
end
$$;

select is((select count(*) from public.sessions), 2::bigint, 'the owner sees both users'' rows');

create temporary table probe (position integer, tab text, own_insert text, foreign_insert text, harmless text, own_delete text default '1');
insert into probe values
  (1, 'sessions', format('insert into public.sessions (user_id) values (%L)', pg_temp.person('a')),
      format('insert into public.sessions (user_id) values (%L)', pg_temp.person('b')), 'client_name = ''x'''),
  (2, 'mcp_sessions', format('insert into public.mcp_sessions (user_id, mcp_session_id) values (%L, ''new'')', pg_temp.person('a')),
      format('insert into public.mcp_sessions (user_id, mcp_session_id) values (%L, ''new'')', pg_temp.person('b')), 'metadata = ''{"x": 1}'''),
  (3, 'conversations', format('insert into public.conversations (user_id) values (%L)', pg_temp.person('a')),
      format('insert into public.conversations (user_id) values (%L)', pg_temp.person('b')), 'title = ''x'''),
  (4, 'messages', format('insert into public.messages (user_id, conversation_id, role, content) values (%L, %L, ''user'', ''x'')', pg_temp.person('a'), pg_temp.id('conversation', 'a')),
      format('insert into public.messages (user_id, conversation_id, role, content) values (%L, %L, ''user'', ''x'')', pg_temp.person('b'), pg_temp.id('conversation', 'b')), 'content = ''x'''),
  (5, 'files', format('insert into public.files (user_id, name, size_bytes, storage_path) values (%L, ''x'', 1, ''%s/x'')', pg_temp.person('a'), pg_temp.person('a')),
      format('insert into public.files (user_id, name, size_bytes, storage_path) values (%L, ''x'', 1, ''%s/x'')', pg_temp.person('b'), pg_temp.person('b')), 'name = ''x'''),
  (6, 'provider_file_uploads', format('insert into public.provider_file_uploads (user_id, file_id, provider) values (%L, %L, ''glm'')', pg_temp.person('a'), pg_temp.id('file', 'a')),
      format('insert into public.provider_file_uploads (user_id, file_id, provider) values (%L, %L, ''glm'')', pg_temp.person('b'), pg_temp.id('file', 'b')), 'metadata = ''{"x": 1}''');
update probe set own_delete = 'refused' where tab = 'provider_file_uploads';

select t.result from probe as p cross join lateral (
  values
    (1, is(pg_temp.outcome('a', format('select from public.%I', p.tab)), '1', format('a user sees the own row of %s', p.tab))),
    (2, is(pg_temp.outcome('a', format('select from public.%I where user_id = %L', p.tab, pg_temp.person('b'))), '0', format('a user sees no rows of other users in %s', p.tab))),
    (3, is(pg_temp.outcome('a', p.own_insert), '1', format('a user inserts own rows into %s', p.tab))),
    (4, is(pg_temp.outcome('a', p.foreign_insert), 'refused', format('a user inserts no rows of others into %s', p.tab))),
    (5, is(pg_temp.outcome('a', format('update public.%I set %s', p.tab, p.harmless)), '1', format('a user updates the own row of %s alone', p.tab))),
    (6, is(pg_temp.outcome('a', format('update public.%I set user_id = %L', p.tab, pg_temp.person('b'))), 'refused', format('a user gives away no row of %s', p.tab))),
    (7, is(pg_temp.outcome('a', format('delete from public.%I', p.tab)), p.own_delete, format('a user deletes the own row of %s alone, unless it is the service''s', p.tab))),
    (8, is(pg_temp.outcome('anon', format('select from public.%I', p.tab)), 'refused', format('anon reads nothing of %s', p.tab))),
    (9, is(pg_temp.outcome('anon', p.own_insert), 'refused', format('anon inserts nothing into %s', p.tab))),
    (10, is(pg_temp.outcome('anon', format('update public.%I set %s', p.tab, p.harmless)), 'refused', format('anon updates nothing of %s', p.tab))),
    (11, is(pg_temp.outcome('anon', format('delete from public.%I', p.tab)), 'refused', format('anon deletes nothing of %s', p.tab))),
    (12, is(pg_temp.outcome('service_role', format('select from public.%I', p.tab)), '2', format('service_role reads all of %s', p.tab))),
    (13, is(pg_temp.outcome('service_role', p.foreign_insert), '1', format('service_role inserts into %s', p.tab))),
    (14, is(pg_temp.outcome('service_role', format('update public.%I set %s', p.tab, p.harmless)), '2', format('service_role updates %s', p.tab))),
    (15, is(pg_temp.outcome('service_role', format('delete from public.%I', p.tab)), '2', format('service_role deletes from %s', p.tab)))
) as t(position, result) order by p.position, t.position;

-- Rows hang together within one owner: a foreign key sees past row level security, so the key itself names the owner.
select throws_ok(
  format('insert into public.messages (user_id, conversation_id, role, content) values (%L, %L, ''user'', ''x'')', pg_temp.person('a'), pg_temp.id('conversation', 'b')),
  '23503', null, 'a message cannot reference another user''s conversation'
);
select throws_ok(
  format('insert into public.provider_file_uploads (user_id, file_id, provider) values (%L, %L, ''kimi'')', pg_temp.person('a'), pg_temp.id('file', 'b')),
  '23503', null, 'an upload cannot reference another user''s file'
);

-- Issues: reported and followed by users, decided by operators.
select is(pg_temp.outcome('a', format('insert into public.exai_issues (reported_by, title) values (%L, ''x'')', pg_temp.person('a'))), '1', 'a user reports an issue');
select is(pg_temp.outcome('a', format('insert into public.exai_issues (reported_by, title) values (%L, ''x'')', pg_temp.person('b'))), 'refused', 'a user reports nothing in another''s name');
select is(pg_temp.outcome('a', format('insert into public.exai_issues (reported_by, title, status, resolved_at) values (%L, ''x'', ''closed'', now())', pg_temp.person('a'))), 'refused', 'a user reports no closed issue');
insert into public.exai_issues (reported_by, title) values (pg_temp.person('a'), 'first'), (pg_temp.person('b'), 'second');
select is(pg_temp.outcome('a', 'select from public.exai_issues'), '1', 'a user follows the own issues');
select is(pg_temp.outcome('a', 'update public.exai_issues set status = ''open'''), 'refused', 'a user changes no issue');
select is(pg_temp.outcome('a', 'delete from public.exai_issues'), 'refused', 'a user deletes no issue');
select is(pg_temp.outcome('anon', 'select from public.exai_issues'), 'refused', 'anon reads no issue');
select is(pg_temp.outcome('service_role', 'update public.exai_issues set severity = ''high'''), '2', 'service_role decides issues');

-- What the service decides is not the user's to write.
select is(pg_temp.outcome('a', statement), 'refused', name) from (values
  ('the expiry of a session', 'update public.sessions set expires_at = ''infinity'''),
  ('the expiry of a new session', format('insert into public.sessions (user_id, expires_at) values (%L, ''infinity'')', pg_temp.person('a'))),
  ('a session that was seen in the future', 'update public.sessions set last_seen_at = now() + interval ''1 hour'''),
  ('a session that will end', 'update public.sessions set ended_at = now() + interval ''1 hour'''),
  ('the slot of an MCP session', 'update public.mcp_sessions set slot = ''green'''),
  ('the role of a message', 'update public.messages set role = ''system'''),
  ('the model of a message', 'update public.messages set model = ''x'''),
  ('the tokens of a message', 'update public.messages set token_count = 0'),
  ('the path of a file', format('update public.files set storage_path = ''%s/b.txt''', pg_temp.person('a'))),
  ('the checksum of a file', 'update public.files set sha256 = null'),
  ('the state of an upload', 'update public.provider_file_uploads set status = ''deleted'''),
  ('the file of an upload', 'update public.provider_file_uploads set file_id = null'),
  ('the age of an issue', format('insert into public.exai_issues (reported_by, title, created_at) values (%L, ''x'', ''epoch'')', pg_temp.person('a')))
) as t(name, statement);

select is(
  pg_temp.outcome('a', format('insert into public.messages (user_id, conversation_id, role, content) values (%L, %L, %L, ''x'')', pg_temp.person('a'), pg_temp.id('conversation', 'a'), role)),
  'refused', format('a user writes no message as %s', role)
) from unnest(array['system', 'assistant', 'tool']) as role;
insert into public.messages (user_id, conversation_id, role, content) values (pg_temp.person('a'), pg_temp.id('conversation', 'a'), 'assistant', 'yes');
select is(pg_temp.outcome('a', 'update public.messages set content = ''no'' where role = ''assistant'''), '0', 'a user changes no answer');
select is(pg_temp.outcome('a', 'update public.sessions set ended_at = now()'), '1', 'a user ends a session');
select is(pg_temp.outcome('service_role', format('insert into public.messages (user_id, conversation_id, role, content) values (%L, %L, ''system'', ''x'')', pg_temp.person('a'), pg_temp.id('conversation', 'a'))), '1', 'the service writes instructions');

-- A path stays in its owner's folder after every decoding.
select throws_ok(
  format('insert into public.files (user_id, name, size_bytes, storage_path) values (%L, ''x'', 1, %L)', pg_temp.person('a'), pg_temp.person('a') || path),
  '23514', null, format('no path %s', to_json(path))
) from unnest(array[
  '/%2e%2e/x', '/.%2E/x', '/..\x', E'/.\t./x', '/../x', '/./x', '/x/..', '/.. /x', '/ ../x', '/.../x', '//x', '/x/',
  U&'/\FF0E\FF0E/x', E'/x\ny', '/x?y'
]) as path;
select throws_ok(
  format('insert into public.files (user_id, name, size_bytes, storage_path) values (%L, ''x'', 1, ''%s/x'')', pg_temp.person('a'), pg_temp.person('b')),
  '23514', null, 'no path of another user'
);
select lives_ok(
  format('insert into public.files (user_id, name, size_bytes, storage_path) values (%L, ''x'', 1, ''%s/2026/Report (1), final.v2.pdf'')', pg_temp.person('a'), pg_temp.person('a')),
  'a path as storage has it'
);

-- What has ended stays ended.
update public.sessions set ended_at = now() where user_id = pg_temp.person('a');
update public.mcp_sessions set closed_at = now() where user_id = pg_temp.person('a');
select is(pg_temp.outcome('a', 'update public.sessions set ended_at = null'), '0', 'a user revives no ended session');
select is(pg_temp.outcome('a', 'update public.mcp_sessions set closed_at = null'), '0', 'a user revives no closed MCP session');
update public.sessions set started_at = now() - interval '2 days', ended_at = null, expires_at = now() - interval '1 day' where user_id = pg_temp.person('a');
select is(pg_temp.outcome('a', 'update public.sessions set last_seen_at = now()'), '0', 'a user extends no expired session');

-- A copy at a provider is known until the service has deleted it.
select is(pg_temp.outcome('a', 'delete from public.files where name = ''a.txt'''), '1', 'a user deletes a file that was uploaded');
delete from public.files where user_id = pg_temp.person('a');
select is((select count(*) from public.provider_file_uploads where user_id = pg_temp.person('a') and file_id is null), 1::bigint, 'its upload stays');
select is(pg_temp.outcome('service_role', 'delete from public.provider_file_uploads where file_id is null'), '1', 'the service deletes it');

select * from finish();
rollback;
