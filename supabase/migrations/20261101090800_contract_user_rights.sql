-- Users write what they say; the service writes what it decides. A user's token reaches these tables through the API, without
-- the server in between, so privileges of columns, policies and checks define what it may change.
--
-- A contract migration: a release that writes the service's columns in the user's name is refused from here on.
set lock_timeout = '5s';
set statement_timeout = '60s';

-- The alphabet of object names in Supabase's storage, without `?`. It has no percent sign, backslash, control character or
-- look-alike of a dot or a slash, so no later decoding makes a path leave its owner's folder. Each part has a character other
-- than dot and space.
alter table public.files drop constraint files_path_is_owned;
alter table public.files
  add constraint files_path_is_owned check (
    starts_with(storage_path, user_id::text || '/')
    and storage_path ~ '^[0-9a-f-]{36}(/[. ]*[A-Za-z0-9_!*''()&$@=;:+,-][A-Za-z0-9_!*''()&$@=;:+,. -]*)+$'
  ) not valid;

-- Sessions: a user opens and ends them. Their start and their expiry are the service's; what has ended stays ended.
alter table public.sessions alter column expires_at set default now() + interval '30 days';
revoke insert, update on public.sessions, public.mcp_sessions from authenticated;
grant
  insert (id, user_id, client_name, client_version, metadata),
  update (client_name, client_version, last_seen_at, ended_at, metadata)
  on public.sessions to authenticated;
grant
  insert (id, user_id, session_id, mcp_session_id, protocol_version, transport, metadata),
  update (last_seen_at, closed_at, metadata)
  on public.mcp_sessions to authenticated;

alter policy sessions_owner_update on public.sessions
  using ((select auth.uid()) = user_id and ended_at is null and (expires_at is null or expires_at > now()))
  with check ((select auth.uid()) = user_id and last_seen_at <= now() and (ended_at is null or ended_at <= now()));
alter policy mcp_sessions_owner_update on public.mcp_sessions
  using ((select auth.uid()) = user_id and closed_at is null)
  with check ((select auth.uid()) = user_id and last_seen_at <= now() and (closed_at is null or closed_at <= now()));

-- Messages: users speak for themselves. Instructions, answers and token counts are the service's.
revoke insert, update on public.conversations, public.messages, public.files, public.exai_issues from authenticated;
grant
  insert (id, user_id, session_id, continuation_id, title, metadata),
  update (session_id, continuation_id, title, metadata)
  on public.conversations to authenticated;
grant
  insert (id, user_id, conversation_id, role, content, metadata),
  update (content, metadata)
  on public.messages to authenticated;

alter policy messages_owner_insert on public.messages
  with check ((select auth.uid()) = user_id and role = 'user');
alter policy messages_owner_update on public.messages
  using ((select auth.uid()) = user_id and role = 'user') with check ((select auth.uid()) = user_id and role = 'user');

-- Files: the bytes do not change under a row, so what describes them does not either.
grant
  insert (id, user_id, conversation_id, name, media_type, size_bytes, sha256, storage_path, metadata),
  update (conversation_id, name, media_type, metadata)
  on public.files to authenticated;

-- Uploads: the service deletes the copy at the provider by the row. The row therefore outlives its file, and only the service
-- deletes it.
revoke delete on public.provider_file_uploads from authenticated;
drop policy provider_file_uploads_owner_delete on public.provider_file_uploads;
alter table public.provider_file_uploads alter column file_id drop not null;
alter table public.provider_file_uploads drop constraint provider_file_uploads_file_fkey;
alter table public.provider_file_uploads
  add constraint provider_file_uploads_file_fkey foreign key (file_id, user_id)
    references public.files (id, user_id) on delete set null (file_id);

grant insert (id, reported_by, title, description, severity, metadata) on public.exai_issues to authenticated;

-- Sizes, in characters: without a limit one user can fill the database. `not valid`: rows from before keep their values, and
-- are checked when they are written.
alter table public.sessions
  add constraint sessions_metadata_size check (length(metadata::text) <= 65536) not valid;
alter table public.mcp_sessions
  add constraint mcp_sessions_protocol_version_size check (length(protocol_version) <= 100) not valid,
  add constraint mcp_sessions_metadata_size check (length(metadata::text) <= 65536) not valid;
alter table public.conversations
  add constraint conversations_metadata_size check (length(metadata::text) <= 65536) not valid;
alter table public.messages
  add constraint messages_content_size check (length(content) <= 1000000) not valid,
  add constraint messages_metadata_size check (length(metadata::text) <= 65536) not valid;
alter table public.files
  add constraint files_metadata_size check (length(metadata::text) <= 65536) not valid;
alter table public.provider_file_uploads
  add constraint provider_file_uploads_metadata_size check (length(metadata::text) <= 65536) not valid,
  add constraint provider_file_uploads_error_size check (length(error) <= 4000) not valid;
alter table public.exai_issues
  add constraint exai_issues_description_size check (length(description) <= 20000) not valid,
  add constraint exai_issues_resolution_size check (length(resolution) <= 20000) not valid,
  add constraint exai_issues_metadata_size check (length(metadata::text) <= 65536) not valid;
