-- Every table is closed by default: security enabled and forced, policies there, nothing for anon.
begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;

create temporary table expected (name text primary key);
insert into expected (name) values
  ('auditor_observations'), ('backup_history'), ('backup_schedules'), ('backup_verification'), ('conversations'), ('drill_schedules'),
  ('exai_issues'), ('files'), ('mcp_sessions'), ('messages'), ('monitoring_events'), ('performance_benchmarks'),
  ('production_incidents'), ('production_metrics'), ('provider_file_uploads'), ('restore_beacons'), ('restore_drills'), ('sessions'), ('system_health');

select plan(13 + 19 * 4);

select set_eq(
  $$ select relname::text from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') $$,
  $$ select name from expected $$,
  'schema public holds exactly the declared tables'
);

select ok(c.relrowsecurity, format('row level security is enabled on %s', c.relname))
from pg_class as c join expected as e on e.name = c.relname where c.relnamespace = 'public'::regnamespace order by 1;

select ok(c.relforcerowsecurity, format('row level security is forced on %s', c.relname))
from pg_class as c join expected as e on e.name = c.relname where c.relnamespace = 'public'::regnamespace order by 1;

select ok(
  (select count(distinct p.cmd) = 4 from pg_policies as p where p.tablename = e.name and p.roles = '{service_role}'),
  format('service_role has a policy for each command on %s', e.name)
) from expected as e order by e.name;

select ok(
  not exists (
    select from pg_class as c, unnest(array['anon', 'public']) as r(name)
    where c.oid = format('public.%I', e.name)::regclass
      and case when r.name = 'public' then c.relacl::text ~ '[{,]=' else has_any_column_privilege('anon', c.oid, 'select, insert, update, references') or has_table_privilege('anon', c.oid, 'select, insert, update, delete, truncate, references, trigger') end
  ),
  format('anon and public have no privilege on %s', e.name)
) from expected as e order by e.name;

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
