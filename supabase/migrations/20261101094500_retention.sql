-- Removes what is older than its retention, by a job of pg_cron.
set lock_timeout = '5s';
set statement_timeout = '60s';

-- Removes at most `batch` rows of each table, so that one run neither holds locks for long nor writes the log full. Returns how many of
-- each. Runs with the caller's rights: only the owner of the tables can remove rows of all users.
create function exai.prune(batch integer default 10000) returns table (pruned_table text, pruned_rows bigint)
  language plpgsql
  security invoker
  set search_path = ''
as $$
declare
  policy public.retention_policies;
begin
  for policy in select * from public.retention_policies order by table_name loop
    execute format(
      'delete from public.%1$I where ctid = any (array(select ctid from public.%1$I where %2$I < now() - make_interval(days => $1) order by %2$I limit $2))',
      policy.table_name, policy.column_name
    ) using policy.keep_days, batch;
    get diagnostics pruned_rows = row_count;
    pruned_table := policy.table_name;
    return next;
  end loop;
  -- pg_cron never prunes its own record.
  if to_regclass('cron.job_run_details') is not null then
    execute 'delete from cron.job_run_details where end_time < now() - interval ''7 days''';
    get diagnostics pruned_rows = row_count;
    pruned_table := 'cron.job_run_details';
    return next;
  end if;
end
$$;

-- Schedules the job, if pg_cron is there; otherwise it returns false, and exai.prune() has to be called by something else. May be called
-- again, for example after pg_cron was enabled in the dashboard of a hosted project.
create function exai.schedule_retention() returns boolean
  language plpgsql
  security invoker
  set search_path = ''
as $$
begin
  if not exists (select from pg_catalog.pg_extension where extname = 'pg_cron') then
    return false;
  end if;
  execute 'select cron.schedule(''exai-retention'', ''17 * * * *'', ''select exai.prune()'')';
  return true;
end
$$;

revoke all on function exai.prune(integer), exai.schedule_retention() from public;

select exai.schedule_retention();
