import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import type { Database } from "../../policies/database/facts.ts";
import { read } from "../../policies/database/read.ts";
import { RULES } from "../../policies/rules/index.ts";
import { graph, outcomeIn } from "./support.ts";

// cspell:ignore plpg

const prelude = {
  file: "supabase/prelude.sql",
  text: readFileSync(new URL("../../supabase/prelude.sql", import.meta.url), "utf8"),
};

/** Two tables, and ways around their policies; what is sound stands first. */
const BASE = `set lock_timeout = '5s';
create schema closed;
create table public.notes (id uuid primary key, user_id uuid not null references auth.users (id), title text);
create index on public.notes (user_id);
create table public.profiles (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users (id), name text);
create index on public.profiles (user_id);
alter table public.notes enable row level security; alter table public.notes force row level security;
alter table public.profiles enable row level security; alter table public.profiles force row level security;
revoke all on public.notes, public.profiles from anon, authenticated;
grant select, insert on public.notes to authenticated;
create policy own on public.notes for select to authenticated using ((select auth.uid()) = user_id);
create policy make on public.notes for insert to authenticated with check ((select auth.uid()) = user_id);

create function closed.new_user() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  insert into public.profiles (user_id, name) values (new.id, new.raw_user_meta_data ->> 'name');
  update public.profiles set name = 'x' where user_id = new.id and name is null;
  return new;
end $$;
create trigger new_user after insert on auth.users for each row execute function closed.new_user();
create function closed.noted() returns trigger language plpgsql security definer set search_path = '' as $$
begin update public.profiles set name = new.title where user_id = new.user_id; return new; end $$;
create trigger noted after insert on public.notes for each row execute function closed.noted();
create function public.fold(state int, value int) returns int language sql immutable set search_path = '' as $$ select state + value $$;
create aggregate public.folded(int) (sfunc = public.fold, stype = int);
create rule nothing as on delete to public.profiles do instead nothing;
alter publication supabase_realtime add table public.notes;
grant usage on schema closed to supabase_auth_admin;
alter role authenticated set statement_timeout = '8s';
create table public.folders (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users (id), unique (id, user_id));
create table public.papers (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users (id), folder_id uuid not null, other_id uuid not null, path text not null constraint papers_path check (path like user_id::text || '/%'), place text generated always as (user_id::text || '/x') stored,
  constraint papers_folder foreign key (folder_id, user_id) references public.folders (id, user_id), constraint papers_other foreign key (other_id, user_id) references public.folders (id, user_id));
alter table public.folders enable row level security; alter table public.folders force row level security;
alter table public.papers enable row level security; alter table public.papers force row level security;
create index on public.folders (user_id); create index on public.papers (user_id);
revoke all on public.folders, public.papers from anon, authenticated; grant select on public.papers to authenticated;
create policy own on public.papers for select to authenticated using ((select auth.uid()) = user_id);
create function closed.closes() returns event_trigger language plpgsql set search_path = '' as $$ declare made record; begin
  for made in select * from pg_event_trigger_ddl_commands() where command_tag = 'CREATE TABLE' and schema_name = 'public' loop
    execute format('alter table if exists %s enable row level security', made.object_identity);
    execute 'alter table ' || made.object_identity || ' force row level security';
  end loop;
  notify pgrst, 'reload schema';
end $$;
create event trigger closes on ddl_command_end execute function closed.closes();
-- storage.objects: readable by anyone when bucket_id = 'shown'
insert into storage.buckets (id, name, public) values ('shown', 'shown', true), ('hidden', 'hidden', true);
update storage.buckets set public = false where id = 'hidden';
create policy shown on storage.objects for select using (bucket_id = 'shown');
create policy own on storage.objects for insert to authenticated with check (bucket_id = 'shown' and owner_id = (select auth.uid())::text);
create policy folder on storage.objects for insert to authenticated with check (bucket_id = 'hidden' and (storage.foldername(name))[1] = (select auth.uid())::text);
create function closed.changed() returns trigger language plpgsql security definer set search_path = '' as $$ begin perform realtime.broadcast_changes('note:' || new.id::text, tg_op, tg_op, tg_table_name, tg_table_schema, new, old); return null; end $$;
create trigger changed after insert on public.notes for each row execute function closed.changed();
create function closed.pushes() returns trigger language plpgsql security definer set search_path = '' as $$ declare key text; begin
  select decrypted_secret into key from vault.decrypted_secrets where name = 'key' limit 1;
  perform net.http_post(url := (select decrypted_secret from vault.decrypted_secrets where name = 'url') || '/push', headers := jsonb_build_object('Authorization', 'Bearer ' || key), body := jsonb_build_object('id', new.id));
  return null; end $$;
create trigger pushes after insert on public.notes for each row execute function closed.pushes();
create function closed.claims(event jsonb) returns jsonb language plpgsql stable set search_path = '' as $$ declare claim text; begin
  foreach claim in array array['sub', 'user_metadata', 'role'] loop event := jsonb_set(event, array['claims', claim], event -> 'claims' -> claim); end loop; return event; end $$;
grant execute on function closed.claims(jsonb) to supabase_auth_admin;
select vault.create_secret('set after the migration', 'key');
update auth.users set raw_user_meta_data = raw_user_meta_data - 'role';
revoke all on all functions in schema public, closed from public, anon, authenticated;
`;
const KEY = ["sk", "proj", "a1b2C3d4E5f6G7h8J9k0L1m2N3p4Q5"].join("-");
const OPEN = `set lock_timeout = '5s';
create function closed.everything() returns setof public.notes language sql stable security definer set search_path = '' as 'select * from public.notes';
revoke all on function closed.everything() from public;
grant execute on function closed.everything() to authenticated;
create function public.search() returns setof public.notes language sql stable set search_path = '' begin atomic select * from closed.everything(); end;
create function closed.copies() returns trigger language plpgsql security definer set search_path = '' as $$
begin new.title := (select string_agg(n.title, ',') from public.notes as n); return new; end $$;
create trigger copies before insert on public.notes for each row execute function closed.copies();
create function closed.renames() returns trigger language plpgsql security definer set search_path = '' as $$
begin update public.profiles set name = new.title where id = new.id; return new; end $$;
create trigger renames after insert on public.notes for each row execute function closed.renames();
create function closed.promotes() returns trigger language plpgsql set search_path = '' as $$
declare given jsonb := new.raw_user_meta_data -> 'role';
begin new.raw_app_meta_data := jsonb_set(new.raw_app_meta_data, '{role}', given); return new; end $$;
create trigger promotes before insert on auth.users for each row execute function closed.promotes();
create type public.mood as enum ('calm'); alter type public.mood owner to authenticated;
grant set on parameter session_replication_role to authenticated;
grant select on pg_authid to authenticated;
grant supabase_auth_admin to authenticated;
create rule emptied as on insert to public.notes do also delete from public.profiles;
create function public.become(role text) returns void language plpgsql set search_path = '' as $$ begin perform set_config('role', role, true); end $$;
create function public.run(query text) returns void language plpgsql set search_path = '' as $$ begin execute query; end $$;
create function public.total(a int) returns int language sql immutable as $$ select a $$;
create function public.total(a int, b int) returns int language sql immutable as $$ select a + b $$;
create materialized view closed.copied as select * from public.notes;
grant select on closed.copied to authenticated;
create view public.copied with (security_invoker = true) as select * from closed.copied;
revoke all on public.copied from anon, authenticated;
create function closed.watch() returns event_trigger language plpgsql set search_path = '' as $$ declare made record; begin
  for made in select * from pg_event_trigger_ddl_commands() where object_identity = 'public.none' loop execute format('create policy all_in on %s using (true)', made.object_identity); end loop;
end $$;
create event trigger watch on ddl_command_end execute function closed.watch();
create publication everything for all tables;
alter default privileges in schema closed grant select on tables to anon;
alter role authenticator set pgrst.db_schemas = 'public, auth';
grant select on auth.users to authenticated;
alter table storage.objects disable row level security;
create or replace function auth.uid() returns uuid language sql stable set search_path = '' as $$ select null::uuid $$;
alter table public.profiles owner to authenticated;
grant create on schema closed to authenticated;
create role partner login password 'in the file';
create role reader nologin; grant reader to authenticated; grant pg_read_server_files to reader;
alter role anon bypassrls;
create foreign data wrapper nothing; create server far foreign data wrapper nothing;
create foreign table public.remote (id int) server far;
revoke all on public.remote from anon; grant select on public.remote to authenticated;
alter table public.papers drop constraint papers_path, alter column place drop expression;
alter table public.folders drop constraint folders_id_user_id_key cascade;
alter table public.papers add constraint papers_other foreign key (other_id) references public.folders (id);
with made as (insert into storage.buckets (id, name, public) values ('open', 'open', true) returning id) select * from made;
create policy changes on public.papers for update to authenticated using ((select auth.uid()) = user_id);
create function closed.keeps() returns trigger language plpgsql security definer set search_path = '' as $$ declare key text; begin
  select decrypted_secret into key from vault.decrypted_secrets where name = 'key';
  perform net.http_post(url := 'https://example.com', headers := jsonb_build_object('Authorization', key));
  new.title := key; return new; end $$;
create trigger keeps before insert on public.notes for each row execute function closed.keeps();
create function closed.loops() returns trigger language plpgsql set search_path = '' as $$ declare each record; begin
  for each in select u.id, u.raw_user_meta_data as given from auth.users u loop update auth.users set raw_app_meta_data = each.given where id = each.id; end loop; return null; end $$;
create trigger loops after insert on auth.users for each statement execute function closed.loops();
create function closed.asks(event jsonb) returns jsonb language sql stable set search_path = '' as $$ select jsonb_set(event, '{claims,org}', to_jsonb(jsonb_extract_path_text(event, 'claims', 'user_metadata', 'org'))) $$;
grant execute on function closed.asks(jsonb) to supabase_auth_admin;
update auth.users set raw_app_meta_data = raw_app_meta_data || jsonb_build_object('role', raw_user_meta_data ->> 'role');
select vault.create_secret('${KEY}', 'provider');
create function closed.sends() returns trigger language plpgsql set search_path = '' as $$ begin perform net.http_post(url := 'https://example.com', headers := '{"Authorization": "Bearer ${KEY}"}'); return null; end $$;
insert into auth.users (id, email, raw_app_meta_data, raw_user_meta_data, encrypted_password) values (gen_random_uuid(), 'a@example.com', '{}', '{"role": "user"}', extensions.crypt('admin', extensions.gen_salt('bf')));
grant select on public.notes to authenticated with grant option;
grant update (title) on public.notes to authenticated with grant option;
grant usage on schema public to anon with grant option;
create role team nologin; grant team to authenticated with admin option;
create rule unheard as on insert to public.folders do instead nothing;
create function closed.makes() returns void language sql set search_path = '' as $$ update storage.buckets set public = id <> 'hidden' $$;
`;

const judged = (database: Database) =>
  RULES.filter(({ scope, level }) => scope === "database" && level === "mandatory").flatMap((rule) =>
    outcomeIn(rule, graph("prod"), database).findings.map((finding) => ({ rule: rule.name, ...finding })),
  );
const files = (...texts: readonly string[]) =>
  texts.map((text, index) => ({ file: `supabase/migrations/${index + 1}_contract.sql`, text }));

describe("what acts with other rights", () => {
  let found: ReturnType<typeof judged>;
  beforeAll(async () => {
    found = judged(await read(prelude, files(BASE, OPEN)));
  });
  const of = (rule: string) =>
    [...new Set(found.filter((each) => each.rule === rule).map(({ place }) => place.object ?? ""))].sort();

  it("is found wherever it is", () => {
    expect(of("rls-definer-functions")).toEqual(["closed.everything()"]);
    expect(of("rls-triggers")).toEqual(["closed.copies()", "closed.keeps()", "closed.renames()"]);
    expect(of("rls-rewrite-rules")).toEqual(["emptied", "unheard"]);
    expect(of("rls-claim-writers")).toEqual([
      "closed.asks(jsonb)",
      "closed.loops()",
      "closed.promotes()",
      "public.become(text)",
      "public.run(text)",
      "update auth.users set raw_app_meta_data = raw_app_meta_data ",
    ]);
    expect(of("rls-views")).toEqual(["closed.copied"]);
    expect(of("event-triggers")).toEqual(["watch"]);
    expect(of("rls-publications")).toEqual(["everything"]);
    expect(of("default-privileges")).toEqual(["tables"]);
    expect(of("role-settings")).toEqual(["pgrst.db_schemas", "session_replication_role"]);
    expect(of("storage-public-buckets")).toEqual(["bucket open", "function closed.makes"]);
    expect(of("rls-write-checks")).toEqual(["public.papers policy changes"]);
    expect(of("owner-constraints")).toEqual(["public.papers"]);
    expect(of("supabase-objects")).toEqual(["auth.users", "function auth.uid()", "pg_authid", "table storage.objects"]);
    expect(of("api-roles-own-nothing")).toEqual([
      "role team",
      "schema closed",
      "schema public",
      "table public.notes",
      "table public.profiles",
      "type public.mood",
    ]);
    expect(of("role-passwords")).toEqual([
      "create function closed.sends() returns trigger language plpg",
      "create role partner login password '…'",
      "insert into auth.users (id, email, raw_app_meta_data, raw_us",
      "select vault.create_secret('…'",
    ]);
    expect(JSON.stringify(found)).not.toContain(KEY);
    expect(of("roles-no-bypass")).toEqual(["role anon", "role authenticated", "role reader"]);
    expect(found.map(({ message }) => message)).toContainEqual(expect.stringMatching(/member of supabase_auth_admin/));
    expect(of("rls-enabled")).toEqual(["public.remote"]);
    expect(of("function-search-paths")).toEqual(["public.total(integer)", "public.total(integer, integer)"]);
  });

  it("is named with the line of its statement", () => {
    const lines = Object.fromEntries(found.map(({ rule, place }) => [rule, place.source?.line]));
    const line = (text: string) => OPEN.slice(0, OPEN.indexOf(text)).split("\n").length;
    expect(lines["rls-triggers"]).toBe(line("create trigger renames"));
    expect(lines["rls-rewrite-rules"]).toBe(line("create rule unheard"));
  });

  it("is gone after the SQL of its fix, which PostgreSQL accepts", async () => {
    const fixes = [
      ...new Set(
        found
          .map(({ fix }) => fix.replace(/ -- .*$/, ""))
          .filter((fix) => /^(alter|drop|revoke|grant|update)\b.*;$/.test(fix)),
      ),
    ];
    expect(fixes.length).toBeGreaterThan(20);
    // A fix may remove what another one is about.
    const blocks = fixes.map(
      (fix) => `do $fix$ begin ${fix} exception when undefined_object or undefined_function then null; end $fix$;`,
    );
    const after = await read(prelude, files(BASE, OPEN, `set lock_timeout = '5s';\n${blocks.join("\n")}`));
    const rest = judged(after).filter(({ place }) => !place.source?.file.includes("/3_"));
    expect(after.statements.filter(({ error }) => error !== undefined)).toEqual([]);
    const fixed = new Set(fixes);
    const left = rest.map(({ fix }) => fix.replace(/ -- .*$/, ""));
    expect(left.filter((fix) => fixed.has(fix))).toEqual([]);
    expect(
      rest.filter(({ rule }) =>
        /^(owner-constraints|storage-public-buckets|event-triggers|rls-write-checks)$/.test(rule),
      ),
    ).toEqual([]);
  });

  it("is not seen in what is sound", async () => {
    expect(judged(await read(prelude, files(BASE))).map(({ rule, message }) => `${rule} ${message}`)).toEqual([]);
  });
});

describe("blocks that ask where they run", () => {
  const messages = (database: Database) => judged(database).map(({ rule, message }) => `${rule} ${message}`);

  it("are run with both answers", async () => {
    const database = await read(
      prelude,
      files(
        BASE,
        `do $$ begin
  if current_setting('server_version_num')::int < 160000 then
    execute 'alter table public.notes disable row level security';
  elsif not exists (select from pg_roles where rolname = 'anon') then
    create role anon;
  end if;
end $$;`,
      ),
    );
    expect(messages(database)).toEqual([
      expect.stringMatching(/^rls-enabled .*public.notes, where current_setting\('server_version_num'\)::int < 160000/),
    ]);
    expect(database.alternatives.map(({ answer }) => answer)).toEqual([true]);
  });

  it("are run as if a database had rows, and a CASE is a condition as well", async () => {
    const database = await read(
      prelude,
      files(
        BASE,
        `do $$ declare people int; begin
  select count(*) into people from auth.users;
  if people > 0 then execute 'alter table public.notes no force row level security'; end if;
  case when exists (select from pg_roles where rolname = 'rds_superuser') then
    execute 'alter table public.profiles no force row level security';
  else null; end case;
exception when undefined_table then null; when others then raise; end $$;`,
      ),
    );
    expect(messages(database)).toEqual([
      expect.stringMatching(/^rls-forced .*public.notes/),
      expect.stringMatching(/^rls-forced .*public.profiles/),
    ]);
  });

  it("are a finding where an answer cannot be tried", async () => {
    const block = (then: string) =>
      `do $$ begin if exists (select from pg_available_extensions where name = 'pg_cron') then ${then} end if; end $$;`;
    const found = messages(await read(prelude, files(BASE, block("perform cron.schedule('x', '* * * * *', 'y');"))));
    expect(found).toEqual([expect.stringMatching(/^migration-surroundings .*pg_cron.*schema "cron" does not exist/)]);
    expect(messages(await read(prelude, files(BASE, block("raise exception 'no';"))))).toEqual([]);
  });
});
