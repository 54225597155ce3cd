-- Uploads in parts and the objects that they become; calls of tools and of providers.
set lock_timeout = '5s';
set statement_timeout = '60s';

create table public.uploads (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  file_id uuid,
  name text not null check (length(name) between 1 and 500),
  media_type text check (length(media_type) <= 200),
  size_bytes bigint not null check (size_bytes between 0 and 5368709120),
  -- What has arrived without a gap: where a client resumes.
  received_bytes bigint not null default 0,
  sha256 text check (sha256 ~ '^[0-9a-f]{64}$'),
  status text not null default 'open' check (status in ('open', 'completed', 'aborted')),
  expires_at timestamptz not null default now() + interval '1 day',
  completed_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint uploads_id_owner_key unique (id, user_id),
  constraint uploads_received_fits check (received_bytes between 0 and size_bytes),
  constraint uploads_completed_is_whole check (
    (status = 'completed') = (completed_at is not null) and (status <> 'completed' or received_bytes = size_bytes)
  ),
  constraint uploads_file_fkey foreign key (file_id, user_id)
    references public.files (id, user_id) on delete set null (file_id)
);

comment on table public.uploads is 'Uploads in parts, and how far each has come';

create index uploads_user_id_idx on public.uploads (user_id, created_at desc);
create index uploads_file_idx on public.uploads (file_id, user_id);
create index uploads_expires_idx on public.uploads (expires_at);

create table public.upload_parts (
  upload_id uuid not null,
  user_id uuid not null references auth.users (id) on delete cascade,
  part_number integer not null check (part_number between 1 and 10000),
  size_bytes bigint not null check (size_bytes > 0),
  sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
  received_at timestamptz not null default now(),
  primary key (upload_id, part_number),
  constraint upload_parts_upload_fkey foreign key (upload_id, user_id)
    references public.uploads (id, user_id) on delete cascade
);

comment on table public.upload_parts is 'The parts of an upload that have arrived';

create index upload_parts_upload_idx on public.upload_parts (upload_id, user_id);
create index upload_parts_user_id_idx on public.upload_parts (user_id);

create table public.storage_objects (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  file_id uuid,
  bucket text not null check (bucket ~ '^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$'),
  path text not null check (length(path) between 1 and 1000),
  etag text check (length(etag) <= 200),
  size_bytes bigint not null check (size_bytes >= 0),
  stored_at timestamptz not null default now(),
  deleted_at timestamptz,
  constraint storage_objects_place_key unique (user_id, bucket, path),
  constraint storage_objects_path_is_owned check (starts_with(path, user_id::text || '/')),
  constraint storage_objects_file_fkey foreign key (file_id, user_id)
    references public.files (id, user_id) on delete set null (file_id)
);

comment on table public.storage_objects is 'Objects that the server has put into storage. A row outlives its file, so that the object can still be deleted';

create index storage_objects_file_idx on public.storage_objects (file_id, user_id);

create table public.tool_calls (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  mcp_session_id uuid references public.mcp_sessions (id) on delete set null,
  tool text not null check (length(tool) between 1 and 200),
  outcome text not null check (outcome in ('ok', 'error', 'cancelled')),
  duration_ms integer not null check (duration_ms >= 0),
  called_at timestamptz not null default now()
);

comment on table public.tool_calls is 'Calls of MCP tools, without their arguments';

create index tool_calls_user_id_idx on public.tool_calls (user_id, called_at desc);
create index tool_calls_mcp_session_idx on public.tool_calls (mcp_session_id);
create index tool_calls_called_idx on public.tool_calls (called_at);

create table public.provider_usage (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  conversation_id uuid,
  provider text not null check (provider in ('kimi', 'glm')),
  model text not null check (length(model) between 1 and 200),
  operation text not null default 'chat' check (operation in ('chat', 'upload')),
  outcome text not null check (outcome in ('ok', 'error')),
  prompt_tokens integer check (prompt_tokens >= 0),
  completion_tokens integer check (completion_tokens >= 0),
  bytes bigint check (bytes >= 0),
  duration_ms integer not null check (duration_ms >= 0),
  used_at timestamptz not null default now(),
  constraint provider_usage_conversation_fkey foreign key (conversation_id, user_id)
    references public.conversations (id, user_id) on delete set null (conversation_id)
);

comment on table public.provider_usage is 'Requests to the providers, with what they are billed by';

create index provider_usage_user_id_idx on public.provider_usage (user_id, used_at desc);
create index provider_usage_conversation_idx on public.provider_usage (conversation_id, user_id);
create index provider_usage_used_idx on public.provider_usage (used_at);

create trigger uploads_touch before update on public.uploads
  for each row execute function exai.touch_updated_at();

alter table public.uploads enable row level security;
alter table public.uploads force row level security;
alter table public.upload_parts enable row level security;
alter table public.upload_parts force row level security;
alter table public.storage_objects enable row level security;
alter table public.storage_objects force row level security;
alter table public.tool_calls enable row level security;
alter table public.tool_calls force row level security;
alter table public.provider_usage enable row level security;
alter table public.provider_usage force row level security;
