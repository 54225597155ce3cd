-- Access to the tables of the files before. Users write what they say; the server writes what it decides, in its own role and for
-- the user that its transaction acts for; the service role does the rest.
set lock_timeout = '5s';
set statement_timeout = '60s';

revoke all on
  public.user_profiles, public.api_keys, public.rate_limits, public.rate_limit_buckets, public.audit_log,
  public.uploads, public.upload_parts, public.storage_objects, public.tool_calls, public.provider_usage,
  public.deployments, public.incident_events, public.retention_policies
from public, anon, authenticated, service_role;

-- Users.
grant select, delete on public.user_profiles to authenticated;
grant
  insert (user_id, display_name, locale, time_zone, default_provider, preferences),
  update (display_name, locale, time_zone, default_provider, preferences)
  on public.user_profiles to authenticated;
-- Without the hash, which no reader needs.
grant select (id, user_id, name, prefix, scopes, last_used_at, expires_at, revoked_at, created_at) on public.api_keys to authenticated;
grant update (name, revoked_at) on public.api_keys to authenticated;
grant select on
  public.rate_limits, public.rate_limit_buckets, public.audit_log, public.uploads, public.upload_parts, public.storage_objects,
  public.tool_calls, public.provider_usage
to authenticated;
grant insert (id, user_id, name, media_type, size_bytes, sha256) on public.uploads to authenticated;

create policy user_profiles_owner_select on public.user_profiles
  for select to authenticated using ((select auth.uid()) = user_id);
create policy user_profiles_owner_insert on public.user_profiles
  for insert to authenticated with check ((select auth.uid()) = user_id);
create policy user_profiles_owner_update on public.user_profiles
  for update to authenticated using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);
create policy user_profiles_owner_delete on public.user_profiles
  for delete to authenticated using ((select auth.uid()) = user_id);

create policy api_keys_owner_select on public.api_keys
  for select to authenticated using ((select auth.uid()) = user_id);
-- What is revoked stays revoked.
create policy api_keys_owner_update on public.api_keys
  for update to authenticated
  using ((select auth.uid()) = user_id and revoked_at is null)
  with check ((select auth.uid()) = user_id and (revoked_at is null or revoked_at <= now()));

create policy rate_limits_owner_select on public.rate_limits
  for select to authenticated using ((select auth.uid()) = user_id or user_id is null);
create policy rate_limit_buckets_owner_select on public.rate_limit_buckets
  for select to authenticated using ((select auth.uid()) = user_id);
create policy audit_log_owner_select on public.audit_log
  for select to authenticated using ((select auth.uid()) = user_id);
create policy uploads_owner_select on public.uploads
  for select to authenticated using ((select auth.uid()) = user_id);
create policy uploads_owner_insert on public.uploads
  for insert to authenticated with check ((select auth.uid()) = user_id);
create policy upload_parts_owner_select on public.upload_parts
  for select to authenticated using ((select auth.uid()) = user_id);
create policy storage_objects_owner_select on public.storage_objects
  for select to authenticated using ((select auth.uid()) = user_id);
create policy tool_calls_owner_select on public.tool_calls
  for select to authenticated using ((select auth.uid()) = user_id);
create policy provider_usage_owner_select on public.provider_usage
  for select to authenticated using ((select auth.uid()) = user_id);

-- The server, for the user that its transaction acts for.
grant insert (id, user_id, session_id, mcp_session_id, slot, protocol_version, transport) on public.mcp_sessions to exai_server;
grant insert (id, user_id, conversation_id, role, content, provider, model, token_count) on public.messages to exai_server;
grant select, insert, update (provider_file_id, status, error, uploaded_at, expires_at) on public.provider_file_uploads to exai_server;
grant select on public.rate_limits to exai_server;
grant select, insert, update (tokens, refilled_at) on public.rate_limit_buckets to exai_server;
grant insert (user_id, action, target_type, target_id, release, slot, details) on public.audit_log to exai_server;
grant select, update (file_id, received_bytes, status, completed_at) on public.uploads to exai_server;
grant select, insert, delete on public.upload_parts to exai_server;
grant select, insert, update (etag, size_bytes, stored_at, deleted_at) on public.storage_objects to exai_server;
grant insert on public.tool_calls, public.provider_usage to exai_server;

create policy mcp_sessions_server_insert on public.mcp_sessions
  for insert to exai_server with check ((select exai.caller()) = user_id);
create policy messages_server_insert on public.messages
  for insert to exai_server with check ((select exai.caller()) = user_id and role in ('assistant', 'tool'));
create policy provider_file_uploads_server_select on public.provider_file_uploads
  for select to exai_server using ((select exai.caller()) = user_id);
create policy provider_file_uploads_server_insert on public.provider_file_uploads
  for insert to exai_server with check ((select exai.caller()) = user_id);
create policy provider_file_uploads_server_update on public.provider_file_uploads
  for update to exai_server using ((select exai.caller()) = user_id) with check ((select exai.caller()) = user_id);
create policy rate_limits_server_select on public.rate_limits
  for select to exai_server using ((select exai.caller()) = user_id or user_id is null);
create policy rate_limit_buckets_server_select on public.rate_limit_buckets
  for select to exai_server using ((select exai.caller()) = user_id);
create policy rate_limit_buckets_server_insert on public.rate_limit_buckets
  for insert to exai_server with check ((select exai.caller()) = user_id);
create policy rate_limit_buckets_server_update on public.rate_limit_buckets
  for update to exai_server using ((select exai.caller()) = user_id) with check ((select exai.caller()) = user_id);
create policy audit_log_server_insert on public.audit_log
  for insert to exai_server with check ((select exai.caller()) = user_id);
create policy uploads_server_select on public.uploads
  for select to exai_server using ((select exai.caller()) = user_id);
create policy uploads_server_update on public.uploads
  for update to exai_server
  using ((select exai.caller()) = user_id and status = 'open') with check ((select exai.caller()) = user_id);
create policy upload_parts_server_select on public.upload_parts
  for select to exai_server using ((select exai.caller()) = user_id);
create policy upload_parts_server_insert on public.upload_parts
  for insert to exai_server with check ((select exai.caller()) = user_id);
create policy upload_parts_server_delete on public.upload_parts
  for delete to exai_server using ((select exai.caller()) = user_id);
create policy storage_objects_server_select on public.storage_objects
  for select to exai_server using ((select exai.caller()) = user_id);
create policy storage_objects_server_insert on public.storage_objects
  for insert to exai_server with check ((select exai.caller()) = user_id);
create policy storage_objects_server_update on public.storage_objects
  for update to exai_server using ((select exai.caller()) = user_id) with check ((select exai.caller()) = user_id);
create policy tool_calls_server_insert on public.tool_calls
  for insert to exai_server with check ((select exai.caller()) = user_id);
create policy provider_usage_server_insert on public.provider_usage
  for insert to exai_server with check ((select exai.caller()) = user_id);

-- Its own processes, for no user. It can end a process, and not revive it.
grant
  select,
  insert (id, release, version, slot, host),
  update (last_seen_at, stopped_at)
  on public.deployments to exai_server;
create policy deployments_server_select on public.deployments
  for select to exai_server using ((select current_user) = 'exai_server');
create policy deployments_server_insert on public.deployments
  for insert to exai_server with check ((select current_user) = 'exai_server');
create policy deployments_server_update on public.deployments
  for update to exai_server using (stopped_at is null) with check (last_seen_at <= now());

-- What Supabase's defaults gave to an earlier file's tables, and what no one uses.
revoke truncate, references, trigger on public.drill_schedules, public.restore_drills, public.restore_beacons from service_role;

-- The service role. It adds to the audit log, and neither changes nor removes what is there; how long rows are kept is the migrations'.
grant select, insert, update, delete on
  public.user_profiles, public.api_keys, public.rate_limits, public.rate_limit_buckets,
  public.uploads, public.upload_parts, public.storage_objects, public.tool_calls, public.provider_usage,
  public.deployments, public.incident_events
to service_role;
grant select, insert on public.audit_log to service_role;
grant select on public.retention_policies to service_role;

do $$
declare
  target text;
  claim constant text := '(select auth.role()) = ''service_role''';
begin
  foreach target in array array[
    'user_profiles', 'api_keys', 'rate_limits', 'rate_limit_buckets', 'audit_log', 'uploads', 'upload_parts', 'storage_objects',
    'tool_calls', 'provider_usage', 'deployments', 'incident_events', 'retention_policies'
  ]
  loop
    execute format('create policy %I on public.%I for select to service_role using (%s)', target || '_service_select', target, claim);
    continue when target = 'retention_policies';
    execute format('create policy %I on public.%I for insert to service_role with check (%s)', target || '_service_insert', target, claim);
    continue when target = 'audit_log';
    execute format('create policy %I on public.%I for update to service_role using (%s) with check (%s)', target || '_service_update', target, claim, claim);
    execute format('create policy %I on public.%I for delete to service_role using (%s)', target || '_service_delete', target, claim);
  end loop;
end
$$;
