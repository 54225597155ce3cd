-- What a user writes into a row must not make the service reach another user's file: it follows storage_path and
-- provider_file_id with rights that row level security does not limit.
--
-- A contract migration: a release that writes paths without the owner's folder, or uploads in the user's name, is
-- refused from here on.
set lock_timeout = '5s';
set statement_timeout = '60s';

-- The layout of Supabase's storage policies: the first folder is the owner's. `not valid`: rows from before keep their
-- paths, and are held to it when they are written.
alter table public.files
  add constraint files_path_is_owned check (
    starts_with(storage_path, user_id::text || '/')
    and storage_path !~ '(^|/)\.{1,2}(/|$)'
    and storage_path !~ '//|/$'
  ) not valid;

comment on column public.files.storage_path is 'Path in storage, <user_id>/<name>';

-- The provider sets the identifier at the provider, and the service sets the state of an upload.
revoke insert, update on public.provider_file_uploads from authenticated;
grant insert (id, user_id, file_id, provider, metadata), update (metadata) on public.provider_file_uploads
  to authenticated;

-- PostgreSQL grants execution of a new function to PUBLIC. The present functions are closed; a later file closes its own, and
-- supabase/tests/05_functions.sql checks it.
revoke all on all functions in schema exai from public;
