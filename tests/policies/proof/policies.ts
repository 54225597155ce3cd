/** Tables that policies of the tests read. */
export const SCHEMA = `
create table public.teams (id uuid primary key default gen_random_uuid(), owner_id uuid not null references auth.users (id), name text);
create table public.members (team_id uuid not null references public.teams (id), user_id uuid not null references auth.users (id), role text not null default 'member', primary key (team_id, user_id));
create table public.joined (team_id uuid not null references public.teams (id), user_id uuid not null references auth.users (id), status text not null default 'asked', primary key (team_id, user_id));
create table public.open_members (team_id uuid not null references public.teams (id), user_id uuid not null references auth.users (id), primary key (team_id, user_id));
create table public.movable_members (team_id uuid not null references public.teams (id), user_id uuid not null references auth.users (id), primary key (team_id, user_id));
create table public.listed (user_id uuid primary key references auth.users (id), role text not null default 'user');
create table public.profiles (id uuid primary key references auth.users (id), role text not null default 'user', is_admin boolean not null default false, name text);
create table public.self_profiles (id uuid primary key references auth.users (id), role text not null default 'user');
create table public.folders (id uuid primary key, team_id uuid not null references public.teams (id), owner_id uuid not null references auth.users (id));
create table public.projects (id uuid primary key, team_id uuid not null references public.teams (id));
create table public.loose_folders (id uuid, owner_id uuid not null references auth.users (id));
create table public.docs (id uuid primary key, owner_id uuid not null references auth.users (id));
create table public.shares (doc_id uuid not null references public.docs (id), user_id uuid not null references auth.users (id), primary key (doc_id, user_id));
create table public.tickets (owner_id uuid not null, code text not null);
create type public.app_role as enum ('admin', 'moderator', 'user');
create table public.role_permissions (role public.app_role not null, permission text not null, primary key (role, permission));
insert into public.role_permissions values ('admin', 'notes.delete'), ('moderator', 'notes.delete'), ('admin', 'notes.read'), ('user', 'notes.read');
create table public.open_permissions (role public.app_role not null, permission text not null, primary key (role, permission));
insert into public.open_permissions values ('admin', 'notes.delete');
create table public.empty_permissions (role public.app_role not null, permission text not null, primary key (role, permission));
do $$ declare name text; begin
  foreach name in array array['teams', 'members', 'joined', 'open_members', 'movable_members', 'listed', 'profiles', 'self_profiles', 'folders', 'projects', 'loose_folders', 'docs', 'shares', 'tickets', 'role_permissions', 'open_permissions', 'empty_permissions'] loop
    execute format('alter table public.%I enable row level security', name);
    execute format('alter table public.%I force row level security', name);
    execute format('revoke all on public.%I from anon, authenticated', name);
    execute format('grant select on public.%I to authenticated', name);
  end loop;
end $$;
grant insert, update, delete on public.teams, public.members, public.folders, public.projects, public.docs, public.shares to authenticated;
create policy own on public.teams to authenticated using (owner_id = (select auth.uid())) with check (owner_id = (select auth.uid()));
create policy by_owner on public.members to authenticated
  using (exists (select from public.teams t where t.id = team_id and t.owner_id = (select auth.uid())))
  with check (exists (select from public.teams t where t.id = team_id and t.owner_id = (select auth.uid())));
grant insert on public.open_permissions to authenticated;
create policy add on public.open_permissions for insert to authenticated with check (true);
create function public.authorize(requested_permission text) returns boolean as $$
declare bind_permissions int; user_role public.app_role;
begin
  select (auth.jwt() ->> 'user_role')::public.app_role into user_role;
  select count(*) into bind_permissions from public.role_permissions where role_permissions.permission = requested_permission and role_permissions.role = user_role;
  return bind_permissions > 0;
end; $$ language plpgsql stable security definer set search_path = '';
create function public.authorize_open(wanted text) returns boolean language sql stable security definer set search_path = '' as $$ select exists (select from public.open_permissions p where p.permission = wanted and p.role = (auth.jwt() ->> 'user_role')::public.app_role) $$;
create function public.authorize_empty(wanted text) returns boolean language sql stable security definer set search_path = '' as $$ select exists (select from public.empty_permissions p where p.permission = wanted and p.role = (auth.jwt() ->> 'user_role')::public.app_role) $$;
create function public.authorize_own(wanted text) returns boolean language sql stable security definer set search_path = '' as $$ select exists (select from public.role_permissions p where p.permission = wanted and p.role = (auth.jwt() -> 'user_metadata' ->> 'user_role')::public.app_role) $$;
create function public.in_team(team uuid, wanted text default null) returns boolean language sql stable security definer set search_path = '' as $$ select exists (select from public.members m where m.team_id = team and m.user_id = (select auth.uid()) and (m.role = wanted or wanted is null)) $$;
grant insert on public.joined to authenticated;
create policy ask on public.joined for insert to authenticated with check (user_id = (select auth.uid()) and status = 'asked');
grant insert on public.open_members to authenticated;
create policy join_any on public.open_members for insert to authenticated with check (user_id = (select auth.uid()));
grant update on public.movable_members to authenticated;
create policy move on public.movable_members for update to authenticated using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
grant update (name) on public.profiles to authenticated;
create policy own on public.profiles for update to authenticated using (id = (select auth.uid())) with check (id = (select auth.uid()));
grant update on public.self_profiles to authenticated;
create policy own on public.self_profiles for update to authenticated using (id = (select auth.uid())) with check (id = (select auth.uid()));
create policy own on public.folders to authenticated using (owner_id = (select auth.uid())) with check (owner_id = (select auth.uid()));
grant insert on public.loose_folders to authenticated;
create policy own on public.loose_folders for insert to authenticated with check (owner_id = (select auth.uid()));
create policy own on public.docs to authenticated using (owner_id = (select auth.uid())) with check (owner_id = (select auth.uid()));
create policy share on public.shares to authenticated
  using (exists (select from public.docs d where d.id = doc_id and d.owner_id = (select auth.uid())))
  with check (exists (select from public.docs d where d.id = doc_id and d.owner_id = (select auth.uid())));
grant insert on public.tickets to authenticated;
create policy own on public.tickets for insert to authenticated with check (owner_id = (select auth.uid()));

create view public.my_teams with (security_invoker = true) as select team_id, user_id from public.members;
create function public.is_member(team uuid) returns boolean language sql stable security definer set search_path = '' as $$
  select exists (select 1 from public.members where team_id = team and user_id = (select auth.uid()))
$$;
create policy of_team on public.projects to authenticated using (public.is_member(team_id)) with check (public.is_member(team_id));
create function public.is_member_of(team uuid) returns boolean language plpgsql stable security definer set search_path = public as $$
begin
  return exists (select 1 from members m where m.team_id = is_member_of.team and m.user_id = auth.uid());
end $$;
create function public.team_role(team uuid) returns text language sql stable security definer set search_path = '' begin atomic
  select m.role from public.members m where m.team_id = team and m.user_id = auth.uid();
end;
create function public.teams_of_caller() returns setof uuid language sql stable security definer set search_path = public as $$ select team_id from members where user_id = auth.uid() $$;
create function public.team_list() returns uuid[] language sql stable security definer set search_path = public as $$ select array_agg(team_id) from members where user_id = auth.uid() $$;
create function public.is_admin() returns boolean language plpgsql stable security definer set search_path = '' as $$
begin
  if auth.uid() is null then return false; end if;
  return exists (select from public.profiles where id = auth.uid() and role = 'admin');
end $$;
create function public.not_null(owner uuid) returns boolean language plpgsql stable set search_path = '' as $$ begin return owner is not null; end $$;
create function public.any_member(team uuid) returns boolean language sql stable security definer set search_path = '' as $$
  select exists (select 1 from public.members m where m.team_id = m.team_id and m.user_id = auth.uid())
$$;
create function public.caller_or(owner uuid) returns uuid language plpgsql stable set search_path = '' as $$ declare x uuid; begin x := coalesce(auth.uid(), owner); return x; end $$;
create function public.become(owner uuid) returns boolean language plpgsql volatile set search_path = '' as $$
begin perform set_config('request.jwt.claims', json_build_object('sub', owner)::text, true); return true; end $$;
create function public.as_owner() returns text language sql stable security definer set search_path = '' as $$ select current_user::text $$;
create function public.strict_text(who uuid) returns text language sql stable strict set search_path = '' as $$ select 'x'::text $$;
`;

/** A table with one row policy; \`NAME\` is its name. */
export function tableWith(name: string, policies: string): string {
  return `
create table public.${name} (id uuid primary key, user_id uuid not null references auth.users (id), maybe_id uuid references auth.users (id), team_id uuid references public.teams (id), folder_id uuid references public.folders (id), project_id uuid references public.projects (id), doc_id uuid references public.docs (id), loose_id uuid, org text, people uuid[], grants jsonb not null default '{}', path text, status text, kind smallint, is_private boolean not null default true, published_at timestamptz);
alter table public.${name} enable row level security; alter table public.${name} force row level security;
revoke all on public.${name} from anon, authenticated; grant select, insert, update, delete on public.${name} to authenticated;
${policies.includes("create policy") ? policies.replaceAll("NAME", `public.${name}`) : `create policy p on public.${name} for select to authenticated using (${policies});`}`;
}

/** Conditions, or whole policies, that are right. */
export const SOUND: Readonly<Record<string, string>> = {
  plain: "user_id = auth.uid()",
  authorized: "(select public.authorize('notes.delete'))",
  default_argument: "public.in_team(team_id)",
  both_arguments: "public.in_team(team_id, 'owner')",
  once: "(select auth.uid()) = user_id",
  text_cast: "user_id::text = (select auth.uid())::text",
  from_token: "user_id = (select (auth.jwt() ->> 'sub')::uuid)",
  from_setting: "user_id = nullif(current_setting('request.jwt.claim.sub', true), '')::uuid",
  double_negation: "not (user_id <> auth.uid())",
  null_safe: "user_id is not distinct from auth.uid()",
  two_owners: "auth.uid() in (user_id, maybe_id)",
  any_of: "auth.uid() = any (array[user_id, maybe_id])",
  is_true: "(user_id = auth.uid()) is true",
  coalesced: "coalesce(user_id = auth.uid(), false)",
  some_role:
    "(select m.user_id from public.members m where m.team_id = some_role.team_id and m.user_id = auth.uid()) is not null",
  narrowed: "user_id = auth.uid() and (status = 'open' or not is_private)",
  by_case: "case when is_private then user_id = auth.uid() else maybe_id = auth.uid() end",
  coalesced_owner: "coalesce(maybe_id, user_id) = auth.uid()",
  people: "auth.uid() = any (people)",
  people_contained: "people @> array[auth.uid()]",
  people_overlap: "people && array[(select auth.uid())]",
  json_key: "grants ? auth.uid()::text",
  folder_of_path: "(string_to_array(path, '/'))[1] = auth.uid()::text",
  path_prefix: "path like auth.uid()::text || '/%'",
  path_starts: "starts_with(path, (select auth.uid())::text || '/')",
  tenant: "org = (select auth.jwt() -> 'app_metadata' ->> 'org')",
  tenant_path: "org = auth.jwt() #>> '{app_metadata,org}'",
  tenant_list: "org in (select jsonb_array_elements_text(auth.jwt() -> 'app_metadata' -> 'orgs'))",
  tenant_key: "(auth.jwt() -> 'app_metadata' -> 'orgs') ? org",
  tenant_of_hook: "org = (auth.jwt() ->> 'tenant_id')",
  admin: "user_id = auth.uid() or (auth.jwt() -> 'app_metadata' ->> 'role') = 'admin'",
  admin_flag: "coalesce((auth.jwt() -> 'app_metadata' ->> 'is_admin')::boolean, false)",
  admin_roles: "(auth.jwt() -> 'app_metadata' -> 'roles') ? 'admin'",
  admin_table:
    "user_id = auth.uid() or exists (select from public.profiles p where p.id = auth.uid() and p.role = 'admin')",
  admin_column: "(select is_admin from public.profiles where id = auth.uid())",
  admin_function: "public.is_admin() or user_id = auth.uid()",
  admin_listed:
    "exists (select 1 from public.listed l where l.user_id = auth.uid() and l.role in ('admin', 'moderator'))",
  member_exists:
    "exists (select 1 from public.members m where m.team_id = member_exists.team_id and m.user_id = auth.uid())",
  member_in: "team_id in (select team_id from public.members where user_id = (select auth.uid()))",
  member_array: "team_id = any (array(select m.team_id from public.members m where m.user_id = auth.uid()))",
  member_pair: "(team_id, auth.uid()) in (select m.team_id, m.user_id from public.members m)",
  member_scalar: "team_id = (select m.team_id from public.members m where m.user_id = auth.uid() limit 1)",
  member_count:
    "(select count(*) from public.members m where m.team_id = member_count.team_id and m.user_id = auth.uid()) > 0",
  member_join:
    "exists (select from public.teams t join public.members m on m.team_id = t.id where t.id = member_join.team_id and m.user_id = auth.uid())",
  member_left_join:
    "exists (select from public.teams t left join public.members m on m.team_id = t.id where t.id = member_left_join.team_id and (m.user_id = auth.uid() or t.owner_id = auth.uid()))",
  member_function: "public.is_member(team_id)",
  member_plpgsql: "public.is_member_of(team_id)",
  member_role: "public.team_role(team_id) = 'editor'",
  member_set: "team_id in (select public.teams_of_caller())",
  member_set_from: "team_id in (select t from public.teams_of_caller() t)",
  member_list: "team_id = any (public.team_list())",
  member_view: "team_id in (select team_id from public.my_teams where user_id = auth.uid())",
  member_cte:
    "team_id in (with mine as (select m.team_id from public.members m where m.user_id = auth.uid()) select mine.team_id from mine)",
  member_union:
    "team_id in (select m.team_id from public.members m where m.user_id = auth.uid() union select t.id from public.teams t where t.owner_id = auth.uid())",
  member_accepted:
    "exists (select from public.joined j where j.team_id = member_accepted.team_id and j.user_id = auth.uid() and j.status = 'accepted')",
  parent: "exists (select from public.folders f where f.id = folder_id and f.owner_id = auth.uid())",
  grandparent:
    "exists (select from public.projects p join public.members m on m.team_id = p.team_id where p.id = project_id and m.user_id = auth.uid())",
  shared: "exists (select from public.shares s where s.doc_id = shared.doc_id and s.user_id = auth.uid())",
  shared_or_own:
    "exists (select from public.docs d where d.id = doc_id and d.owner_id = auth.uid()) or doc_id in (select s.doc_id from public.shares s where s.user_id = auth.uid())",
  other_role: "user_id = auth.uid() or auth.role() = 'service_role'",
  impossible: "user_id is null or user_id = auth.uid()",
  to_public: "create policy p on NAME using (user_id = auth.uid()) with check (user_id = auth.uid());",
  restricted:
    "create policy open on NAME for select to authenticated using (status = 'open'); create policy own on NAME as restrictive for select to authenticated using (user_id = auth.uid());",
  all_commands:
    "create policy r on NAME for select to authenticated using (user_id = auth.uid()); create policy i on NAME for insert to authenticated with check (user_id = auth.uid()); create policy u on NAME for update to authenticated using (user_id = auth.uid()) with check (user_id = auth.uid()); create policy d on NAME for delete to authenticated using (user_id = auth.uid());",
  sends:
    "create policy r on NAME for select to authenticated using (auth.uid() in (user_id, maybe_id)); create policy i on NAME for insert to authenticated with check (auth.uid() = user_id);",
  declared:
    "create policy r on NAME for select to authenticated using (user_id = auth.uid() or status = 'published'); comment on table NAME is 'Things of users.\nreadable by anyone when status = ''published''';",
  declared_all: "create policy r on NAME for select using (true); comment on table NAME is 'readable by anyone';",
  declared_narrower:
    "create policy r on NAME for select to authenticated using (status = 'published' and published_at <= now()); comment on table NAME is 'readable by authenticated when status = ''published''';",
};

/** Conditions, or whole policies, that let through what they should not. */
export const UNSOUND: Readonly<Record<string, string>> = {
  always: "true",
  permission_of_everyone: "(select public.authorize('notes.read'))",
  unknown_permission: "(select public.authorize('notes.write'))",
  open_permission: "(select public.authorize_open('notes.delete'))",
  empty_permission: "(select public.authorize_empty('notes.delete'))",
  own_permission: "(select public.authorize_own('notes.delete'))",
  equal_constants: "1 = 1",
  signed_in: "auth.uid() is not null",
  any_count:
    "(select count(*) from public.members m where m.team_id = any_count.team_id and m.user_id = auth.uid()) is not null",
  caller_is_caller: "auth.uid() = auth.uid()",
  column_is_column: "user_id = user_id",
  not_null_owner: "user_id is not null",
  coalesced_caller: "coalesce(auth.uid(), user_id) = user_id",
  null_safe_nullable: "maybe_id is not distinct from auth.uid()",
  not_equal: "user_id <> auth.uid()",
  by_state: "user_id = auth.uid() or status = 'open'",
  by_pattern: "user_id = auth.uid() or path like 'pub-%'",
  by_flag: "user_id = auth.uid() or not is_private",
  by_time: "user_id = auth.uid() or now() > '2027-06-01'",
  by_size: "user_id = auth.uid() or kind > 3",
  by_json: "user_id = auth.uid() or grants ->> 'public' = 'true'",
  case_else: "case when is_private then user_id = auth.uid() else true end",
  coalesced_true: "coalesce(maybe_id = auth.uid(), true)",
  not_false: "(maybe_id = auth.uid()) is not false",
  not_exists: "not exists (select from public.members m where m.user_id = auth.uid())",
  header: "user_id::text = current_setting('request.headers', true)::json ->> 'x-user'",
  header_or: "user_id = auth.uid() or current_setting('request.headers', true)::json ->> 'x-debug' = '1'",
  anonymous: "(auth.jwt() ->> 'is_anonymous')::boolean is false",
  session: "auth.jwt() ? 'session_id'",
  level: "auth.jwt() ->> 'aal' = 'aal2'",
  role: "auth.role() = 'authenticated'",
  user_metadata: "org = auth.jwt() -> 'user_metadata' ->> 'org'",
  user_metadata_split: "auth.jwt() -> ('user' || '_metadata') ->> 'role' = 'admin'",
  provider: "auth.jwt() -> 'app_metadata' ->> 'provider' = 'email'",
  ordinary_role: "auth.jwt() -> 'app_metadata' ->> 'role' = 'user'",
  app_metadata_set: "auth.jwt() -> 'app_metadata' ->> 'org' is not null",
  part_of_caller: "left(user_id::text, 0) = left(auth.uid()::text, 0)",
  array_with_caller: "user_id = any (array[auth.uid(), user_id])",
  empty_array: "people <@ array[auth.uid()]",
  ids_anyone: "exists (select from public.profiles where id = auth.uid())",
  any_team: "exists (select from public.members m where m.user_id = auth.uid() and m.role = 'admin')",
  member_shadowed: "exists (select from public.members m where m.team_id = m.team_id and m.user_id = auth.uid())",
  member_function_shadowed: "public.any_member(team_id)",
  member_open:
    "exists (select from public.open_members m where m.team_id = member_open.team_id and m.user_id = auth.uid())",
  member_movable: "team_id in (select team_id from public.movable_members where user_id = auth.uid())",
  member_asked: "team_id in (select team_id from public.joined where user_id = auth.uid())",
  member_left:
    "exists (select from public.teams t left join public.members m on m.team_id = t.id and m.user_id = auth.uid() where t.id = member_left.team_id)",
  member_counted:
    "(select count(*) from public.members m where m.team_id = member_counted.team_id and m.user_id = auth.uid()) >= 0",
  member_none:
    "exists (select count(*) from public.members m where m.team_id = member_none.team_id and m.user_id = auth.uid())",
  member_sets:
    "exists (select from public.members m where m.team_id = member_sets.team_id and m.user_id = auth.uid() group by ())",
  self_admin: "exists (select from public.self_profiles p where p.id = auth.uid() and p.role = 'admin')",
  loose_parent: "exists (select from public.loose_folders f where f.id = loose_id and f.owner_id = auth.uid())",
  moved_parent:
    "exists (select from public.folders f join public.members m on m.team_id = f.team_id where f.id = folder_id and m.user_id = auth.uid())",
  ticket: "exists (select from public.tickets t where t.code = ticket.status and t.owner_id = auth.uid())",
  opaque_function: "public.not_null(user_id)",
  opaque_owner: "public.caller_or(user_id) = user_id",
  changed_claims: "public.become(user_id) and user_id = auth.uid()",
  set_claims:
    "set_config('request.jwt.claims', json_build_object('sub', user_id)::text, true) is not null and user_id = auth.uid()",
  owner_of_function: "user_id = auth.uid() or public.as_owner() <> 'authenticated'",
  strict_null: "public.strict_text(maybe_id) is null",
  limit_null: "(select user_id limit 0) is null",
  number_true: "user_id = auth.uid() or 5::boolean",
  nullif_null: "nullif(id, id) is null",
  nullif_role: "nullif(auth.role(), 'authenticated') is null",
  coalesced_tenant: "org = coalesce(auth.jwt() -> 'app_metadata' ->> 'org', '')",
  volatile_case: "case when random() > 0.5 then not (random() > 0.5) else false end",
  disguised_column:
    'alter table NAME add column "auth.uid()" uuid; create policy p on NAME for select to authenticated using ("auth.uid()" = user_id);',
  fixed_person: "auth.uid() = '00000000-0000-4000-8000-000000000001'",
  restricted_by_state:
    "create policy open on NAME for select to authenticated using (true); create policy narrow on NAME as restrictive for select to authenticated using (status = 'open');",
  either_owner:
    "create policy i on NAME for insert to authenticated with check (auth.uid() = user_id or auth.uid() = maybe_id);",
  given_away: "create policy u on NAME for update to authenticated using (user_id = auth.uid()) with check (true);",
  taken: "create policy u on NAME for update to authenticated using (true) with check (user_id = auth.uid());",
  declared_wider:
    "create policy r on NAME for select to authenticated using (status <> 'draft'); comment on table NAME is 'readable by anyone when status = ''published''';",
  declared_other_command:
    "create policy r on NAME for delete to authenticated using (status = 'published'); comment on table NAME is 'readable by anyone when status = ''published''';",
};
