import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import type { Database } from "../../policies/database/facts.ts";
import { read } from "../../policies/database/read.ts";
import { RULES } from "../../policies/rules/index.ts";
import { graph, outcomeIn } from "./support.ts";

const prelude = {
  file: "supabase/prelude.sql",
  text: readFileSync(new URL("../../supabase/prelude.sql", import.meta.url), "utf8"),
};

/** A table without faults, and objects with one fault each; the name of an object describes its fault. */
const FIRST = `set lock_timeout = '5s';
create table public.sound (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users (id), status text not null check (status in ('open', 'closed')), note text);
create index on public.sound (user_id);
alter table public.sound enable row level security;
alter table public.sound force row level security;
revoke all on public.sound from anon, authenticated;
grant select, insert, update, delete on public.sound to authenticated;
create policy sound_select on public.sound for select to authenticated using ((select auth.uid()) = user_id);
create policy sound_insert on public.sound for insert to authenticated with check ((select auth.uid()) = user_id and status = 'open');
create policy sound_update on public.sound for update to authenticated using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);
create policy sound_delete on public.sound for delete to authenticated using ((select auth.uid()) = user_id);

create function public.open_to(owner uuid) returns boolean language plpgsql stable set search_path = '' as $$
begin
  return owner is not null; -- looks bound to the row, and is not
end $$;

create or replace function exai_test_role() returns text language sql stable set search_path = '' as $$ select auth.jwt() -> 'user_metadata' ->> 'role' $$;

do $$
declare name text;
begin
  foreach name in array array['always_true', 'signed_in', 'by_state', 'by_function', 'forged', 'update_only', 'moved', 'claimed', 'anon_reads', 'per_row', 'unindexed', 'truncatable', 'without_check'] loop
    execute format('create table public.%I (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users (id), status text not null default ''open'' check (status in (''open'', ''closed'')), note text)', name);
    execute format('alter table public.%I enable row level security', name);
    execute format('alter table public.%I force row level security', name);
    execute format('revoke all on public.%I from anon, authenticated', name);
    if name <> 'unindexed' then execute format('create index on public.%I (user_id)', name); end if;
  end loop;
end $$;

create schema exai_parked;
create table exai_parked.sound_1 as select id, note from only public.sound;
create table exai_parked.sound_2 as select id, status from only public.sound;
alter table exai_parked.sound_1 enable row level security;
alter table exai_parked.sound_1 force row level security;
alter table exai_parked.sound_2 enable row level security;
alter table exai_parked.sound_2 force row level security;
`;
const SECOND = `set lock_timeout = '5s';
drop table exai_parked.sound_1;
create table public.not_enabled (id int primary key);
create table public.not_forced (id int primary key);
alter table public.not_forced enable row level security;
revoke all on public.not_enabled, public.not_forced from anon, authenticated;
create table public.parted (id int, day date not null) partition by range (day);
alter table public.parted enable row level security;
alter table public.parted force row level security;
create table public.parted_2027 partition of public.parted for values from ('2027-01-01') to ('2028-01-01');
revoke all on public.parted, public.parted_2027 from anon, authenticated;

grant select on public.always_true to authenticated;
create policy always_true on public.always_true for select to authenticated using (1 = 1 or user_id = (select auth.uid()));
grant select on public.signed_in to authenticated;
create policy signed_in on public.signed_in for select to authenticated using ((select auth.uid()) is not null);
grant select on public.by_state to authenticated;
create policy by_state on public.by_state for select to authenticated using ((select auth.uid()) = user_id or status = 'closed');
grant select on public.by_function to authenticated;
create policy by_function on public.by_function for select to authenticated using (public.open_to(user_id));
grant insert on public.forged to authenticated;
create policy forged on public.forged for insert to authenticated with check (status = 'open' and note is null);
grant select, update on public.update_only to authenticated;
create policy update_only_select on public.update_only for select to authenticated using ((select auth.uid()) = user_id);
create policy update_only on public.update_only for update to authenticated using (true) with check ((select auth.uid()) is not null);
grant select, update on public.moved to authenticated;
create policy moved_select on public.moved for select to authenticated using (true);
create policy moved on public.moved for update to authenticated using ((select auth.uid()) = user_id) with check (true);
grant select on public.claimed to authenticated;
create policy claimed on public.claimed for select to authenticated using ((select auth.uid()) = user_id or exai_test_role() = 'admin');
grant select on public.anon_reads to anon;
create policy anon_reads on public.anon_reads for select to public using (true);
grant select on public.per_row to authenticated;
create policy per_row on public.per_row for select to authenticated using (auth.uid() = user_id);
grant select on public.unindexed to authenticated;
create policy unindexed on public.unindexed for select to authenticated using ((select auth.uid()) = user_id);
grant select, truncate on public.truncatable to authenticated;
create policy truncatable on public.truncatable for select to authenticated using ((select auth.uid()) = user_id);
grant select, update on public.without_check to authenticated;
create policy without_check on public.without_check for update to authenticated using ((select auth.uid()) = user_id);
create view public.owner_view as select * from public.sound;
create view public.reader_view with (security_invoker = true) as select id from public.sound;
create materialized view public.copied as select * from public.sound;
grant select on public.copied to authenticated;
create function public.definer() returns bigint language sql security definer set search_path = '' as $$ select count(*) from public.sound $$;
grant execute on function public.definer() to authenticated;
create function public.no_path() returns int language sql as $$ select 1 $$;
create role exai_sneak nologin;
grant service_role to exai_sneak;
grant exai_sneak to authenticated;
set lock_timeout = '0';
alter table public.sound add column extra text;
set lock_timeout = '5s';
alter table public.moved drop column note;
truncate public.by_state;
`;

describe("rules about the database", () => {
  let database: Database;
  beforeAll(async () => {
    database = await read(prelude, [
      { file: "supabase/migrations/1_first.sql", text: FIRST },
      { file: "supabase/migrations/2_second.sql", text: SECOND },
    ]);
  });

  const findings = (name: string) => {
    const rule = RULES.find((candidate) => candidate.name === name);
    if (rule === undefined) throw new Error(`no rule ${name}`);
    return outcomeIn(rule, graph("prod"), database).findings;
  };
  const objects = (name: string) => [...new Set(findings(name).map((finding) => finding.place.object ?? ""))].sort();

  it("report tables and partitions without row-level security", () => {
    expect(objects("rls-enabled")).toEqual(["public.not_enabled", "public.parted_2027"]);
    expect(objects("rls-forced")).toEqual(["public.not_enabled", "public.not_forced", "public.parted_2027"]);
  });

  it("report the file and line of the migration", () => {
    const line = (text: string) => SECOND.slice(0, SECOND.indexOf(text)).split("\n").length;
    const [enabled] = findings("rls-enabled");
    expect(enabled?.place.source).toEqual({
      file: "supabase/migrations/2_second.sql",
      line: line("create table public.not_enabled"),
    });
    const bound = findings("rls-policies-bound").find((finding) => finding.place.object?.includes("signed_in"));
    expect(bound?.place.source).toEqual({
      file: "supabase/migrations/2_second.sql",
      line: line("create policy signed_in"),
    });
  });

  it("evaluate policies to find those that do not depend on the owner of the row", () => {
    expect(objects("rls-policies-bound")).toEqual([
      "public.always_true policy always_true",
      "public.anon_reads policy anon_reads",
      "public.by_function policy by_function",
      "public.by_state policy by_state",
      "public.forged policy forged",
      "public.moved policy moved",
      "public.moved policy moved_select",
      "public.signed_in policy signed_in",
      "public.update_only policy update_only",
    ]);
    expect(
      findings("rls-policies-bound").find((finding) => finding.place.object?.includes("by_state"))?.message,
    ).toMatch(/\d of \d/);
  });

  it("report each command with which a role reaches rows of another user", () => {
    const reached = database.probes
      .filter((probe) => probe.reached > 0)
      .map((probe) => `${probe.role} ${probe.command} ${probe.table.replace("public.", "")}`);
    expect(reached.sort()).toEqual([
      "anon select anon_reads",
      "authenticated give away moved",
      "authenticated give away update_only",
      "authenticated insert forged",
      "authenticated select always_true",
      "authenticated select by_function",
      "authenticated select by_state",
      "authenticated select moved",
      "authenticated select signed_in",
      "authenticated update update_only",
      "exai_sneak delete not_enabled",
      "exai_sneak delete parted_2027",
      "exai_sneak insert not_enabled",
      "exai_sneak insert parted_2027",
      "exai_sneak select anon_reads",
      "exai_sneak select not_enabled",
      "exai_sneak select parted_2027",
      "exai_sneak update parted_2027",
    ]);
    expect(database.probes.filter((probe) => probe.error !== undefined)).toEqual([]);
  });

  it("report ways to bypass the policies", () => {
    expect(objects("rls-views")).toEqual(["public.copied", "public.owner_view"]);
    expect(objects("rls-definer-functions")).toEqual(["public.definer"]);
    expect(objects("function-search-paths")).toEqual(["public.no_path()"]);
    expect(objects("function-public-grants")).toEqual([
      "public.definer()",
      "public.exai_test_role()",
      "public.no_path()",
      "public.open_to(uuid)",
    ]);
    expect(objects("rls-user-claims")).toEqual(["public.claimed policy claimed"]);
    expect(objects("roles-no-bypass")).toEqual(["role authenticated", "role exai_sneak"]);
    expect(objects("grants-unfiltered")).toContain("public.truncatable to authenticated");
    expect(objects("grants-anon")).toContain("public.anon_reads to anon");
    expect(objects("rls-write-checks")).toEqual(["public.without_check policy without_check"]);
  });

  it("report what makes queries slow", () => {
    expect(objects("rls-per-row-calls")).toEqual(["public.per_row policy per_row"]);
    expect(objects("rls-policy-indexes")).toEqual(["public.unindexed policy unindexed"]);
    expect(objects("foreign-key-indexes")).toEqual(["public.unindexed unindexed_user_id_fkey"]);
    expect(objects("rls-policies-exist")).toContain("public.not_forced");
  });

  it("report migrations that block users or remove objects", () => {
    expect(findings("migration-lock-timeouts").map((finding) => finding.message)).toEqual([
      expect.stringContaining("public.sound AccessExclusiveLock"),
    ]);
    expect(findings("migration-destructive").map((finding) => finding.message)).toEqual([
      "it removes column public.moved.note",
      "it removes every row of public.by_state",
    ]);
  });

  it("report nothing about the table without faults, and about what merges have parked", () => {
    for (const rule of RULES.filter(
      (candidate) => candidate.scope === "database" && !candidate.name.startsWith("migration-"),
    ))
      expect(
        outcomeIn(rule, graph("prod"), database).findings.filter(
          ({ place: { object = "" } }) => object.startsWith("public.sound") || object.startsWith("exai_parked"),
        ),
        rule.name,
      ).toEqual([]);
  });
});

describe("a database that cannot be read", () => {
  it("reports the file and line that PostgreSQL rejected, and judges the rest", async () => {
    const text = "select 1;\n\ncreate tabel x ();\ncreate table y ();";
    const database = await read(prelude, [{ file: "supabase/migrations/1.sql", text }]);
    const found = (name: string) =>
      RULES.filter((rule) => rule.name === name).flatMap((rule) => outcomeIn(rule, graph("prod"), database).findings);
    expect(found("migration-applies").map(({ place, message }) => [place.source?.line, message])).toEqual([
      [3, expect.stringContaining('syntax error at or near "tabel"')],
    ]);
    expect(found("rls-enabled").map(({ place }) => place.object)).toEqual(["public.y"]);
  });

  it("reports the files that the CLI would skip", async () => {
    const problems = [{ file: "supabase/migrations/notes.sql", message: "would be skipped", fix: "mv" }];
    const database = { ...(await read(prelude, [])), problems };
    const rule = RULES.find(({ name }) => name === "migration-applies");
    if (rule === undefined) throw new Error("no such rule");
    expect(outcomeIn(rule, graph("prod"), database).findings.map(({ place }) => place.object)).toEqual([
      "supabase/migrations/notes.sql",
    ]);
  });

  it("makes all rules about it inconclusive", () => {
    for (const rule of RULES.filter((candidate) => candidate.scope === "database"))
      expect(outcomeIn(rule, graph("prod"), new Error("no migrations")).inconclusive).toBe("no migrations");
  });
});
