-- Access control. Privileges define the commands of a role; policies define the rows.
--
-- auth.uid() and auth.role() stand in subqueries, so that they are evaluated once per statement and not once per row.
set lock_timeout = '5s';
set statement_timeout = '60s';

-- Supabase grants all privileges on new tables to the API's roles. They are revoked, except for the grants below.
revoke all on
  public.sessions,
  public.mcp_sessions,
  public.conversations,
  public.messages,
  public.files,
  public.provider_file_uploads,
  public.monitoring_events,
  public.auditor_observations,
  public.exai_issues,
  public.production_metrics,
  public.production_incidents,
  public.system_health,
  public.performance_benchmarks,
  public.backup_schedules,
  public.backup_history,
  public.backup_verification
from public, anon, authenticated, service_role;

grant select, insert, update, delete on
  public.sessions,
  public.mcp_sessions,
  public.conversations,
  public.messages,
  public.files,
  public.provider_file_uploads,
  public.monitoring_events,
  public.auditor_observations,
  public.exai_issues,
  public.production_metrics,
  public.production_incidents,
  public.system_health,
  public.performance_benchmarks,
  public.backup_schedules,
  public.backup_history,
  public.backup_verification
to service_role;

grant select, insert, update, delete on
  public.sessions,
  public.mcp_sessions,
  public.conversations,
  public.messages,
  public.files,
  public.provider_file_uploads
to authenticated;

-- Users report issues and read their own; operators change their state.
grant select, insert on public.exai_issues to authenticated;

-- Users: their own rows.
create policy sessions_owner_select on public.sessions
  for select to authenticated using ((select auth.uid()) = user_id);
create policy sessions_owner_insert on public.sessions
  for insert to authenticated with check ((select auth.uid()) = user_id);
create policy sessions_owner_update on public.sessions
  for update to authenticated using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);
create policy sessions_owner_delete on public.sessions
  for delete to authenticated using ((select auth.uid()) = user_id);

create policy mcp_sessions_owner_select on public.mcp_sessions
  for select to authenticated using ((select auth.uid()) = user_id);
create policy mcp_sessions_owner_insert on public.mcp_sessions
  for insert to authenticated with check ((select auth.uid()) = user_id);
create policy mcp_sessions_owner_update on public.mcp_sessions
  for update to authenticated using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);
create policy mcp_sessions_owner_delete on public.mcp_sessions
  for delete to authenticated using ((select auth.uid()) = user_id);

create policy conversations_owner_select on public.conversations
  for select to authenticated using ((select auth.uid()) = user_id);
create policy conversations_owner_insert on public.conversations
  for insert to authenticated with check ((select auth.uid()) = user_id);
create policy conversations_owner_update on public.conversations
  for update to authenticated using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);
create policy conversations_owner_delete on public.conversations
  for delete to authenticated using ((select auth.uid()) = user_id);

create policy messages_owner_select on public.messages
  for select to authenticated using ((select auth.uid()) = user_id);
create policy messages_owner_insert on public.messages
  for insert to authenticated with check ((select auth.uid()) = user_id);
create policy messages_owner_update on public.messages
  for update to authenticated using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);
create policy messages_owner_delete on public.messages
  for delete to authenticated using ((select auth.uid()) = user_id);

create policy files_owner_select on public.files
  for select to authenticated using ((select auth.uid()) = user_id);
create policy files_owner_insert on public.files
  for insert to authenticated with check ((select auth.uid()) = user_id);
create policy files_owner_update on public.files
  for update to authenticated using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);
create policy files_owner_delete on public.files
  for delete to authenticated using ((select auth.uid()) = user_id);

create policy provider_file_uploads_owner_select on public.provider_file_uploads
  for select to authenticated using ((select auth.uid()) = user_id);
create policy provider_file_uploads_owner_insert on public.provider_file_uploads
  for insert to authenticated with check ((select auth.uid()) = user_id);
create policy provider_file_uploads_owner_update on public.provider_file_uploads
  for update to authenticated using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);
create policy provider_file_uploads_owner_delete on public.provider_file_uploads
  for delete to authenticated using ((select auth.uid()) = user_id);

create policy exai_issues_reporter_select on public.exai_issues
  for select to authenticated using ((select auth.uid()) = reported_by);
-- A report is new: it neither closes itself nor claims an auditor's observation.
create policy exai_issues_reporter_insert on public.exai_issues
  for insert to authenticated with check (
    (select auth.uid()) = reported_by
    and status = 'open'
    and resolution is null
    and observation_id is null
  );

-- The server's back end. On Supabase this role bypasses row level security; where it does not, these policies hold,
-- and they ask for the claim as well as for the role.
do $$
declare
  target text;
  claim constant text := '(select auth.role()) = ''service_role''';
begin
  foreach target in array array[
    'sessions',
    'mcp_sessions',
    'conversations',
    'messages',
    'files',
    'provider_file_uploads',
    'monitoring_events',
    'auditor_observations',
    'exai_issues',
    'production_metrics',
    'production_incidents',
    'system_health',
    'performance_benchmarks',
    'backup_schedules',
    'backup_history',
    'backup_verification'
  ]
  loop
    execute format('create policy %I on public.%I for select to service_role using (%s)', target || '_service_select', target, claim);
    execute format('create policy %I on public.%I for insert to service_role with check (%s)', target || '_service_insert', target, claim);
    execute format('create policy %I on public.%I for update to service_role using (%s) with check (%s)', target || '_service_update', target, claim, claim);
    execute format('create policy %I on public.%I for delete to service_role using (%s)', target || '_service_delete', target, claim);
  end loop;
end
$$;

-- The backup runner: it declares schedules, fills and works off the queue, and writes verifications. It deletes nothing
-- and cannot change what it has marked as expired.
grant select, insert, update on public.backup_schedules, public.backup_history to exai_backup;
grant select, insert on public.backup_verification to exai_backup;

create policy backup_schedules_runner_select on public.backup_schedules
  for select to exai_backup using ((select current_user) = 'exai_backup');
create policy backup_schedules_runner_insert on public.backup_schedules
  for insert to exai_backup with check ((select current_user) = 'exai_backup');
create policy backup_schedules_runner_update on public.backup_schedules
  for update to exai_backup using ((select current_user) = 'exai_backup') with check ((select current_user) = 'exai_backup');
create policy backup_history_runner_select on public.backup_history
  for select to exai_backup using ((select current_user) = 'exai_backup');
create policy backup_history_runner_insert on public.backup_history
  for insert to exai_backup with check (status = 'pending');
create policy backup_history_runner_update on public.backup_history
  for update to exai_backup using (expired_at is null) with check (status <> 'pending');
create policy backup_verification_runner_select on public.backup_verification
  for select to exai_backup using ((select current_user) = 'exai_backup');
create policy backup_verification_runner_insert on public.backup_verification
  for insert to exai_backup with check (exists (select from public.backup_history as b where b.id = backup_id));

-- Prometheus: how old the backups are.
grant select on public.backup_schedules, public.backup_history to exai_monitor;

create policy backup_schedules_monitor_select on public.backup_schedules
  for select to exai_monitor using ((select current_user) = 'exai_monitor');
create policy backup_history_monitor_select on public.backup_history
  for select to exai_monitor using ((select current_user) = 'exai_monitor');
