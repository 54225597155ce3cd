-- How the server finds the user of an API key: by the hash of the key that a request presents, and by nothing else.
set lock_timeout = '5s';
set statement_timeout = '60s';

grant select (id, user_id, key_hash, scopes, last_used_at, expires_at, revoked_at), update (last_used_at) on public.api_keys to exai_server;

-- The transaction acts for no user yet. What sets the hash of a key has the key: hashes cannot be guessed, and users read none.
create policy api_keys_server_select on public.api_keys
  for select to exai_server using (key_hash = (select current_setting('request.api_key_hash', true)));
create policy api_keys_server_update on public.api_keys
  for update to exai_server
  using (key_hash = (select current_setting('request.api_key_hash', true)) and revoked_at is null and expires_at > now())
  with check (key_hash = (select current_setting('request.api_key_hash', true)));
