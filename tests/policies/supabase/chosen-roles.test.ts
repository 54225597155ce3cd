import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { read } from "../../../policies/database/read.ts";
import { RULES } from "../../../policies/rules/index.ts";
import { graph, outcomeIn } from "../support.ts";

const prelude = {
  file: "supabase/prelude.sql",
  text: readFileSync(new URL("../../../supabase/prelude.sql", import.meta.url), "utf8"),
};

/** Profiles whose role policies trust, and functions that make profiles and claims; sound ones have `good` in their names. */
const MIGRATION = `set lock_timeout = '5s'; create schema closed;
create table public.profiles (id uuid primary key references auth.users (id), role text not null default 'user', name text);
create table public.notes (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users (id));
do $$ declare t text; begin foreach t in array array['profiles', 'notes'] loop
  execute format('alter table public.%I enable row level security; alter table public.%I force row level security; revoke all on public.%I from anon, authenticated; grant select on public.%I to authenticated', t, t, t, t); end loop; end $$;
create policy own on public.profiles for select to authenticated using ((select auth.uid()) = id);
create policy admins on public.notes for select to authenticated using (exists (select from public.profiles p where p.id = (select auth.uid()) and p.role = 'admin'));

create function closed.bad_direct() returns trigger language plpgsql security definer set search_path = '' as $$ begin
  insert into public.profiles (id, role, name) values (new.id, coalesce(new.raw_user_meta_data ->> 'role', 'user'), new.raw_user_meta_data ->> 'name'); return new; end $$;
create function closed.bad_variable() returns trigger language plpgsql security definer set search_path = '' as $$ declare chosen text := new.raw_user_meta_data ->> 'role'; begin
  insert into public.profiles (id, role) values (new.id, chosen); return new; end $$;
create function closed.bad_case() returns trigger language plpgsql security definer set search_path = '' as $$ begin
  insert into public.profiles values (new.id, case new.raw_user_meta_data ->> 'code' when 'x' then 'admin' else 'user' end); return new; end $$;
create function closed.bad_update() returns trigger language plpgsql security definer set search_path = '' as $$ begin
  update public.profiles set role = new.raw_user_meta_data ->> 'role' where id = new.id; return new; end $$;
create function closed.bad_conflict() returns trigger language plpgsql security definer set search_path = '' as $$ begin
  insert into public.profiles (id) values (new.id) on conflict (id) do update set role = new.raw_user_meta_data ->> 'role'; return new; end $$;
create function closed.good_name() returns trigger language plpgsql security definer set search_path = '' as $$ begin
  insert into public.profiles (id, role, name) values (new.id, 'user', new.raw_user_meta_data ->> 'name') on conflict (id) do update set name = excluded.name; return new; end $$;
create function closed.good_case() returns trigger language plpgsql security definer set search_path = '' as $$ begin
  insert into public.profiles (id, role) values (new.id, case when new.raw_user_meta_data ->> 'role' = 'seller' then 'seller' else 'user' end); return new; end $$;
do $$ declare f text; begin foreach f in array array['bad_direct', 'bad_variable', 'bad_case', 'bad_update', 'bad_conflict', 'good_name', 'good_case'] loop
  execute format('revoke all on function closed.%I() from public; create trigger %I after insert on auth.users for each row execute function closed.%I()', f, f, f); end loop; end $$;

create function public.bad_hook(event jsonb) returns jsonb language plpgsql stable set search_path = '' as $$ begin
  return jsonb_set(event, '{claims,role}', coalesce(event -> 'claims' -> 'user_metadata' -> 'role', '"authenticated"')); end $$;
create function public.bad_hook_by_table(event jsonb) returns jsonb language plpgsql stable set search_path = '' as $$ declare role text; begin
  select raw_user_meta_data ->> 'role' into role from auth.users where id = (event ->> 'user_id')::uuid; return jsonb_set(event, '{claims,app_metadata,role}', to_jsonb(role)); end $$;
create function public.good_hook(event jsonb) returns jsonb language plpgsql stable set search_path = '' as $$ declare claims jsonb := event -> 'claims'; begin
  if jsonb_typeof(claims -> 'user_metadata') is null then claims := jsonb_set(claims, '{user_metadata}', '{}'); end if;
  -- The token is smaller without event -> 'claims' -> 'user_metadata' -> 'avatar'.
  claims := claims - 'user_metadata'; claims := jsonb_set(claims, '{app_metadata,role}', to_jsonb((select role from public.profiles where id = (event ->> 'user_id')::uuid)));
  return jsonb_set(event, '{claims}', claims); end $$;
create function public.bad_setting() returns void language sql set search_path = '' as $$ update pg_catalog.pg_settings set setting = 'service_role' where name = 'role' $$;
revoke all on function public.bad_hook(jsonb), public.bad_hook_by_table(jsonb), public.good_hook(jsonb), public.bad_setting() from public, anon, authenticated;
grant execute on function public.bad_hook(jsonb), public.bad_hook_by_table(jsonb), public.good_hook(jsonb) to supabase_auth_admin;
grant execute on function public.bad_setting() to authenticated;
`;

it("users choose neither a role that policies trust, nor the claims of their token", async () => {
  const database = await read(prelude, [{ file: "supabase/migrations/20260101000000_one.sql", text: MIGRATION }]);
  expect(database.statements.flatMap(({ error }) => error ?? [])).toEqual([]);
  const rule = RULES.find(({ name }) => name === "rls-claim-writers");
  if (rule === undefined) throw new Error("the rule is gone");
  const found = outcomeIn(rule, graph("prod"), database).findings;
  expect(found.map(({ place }) => place.object).sort()).toEqual([
    "closed.bad_case()",
    "closed.bad_conflict()",
    "closed.bad_direct()",
    "closed.bad_update()",
    "closed.bad_variable()",
    "public.bad_hook(jsonb)",
    "public.bad_hook_by_table(jsonb)",
    "public.bad_setting()",
  ]);
  const of = (object: string) => found.find(({ place }) => place.object === object);
  expect(of("closed.bad_case()")?.message).toContain("writes metadata that users choose into public.profiles.role");
  expect(of("public.bad_hook(jsonb)")?.message).toContain("where Supabase Auth makes the claims");
  expect(of("public.bad_hook(jsonb)")?.fix).toBe(
    "revoke execute on function public.bad_hook(jsonb) from public, supabase_auth_admin;",
  );
  // Each fix is SQL that the database accepts, and the finding is gone after it.
  const fixed = await read(prelude, [
    { file: "supabase/migrations/20260101000000_one.sql", text: MIGRATION },
    { file: "supabase/migrations/20260101000001_two.sql", text: found.map(({ fix }) => fix).join("\n") },
  ]);
  expect(fixed.statements.flatMap(({ error }) => error ?? [])).toEqual([]);
  expect(outcomeIn(rule, graph("prod"), fixed).findings).toEqual([]);
});
