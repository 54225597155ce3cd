-- Operational tables: the service role alone, save for the backup runner and the monitor on the tables of backups.
begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;

create function pg_temp.outcome(actor text, claims json, statement text) returns text language plpgsql as $$
declare
  affected bigint;
begin
  perform set_config('request.jwt.claims', coalesce(claims::text, ''), true);
  perform set_config('role', actor, true);
  begin
    execute statement;
    get diagnostics affected = row_count;
    raise exception using errcode = 'P0099', message = affected::text;
  exception
    when sqlstate 'P0099' then
      perform set_config('role', 'none', true);
      return sqlerrm;
    when insufficient_privilege then
      perform set_config('role', 'none', true);
      return 'refused';
    when others then
      perform set_config('role', 'none', true);
      return sqlerrm;
  end;
end
$$;

create temporary table probe (position integer, tab text, statement text);
insert into probe values
  (1, 'monitoring_events', 'insert into public.monitoring_events (event_type, source) values (''x'', ''y'')'),
  (2, 'auditor_observations', 'insert into public.auditor_observations (auditor, category, severity, observation) values (''x'', ''y'', ''low'', ''z'')'),
  (3, 'production_metrics', 'insert into public.production_metrics (metric_name, metric_type, metric_value) values (''x'', ''gauge'', 1)'),
  (4, 'production_incidents', 'insert into public.production_incidents (title, severity) values (''x'', ''low'')'),
  (5, 'system_health', 'insert into public.system_health (component, status) values (''x'', ''healthy'')'),
  (6, 'performance_benchmarks', 'insert into public.performance_benchmarks (test_name, result, unit) values (''x'', 1, ''s'')'),
  (7, 'backup_schedules', 'insert into public.backup_schedules (name, kind, frequency, cron_expression, retention_days) values (''probe'', ''full'', ''daily'', ''0 2 * * *'', 7)'),
  (8, 'backup_history', 'insert into public.backup_history (kind) values (''full'')');

select plan(8 * 7 + 14);

select t.result from probe as p cross join lateral (
  values
    (1, is(pg_temp.outcome('authenticated', json_build_object('role', 'authenticated', 'sub', gen_random_uuid()), format('select from public.%I', p.tab)), 'refused', format('users read nothing of %s', p.tab))),
    (2, is(pg_temp.outcome('authenticated', json_build_object('role', 'authenticated', 'sub', gen_random_uuid()), p.statement), 'refused', format('users insert nothing into %s', p.tab))),
    (3, is(pg_temp.outcome('anon', json_build_object('role', 'anon'), format('select from public.%I', p.tab)), 'refused', format('anon reads nothing of %s', p.tab))),
    (4, is(pg_temp.outcome('anon', json_build_object('role', 'anon'), p.statement), 'refused', format('anon inserts nothing into %s', p.tab))),
    (5, is(pg_temp.outcome('authenticated', json_build_object('role', 'service_role'), p.statement), 'refused', format('the claim alone opens nothing of %s', p.tab))),
    (6, is(pg_temp.outcome('service_role', json_build_object('role', 'service_role'), p.statement), '1', format('service_role inserts into %s', p.tab))),
    (7, ok(pg_temp.outcome('service_role', json_build_object('role', 'service_role'), format('delete from public.%I', p.tab)) ~ '^[0-9]+$', format('service_role may delete from %s', p.tab)))
) as t(position, result) order by p.position, t.position;

-- Roles can be acted as only by a member; on a hosted project the owner is one of the roles it made.
do $$ begin execute format('grant exai_backup, exai_monitor to %I', current_user); end $$;

insert into public.backup_history (kind, status, started_at, finished_at, label, size_bytes, expired_at)
  values ('full', 'completed', now(), now(), 'probe', 1, now());
select is(pg_temp.outcome('exai_backup', null, 'insert into public.backup_history (kind) values (''full'')'), '1', 'the runner enqueues');
select is(pg_temp.outcome('exai_backup', null, 'insert into public.backup_history (kind, status, started_at, finished_at, label, size_bytes) values (''full'', ''completed'', now(), now(), ''x'', 1)'), 'refused', 'the runner invents no finished backup');
select is(pg_temp.outcome('exai_backup', null, 'update public.backup_history set expired_at = null where label = ''probe'''), '0', 'the runner revives no expired backup');
select is(pg_temp.outcome('exai_backup', null, 'delete from public.backup_history'), 'refused', 'the runner deletes no history');
select is(pg_temp.outcome('exai_backup', null, 'select from public.conversations'), 'refused', 'the runner reads no conversation');
select is(pg_temp.outcome('exai_backup', null, 'select exai.backup_tick()') ~ '^[0-9]+$', true, 'the runner may look for what is due');
select is(pg_temp.outcome('exai_monitor', null, 'select from exai.backup_status') ~ '^[0-9]+$', true, 'the monitor reads the state of backups');
select is(pg_temp.outcome('exai_monitor', null, 'update public.backup_schedules set is_active = false'), 'refused', 'the monitor changes nothing');
select is(pg_temp.outcome('exai_monitor', null, 'select from public.messages'), 'refused', 'the monitor reads no message');
select is(pg_temp.outcome('exai_monitor', null, 'select details from public.backup_verification'), 'refused', 'the monitor reads no details of a verification');
select is(pg_temp.outcome('exai_monitor', null, 'select from exai.repository_status, exai.drill_status') ~ '^[0-9]+$', true, 'the monitor reads the state of repository and drills');
select is(pg_temp.outcome('exai_backup', null, 'select exai.drill_tick()') ~ '^[0-9]+$', true, 'the runner may look for due drills');
select is(pg_temp.outcome('exai_backup', null, 'insert into public.restore_drills (status, finished_at, proof_seconds, rpo_seconds) values (''passed'', now(), 1, 0)'), 'refused', 'the runner invents no drill that passed');
select is(pg_temp.outcome('exai_backup', null, 'delete from public.restore_beacons'), 'refused', 'the runner deletes no beacon');

select * from finish();
rollback;
