-- What the server and its operators record: events, observations, issues, metrics, incidents, health, benchmarks.
set lock_timeout = '5s';
set statement_timeout = '60s';

create table public.monitoring_events (
  id bigint generated always as identity primary key,
  event_type text not null check (length(event_type) between 1 and 200),
  severity text not null default 'low' check (severity in ('critical', 'high', 'medium', 'low')),
  source text not null check (length(source) between 1 and 200),
  mcp_session_id uuid references public.mcp_sessions (id) on delete set null,
  message text,
  metadata jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
  occurred_at timestamptz not null default now()
);

comment on table public.monitoring_events is 'Events of the running server';

create index monitoring_events_type_idx on public.monitoring_events (event_type, occurred_at desc);
create index monitoring_events_occurred_idx on public.monitoring_events (occurred_at desc);
create index monitoring_events_mcp_session_idx on public.monitoring_events (mcp_session_id);

create table public.auditor_observations (
  id uuid primary key default gen_random_uuid(),
  conversation_id uuid references public.conversations (id) on delete set null,
  auditor text not null check (length(auditor) between 1 and 200),
  category text not null check (length(category) between 1 and 100),
  severity text not null check (severity in ('critical', 'high', 'medium', 'low')),
  observation text not null,
  recommendation text,
  confidence numeric(4, 3) check (confidence between 0 and 1),
  metadata jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
  observed_at timestamptz not null default now()
);

comment on table public.auditor_observations is 'What an auditing model observed; confidence from 0 to 1';

create index auditor_observations_conversation_idx on public.auditor_observations (conversation_id);
create index auditor_observations_severity_idx on public.auditor_observations (severity, observed_at desc);

create table public.exai_issues (
  id uuid primary key default gen_random_uuid(),
  reported_by uuid references auth.users (id) on delete set null,
  observation_id uuid references public.auditor_observations (id) on delete set null,
  title text not null check (length(title) between 1 and 500),
  description text,
  severity text not null default 'medium' check (severity in ('critical', 'high', 'medium', 'low')),
  status text not null default 'open' check (status in ('open', 'investigating', 'resolved', 'closed')),
  resolution text,
  resolved_at timestamptz,
  metadata jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint exai_issues_resolution_is_dated check ((status in ('resolved', 'closed')) = (resolved_at is not null))
);

comment on table public.exai_issues is 'Issues of the server, reported by users or raised from observations';

create index exai_issues_reported_by_idx on public.exai_issues (reported_by, created_at desc);
create index exai_issues_observation_idx on public.exai_issues (observation_id);
create index exai_issues_status_idx on public.exai_issues (status, severity);

create table public.production_metrics (
  id bigint generated always as identity primary key,
  metric_name text not null check (length(metric_name) between 1 and 200),
  metric_type text not null check (metric_type in ('counter', 'gauge', 'histogram', 'summary')),
  metric_value double precision not null,
  labels jsonb not null default '{}' check (jsonb_typeof(labels) = 'object'),
  "timestamp" timestamptz not null default now()
);

comment on table public.production_metrics is 'Samples of metrics that outlive Prometheus';

create index production_metrics_name_timestamp_idx on public.production_metrics (metric_name, "timestamp" desc);

create table public.production_incidents (
  id uuid primary key default gen_random_uuid(),
  title text not null check (length(title) between 1 and 500),
  description text,
  severity text not null check (severity in ('critical', 'high', 'medium', 'low')),
  status text not null default 'open' check (status in ('open', 'investigating', 'resolved', 'closed')),
  component text check (length(component) <= 200),
  root_cause text,
  started_at timestamptz not null default now(),
  acknowledged_at timestamptz,
  resolved_at timestamptz,
  metadata jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint production_incidents_resolution_is_dated check (
    (status in ('resolved', 'closed')) = (resolved_at is not null)
  ),
  constraint production_incidents_resolved_after_start check (resolved_at is null or resolved_at >= started_at)
);

comment on table public.production_incidents is 'Incidents in production';

create index production_incidents_status_idx on public.production_incidents (status, severity);
create index production_incidents_started_idx on public.production_incidents (started_at desc);

create table public.system_health (
  id bigint generated always as identity primary key,
  component text not null check (length(component) between 1 and 200),
  status text not null check (status in ('healthy', 'degraded', 'unhealthy')),
  cpu_percent numeric(5, 2) check (cpu_percent between 0 and 100),
  memory_percent numeric(5, 2) check (memory_percent between 0 and 100),
  disk_percent numeric(5, 2) check (disk_percent between 0 and 100),
  response_time_ms double precision check (response_time_ms >= 0),
  error_rate double precision check (error_rate between 0 and 1),
  metadata jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
  "timestamp" timestamptz not null default now()
);

comment on table public.system_health is 'Health of a component over time; error_rate is a share from 0 to 1';

create index system_health_component_timestamp_idx on public.system_health (component, "timestamp" desc);

create table public.performance_benchmarks (
  id uuid primary key default gen_random_uuid(),
  test_name text not null check (length(test_name) between 1 and 200),
  release text check (length(release) <= 200),
  result double precision not null,
  unit text not null check (length(unit) between 1 and 50),
  threshold double precision,
  better text not null default 'lower' check (better in ('lower', 'higher')),
  -- Computed, so that a report cannot claim a pass that its figures contradict. Null if there is no threshold.
  passed boolean generated always as (
    case better when 'lower' then result <= threshold else result >= threshold end
  ) stored,
  metadata jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
  executed_at timestamptz not null default now()
);

comment on table public.performance_benchmarks is 'Results of benchmarks against their thresholds';

create index performance_benchmarks_name_idx on public.performance_benchmarks (test_name, executed_at desc);

create trigger exai_issues_touch before update on public.exai_issues
  for each row execute function exai.touch_updated_at();
create trigger production_incidents_touch before update on public.production_incidents
  for each row execute function exai.touch_updated_at();

-- Closed by default: until a later file adds policies, only a superuser sees a row.
alter table public.monitoring_events enable row level security;
alter table public.monitoring_events force row level security;
alter table public.auditor_observations enable row level security;
alter table public.auditor_observations force row level security;
alter table public.exai_issues enable row level security;
alter table public.exai_issues force row level security;
alter table public.production_metrics enable row level security;
alter table public.production_metrics force row level security;
alter table public.production_incidents enable row level security;
alter table public.production_incidents force row level security;
alter table public.system_health enable row level security;
alter table public.system_health force row level security;
alter table public.performance_benchmarks enable row level security;
alter table public.performance_benchmarks force row level security;
