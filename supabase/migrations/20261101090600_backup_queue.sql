-- The queue of backups: due backups, their runner and their results. All functions run with the caller's rights.
set lock_timeout = '5s';
set statement_timeout = '60s';

-- Whether a number matches one field of a cron expression: lists of `*`, `a` and `a-b`, each with an optional `/step`.
create function exai.cron_field_matches(field text, value integer, low integer, high integer) returns boolean
  language plpgsql immutable strict
  security invoker
  set search_path = ''
as $$
declare
  part text;
  bounds text[];
  first integer;
  last integer;
  step integer;
  matched boolean := false;
begin
  -- All parts are read even after a match, so that a mistake in a later one cannot hide.
  foreach part in array string_to_array(field, ',') loop
    bounds := regexp_match(part, '^(?:(\*)|([0-9]+)(?:-([0-9]+))?)(?:/([0-9]+))?$');
    if bounds is null then
      raise exception 'cron field % is malformed', field using errcode = 'invalid_parameter_value';
    end if;
    step := coalesce(bounds[4]::integer, 1);
    first := coalesce(bounds[2]::integer, low);
    -- `a/step` runs from a to the end, as in every cron.
    last := coalesce(bounds[3]::integer, case when bounds[2] is not null and bounds[4] is null then first else high end);
    if step < 1 or first < low or last > high or first > last then
      raise exception 'cron field % is out of range %-%', field, low, high using errcode = 'invalid_parameter_value';
    end if;
    matched := matched or (value between first and last and (value - first) % step = 0);
  end loop;
  return matched;
end
$$;

-- Whether the date fields of a cron expression name this day. Day of month and day of week are alternatives where both are
-- restricted, as cron has it; Sunday is 0 or 7.
create function exai.cron_matches_day(expression text, day date) returns boolean
  language plpgsql immutable strict
  security invoker
  set search_path = ''
as $$
declare
  fields constant text[] := string_to_array(expression, ' ');
  weekday constant integer := extract(dow from day);
  on_day boolean;
  on_weekday boolean;
begin
  if cardinality(fields) <> 5 then
    raise exception 'cron expression % has not five fields', expression using errcode = 'invalid_parameter_value';
  end if;
  on_day := exai.cron_field_matches(fields[3], extract(day from day)::integer, 1, 31);
  on_weekday := exai.cron_field_matches(fields[5], weekday, 0, 7)
    or (weekday = 0 and exai.cron_field_matches(fields[5], 7, 0, 7));
  return exai.cron_field_matches(fields[4], extract(month from day)::integer, 1, 12)
    and case when fields[3] <> '*' and fields[5] <> '*' then on_day or on_weekday else on_day and on_weekday end;
end
$$;

-- Whether the time fields of a cron expression name this minute of a day.
create function exai.cron_matches_time(expression text, minute timestamp) returns boolean
  language sql immutable strict
  security invoker
  set search_path = ''
as $$
  select exai.cron_field_matches(split_part(expression, ' ', 1), extract(minute from minute)::integer, 0, 59)
    and exai.cron_field_matches(split_part(expression, ' ', 2), extract(hour from minute)::integer, 0, 23)
$$;

-- Whether a schedule became due in the interval (after, until]. Minutes are looked at only on days that the schedule names.
--
-- A schedule with a fixed hour is looked up on the wall clock, so a night that skips 02:00 still has its backup and one
-- that has 02:00 twice does not take it twice. A schedule of every hour follows real time.
create function exai.cron_due(expression text, zone text, after timestamptz, until timestamptz) returns boolean
  language plpgsql stable strict
  security invoker
  set search_path = ''
as $$
declare
  minute constant interval := '1 minute';
  wall_from constant timestamp := date_trunc('minute', after at time zone zone) + minute;
  wall_until constant timestamp := until at time zone zone;
  first constant timestamptz := date_trunc('minute', after) + minute;
begin
  if split_part(expression, ' ', 2) = '*' then
    return exists (
      -- A night that sets the clock back can end on an earlier wall time than it began with.
      select from generate_series(date_trunc('day', least(wall_from, wall_until)), greatest(wall_from, wall_until), '1 day') as day
      cross join lateral generate_series(
        greatest(first, day at time zone zone), least(until, (day + interval '1 day') at time zone zone - minute), minute
      ) as at
      where exai.cron_matches_day(expression, day::date) and exai.cron_matches_time(expression, at at time zone zone)
    );
  end if;
  return exists (
    select from generate_series(date_trunc('day', wall_from), wall_until, '1 day') as day
    cross join lateral generate_series(greatest(wall_from, day), least(wall_until, day + interval '1 day' - minute), minute) as at
    where exai.cron_matches_day(expression, day::date) and exai.cron_matches_time(expression, at)
  );
end
$$;

-- Refuses a schedule that would never run: PostgreSQL also takes made-up zones of the form ABC5, and a malformed
-- expression would fail only when it is evaluated.
create function exai.check_backup_schedule() returns trigger
  language plpgsql
  security invoker
  set search_path = ''
as $$
begin
  -- The view reads the files of all zones, so UTC, which every server has, is not looked up.
  if new.time_zone <> 'UTC' and not exists (select from pg_catalog.pg_timezone_names where name = new.time_zone) then
    raise exception 'time zone % is unknown', new.time_zone
      using errcode = 'check_violation', hint = 'Use a name of the IANA database, such as Europe/Berlin.';
  end if;
  -- Field by field: a whole match would stop at the first field that differs.
  perform exai.cron_field_matches(split_part(new.cron_expression, ' ', 1), 0, 0, 59);
  perform exai.cron_field_matches(split_part(new.cron_expression, ' ', 2), 0, 0, 23);
  perform exai.cron_field_matches(split_part(new.cron_expression, ' ', 3), 1, 1, 31);
  perform exai.cron_field_matches(split_part(new.cron_expression, ' ', 4), 1, 1, 12);
  perform exai.cron_field_matches(split_part(new.cron_expression, ' ', 5), 0, 0, 7);
  return new;
end
$$;

create trigger backup_schedules_check before insert or update of cron_expression, time_zone on public.backup_schedules
  for each row execute function exai.check_backup_schedule();

-- Declares a schedule of the program. An unchanged schedule is not written.
create function exai.backup_declare(
  schedule_name text, schedule_kind text, schedule_frequency text, expression text, zone text, days integer
) returns void
  language sql
  security invoker
  set search_path = ''
as $$
  insert into public.backup_schedules as s (name, kind, frequency, cron_expression, time_zone, retention_days)
  values (schedule_name, schedule_kind, schedule_frequency, expression, zone, days)
  on conflict (name) do update
    set kind = excluded.kind, frequency = excluded.frequency, cron_expression = excluded.cron_expression,
        time_zone = excluded.time_zone, retention_days = excluded.retention_days, is_active = true, checked_at = now()
    where (s.kind, s.frequency, s.cron_expression, s.time_zone, s.retention_days, s.is_active)
      is distinct from
      (excluded.kind, excluded.frequency, excluded.cron_expression, excluded.time_zone, excluded.retention_days, true)
$$;

-- Enqueues the schedules that became due since the last call and returns their names. Called every minute; writes only when something is
-- due or an hour has passed, because each write would make the server archive a segment of its log.
create function exai.backup_tick() returns setof text
  language plpgsql
  security invoker
  set search_path = ''
as $$
declare
  schedule public.backup_schedules;
begin
  -- Read without a lock, which would itself be a write; of two that look at once, the index of pending rows lets one in.
  for schedule in select * from public.backup_schedules where is_active order by name loop
    if exai.cron_due(schedule.cron_expression, schedule.time_zone, greatest(schedule.checked_at, now() - interval '8 days'), now()) then
      insert into public.backup_history (schedule_id, kind, trigger, retention_days)
      values (schedule.id, schedule.kind, 'schedule', schedule.retention_days)
      on conflict (schedule_id) where status = 'pending' do nothing;
      update public.backup_schedules set checked_at = now() where id = schedule.id and checked_at < now();
      return next schedule.name;
    elsif schedule.checked_at < now() - interval '1 hour' then
      update public.backup_schedules set checked_at = now() where id = schedule.id;
    end if;
  end loop;
end
$$;

-- Enqueues a backup outside the schedules' times. With a schedule's name it counts as that schedule's.
create function exai.backup_request(wanted_kind text, cause text default 'manual', schedule_name text default null) returns uuid
  language plpgsql
  security invoker
  set search_path = ''
as $$
declare
  schedule public.backup_schedules;
  request uuid;
begin
  if schedule_name is not null then
    select * into schedule from public.backup_schedules where name = schedule_name;
    if not found then
      raise exception 'there is no backup schedule named %', schedule_name using errcode = 'no_data_found';
    end if;
  end if;
  insert into public.backup_history (schedule_id, kind, trigger, retention_days)
  values (schedule.id, wanted_kind, cause, coalesce(schedule.retention_days, 14))
  on conflict (schedule_id) where status = 'pending' do nothing
  returning id into request;
  if request is null then
    select id into request from public.backup_history where schedule_id = schedule.id and status = 'pending';
  end if;
  return request;
end
$$;

-- Takes the oldest request, or none.
create function exai.backup_claim() returns setof public.backup_history
  language sql
  security invoker
  set search_path = ''
as $$
  update public.backup_history set status = 'in_progress', started_at = clock_timestamp()
  where id = (
    select id from public.backup_history where status = 'pending' order by requested_at limit 1 for update skip locked
  )
  returning *
$$;

create function exai.backup_complete(
  backup uuid, new_label text, path text, database_bytes bigint, added_bytes bigint, counts jsonb, details jsonb
) returns void
  language sql
  security invoker
  set search_path = ''
as $$
  update public.backup_history
  set status = 'completed', finished_at = clock_timestamp(), label = new_label, file_path = path,
      size_bytes = database_bytes, stored_bytes = added_bytes, row_counts = counts, metadata = metadata || details
  where id = backup and status = 'in_progress'
$$;

create function exai.backup_fail(backup uuid, reason text) returns void
  language sql
  security invoker
  set search_path = ''
as $$
  update public.backup_history set status = 'failed', finished_at = clock_timestamp(), error = left(reason, 4000)
  where id = backup and status = 'in_progress'
$$;

-- Labels whose retention has passed and which no younger backup still needs, newest first.
--
-- A pgBackRest label starts with the label of its full backup. A full one is needed by all of its chain; another one by
-- the later incremental ones of the chain. The newest full backup stays regardless of its age.
create function exai.backup_expirable() returns table (id uuid, label text)
  language sql stable
  security invoker
  set search_path = ''
as $$
  with kept as (
    select b.id, b.label, split_part(b.label, '_', 1) as chain, b.label not like '%\_%' as is_full,
           b.label like '%I' as is_incremental, b.started_at + make_interval(days => b.retention_days) <= now() as is_over
    from public.backup_history as b
    where b.status = 'completed' and b.expired_at is null
  )
  select x.id, x.label
  from kept as x
  where x.is_over
    and not exists (
      select from kept as y
      where y.chain = x.chain and y.label > x.label and not y.is_over and (x.is_full or y.is_incremental)
    )
    and not (x.is_full and x.label = (select max(f.label) from kept as f where f.is_full))
  order by x.label desc
$$;

-- State of the active schedules for Prometheus. Where none has succeeded yet, time counts from the declaration, so that
-- an alert on the age fires after one period and not at once.
create view exai.backup_status with (security_invoker = true) as
select
  s.name as schedule,
  s.kind,
  extract(epoch from coalesce(max(h.finished_at) filter (where h.status = 'completed'), s.created_at))::double precision
    as last_success_timestamp_seconds,
  coalesce((array_agg(extract(epoch from h.finished_at - h.started_at) order by h.finished_at desc)
    filter (where h.status = 'completed'))[1], 0)::double precision as last_duration_seconds,
  coalesce((array_agg(h.stored_bytes order by h.finished_at desc) filter (where h.status = 'completed'))[1], 0)::bigint
    as last_size_bytes,
  count(*) filter (where h.status = 'failed') as failures_total
from public.backup_schedules as s
left join public.backup_history as h on h.schedule_id = s.id
where s.is_active
group by s.id;

revoke all on all functions in schema exai from public;
grant execute on all functions in schema exai to service_role, exai_backup;
revoke all on exai.backup_status from public, anon, authenticated;
grant select on exai.backup_status to service_role, exai_monitor;
