-- Every table is closed by default: security enabled and forced, and for each role exactly the commands that are expected.
-- cspell:ignore siud
begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;

-- What each role may do with each table: s is select, i insert, u update, d delete, with a privilege on the table or on some of its columns,
-- and with a policy. anon may do nothing anywhere.
create temporary table expected (name text primary key, authenticated text, service_role text, exai_server text, exai_backup text, exai_monitor text);
insert into expected values
  ('api_keys',               'su',   'siud', 'su',  '',    ''),
  ('audit_log',              's',    'si',   'i',   '',    ''),
  ('auditor_observations',   '',     'siud', '',    '',    ''),
  ('backup_history',         '',     'siud', '',    'siu', 's'),
  ('backup_schedules',       '',     'siud', '',    'siu', 's'),
  ('backup_verification',    '',     'siud', '',    'si',  's'),
  ('conversations',          'siud', 'siud', '',    '',    ''),
  ('deployments',            '',     'siud', 'siu', '',    's'),
  ('drill_schedules',        '',     'siud', '',    'siu', 's'),
  ('exai_issues',            'si',   'siud', '',    '',    ''),
  ('files',                  'siud', 'siud', '',    '',    ''),
  ('incident_events',        '',     'siud', '',    '',    ''),
  ('mcp_sessions',           'siud', 'siud', 'i',   '',    's'),
  ('messages',               'siud', 'siud', 'i',   '',    ''),
  ('monitoring_events',      '',     'siud', '',    '',    ''),
  ('performance_benchmarks', '',     'siud', '',    '',    ''),
  ('production_incidents',   '',     'siud', '',    '',    's'),
  ('production_metrics',     '',     'siud', '',    '',    ''),
  ('user_profiles',          'siud', 'siud', '',    '',    ''),
  ('provider_file_uploads',  'siu',  'siud', 'siu', '',    ''),
  ('provider_usage',         's',    'siud', 'i',   '',    's'),
  ('rate_limit_buckets',     's',    'siud', 'siu', '',    ''),
  ('rate_limits',            's',    'siud', 's',   '',    ''),
  ('restore_beacons',        '',     'siud', '',    'si',  ''),
  ('restore_drills',         '',     'siud', '',    'siu', 's'),
  ('retention_policies',     '',     's',    '',    '',    's'),
  ('sessions',               'siud', 'siud', '',    '',    ''),
  ('storage_objects',        's',    'siud', 'siu', '',    ''),
  ('system_health',          '',     'siud', '',    '',    ''),
  ('tool_calls',             's',    'siud', 'i',   '',    's'),
  ('upload_parts',           's',    'siud', 'sid', '',    ''),
  ('uploads',                'si',   'siud', 'su',  '',    's');

create temporary view expectation as
select e.name, r.role, r.allowed, format('public.%I', e.name)::regclass::oid as relation
from expected as e cross join lateral (values
  ('anon', ''), ('authenticated', e.authenticated), ('service_role', e.service_role), ('exai_server', e.exai_server),
  ('exai_backup', e.exai_backup), ('exai_monitor', e.exai_monitor)
) as r(role, allowed);

select plan(13 + (select count(*) from expected)::integer * (3 + 6 * 5));

select set_eq(
  $$ select relname::text from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') $$,
  $$ select name from expected $$,
  'schema public holds exactly the declared tables'
);

select ok(c.relrowsecurity, format('row level security is enabled on %s', c.relname))
from pg_class as c join expected as e on e.name = c.relname where c.relnamespace = 'public'::regnamespace order by 1;

select ok(c.relforcerowsecurity, format('row level security is forced on %s', c.relname))
from pg_class as c join expected as e on e.name = c.relname where c.relnamespace = 'public'::regnamespace order by 1;

select ok(c.relacl::text !~ '[{,]=', format('PUBLIC has no privilege on %s', c.relname))
from pg_class as c join expected as e on e.name = c.relname where c.relnamespace = 'public'::regnamespace order by 1;

select is(
  concat_ws(' and ',
    case when case k.command
      when 'delete' then has_table_privilege(e.role, e.relation, 'delete')
      else has_any_column_privilege(e.role, e.relation, k.command)
    end then 'privilege' end,
    case when exists (
      select from pg_policies as p
      where p.schemaname = 'public' and p.tablename = e.name and p.cmd = upper(k.command) and e.role = any (p.roles)
    ) then 'policy' end
  ),
  case when strpos(e.allowed, left(k.command, 1)) > 0 then 'privilege and policy' else '' end,
  format('%s of %s by %s', k.command, e.name, e.role)
) from expectation as e cross join (values ('select'), ('insert'), ('update'), ('delete')) as k(command) order by e.name, e.role, k.command;

select ok(
  not has_table_privilege(e.role, e.relation, 'truncate, references, trigger'),
  format('no other command on %s by %s', e.name, e.role)
) from expectation as e order by e.name, e.role;

select is_empty(
  $$ select policyname from pg_policies where schemaname = 'public' and (coalesce(qual, 'false') = 'true' or coalesce(with_check, 'false') = 'true') $$,
  'no policy is always true'
);
select is_empty(
  $$ select policyname from pg_policies where schemaname = 'public' and roles && array['public', 'anon']::name[] $$,
  'no policy is for PUBLIC or anon'
);
select is_empty(
  $$ select policyname from pg_policies where schemaname = 'public' and permissive <> 'PERMISSIVE' $$,
  'all policies are permissive, so each can be read alone'
);
select is_empty(
  $$ select policyname from pg_policies where schemaname = 'public' and cmd in ('INSERT', 'UPDATE') and with_check is null $$,
  'every policy that lets write says what may be written'
);
select is_empty(
  $$ select policyname from pg_policies where schemaname = 'public' and (qual ~ 'auth\.' and qual !~ 'SELECT auth\.' or with_check ~ 'auth\.' and with_check !~ 'SELECT auth\.') $$,
  'identity is asked for once per statement'
);
select is_empty(
  $$ select policyname from pg_policies where schemaname = 'public' and (qual ~ 'user_metadata' or with_check ~ 'user_metadata') $$,
  'no policy trusts what users can edit'
);
select is_empty(
  $$ select p.oid::regprocedure from pg_proc as p where p.pronamespace in ('public'::regnamespace, 'exai'::regnamespace) and p.prosecdef and p.oid <> 'exai.connections()'::regprocedure $$,
  'no function runs with its owner''s rights, except the one that counts connections'
);
select is_empty(
  $$ select p.oid::regprocedure from pg_proc as p where p.pronamespace = 'exai'::regnamespace and (p.proconfig is null or not exists (select from unnest(p.proconfig) as c where c like 'search_path=%')) $$,
  'every function has a fixed search_path'
);
select is_empty(
  $$ select p.oid::regprocedure from pg_proc as p where p.pronamespace = 'exai'::regnamespace and (has_function_privilege('anon', p.oid, 'execute') or has_function_privilege('authenticated', p.oid, 'execute')) $$,
  'users can call none of the project''s functions'
);
select is_empty(
  $$ select c.oid::regclass from pg_class as c where c.relkind = 'v' and c.relnamespace in ('public'::regnamespace, 'exai'::regnamespace) and not coalesce(c.reloptions @> '{security_invoker=true}', false) $$,
  'every view asks with the rights of its reader'
);
select ok(not has_schema_privilege('anon', 'exai', 'usage'), 'anon does not see schema exai');
select ok(not has_schema_privilege('authenticated', 'exai', 'usage'), 'users do not see schema exai');

select * from finish();
rollback;
