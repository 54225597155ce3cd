-- What monitoring reads: sums, without users and without content. The views use the rights of their reader.
-- cspell:ignore relid
set lock_timeout = '5s';
set statement_timeout = '60s';

grant select (provider, model, operation, outcome, prompt_tokens, completion_tokens, bytes, duration_ms, used_at)
  on public.provider_usage to exai_monitor;
grant select (tool, outcome, duration_ms, called_at) on public.tool_calls to exai_monitor;
grant select (status, size_bytes, received_bytes, expires_at, created_at) on public.uploads to exai_monitor;
grant select (slot, transport, opened_at, closed_at, last_seen_at) on public.mcp_sessions to exai_monitor;
grant select (severity, status, started_at, resolved_at) on public.production_incidents to exai_monitor;
grant select on public.deployments, public.retention_policies to exai_monitor;

do $$
declare
  target text;
begin
  foreach target in array array[
    'provider_usage', 'tool_calls', 'uploads', 'mcp_sessions', 'production_incidents', 'deployments', 'retention_policies'
  ]
  loop
    execute format('create policy %I on public.%I for select to exai_monitor using ((select current_user) = ''exai_monitor'')', target || '_monitor_select', target);
  end loop;
end
$$;

create view exai.provider_status with (security_invoker = true) as
select
  provider,
  operation,
  count(*) as requests,
  count(*) filter (where outcome = 'error') as errors,
  coalesce(sum(prompt_tokens), 0)::bigint as prompt_tokens,
  coalesce(sum(completion_tokens), 0)::bigint as completion_tokens,
  percentile_cont(0.95) within group (order by duration_ms) / 1000 as p95_seconds
from public.provider_usage
where used_at > now() - interval '1 hour'
group by provider, operation;

comment on view exai.provider_status is 'Requests to the providers in the last hour';

create view exai.tool_status with (security_invoker = true) as
select
  tool,
  count(*) as calls,
  count(*) filter (where outcome = 'error') as errors,
  percentile_cont(0.95) within group (order by duration_ms) / 1000 as p95_seconds
from public.tool_calls
where called_at > now() - interval '1 hour'
group by tool;

comment on view exai.tool_status is 'Calls of MCP tools in the last hour';

create view exai.upload_status with (security_invoker = true) as
select
  count(*) filter (where status = 'open' and expires_at > now()) as open_uploads,
  coalesce(sum(size_bytes - received_bytes) filter (where status = 'open' and expires_at > now()), 0)::bigint as missing_bytes,
  count(*) filter (where status = 'open' and expires_at <= now()) as expired_uploads,
  count(*) filter (where status = 'completed' and created_at > now() - interval '1 hour') as completed_last_hour
from public.uploads;

comment on view exai.upload_status is 'Uploads that are open, given up, and completed';

create view exai.session_status with (security_invoker = true) as
select coalesce(slot, 'none') as slot, transport, count(*) as open_sessions
from public.mcp_sessions
where closed_at is null and last_seen_at > now() - interval '1 hour'
group by slot, transport;

comment on view exai.session_status is 'Open MCP sessions of users by slot';

create view exai.incident_status with (security_invoker = true) as
select
  severity,
  count(*) as open_incidents,
  extract(epoch from min(started_at))::double precision as oldest_start_timestamp_seconds
from public.production_incidents
where status in ('open', 'investigating')
group by severity;

comment on view exai.incident_status is 'Incidents that are not resolved';

create view exai.deployment_status with (security_invoker = true) as
select
  coalesce(slot, 'none') as slot,
  release,
  count(*) as processes,
  extract(epoch from max(started_at))::double precision as last_start_timestamp_seconds
from public.deployments
where stopped_at is null and last_seen_at > now() - interval '5 minutes'
group by slot, release;

comment on view exai.deployment_status is 'Processes of the server that use the database, by slot and release';

create view exai.table_status with (security_invoker = true) as
select
  s.relname::text as table_name,
  pg_catalog.pg_total_relation_size(s.relid) as total_bytes,
  s.n_live_tup as live_rows,
  s.n_dead_tup as dead_rows,
  coalesce(extract(epoch from greatest(s.last_autovacuum, s.last_vacuum)), 0)::double precision as last_vacuum_timestamp_seconds,
  r.keep_days
from pg_catalog.pg_stat_user_tables as s
left join public.retention_policies as r on r.table_name = s.relname::text
where s.schemaname = 'public';

comment on view exai.table_status is 'Size, dead rows and retention of each table';

revoke all on
  exai.provider_status, exai.tool_status, exai.upload_status, exai.session_status, exai.incident_status, exai.deployment_status,
  exai.table_status
from public, anon, authenticated;
grant select on
  exai.provider_status, exai.tool_status, exai.upload_status, exai.session_status, exai.incident_status, exai.deployment_status,
  exai.table_status
to service_role, exai_monitor;
