-- What belongs to an account: its profile, its keys, its limits, and the record of what was done in its name.
set lock_timeout = '5s';
set statement_timeout = '60s';

create table public.user_profiles (
  user_id uuid primary key references auth.users (id) on delete cascade,
  display_name text check (length(display_name) <= 200),
  locale text check (length(locale) <= 35),
  time_zone text check (length(time_zone) <= 100),
  default_provider text check (default_provider in ('kimi', 'glm')),
  preferences jsonb not null default '{}' check (jsonb_typeof(preferences) = 'object'),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint profiles_preferences_size check (length(preferences::text) <= 65536)
);

comment on table public.user_profiles is 'What users say about themselves; no policy reads it';

create table public.api_keys (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  name text not null check (length(name) between 1 and 200),
  -- The first characters, so that users recognize a key.
  prefix text not null check (prefix ~ '^[A-Za-z0-9_]{4,16}$'),
  key_hash text not null unique check (key_hash ~ '^[0-9a-f]{64}$'),
  scopes text[] not null default '{chat}' check (scopes <@ '{chat,files,admin}' and cardinality(scopes) > 0),
  last_used_at timestamptz,
  expires_at timestamptz not null default now() + interval '1 year',
  revoked_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint api_keys_expires_after_creation check (expires_at > created_at)
);

comment on table public.api_keys is 'Keys of users, as SHA-256 of random keys of at least 128 bits; the keys themselves are nowhere';

create index api_keys_user_id_idx on public.api_keys (user_id, created_at desc);

create table public.rate_limits (
  id uuid primary key default gen_random_uuid(),
  -- Null: the limit of all users who have no row here.
  user_id uuid references auth.users (id) on delete cascade,
  name text not null check (name in ('requests', 'chats', 'uploads')),
  per_minute integer not null check (per_minute between 1 and 1000000),
  burst integer not null check (burst between 1 and 1000000),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

comment on table public.rate_limits is 'How many units a user gets a minute, and how many at once. A null user_id is the default
readable by authenticated when user_id is null';

create unique index rate_limits_user_name_key on public.rate_limits (user_id, name) where user_id is not null;
create unique index rate_limits_default_name_key on public.rate_limits (name) where user_id is null;
create index rate_limits_user_id_idx on public.rate_limits (user_id);

insert into public.rate_limits (name, per_minute, burst) values ('requests', 600, 120), ('chats', 60, 20), ('uploads', 120, 30);

create table public.rate_limit_buckets (
  user_id uuid not null references auth.users (id) on delete cascade,
  name text not null check (name in ('requests', 'chats', 'uploads')),
  -- Units that are left, at most the burst.
  tokens double precision not null check (tokens >= 0),
  refilled_at timestamptz not null default now(),
  primary key (user_id, name)
);

comment on table public.rate_limit_buckets is 'Token buckets of the rate limits, shared by both slots and all replicas';

create table public.audit_log (
  id bigint generated always as identity primary key,
  user_id uuid references auth.users (id) on delete set null,
  action text not null check (action ~ '^[a-z][a-z0-9_.-]{0,99}$'),
  target_type text check (length(target_type) <= 100),
  target_id text check (length(target_id) <= 200),
  release text check (length(release) <= 200),
  slot text check (slot in ('blue', 'green')),
  details jsonb not null default '{}' check (jsonb_typeof(details) = 'object' and length(details::text) <= 65536),
  occurred_at timestamptz not null default now()
);

comment on table public.audit_log is 'What was done in the name of users. Rows are added, never changed; retention removes them';

create index audit_log_user_id_idx on public.audit_log (user_id, occurred_at desc);
create index audit_log_occurred_idx on public.audit_log (occurred_at);

create trigger user_profiles_touch before update on public.user_profiles
  for each row execute function exai.touch_updated_at();
create trigger api_keys_touch before update on public.api_keys
  for each row execute function exai.touch_updated_at();
create trigger rate_limits_touch before update on public.rate_limits
  for each row execute function exai.touch_updated_at();

alter table public.user_profiles enable row level security;
alter table public.user_profiles force row level security;
alter table public.api_keys enable row level security;
alter table public.api_keys force row level security;
alter table public.rate_limits enable row level security;
alter table public.rate_limits force row level security;
alter table public.rate_limit_buckets enable row level security;
alter table public.rate_limit_buckets force row level security;
alter table public.audit_log enable row level security;
alter table public.audit_log force row level security;
