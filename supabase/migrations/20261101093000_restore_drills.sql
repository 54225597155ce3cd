-- Restore drills: their schedule, their runs and the rows that they write to see what is lost. What monitoring needs of
-- verifications and drills.
set lock_timeout = '5s';
set statement_timeout = '60s';

create table public.drill_schedules (
  id uuid primary key default gen_random_uuid(),
  name text not null unique check (name ~ '^[a-z][a-z0-9_-]{0,62}$'),
  cron_expression text not null check (cron_expression ~ '^[0-9*/,-]+( [0-9*/,-]+){4}$'),
  time_zone text not null default 'UTC',
  deadline_minutes integer not null check (deadline_minutes between 1 and 59),
  is_active boolean not null default true,
  -- Instant up to which the schedule was looked at.
  checked_at timestamptz not null default now(),
  created_at timestamptz not null default now()
);

comment on table public.drill_schedules is 'When restore drills fall due, and the longest that a restore may take';

create trigger drill_schedules_check before insert or update of cron_expression, time_zone on public.drill_schedules
  for each row execute function exai.check_backup_schedule();

create table public.restore_drills (
  id uuid primary key default gen_random_uuid(),
  schedule_id uuid references public.drill_schedules (id) on delete set null,
  trigger text not null default 'manual' check (trigger in ('schedule', 'manual')),
  status text not null default 'pending' check (status in ('pending', 'in_progress', 'passed', 'failed')),
  requested_at timestamptz not null default now(),
  started_at timestamptz,
  finished_at timestamptz,
  fetch_seconds double precision check (fetch_seconds >= 0),
  replay_seconds double precision check (replay_seconds >= 0),
  proof_seconds double precision check (proof_seconds >= 0),
  -- Rows that the server had acknowledged, and those of them that the restored server has.
  acknowledged_rows bigint check (acknowledged_rows >= 0),
  restored_rows bigint check (restored_rows >= 0),
  rpo_seconds double precision check (rpo_seconds >= 0),
  -- Each with name, status and detail.
  checks jsonb not null default '[]' check (jsonb_typeof(checks) = 'array'),
  error text,
  constraint restore_drills_failed_says_why check (status <> 'failed' or error is not null),
  constraint restore_drills_passed_is_measured check (status <> 'passed' or (proof_seconds is not null and rpo_seconds is not null))
);

comment on table public.restore_drills is 'Restores for real: the time that each part took, and what was lost';

create index restore_drills_schedule_idx on public.restore_drills (schedule_id, finished_at desc);
create index restore_drills_queue_idx on public.restore_drills (requested_at) where status in ('pending', 'in_progress');
create unique index restore_drills_one_pending_idx on public.restore_drills (schedule_id) where status = 'pending';

create table public.restore_beacons (
  drill_id uuid not null references public.restore_drills (id) on delete cascade,
  number bigint not null check (number >= 0),
  written_at timestamptz not null default clock_timestamp(),
  row_counts jsonb check (jsonb_typeof(row_counts) = 'object'),
  -- Rows inserted and deleted so far, by table.
  activity jsonb check (jsonb_typeof(activity) = 'object'),
  primary key (drill_id, number)
);

comment on table public.restore_beacons is 'Numbered rows that a drill writes: those that are missing after the restore are lost';

alter table public.drill_schedules enable row level security;
alter table public.drill_schedules force row level security;
alter table public.restore_drills enable row level security;
alter table public.restore_drills force row level security;
alter table public.restore_beacons enable row level security;
alter table public.restore_beacons force row level security;

revoke all on public.drill_schedules, public.restore_drills, public.restore_beacons from public, anon, authenticated;
grant select, insert, update, delete on public.drill_schedules, public.restore_drills, public.restore_beacons to service_role;

do $$
declare
  target text;
  claim constant text := '(select auth.role()) = ''service_role''';
begin
  foreach target in array array['drill_schedules', 'restore_drills', 'restore_beacons'] loop
    execute format('create policy %I on public.%I for select to service_role using (%s)', target || '_service_select', target, claim);
    execute format('create policy %I on public.%I for insert to service_role with check (%s)', target || '_service_insert', target, claim);
    execute format('create policy %I on public.%I for update to service_role using (%s) with check (%s)', target || '_service_update', target, claim, claim);
    execute format('create policy %I on public.%I for delete to service_role using (%s)', target || '_service_delete', target, claim);
  end loop;
end
$$;

grant select, insert, update on public.drill_schedules, public.restore_drills to exai_backup;
grant select, insert on public.restore_beacons to exai_backup;

create policy drill_schedules_runner_select on public.drill_schedules
  for select to exai_backup using ((select current_user) = 'exai_backup');
create policy drill_schedules_runner_insert on public.drill_schedules
  for insert to exai_backup with check ((select current_user) = 'exai_backup');
create policy drill_schedules_runner_update on public.drill_schedules
  for update to exai_backup using ((select current_user) = 'exai_backup') with check ((select current_user) = 'exai_backup');
create policy restore_drills_runner_select on public.restore_drills
  for select to exai_backup using ((select current_user) = 'exai_backup');
create policy restore_drills_runner_insert on public.restore_drills
  for insert to exai_backup with check (status = 'pending');
create policy restore_drills_runner_update on public.restore_drills
  for update to exai_backup using (finished_at is null) with check (status <> 'pending');
create policy restore_beacons_runner_select on public.restore_beacons
  for select to exai_backup using ((select current_user) = 'exai_backup');
create policy restore_beacons_runner_insert on public.restore_beacons
  for insert to exai_backup with check (exists (select from public.restore_drills as d where d.id = drill_id and d.status = 'in_progress'));

-- Prometheus: whether backups are damaged, and what the last drill measured.
grant select (backup_id, status, verified_at) on public.backup_verification to exai_monitor;
grant select on public.drill_schedules, public.restore_drills to exai_monitor;
create policy backup_verification_monitor_select on public.backup_verification
  for select to exai_monitor using ((select current_user) = 'exai_monitor');
create policy drill_schedules_monitor_select on public.drill_schedules
  for select to exai_monitor using ((select current_user) = 'exai_monitor');
create policy restore_drills_monitor_select on public.restore_drills
  for select to exai_monitor using ((select current_user) = 'exai_monitor');

create function exai.drill_declare(schedule_name text, expression text, zone text, minutes integer) returns void
  language sql
  security invoker
  set search_path = ''
as $$
  insert into public.drill_schedules as s (name, cron_expression, time_zone, deadline_minutes)
  values (schedule_name, expression, zone, minutes)
  on conflict (name) do update
    set cron_expression = excluded.cron_expression, time_zone = excluded.time_zone,
        deadline_minutes = excluded.deadline_minutes, is_active = true, checked_at = now()
    where (s.cron_expression, s.time_zone, s.deadline_minutes, s.is_active)
      is distinct from (excluded.cron_expression, excluded.time_zone, excluded.deadline_minutes, true)
$$;

-- Enqueues the drills that became due since the last call. Writes only then, or when an hour has passed.
create function exai.drill_tick() returns void
  language plpgsql
  security invoker
  set search_path = ''
as $$
declare
  schedule public.drill_schedules;
begin
  for schedule in select * from public.drill_schedules where is_active order by name loop
    if exai.cron_due(schedule.cron_expression, schedule.time_zone, greatest(schedule.checked_at, now() - interval '32 days'), now()) then
      insert into public.restore_drills (schedule_id, trigger) values (schedule.id, 'schedule')
      on conflict (schedule_id) where status = 'pending' do nothing;
      update public.drill_schedules set checked_at = now() where id = schedule.id;
    elsif schedule.checked_at < now() - interval '1 hour' then
      update public.drill_schedules set checked_at = now() where id = schedule.id;
    end if;
  end loop;
end
$$;

-- A manual drill counts as one of the schedule: it proves the same.
create function exai.drill_request() returns uuid
  language sql
  security invoker
  set search_path = ''
as $$
  insert into public.restore_drills (schedule_id)
  values ((select id from public.drill_schedules where is_active order by name limit 1))
  on conflict (schedule_id) where status = 'pending' do update set requested_at = now()
  returning id
$$;

create function exai.drill_claim() returns setof uuid
  language sql
  security invoker
  set search_path = ''
as $$
  update public.restore_drills set status = 'in_progress', started_at = clock_timestamp()
  where id = (select id from public.restore_drills where status = 'pending' order by requested_at limit 1 for update skip locked)
  returning id
$$;

create function exai.drill_fail(drill uuid, reason text) returns void
  language sql
  security invoker
  set search_path = ''
as $$
  update public.restore_drills
  set status = 'failed', started_at = coalesce(started_at, clock_timestamp()), finished_at = clock_timestamp(), error = left(reason, 4000)
  where id = drill and status in ('pending', 'in_progress')
$$;

create view exai.drill_status with (security_invoker = true) as
select
  s.name as schedule,
  extract(epoch from coalesce(max(d.finished_at) filter (where d.status = 'passed'), s.created_at))::double precision
    as last_success_timestamp_seconds,
  (array_agg(d.fetch_seconds + d.replay_seconds + d.proof_seconds order by d.finished_at desc) filter (where d.proof_seconds is not null))[1]
    as last_rto_seconds,
  (array_agg(d.rpo_seconds order by d.finished_at desc) filter (where d.rpo_seconds is not null))[1] as last_rpo_seconds,
  count(*) filter (where d.status = 'failed') as failures_total
from public.drill_schedules as s
left join public.restore_drills as d on d.schedule_id = s.id
where s.is_active
group by s.id;

comment on view exai.drill_status is 'The active drill schedules for Prometheus';

-- Backups that can be listed and whose last verification failed.
create view exai.repository_status with (security_invoker = true) as
select
  count(*) filter (where v.status = 'failed') as damaged_backups,
  coalesce(extract(epoch from max(v.verified_at)), 0)::double precision as last_verified_timestamp_seconds
from public.backup_history as h
left join lateral (
  select status, verified_at from public.backup_verification where backup_id = h.id order by verified_at desc limit 1
) as v on true
where h.status = 'completed' and h.expired_at is null;

comment on view exai.repository_status is 'The state of the repository of backups for Prometheus';

revoke all on function
  exai.drill_declare(text, text, text, integer), exai.drill_tick(), exai.drill_request(), exai.drill_claim(), exai.drill_fail(uuid, text)
from public;
grant execute on function
  exai.drill_declare(text, text, text, integer), exai.drill_tick(), exai.drill_request(), exai.drill_claim(), exai.drill_fail(uuid, text)
to service_role, exai_backup;
revoke all on exai.drill_status, exai.repository_status from public, anon, authenticated;
grant select on exai.drill_status, exai.repository_status to service_role, exai_monitor;
