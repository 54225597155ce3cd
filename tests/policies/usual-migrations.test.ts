import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { read } from "../../policies/database/read.ts";
import { RULES } from "../../policies/rules/index.ts";
import { graph, outcomeIn } from "./support.ts";

// cspell:disable

const prelude = {
  file: "supabase/prelude.sql",
  text: readFileSync(new URL("../../supabase/prelude.sql", import.meta.url), "utf8"),
};

/** What the mandatory rules find, by rule: the objects and messages. */
async function findings(...texts: readonly string[]): Promise<Readonly<Record<string, readonly string[]>>> {
  const files = texts.map((text, index) => ({
    file: `supabase/migrations/${index + 1}.sql`,
    text: `set lock_timeout = '5s';\n${text}`,
  }));
  const database = await read(prelude, files);
  const found = RULES.filter(({ scope, level }) => scope === "database" && level === "mandatory").map((rule) => {
    const { inconclusive, findings: all } = outcomeIn(rule, graph("staging"), database);
    expect(inconclusive, rule.name).toBeUndefined();
    return [rule.name, all.map(({ place, message }) => `${place.object ?? ""}: ${message}`).sort()] as const;
  });
  return Object.fromEntries(found.filter(([, all]) => all.length > 0));
}

const NOTES = `create schema closed;
create table public.notes (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users (id), body text);
create index on public.notes (user_id);
alter table public.notes enable row level security; alter table public.notes force row level security;
revoke all on public.notes from anon, authenticated; grant select on public.notes to authenticated;
create policy own on public.notes for select to authenticated using ((select auth.uid()) = user_id);
`;

/** Extensions that Supabase has and PGlite lacks, with what projects do with them. */
const EXTENSIONS = `create extension if not exists vector with schema extensions;
create extension if not exists pg_cron with schema pg_catalog;
create extension if not exists pg_net with schema extensions;
create extension if not exists pg_graphql;
create extension if not exists moddatetime with schema extensions;
create extension if not exists pg_trgm with schema extensions;
create extension if not exists "uuid-ossp" with schema extensions;
create table public.embeddings (id uuid primary key default extensions.uuid_generate_v4(), user_id uuid not null references auth.users (id), body text, updated_at timestamptz, embedding extensions.vector(1536) not null, short extensions.halfvec(64));
create index on public.embeddings (user_id);
create index on public.embeddings using hnsw (embedding extensions.vector_cosine_ops) with (m = 16, ef_construction = 64);
create index on public.embeddings using ivfflat (embedding extensions.vector_l2_ops) with (lists = 100);
create index on public.embeddings using gin (body extensions.gin_trgm_ops);
alter table public.embeddings enable row level security; alter table public.embeddings force row level security;
revoke all on public.embeddings from anon, authenticated;
grant select, insert, update on public.embeddings to authenticated;
create policy own on public.embeddings for select to authenticated using ((select auth.uid()) = user_id);
create policy ins on public.embeddings for insert to authenticated with check ((select auth.uid()) = user_id);
create policy upd on public.embeddings for update to authenticated using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);
create trigger touch before update on public.embeddings for each row execute function extensions.moddatetime(updated_at);
create function public.nearest(wanted extensions.vector(1536), most int) returns setof public.embeddings language sql stable set search_path = '' as $$
  select * from public.embeddings e order by e.embedding operator(extensions.<=>) wanted limit most $$;
revoke all on function public.nearest(extensions.vector, int) from public; grant execute on function public.nearest(extensions.vector, int) to authenticated;
select cron.schedule('tidy', '0 3 * * *', $$ delete from public.embeddings where updated_at < now() - interval '1 year' $$);
select cron.schedule('vacuum', '0 4 * * *', 'vacuum');
select cron.schedule('ping', '* * * * *', $$ select net.http_post(url := 'https://example.com/hook', body := '{}'::jsonb) $$);
grant usage on schema cron to service_role;
create function closed.hook() returns trigger language plpgsql security definer set search_path = '' as $$ begin perform net.http_post(url := 'https://example.com/new', body := jsonb_build_object('id', new.id)); return new; end $$;
revoke all on function closed.hook() from public;
create trigger hook after insert on public.embeddings for each row execute function closed.hook();
`;

/** Columns for which a value is hard to make, and keys that are the owner. */
const TYPES = `create domain public.country as char(2) check (value = upper(value));
create domain public.pct as numeric(5, 2) not null check (value between 0 and 100);
create type public.money_amount as (amount numeric, currency text);
create type public.span as range (subtype = numeric);
create table public.k3_keys (user_id uuid primary key references auth.users (id), handle text not null unique check (length(handle) between 3 and 20), country public.country not null, share public.pct, price public.money_amount not null, window_of public.span not null, spot polygon not null, mac macaddr not null, bits bit(8) not null, doc xml, ts tsvector, at timetz not null, ip cidr not null, tags text[] not null check (cardinality(tags) > 0), conf jsonb not null check (conf ? 'a'));
create table public.k3_pair (a uuid not null references auth.users (id), b uuid not null references auth.users (id), since timestamptz not null default now(), primary key (a, b), check (a < b));
create table public.k3_msg (id bigint generated always as identity primary key, sender uuid not null references auth.users (id), recipient uuid not null references auth.users (id), body text not null);
create table public.k3_self (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users (id), parent uuid references public.k3_self (id), unique nulls not distinct (user_id, parent));
create table public.k3_excl (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users (id), during tstzrange not null, exclude using gist (during with &&));
revoke all on all sequences in schema public from anon;
create index on public.k3_pair (b); create index on public.k3_msg (sender); create index on public.k3_msg (recipient); create index on public.k3_self (user_id); create index on public.k3_self (parent); create index on public.k3_excl (user_id);
do $$ declare t text; o text; begin
 for t, o in select * from (values ('k3_keys', 'user_id'), ('k3_self', 'user_id'), ('k3_excl', 'user_id')) v loop
  execute format('alter table public.%I enable row level security; alter table public.%I force row level security; revoke all on public.%I from anon, authenticated; grant select, insert, update, delete on public.%I to authenticated', t, t, t, t);
  execute format('create policy s on public.%I for select to authenticated using ((select auth.uid()) = %I)', t, o);
  execute format('create policy i on public.%I for insert to authenticated with check ((select auth.uid()) = %I)', t, o);
  execute format('create policy u on public.%I for update to authenticated using ((select auth.uid()) = %I) with check ((select auth.uid()) = %I)', t, o, o);
  execute format('create policy d on public.%I for delete to authenticated using ((select auth.uid()) = %I)', t, o);
 end loop; end $$;
alter table public.k3_pair enable row level security; alter table public.k3_pair force row level security; revoke all on public.k3_pair from anon, authenticated; grant select, delete on public.k3_pair to authenticated;
create policy s on public.k3_pair for select to authenticated using ((select auth.uid()) in (a, b)); create policy d on public.k3_pair for delete to authenticated using ((select auth.uid()) = a or (select auth.uid()) = b);
alter table public.k3_msg enable row level security; alter table public.k3_msg force row level security; revoke all on public.k3_msg from anon, authenticated; grant select, insert on public.k3_msg to authenticated;
create policy s on public.k3_msg for select to authenticated using ((select auth.uid()) in (sender, recipient)); create policy i on public.k3_msg for insert to authenticated with check ((select auth.uid()) = sender);
`;

/** What projects do with the objects of Supabase. */
const SUPABASE = `grant usage on schema public to supabase_auth_admin, dashboard_user;
create function closed.hook(event jsonb) returns jsonb language plpgsql stable set search_path = '' as $$ begin return jsonb_set(event, '{claims,app_metadata,tier}', '"x"'); end $$;
revoke all on function closed.hook(jsonb) from public, anon, authenticated; grant execute on function closed.hook(jsonb) to supabase_auth_admin;
alter publication supabase_realtime add table public.notes;
insert into storage.buckets (id, name, public, file_size_limit, allowed_mime_types) values ('avatars', 'avatars', false, 1000000, array['image/png']);
create policy avatar_read on storage.objects for select to authenticated using (bucket_id = 'avatars' and (storage.foldername(name))[1] = (select auth.uid())::text);
create policy avatar_write on storage.objects for insert to authenticated with check (bucket_id = 'avatars' and (select auth.uid())::text = (storage.foldername(name))[1]);
create policy avatar_owner on storage.objects for delete to authenticated using (bucket_id = 'avatars' and owner_id = (select auth.uid())::text);
create policy topic on realtime.messages for select to authenticated using ((select realtime.topic()) = 'user:' || (select auth.uid())::text);
comment on schema public is 'x';
create extension if not exists citext with schema extensions; create extension if not exists btree_gist; create extension if not exists pgcrypto with schema extensions; create extension if not exists unaccent with schema extensions;
create extension if not exists pg_stat_statements with schema extensions;
alter role authenticated set statement_timeout = '8s'; alter role authenticator set pgrst.db_max_rows = '500'; notify pgrst, 'reload schema';
select vault.create_secret('x', 'name', 'a description');
create trigger "send_notes" after insert or delete on "public"."notes" for each row execute function "supabase_functions"."http_request"('https://hooks.example.com/notes', 'POST', '{"Content-Type":"application/json"}', '{}', '1000');
grant select on auth.users to service_role;
`;

/** The first lines of a dump by the Supabase CLI, and queues. */
const DUMP = `create extension if not exists "pgsodium" with schema "pgsodium";
create extension if not exists "pg_graphql" with schema "graphql";
create extension if not exists "pgjwt" with schema "extensions";
create extension if not exists hypopg with schema extensions; create extension if not exists index_advisor with schema extensions; create extension if not exists pgtap with schema extensions; create extension if not exists pg_stat_monitor;
create extension if not exists pg_jsonschema with schema extensions; create extension if not exists http with schema extensions; create extension if not exists pgmq;
create table public.documents (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users (id), body json check (extensions.json_matches_schema('{}', body)));
select pgmq.create('jobs');
do $$ declare t text; begin foreach t in array array['pgmq.q_jobs', 'pgmq.a_jobs', 'public.documents'] loop
  execute format('alter table %s enable row level security; alter table %s force row level security', t, t); end loop; end $$;
revoke all on public.documents from anon, authenticated;
create function closed.token() returns text language sql stable set search_path = '' as $$ select extensions.sign('{"a": 1}'::json, 'key') $$;
create function closed.status() returns int language sql volatile set search_path = '' as $$ select status from extensions.http_get('https://example.com') $$;
revoke all on function closed.token(), closed.status() from public;
`;

/** Places of PostGIS: columns with a kind and a system of coordinates, indexes, functions for clients, and a column that is computed. */
const PLACES = `create extension if not exists postgis with schema extensions;
create table public.visits (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users (id), at extensions.geography(Point, 4326) not null, area extensions.geometry(Polygon, 3857), longitude double precision not null, latitude double precision not null, spot extensions.geometry generated always as (extensions.st_setsrid(extensions.st_makepoint(longitude, latitude), 4326)) stored);
create index on public.visits (user_id); create index on public.visits using gist (at); create index on public.visits using gist (area, spot);
alter table public.visits enable row level security; alter table public.visits force row level security;
revoke all on public.visits from anon, authenticated; grant select, insert on public.visits to authenticated;
create policy own on public.visits for select to authenticated using ((select auth.uid()) = user_id);
create policy near on public.visits for insert to authenticated with check ((select auth.uid()) = user_id and extensions.st_dwithin(at, extensions.st_point(13.4, 52.5)::extensions.geography, 1000));
create function public.nearby(lat double precision, long double precision) returns table (id uuid, lat double precision, long double precision, metres double precision) language sql stable set search_path = '' as $$
  select id, extensions.st_y(at::extensions.geometry), extensions.st_x(at::extensions.geometry), extensions.st_distance(at, extensions.st_point(long, lat)::extensions.geography)
  from public.visits where at operator(extensions.&&) extensions.st_buffer(extensions.st_point(long, lat)::extensions.geography, 500) order by at operator(extensions.<->) extensions.st_point(long, lat)::extensions.geography $$;
revoke all on function public.nearby(double precision, double precision) from public; grant execute on function public.nearby(double precision, double precision) to authenticated;
insert into public.visits (user_id, at, longitude, latitude) select id, extensions.st_geogfromtext('point(1 2)'), 1, 2 from auth.users;
`;

/** Roles by a table that users cannot write, one account per person, and an operator of a type of the project. */
const ROLES = `create type public.app_role as enum ('admin', 'agent');
create table public.user_roles (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users (id), role public.app_role not null, unique (user_id, role));
create table public.people (id bigint primary key, auth_id uuid not null unique references auth.users (id), is_staff boolean not null default false);
create table public.tickets (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users (id));
create table public.stars (id bigint primary key, person_id bigint not null references public.people (id), what text);
create table public.addresses (user_id uuid not null references auth.users (id), label text not null, street text, primary key (user_id, label));
create function closed.has_role(person uuid, wanted public.app_role) returns boolean language sql stable security definer set search_path = '' as $$ select exists (select from public.user_roles where user_id = person and role = wanted) $$;
revoke all on function closed.has_role(uuid, public.app_role) from public; grant execute on function closed.has_role(uuid, public.app_role) to authenticated;
create cast (text as public.app_role) with inout as implicit;
create index on public.tickets (user_id); create index on public.stars (person_id);
do $$ declare t text; begin foreach t in array array['user_roles', 'people', 'tickets', 'stars', 'addresses'] loop
  execute format('alter table public.%I enable row level security; alter table public.%I force row level security; revoke all on public.%I from anon, authenticated', t, t, t); end loop; end $$;
grant select on public.user_roles, public.people to authenticated; grant select, insert, update, delete on public.tickets, public.stars, public.addresses to authenticated;
create policy own on public.user_roles for select to authenticated using (user_id = (select auth.uid()));
create policy own on public.people for select to authenticated using (auth_id = (select auth.uid()));
create policy own on public.tickets for select to authenticated using (user_id = (select auth.uid()));
create policy admins on public.tickets for all to authenticated using ((select closed.has_role((select auth.uid()), 'admin'))) with check ((select closed.has_role((select auth.uid()), 'admin')));
create policy own on public.stars for select to authenticated using (person_id = (select id from public.people where auth_id = (select auth.uid())));
create policy staff on public.stars for delete to authenticated using (exists (select from public.people where auth_id = (select auth.uid()) and is_staff));
create policy own on public.addresses for all to authenticated using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
`;

/** Partitions of each kind, some of them without any. */
const PARTITIONS = `create table public.ok_hash (id uuid not null default gen_random_uuid(), user_id uuid not null references auth.users (id), v int, primary key (id, user_id)) partition by hash (user_id);
create table public.ok_hash_0 partition of public.ok_hash for values with (modulus 2, remainder 0);
create table public.ok_hash_1 partition of public.ok_hash for values with (modulus 2, remainder 1);
create table public.ok_child (id uuid primary key, hash_id uuid not null, user_id uuid not null references auth.users (id), foreign key (hash_id, user_id) references public.ok_hash (id, user_id));
create index on public.ok_hash (user_id); create index on public.ok_child (user_id); create index on public.ok_child (hash_id, user_id);
create table public.ok_list (user_id uuid not null references auth.users (id), kind text not null check (kind in ('a', 'b'))) partition by list (kind);
create table public.ok_list_a partition of public.ok_list for values in ('a') partition by range (user_id);
create table public.ok_list_a1 partition of public.ok_list_a default;
create table public.ok_list_x partition of public.ok_list default;
create index on public.ok_list (user_id);
do $$ declare t text; begin
 foreach t in array array['ok_hash', 'ok_hash_0', 'ok_hash_1', 'ok_child', 'ok_list', 'ok_list_a', 'ok_list_a1', 'ok_list_x'] loop
  execute format('alter table public.%I enable row level security; alter table public.%I force row level security', t, t);
  execute format('revoke all on public.%I from anon, authenticated; grant select, insert on public.%I to authenticated', t, t);
  execute format('create policy own on public.%I for select to authenticated using ((select auth.uid()) = user_id)', t);
  execute format('create policy ins on public.%I for insert to authenticated with check ((select auth.uid()) = user_id)', t);
 end loop; end $$;
create table public.logs (at timestamptz not null, user_id uuid not null references auth.users (id), tenant int) partition by range (at);
create table public.by_hash (user_id uuid not null references auth.users (id)) partition by hash (user_id);
create table public.by_list (user_id uuid not null references auth.users (id), k text) partition by list (lower(k));
create index on public.logs (user_id); create index on public.by_hash (user_id); create index on public.by_list (user_id);
do $$ declare t text; begin
 foreach t in array array['logs', 'by_hash', 'by_list'] loop
  execute format('alter table public.%I enable row level security; alter table public.%I force row level security', t, t);
  execute format('revoke all on public.%I from anon, authenticated; grant select, update on public.%I to authenticated', t, t);
  execute format('create policy own on public.%I for select to authenticated using ((select auth.uid()) = user_id)', t);
  execute format('create policy upd on public.%I for update to authenticated using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id)', t);
 end loop; end $$;
`;

it("what projects usually write is not a finding", async () => {
  expect(await findings(NOTES, EXTENSIONS, TYPES, SUPABASE, DUMP, PLACES, ROLES, PARTITIONS)).toEqual({});
});

it("children, jobs and objects of extensions are judged as what they are", async () => {
  const found = await findings(
    NOTES,
    PARTITIONS,
    `create table public.bad_child (more text) inherits (public.ok_child);
alter table public.bad_child enable row level security; alter table public.bad_child force row level security;
create policy all_in on public.bad_child for select to authenticated using (true); grant select on public.bad_child to authenticated;
create index on public.bad_child (user_id); create index on public.bad_child (hash_id, user_id);
create table public.bad_list_b partition of public.ok_list for values in ('b');
alter table public.bad_list_b enable row level security; alter table public.bad_list_b force row level security;
revoke all on public.bad_list_b from anon, authenticated; grant select, insert on public.bad_list_b to authenticated;
create policy p on public.bad_list_b for select to authenticated using (kind = 'b');
create extension if not exists pg_cron with schema pg_catalog;
create extension if not exists pg_net with schema extensions;
select cron.schedule('off', '0 3 * * *', $$ alter table public.notes disable row level security $$);
select cron.schedule('empty', '0 3 * * *', 'truncate public.notes');
select cron.schedule('unknown', '0 3 * * *', 'select public.no_such()');
do $$ begin perform cron.schedule('dynamic', '* * * * *', 'grant select on public.notes' || ' to anon'); end $$;
grant usage on schema cron to authenticated;
grant select, insert on cron.job to authenticated;
grant select on net._http_response to anon;
alter table cron.job disable row level security;
create extension if not exists postgis with schema extensions;
create table public.bad_place (id bigint primary key, user_id uuid not null references auth.users (id), at extensions.geography(Point, 4326) not null);
create index on public.bad_place (user_id);
alter table public.bad_place enable row level security; alter table public.bad_place force row level security;
revoke all on public.bad_place from anon, authenticated; grant select on public.bad_place to authenticated;
create policy near on public.bad_place for select to authenticated using (extensions.st_dwithin(at, extensions.st_point(13.4, 52.5)::extensions.geography, 1000));
grant update on extensions.spatial_ref_sys to anon;
create function public.bad_member() returns setof public.notes language sql security definer set search_path = '' as 'select * from public.notes';
grant execute on function public.bad_member() to anon;
alter extension postgis add function public.bad_member();
do $$ begin execute 'alter extension postgis add function ' || 'public.bad_member()'; end $$;
create extension if not exists citext with schema extensions;
create function public.bad_peek(t text) returns boolean language plpgsql immutable leakproof set search_path = '' as $$ begin raise notice '%', t; return true; end $$;
alter function public.usual_peek(text) leakproof;
alter system set row_security = off;
`,
  );
  const all = Object.entries(found).flatMap(([rule, messages]) => messages.map((message) => `${rule} ${message}`));
  for (const wanted of [
    /^rls-isolation public.bad_child: authenticated reads rows/,
    /^rls-isolation public.bad_list_b: authenticated reads rows/,
    /^rls-isolation public.bad_place: authenticated reads rows/,
    /^supabase-objects extensions.spatial_ref_sys: anon gets update/,
    /^migration-applies alter extension postgis add function .* hides whose they are/,
    /^migration-applies create function public.bad_peek.* before policies are applied/,
    /^migration-applies alter system set row_security = off: .* all databases/,
    /^migration-applies alter function public.usual_peek.* before policies are applied/,
    /^\S+ public.bad_member/,
    /^rls-enabled public.notes: /,
    /^grants-anon public.notes to anon: /,
    /^migration-surroundings .*the job unknown \(function public.no_such\(\) does not exist\)/,
    /^supabase-objects table cron.job: table cron.job of extension pg_cron is changed/,
    /^supabase-objects cron.job: authenticated gets insert on cron.job of extension pg_cron/,
    /^supabase-objects schema cron: authenticated gets usage/,
    /^supabase-objects net._http_response: anon gets select on net._http_response of extension pg_net/,
  ])
    expect(all).toContainEqual(expect.stringMatching(wanted));
  expect(all.filter((each) => /ok_|cron.job_run_details|by_hash/.test(each))).toEqual([]);
});

it("a constraint that held a column to the owner may move, and not go", async () => {
  const found = await findings(
    `create table public.parents (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users (id), unique (id, user_id));
create table public.b_fk (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users (id), parent_id uuid not null, constraint b_fk_parent foreign key (parent_id, user_id) references public.parents (id, user_id));
create table public.b_gen (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users (id), path text generated always as (user_id::text || '/x') stored);
create table public.b_weak (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users (id), path text not null constraint b_weak_path check (path like user_id::text || '/%'));
create table public.b_cascade (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users (id), parent_id uuid not null, constraint b_cascade_parent foreign key (parent_id, user_id) references public.parents (id, user_id));
create table public.g_widened (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users (id), path text not null constraint g_widened_path check (path like user_id::text || '/%'));
create table public.g_status (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users (id), status text not null constraint g_status_check check (status in ('a', 'b')), from_day date, to_day date, constraint g_days check (from_day < to_day), other_id uuid references auth.users (id), constraint g_two check (user_id <> other_id));
create table public.g_dropped (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users (id), path text not null constraint g_dropped_path check (path like user_id::text || '/%'));
do $$ declare t text; begin
 foreach t in array array['parents', 'b_fk', 'b_gen', 'b_weak', 'b_cascade', 'g_widened', 'g_status', 'g_dropped'] loop
  execute format('alter table public.%I enable row level security; alter table public.%I force row level security; create index on public.%I (user_id)', t, t, t);
  execute format('revoke all on public.%I from anon, authenticated; grant select on public.%I to authenticated', t, t);
  execute format('create policy own on public.%I for select to authenticated using ((select auth.uid()) = user_id)', t);
 end loop; end $$;
create index on public.b_fk (parent_id, user_id); create index on public.b_cascade (parent_id, user_id); create index on public.g_status (other_id);`,
    `alter table public.b_fk drop constraint b_fk_parent, add constraint b_fk_parent foreign key (parent_id) references public.parents (id);
alter table public.b_gen alter column path drop expression;
alter table public.b_weak drop constraint b_weak_path; alter table public.b_weak add constraint b_weak_path check (path like user_id::text || '/%' or path like 'shared/%');
do $$ begin execute 'alter table public.parents drop constraint parents_id_user_id_key cascade'; end $$;
alter table public.g_widened drop constraint g_widened_path; alter table public.g_widened add constraint g_widened_owned check (starts_with(path, user_id::text || '/') and path !~ '\\.\\.') not valid;
alter table public.g_status drop constraint g_status_check; alter table public.g_status drop constraint g_days; alter table public.g_status drop constraint g_two; alter table public.g_status add constraint g_status_check check (status in ('a', 'b', 'c'));
alter table public.g_dropped drop column path;`,
  );
  expect(found).toEqual({
    "owner-constraints": [
      expect.stringMatching(/^public.b_cascade: b_cascade_parent is gone or holds less: parent_id/),
      expect.stringMatching(/^public.b_fk: b_fk_parent is gone/),
      expect.stringMatching(/^public.b_gen: path no longer follows user_id/),
      expect.stringMatching(/^public.b_weak: b_weak_path is gone/),
    ],
  });
});
