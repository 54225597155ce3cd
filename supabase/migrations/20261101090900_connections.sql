-- What monitoring needs of pg_stat_activity, without the statements of other roles that pg_monitor would show.
set lock_timeout = '5s';
set statement_timeout = '60s';

-- Runs with its owner's rights, takes no argument, and returns numbers alone.
create function exai.connections() returns table (state text, count bigint, max_tx_duration double precision)
  language sql stable
  security definer
  set search_path = ''
as $$
  select coalesce(a.state, 'unknown'), count(*), coalesce(max(extract(epoch from now() - a.xact_start)), 0)::double precision
  from pg_catalog.pg_stat_activity as a
  where a.backend_type = 'client backend'
  group by 1
$$;

comment on function exai.connections() is 'Client connections by state, with the longest transaction of each state in seconds';

revoke all on function exai.connections() from public;
grant execute on function exai.connections() to exai_monitor;
