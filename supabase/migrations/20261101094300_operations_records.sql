-- What ran when, how an incident went, and how long rows are kept.
set lock_timeout = '5s';
set statement_timeout = '60s';

create table public.deployments (
  id uuid primary key default gen_random_uuid(),
  release text not null check (length(release) between 1 and 200),
  version text not null check (length(version) between 1 and 100),
  slot text check (slot in ('blue', 'green')),
  host text not null check (length(host) between 1 and 253),
  started_at timestamptz not null default now(),
  last_seen_at timestamptz not null default now(),
  stopped_at timestamptz,
  constraint deployments_stops_after_start check (stopped_at is null or stopped_at >= started_at)
);

comment on table public.deployments is 'Processes of the server: which release ran in which slot, and when. Without stopped_at and not seen lately: it was killed';

create index deployments_started_idx on public.deployments (started_at desc);

create table public.incident_events (
  id bigint generated always as identity primary key,
  incident_id uuid not null references public.production_incidents (id) on delete cascade,
  kind text not null check (kind in ('note', 'status', 'severity', 'action', 'communication')),
  author text not null check (length(author) between 1 and 200),
  message text not null check (length(message) between 1 and 20000),
  occurred_at timestamptz not null default now()
);

comment on table public.incident_events is 'The timeline of an incident';

create index incident_events_incident_idx on public.incident_events (incident_id, occurred_at);

create table public.retention_policies (
  table_name text primary key check (table_name ~ '^[a-z_]{1,63}$'),
  column_name text not null check (column_name ~ '^[a-z_]{1,63}$'),
  keep_days integer not null check (keep_days between 1 and 3650)
);

comment on table public.retention_policies is 'How long rows are kept, by the age of a column. Only migrations change it';

insert into public.retention_policies (table_name, column_name, keep_days) values
  ('audit_log', 'occurred_at', 400),
  ('auditor_observations', 'observed_at', 180),
  ('deployments', 'started_at', 400),
  ('mcp_sessions', 'last_seen_at', 90),
  ('monitoring_events', 'occurred_at', 90),
  ('production_metrics', 'timestamp', 90),
  ('provider_usage', 'used_at', 400),
  ('rate_limit_buckets', 'refilled_at', 7),
  ('sessions', 'last_seen_at', 90),
  ('system_health', 'timestamp', 90),
  ('tool_calls', 'called_at', 90),
  ('uploads', 'expires_at', 7);

-- Retention reads these columns alone.
create index mcp_sessions_last_seen_idx on public.mcp_sessions (last_seen_at);
create index sessions_last_seen_idx on public.sessions (last_seen_at);
create index auditor_observations_observed_idx on public.auditor_observations (observed_at);
create index production_metrics_timestamp_idx on public.production_metrics ("timestamp");
create index system_health_timestamp_idx on public.system_health ("timestamp");
create index rate_limit_buckets_refilled_idx on public.rate_limit_buckets (refilled_at);

alter table public.deployments enable row level security;
alter table public.deployments force row level security;
alter table public.incident_events enable row level security;
alter table public.incident_events force row level security;
alter table public.retention_policies enable row level security;
alter table public.retention_policies force row level security;
