-- What was committed in the branch before this file is not in main, which was asked after it.
begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;

select plan(4);

select results_eq('select n from public.exai_branch_probe', 'values (1)', 'the branch has the row that was written to it');
select is(current_setting('exai.main')::jsonb -> 'probe', 'false', 'main does not have it');
select isnt(pg_postmaster_start_time()::text, current_setting('exai.main')::jsonb ->> 'started', 'the branch is another server than main');
-- A hosted branch is another project, with another archive and other jobs.
select ok(
  case current_setting('exai.host')
    when 'hosted' then current_setting('exai.main')::jsonb ->> 'server' <>
      (select concat_ws(' ', system_identifier, inet_server_addr(), inet_server_port()) from pg_control_system())
    else current_setting('archive_mode') = 'off' and current_setting('cron.max_running_jobs') = '0'
  end,
  'the branch archives nothing into main''s archive and runs no job of main'
);

select * from finish();
rollback;
