-- What was committed in the branch before this file is not in main, which was asked after it.
begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;

select plan(4);

select results_eq('select n from public.exai_branch_probe', 'values (1)', 'the branch has the row that was written to it');
select is(current_setting('exai.main')::jsonb -> 'probe', 'false', 'main does not have it');
select isnt(pg_postmaster_start_time()::text, current_setting('exai.main')::jsonb ->> 'started', 'the branch is another server than main');
select results_eq(
  $$ select current_setting('archive_mode'), current_setting('cron.max_running_jobs') $$,
  $$ values ('off', '0') $$,
  'the branch archives nothing and runs no job'
);

select * from finish();
rollback;
