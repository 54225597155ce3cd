-- What another process needs to continue an upload: where the store keeps what has arrived, and who gets a copy of the file.
set lock_timeout = '5s';
set statement_timeout = '60s';

alter table public.uploads
  add column provider text check (provider in ('kimi', 'glm')),
  add column storage_upload text check (length(storage_upload) <= 2000);

comment on column public.uploads.provider is 'The provider that gets a copy of the file; none if null';
comment on column public.uploads.storage_upload is 'Identifier of the upload in the object store, once it has begun there';

grant insert (provider) on public.uploads to authenticated;
grant update (storage_upload) on public.uploads to exai_server;
