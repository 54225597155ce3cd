-- Schedules of backups, their history and their verification.
set lock_timeout = '5s';
set statement_timeout = '60s';

create table public.backup_schedules (
  id uuid primary key default gen_random_uuid(),
  name text not null unique check (name ~ '^[a-z][a-z0-9_-]{0,62}$'),
  kind text not null check (kind in ('full', 'incremental', 'differential')),
  frequency text not null check (frequency in ('hourly', 'daily', 'weekly', 'monthly')),
  cron_expression text not null check (cron_expression ~ '^[0-9*/,-]+( [0-9*/,-]+){4}$'),
  time_zone text not null default 'UTC',
  retention_days integer not null check (retention_days between 7 and 90),
  is_active boolean not null default true,
  -- Instant up to which the schedule was looked at: what fell due while the database was down is caught up once.
  checked_at timestamptz not null default now(),
  metadata jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

comment on table public.backup_schedules is 'When backups fall due and how long they are kept';

create table public.backup_history (
  id uuid primary key default gen_random_uuid(),
  schedule_id uuid references public.backup_schedules (id) on delete set null,
  kind text not null check (kind in ('full', 'incremental', 'differential')),
  trigger text not null default 'manual' check (trigger in ('schedule', 'manual', 'initial')),
  status text not null default 'pending' check (status in ('pending', 'in_progress', 'completed', 'failed')),
  retention_days integer not null default 14 check (retention_days between 7 and 90),
  requested_at timestamptz not null default now(),
  started_at timestamptz,
  finished_at timestamptz,
  -- Name of the backup in its repository.
  label text,
  file_path text,
  size_bytes bigint check (size_bytes >= 0),
  stored_bytes bigint check (stored_bytes >= 0),
  row_counts jsonb check (jsonb_typeof(row_counts) = 'object'),
  error text,
  expired_at timestamptz,
  metadata jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
  constraint backup_history_state_is_dated check (
    case status
      when 'pending' then started_at is null and finished_at is null
      when 'in_progress' then started_at is not null and finished_at is null
      else started_at is not null and finished_at is not null and finished_at >= started_at
    end
  ),
  constraint backup_history_completed_is_named check (status <> 'completed' or (label is not null and size_bytes is not null)),
  constraint backup_history_failed_says_why check (status <> 'failed' or error is not null)
);

comment on table public.backup_history is 'The queue and the log of backups. size_bytes: size of the database; stored_bytes: what this backup added';

create index backup_history_schedule_started_idx on public.backup_history (schedule_id, started_at desc);
create index backup_history_queue_idx on public.backup_history (requested_at) where status in ('pending', 'in_progress');
create index backup_history_label_idx on public.backup_history (label) where expired_at is null;
-- While no runner takes them, due backups of one schedule do not pile up.
create unique index backup_history_one_pending_idx on public.backup_history (schedule_id) where status = 'pending';

create table public.backup_verification (
  id uuid primary key default gen_random_uuid(),
  backup_id uuid not null references public.backup_history (id) on delete cascade,
  method text not null check (method in ('checksum', 'row_count', 'restore')),
  status text not null check (status in ('passed', 'failed')),
  checksum text check (checksum ~ '^[0-9a-f]{64}$'),
  expected_rows jsonb check (jsonb_typeof(expected_rows) = 'object'),
  actual_rows jsonb check (jsonb_typeof(actual_rows) = 'object'),
  details text,
  duration_seconds double precision check (duration_seconds >= 0),
  metadata jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
  verified_at timestamptz not null default now()
);

comment on table public.backup_verification is 'Proofs that a backup can be used';

create index backup_verification_backup_idx on public.backup_verification (backup_id, verified_at desc);

create trigger backup_schedules_touch before update on public.backup_schedules
  for each row execute function exai.touch_updated_at();

-- Closed by default: until a later file adds policies, only a superuser sees a row.
alter table public.backup_schedules enable row level security;
alter table public.backup_schedules force row level security;
alter table public.backup_history enable row level security;
alter table public.backup_history force row level security;
alter table public.backup_verification enable row level security;
alter table public.backup_verification force row level security;
