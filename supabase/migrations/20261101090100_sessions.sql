-- Sessions of users with the server, and the MCP sessions that run inside them.
set lock_timeout = '5s';
set statement_timeout = '60s';

create table public.sessions (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  client_name text check (length(client_name) <= 200),
  client_version text check (length(client_version) <= 100),
  started_at timestamptz not null default now(),
  last_seen_at timestamptz not null default now(),
  expires_at timestamptz,
  ended_at timestamptz,
  metadata jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint sessions_ends_after_start check (ended_at is null or ended_at >= started_at),
  constraint sessions_expires_after_start check (expires_at is null or expires_at > started_at),
  -- What other tables refer to, so that a row can only point at a row of the same owner.
  constraint sessions_id_owner_key unique (id, user_id)
);

comment on table public.sessions is 'A user''s session with the server';

create index sessions_user_id_idx on public.sessions (user_id, last_seen_at desc);

create table public.mcp_sessions (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  session_id uuid,
  mcp_session_id text not null check (length(mcp_session_id) between 1 and 200),
  slot text check (slot in ('blue', 'green')),
  protocol_version text,
  transport text not null default 'streamable-http' check (transport in ('streamable-http', 'websocket', 'stdio')),
  opened_at timestamptz not null default now(),
  last_seen_at timestamptz not null default now(),
  closed_at timestamptz,
  metadata jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint mcp_sessions_closes_after_opening check (closed_at is null or closed_at >= opened_at),
  -- Unique per owner: a global constraint would reveal the identifiers of other users.
  constraint mcp_sessions_owner_identifier_key unique (user_id, mcp_session_id),
  constraint mcp_sessions_session_fkey foreign key (session_id, user_id)
    references public.sessions (id, user_id) on delete set null (session_id)
);

comment on table public.mcp_sessions is 'An MCP session, and the slot that opened it and keeps it';

create index mcp_sessions_session_idx on public.mcp_sessions (session_id, user_id);

create trigger sessions_touch before update on public.sessions
  for each row execute function exai.touch_updated_at();
create trigger mcp_sessions_touch before update on public.mcp_sessions
  for each row execute function exai.touch_updated_at();

-- Closed by default: until a later file adds policies, only a superuser sees a row.
alter table public.sessions enable row level security;
alter table public.sessions force row level security;
alter table public.mcp_sessions enable row level security;
alter table public.mcp_sessions force row level security;
