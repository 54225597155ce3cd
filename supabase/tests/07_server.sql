-- What the server's role cannot do, what is pruned, and what monitoring sees.
-- cspell:ignore rolinherit regrole
begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
do $$ begin execute format('grant exai_server, exai_monitor to %I', current_user); end $$;
grant usage on schema extensions to exai_server, exai_monitor;

select plan(36);

-- The role.
select is(
  (select format('%s %s %s %s', rolsuper, rolbypassrls, rolcreaterole, rolinherit) from pg_roles where rolname = 'exai_server'),
  'f f f f', 'the server''s role is neither superuser nor above the policies, and inherits no rights'
);
select set_eq(
  $$ select r.rolname::text from pg_auth_members as m join pg_roles as r on r.oid = m.roleid join pg_roles as s on s.oid = m.member where s.rolname = 'exai_server' $$,
  $$ values ('anon'), ('authenticated') $$,
  'it can become a user or anon, and no other role'
);
select is_empty(
  $$ select c.oid::regclass from pg_class as c where c.relowner = 'exai_server'::regrole $$,
  'it owns nothing'
);
select is_empty(
  $$ select p.oid::regprocedure from pg_proc as p where p.pronamespace = 'exai'::regnamespace and p.proname <> 'caller' and has_function_privilege('exai_server', p.oid, 'execute') $$,
  'it calls no other function than that which says who the caller is'
);

-- Its decisions.
insert into auth.users (id) values ('00000000-0000-4000-8000-00000000000a');
insert into public.conversations (id, user_id) values ('00000000-0000-4000-8000-0000000000c1', '00000000-0000-4000-8000-00000000000a');
insert into public.uploads (id, user_id, name, size_bytes) values ('00000000-0000-4000-8000-0000000000d1', '00000000-0000-4000-8000-00000000000a', 'x', 2);
create function pg_temp.as_server(statement text) returns text language plpgsql as $$
declare
  affected bigint;
  ended text;
begin
  perform set_config('request.jwt.claims', '{"sub": "00000000-0000-4000-8000-00000000000a", "role": "authenticated"}', true);
  perform set_config('role', 'exai_server', true);
  begin
    execute statement;
    get diagnostics affected = row_count;
    ended := affected::text;
  exception
    when insufficient_privilege then ended := 'refused';
    when others then ended := sqlstate;
  end;
  perform set_config('role', 'none', true);
  return ended;
end
$$;
select is(pg_temp.as_server(format('insert into public.messages (user_id, conversation_id, role, content) values (%L, %L, %L, ''x'')', '00000000-0000-4000-8000-00000000000a', '00000000-0000-4000-8000-0000000000c1', r)), e, format('it says nothing as %s: %s', r, e))
from (values ('assistant', '1'), ('tool', '1'), ('user', 'refused'), ('system', 'refused')) as x(r, e);
select is(pg_temp.as_server('update public.uploads set received_bytes = 3'), '23514', 'an upload does not receive more than its size');
select is(pg_temp.as_server('update public.uploads set status = ''completed'', completed_at = now()'), '23514', 'an upload is complete only with all bytes');
select is(pg_temp.as_server('update public.uploads set received_bytes = 2, status = ''completed'', completed_at = now()'), '1', 'it completes an upload');
select is(pg_temp.as_server('update public.uploads set received_bytes = 0'), '0', 'a completed upload does not change');
select is(pg_temp.as_server('insert into public.deployments (id, release, version, slot, host) values (''00000000-0000-4000-8000-0000000000e1'', ''1.0.0'', ''1'', ''blue'', ''x'')'), '1', 'it records its process');
select is(pg_temp.as_server('update public.deployments set stopped_at = now()'), '1', 'and its end');
select is(pg_temp.as_server('update public.deployments set stopped_at = null'), '0', 'which stays');
select is(pg_temp.as_server('select exai.prune()'), 'refused', 'it prunes nothing');

-- API keys: by the hash of a key, and of that key alone.
insert into public.api_keys (user_id, name, prefix, key_hash, created_at, expires_at, revoked_at)
select '00000000-0000-4000-8000-00000000000a', n, 'exai_test', repeat(md5(n), 2), now() - interval '2 days', now() + e, r
from (values ('valid', interval '1 day', null), ('expired', interval '-1 day', null), ('revoked', interval '1 day', now())) as x(n, e, r);
create function pg_temp.by_key(named text, statement text) returns text language plpgsql as $$
begin
  perform set_config('request.api_key_hash', coalesce(repeat(md5(named), 2), ''), true);
  return pg_temp.as_server(statement);
end
$$;
select is(pg_temp.by_key(n, 'select id, user_id, key_hash, scopes, last_used_at, expires_at, revoked_at from public.api_keys'), e, format('with %s it sees %s key', coalesce('the key ' || n, 'no key'), e))
from (values ('valid', '1'), ('expired', '1'), ('revoked', '1'), ('unknown', '0'), (null, '0')) as x(n, e);
select is(pg_temp.by_key(n, 'update public.api_keys set last_used_at = now()'), e, format('it dates the use of a key that is %s: %s', n, e))
from (values ('valid', '1'), ('expired', '0'), ('revoked', '0')) as x(n, e);
select is(pg_temp.by_key('valid', 'update public.api_keys set expires_at = now() + interval ''9 years'''), 'refused', 'it makes no key last longer');
select is(pg_temp.by_key('valid', 'select name from public.api_keys'), 'refused', 'it does not read what users call a key');

-- Retention.
select is_empty(
  $$
    select table_name, column_name from public.retention_policies as r
    where not exists (
      select from pg_index as i join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
      where i.indrelid = format('public.%I', r.table_name)::regclass and a.attname = r.column_name
        and a.atttypid = 'timestamptz'::regtype
    )
  $$,
  'each retention goes by an instant that leads an index'
);
insert into public.audit_log (action, occurred_at) select 'old', now() - interval '401 days' from generate_series(1, 3);
insert into public.audit_log (action, occurred_at) values ('kept', now() - interval '399 days');
select is((select pruned_rows from exai.prune(2) where pruned_table = 'audit_log'), 2::bigint, 'a run removes no more than its batch');
select is((select pruned_rows from exai.prune(2) where pruned_table = 'audit_log'), 1::bigint, 'the next one the rest');
select is((select array_agg(action) from public.audit_log), array['kept'], 'what is not old stays');
select is(
  exai.schedule_retention(), exists (select from pg_extension where extname = 'pg_cron'),
  'the job is scheduled where pg_cron is'
);

-- Monitoring.
insert into public.provider_usage (user_id, provider, model, outcome, duration_ms, prompt_tokens, completion_tokens)
  select '00000000-0000-4000-8000-00000000000a', 'kimi', 'k', o, 2000, 10, 5 from unnest(array['ok', 'error']) as o;
insert into public.production_incidents (title, severity) values ('x', 'critical');
set local role exai_monitor;
select results_eq(
  'select provider, operation, requests, errors, prompt_tokens, completion_tokens, p95_seconds from exai.provider_status',
  $$ values ('kimi', 'chat', 2::bigint, 1::bigint, 20::bigint, 10::bigint, 2::double precision) $$,
  'requests to providers are summed'
);
select results_eq('select severity, open_incidents from exai.incident_status', $$ values ('critical', 1::bigint) $$, 'open incidents are counted');
select throws_ok('select user_id from public.provider_usage', '42501', null, 'monitoring sees no user');
select lives_ok('select from exai.tool_status, exai.upload_status, exai.session_status, exai.deployment_status, exai.table_status', 'monitoring reads the other states');
select is((select keep_days from exai.table_status where table_name = 'audit_log'), 400, 'a table states its retention');
reset role;

select * from finish();
rollback;
