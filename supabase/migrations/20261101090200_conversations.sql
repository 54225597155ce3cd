-- Conversations, their messages and files, and the copies of the files at the providers.
set lock_timeout = '5s';
set statement_timeout = '60s';

create table public.conversations (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  session_id uuid,
  continuation_id text check (length(continuation_id) <= 200),
  title text check (length(title) <= 500),
  metadata jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint conversations_id_owner_key unique (id, user_id),
  constraint conversations_owner_continuation_key unique (user_id, continuation_id),
  constraint conversations_session_fkey foreign key (session_id, user_id)
    references public.sessions (id, user_id) on delete set null (session_id)
);

comment on table public.conversations is 'A conversation of one user; the key (id, user_id) keeps what hangs on it with the same owner';

create index conversations_user_id_idx on public.conversations (user_id, updated_at desc);
create index conversations_session_idx on public.conversations (session_id, user_id);

create table public.messages (
  id uuid primary key default gen_random_uuid(),
  conversation_id uuid not null,
  user_id uuid not null references auth.users (id) on delete cascade,
  role text not null check (role in ('system', 'user', 'assistant', 'tool')),
  content text not null,
  provider text check (provider in ('kimi', 'glm')),
  model text check (length(model) <= 200),
  token_count integer check (token_count >= 0),
  metadata jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint messages_conversation_fkey foreign key (conversation_id, user_id)
    references public.conversations (id, user_id) on delete cascade
);

comment on table public.messages is 'One message of a conversation';

create index messages_conversation_idx on public.messages (conversation_id, user_id, created_at);
create index messages_user_id_idx on public.messages (user_id, created_at desc);

create table public.files (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  conversation_id uuid,
  name text not null check (length(name) between 1 and 500),
  media_type text check (length(media_type) <= 200),
  size_bytes bigint not null check (size_bytes >= 0),
  sha256 text check (sha256 ~ '^[0-9a-f]{64}$'),
  storage_path text not null check (length(storage_path) between 1 and 1000),
  metadata jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint files_id_owner_key unique (id, user_id),
  constraint files_owner_path_key unique (user_id, storage_path),
  constraint files_conversation_fkey foreign key (conversation_id, user_id)
    references public.conversations (id, user_id) on delete set null (conversation_id)
);

comment on table public.files is 'A file that a user gave to the server; its bytes lie in storage under storage_path';

create index files_user_id_idx on public.files (user_id, created_at desc);
create index files_conversation_idx on public.files (conversation_id, user_id);

create table public.provider_file_uploads (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  file_id uuid not null,
  provider text not null check (provider in ('kimi', 'glm')),
  provider_file_id text check (length(provider_file_id) <= 500),
  status text not null default 'pending' check (status in ('pending', 'uploaded', 'failed', 'deleted')),
  error text,
  uploaded_at timestamptz,
  expires_at timestamptz,
  metadata jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint provider_file_uploads_uploaded_is_known check (
    status <> 'uploaded' or (provider_file_id is not null and uploaded_at is not null)
  ),
  constraint provider_file_uploads_file_fkey foreign key (file_id, user_id)
    references public.files (id, user_id) on delete cascade
);

comment on table public.provider_file_uploads is 'A copy of a file at a provider';

create index provider_file_uploads_user_id_idx on public.provider_file_uploads (user_id, created_at desc);
create index provider_file_uploads_file_idx on public.provider_file_uploads (file_id, user_id);
create index provider_file_uploads_expiry_idx on public.provider_file_uploads (expires_at) where status = 'uploaded';

create trigger conversations_touch before update on public.conversations
  for each row execute function exai.touch_updated_at();
create trigger messages_touch before update on public.messages
  for each row execute function exai.touch_updated_at();
create trigger files_touch before update on public.files
  for each row execute function exai.touch_updated_at();
create trigger provider_file_uploads_touch before update on public.provider_file_uploads
  for each row execute function exai.touch_updated_at();

-- Closed by default: until a later file adds policies, only a superuser sees a row.
alter table public.conversations enable row level security;
alter table public.conversations force row level security;
alter table public.messages enable row level security;
alter table public.messages force row level security;
alter table public.files enable row level security;
alter table public.files force row level security;
alter table public.provider_file_uploads enable row level security;
alter table public.provider_file_uploads force row level security;
