-- Keys, checks and indexes.
begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;

select plan(41);

select is_empty(
  $$ select relname from pg_class as c where relnamespace = 'public'::regnamespace and relkind = 'r' and not exists (select from pg_constraint where conrelid = c.oid and contype = 'p') $$,
  'every table has a primary key'
);
select is_empty(
  $$
    select conrelid::regclass, conname from pg_constraint as f
    where contype = 'f' and connamespace = 'public'::regnamespace and not exists (
      select from pg_index as i
      where i.indrelid = f.conrelid and i.indpred is null
        and (i.indkey::int2[])[0:cardinality(f.conkey) - 1] @> f.conkey
        and (i.indkey::int2[])[0:cardinality(f.conkey) - 1] <@ f.conkey
    )
  $$,
  'every foreign key leads an index'
);
select is_empty(
  $$
    select a.attrelid::regclass, a.attname from pg_attribute as a
    join pg_class as c on c.oid = a.attrelid and c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
    where a.attname in ('user_id', 'reported_by')
      and not exists (select from pg_index as i where i.indrelid = c.oid and i.indkey[0] = a.attnum)
  $$,
  'every column that binds rows to an owner leads an index'
);
select is_empty(
  $$ select table_name, column_name from information_schema.columns where table_schema = 'public' and data_type = 'timestamp without time zone' $$,
  'every instant has its time zone'
);
select is_empty(
  $$ select table_name, column_name from information_schema.columns where table_schema = 'public' and data_type = 'json' $$,
  'documents are jsonb'
);

select is_empty(
  $$
    select a.attrelid::regclass, a.attname from pg_attribute as a
    join pg_class as c on c.oid = a.attrelid and c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
    where a.attnum > 0 and not a.attisdropped and a.atttypid in ('text'::regtype, 'jsonb'::regtype)
      and (has_column_privilege('authenticated', c.oid, a.attnum, 'insert') or has_column_privilege('authenticated', c.oid, a.attnum, 'update'))
      and not exists (
        select from pg_constraint as k
        where k.conrelid = c.oid and k.contype = 'c' and k.conkey @> array[a.attnum]
          and pg_get_constraintdef(k.oid) ~ format('length\(\(?%s(\)::text)?\) (<=|>=)|\(%s (= ANY|~ ''\^)', a.attname, a.attname)
      )
  $$,
  'every text that users write has a limit'
);

create function pg_temp.index_keys(index_name text) returns text language sql as $$
  select substring(pg_get_indexdef(format('public.%I', index_name)::regclass) from '\((.*)\)')
$$;
select is(pg_temp.index_keys('production_metrics_name_timestamp_idx'), 'metric_name, "timestamp" DESC', 'metrics by name and time');
select is(pg_temp.index_keys('system_health_component_timestamp_idx'), 'component, "timestamp" DESC', 'health by component and time');
select is(pg_temp.index_keys('backup_history_schedule_started_idx'), 'schedule_id, started_at DESC', 'history by schedule and start');

create function pg_temp.incident(severity text, status text) returns text language sql as $$
  select format('insert into public.production_incidents (title, severity, status, resolved_at) values (''x'', %L, %L, %s)', severity, status, case when status in ('resolved', 'closed') then 'now()' else 'null' end)
$$;
select lives_ok(pg_temp.incident(s, 'open'), format('severity %s', s)) from unnest(array['critical', 'high', 'medium', 'low']) as s;
select throws_ok(pg_temp.incident('urgent', 'open'), '23514', null, 'no other severity');
select lives_ok(pg_temp.incident('low', s), format('status %s', s)) from unnest(array['open', 'investigating', 'resolved', 'closed']) as s;
select throws_ok(pg_temp.incident('low', 'done'), '23514', null, 'no other status');
select throws_ok('insert into public.production_incidents (title, severity, status) values (''x'', ''low'', ''closed'')', '23514', null, 'a closed incident says when');

create function pg_temp.schedule(days integer, frequency text default 'daily', cron text default '0 2 * * *', zone text default 'UTC') returns text language sql as $$
  select format('insert into public.backup_schedules (name, kind, frequency, cron_expression, time_zone, retention_days) values (%L, ''full'', %L, %L, %L, %s)', 'probe-' || substr(md5(random()::text), 1, 8), frequency, cron, zone, days)
$$;
select lives_ok(pg_temp.schedule(7), 'kept 7 days');
select lives_ok(pg_temp.schedule(90), 'kept 90 days');
select throws_ok(pg_temp.schedule(6), '23514', null, 'not kept 6 days');
select throws_ok(pg_temp.schedule(91), '23514', null, 'not kept 91 days');
select lives_ok(pg_temp.schedule(7, f), format('frequency %s', f)) from unnest(array['hourly', 'daily', 'weekly', 'monthly']) as f;
select throws_ok(pg_temp.schedule(7, 'yearly'), '23514', null, 'no other frequency');
select throws_ok(pg_temp.schedule(7, 'daily', '0 2 * * *', 'Mars/Olympus'), '23514', null, 'no unknown time zone');
select throws_ok(pg_temp.schedule(7, 'daily', '0 24 * * *'), '22023', null, 'no hour 24');

select throws_ok('insert into public.backup_history (kind, status, started_at) values (''full'', ''failed'', now())', '23514', null, 'a failed backup says why and when');
select throws_ok('insert into public.messages (user_id, conversation_id, role, content) values (gen_random_uuid(), gen_random_uuid(), ''robot'', ''x'')', '23514', null, 'no other role of a message');

insert into public.performance_benchmarks (test_name, result, unit, threshold, better) values
  ('fast', 1, 's', 2, 'lower'), ('slow', 3, 's', 2, 'lower'), ('many', 3, '/s', 2, 'higher'), ('bare', 3, 's', null, 'lower');
select results_eq(
  'select test_name, passed from public.performance_benchmarks where test_name in (''fast'', ''slow'', ''many'', ''bare'') order by 1',
  $$ values ('bare', null::boolean), ('fast', true), ('many', true), ('slow', false) $$,
  'a benchmark passes by its figures'
);
-- The clock of a transaction stands still, so the change is looked for against an older value.
insert into public.production_incidents (title, severity, updated_at) values ('touched', 'low', 'epoch');
update public.production_incidents set severity = 'high' where title = 'touched';
select is((select updated_at from public.production_incidents where title = 'touched'), now(), 'a change is dated');

-- What is due: wall clock for fixed hours, real time for every hour.
select results_eq(
  $$ values
    (exai.cron_due('0 2 * * *', 'UTC', '2026-01-01 01:59Z', '2026-01-01 02:00Z')),
    (exai.cron_due('0 2 * * *', 'UTC', '2026-01-01 02:00Z', '2026-01-01 02:01Z')),
    (exai.cron_due('0 3 * * 0', 'UTC', '2026-01-04 02:59Z', '2026-01-04 03:00Z')),
    (exai.cron_due('0 3 * * 0', 'UTC', '2026-01-05 02:59Z', '2026-01-05 03:00Z'))
  $$,
  $$ values (true), (false), (true), (false) $$,
  'daily and weekly schedules fall due at their minute alone'
);
select ok(exai.cron_due('30 2 * * *', 'Europe/Berlin', '2026-03-29 00:59Z', '2026-03-29 01:00Z'), 'a night without 02:30 has its backup');
select ok(not exai.cron_due('0 2 * * *', 'Europe/Berlin', '2026-10-25 00:00Z', '2026-10-25 01:00Z'), 'a night with 02:00 twice has one');
select ok(exai.cron_due('0 * * * *', 'Europe/Berlin', '2026-10-25 00:59Z', '2026-10-25 01:00Z'), 'every hour falls due in both hours that are 02:00');
select ok(exai.cron_due('0 * 25 10 *', 'Europe/Berlin', '2026-10-24 21:59Z', '2026-10-24 22:00Z'), 'a day begins at midnight of the time zone');
select ok(not exai.cron_due('0 * 25 10 *', 'Europe/Berlin', '2026-10-25 22:59Z', '2026-10-25 23:00Z'), 'a day with 25 hours ends at midnight');

select * from finish();
rollback;
