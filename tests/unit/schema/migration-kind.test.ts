import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { migrationFiles } from "../../../contract/sql/files.ts";
import { breaches, createdIn, migrationKind } from "../../../contract/sql/migration.ts";

const ROOT = join(import.meta.dirname, "../../..");

describe("the kind of a migration", () => {
  it.each([
    ["20261201090000_contract_drop_title.sql", "contract"],
    ["20261201090000_drop_title_contract.sql", "contract"],
    ["drop_contract_title", "contract"],
    ["contract", "contract"],
    ["20261201090000_add_title.sql", "expand"],
    ["20261201090000_contracts.sql", "expand"],
    ["20261201090000_subcontract_table.sql", "expand"],
    ["", "expand"],
  ])("of %s is %s", (name, kind) => {
    expect(migrationKind(name)).toBe(kind);
  });
});

describe("statements that a running release may not survive", () => {
  it.each([
    ["drop table public.files", "drops table public.files"],
    ["DROP VIEW IF EXISTS exai.backup_status", "drops view exai.backup_status"],
    ["drop function exai.f(text)", "drops function exai.f"],
    ["drop policy a on public.files", "drops policy a"],
    ["truncate table public.files", "empties public.files"],
    ["TRUNCATE\r\n public.files", "empties public.files"],
    ["delete from public.files", "deletes every row of public.files"],
    ["alter table public.files drop column name", "drops column name of public.files"],
    ["alter table only public.files drop if exists name cascade", "drops column name of public.files"],
    ["alter table files rename name to title", "renames a part of files"],
    ["alter table files disable trigger t; alter table files enable trigger u", "disables a trigger of files"],
    ["alter table files enable trigger t; alter table files disable trigger t", "disables a trigger of files"],
    ["alter table files rename to papers", "renames table files"],
    ["alter table files set schema old", "moves table files to another schema"],
    ["alter table files alter name type int using 1", "changes the type of name of files"],
    ["alter table files alter column name set data type int", "changes the type of name of files"],
    ["alter table files alter column name set not null", "refuses null in name of files"],
    ["alter table files alter column name drop default", "takes the default of name of files"],
    ["alter table files add column owner uuid not null", "adds a column to files that must be given"],
    [
      "alter table files add constraint c check (a > 0) not valid",
      "adds a constraint to files, which may refuse what a release writes",
    ],
    ["alter table files enable row level security", "closes the rows of files"],
    ["create unique index i on public.files (name)", "refuses equal rows of public.files"],
    ["create unique index on public.files (name)", "refuses equal rows of public.files"],
    ["revoke all on public.files, public.x from anon", "revokes all on public.files, public.x from anon"],
    ["revoke execute on function exai.f(text, int) from public", "revokes execute on exai.f from public"],
    ["alter type mood rename value 'sad' to 'blue'", "renames a part of mood"],
    ["alter policy p on files using (false)", "changes policy p"],
    ["create policy p on files as restrictive using (false)", "restricts files"],
    ["do $$ begin execute 'drop table x'; end $$", "drops table x"],
    ["do $$ begin execute 'trunc' || 'ate public.files'; end $$", "empties public.files"],
    ["do $$ begin execute format('drop table %I', 'x' || 1); end $$", "drops table exai_name"],
    ["do $$ declare s text := 'x'; begin execute s; end $$", "executes what cannot be read: s"],
    ["do $$ begin if now() > '2027-01-01' then truncate public.files; end if; end $$", "empties public.files"],
    ["delete from public.files where true", "deletes every row of public.files"],
    ["delete from public.files where id in (select f.id from public.files as f)", "deletes every row of public.files"],
    ["delete from public.files where id = id or false", "deletes every row of public.files"],
    ["with gone as (delete from public.files returning 1) select 1", "deletes every row of public.files"],
    ["create function f() returns void language sql as 'truncate public.files'; select f()", "empties public.files"],
  ])("%s", async (sql, what) => {
    const found = await breaches(`set lock_timeout = '5s';\n${sql};`);
    expect(found).toEqual([{ line: 2, what }]);
  });

  it("reports each part of a statement that has several", async () => {
    const sql = "alter table files add column a int, drop column b, alter column c type numeric(3, 1)";
    expect((await breaches(sql)).map(({ what }) => what)).toEqual([
      "drops column b of files",
      "changes the type of c of files",
    ]);
  });

  it.each([
    "alter table files add column owner uuid",
    "alter table files add column owner uuid not null default gen_random_uuid()",
    "alter table files add column n bigint generated always as identity not null",
    "alter table files drop constraint files_name_check",
    "alter table files alter column name drop not null",
    "alter table files validate constraint c",
    "alter table files alter column name set default 'x'",
    "alter type mood add value 'glad'",
    "delete from public.files where expires_at < now()",
    "delete from public.files where id = user_id",
    "do $$ declare t text; begin foreach t in array array['a'] loop execute format('grant select on %I to x', t); end loop; end $$",
    "create function f() returns void language sql as 'truncate public.files'",
    "create index concurrently i on files (name)",
    "drop index public.files_name_idx",
    "grant select on files to authenticated",
    "alter default privileges in schema exai revoke execute on functions from public",
    "comment on table files is 'drop table files; -- revoke'",
    "select 1 -- drop table files",
    "create table papers (id int); alter table papers drop column id; drop table papers; revoke all on papers from anon",
    "drop view exai.status; create view exai.status as select 1",
    "create function exai.f(a text) returns int language sql as 'select 1'; revoke all on function exai.f(text) from public",
    "do $$ begin create role r; end $$",
    "alter table files disable trigger t; update files set n = 1 where id = 2; alter table files enable always trigger t",
    "drop table exai_parked.files_20261129120000",
  ])("are not: %s", async (sql) => {
    expect(await breaches(sql)).toEqual([]);
  });

  it("are not about what a pending file before it creates, unless by a name without a schema", async () => {
    const earlier = new Set(await createdIn("create table public.papers (id int); create table notes (id int)"));
    expect(await breaches("revoke all on public.papers from anon; drop table public.papers", earlier)).toEqual([]);
    expect(await breaches("drop table notes; drop table public.files", earlier)).toHaveLength(2);
  });

  it("has none in the project's migrations since the first that was applied with users", async () => {
    const created = new Set<string>();
    const files = migrationFiles(ROOT).filter(({ name }) => migrationKind(name) === "expand");
    for (const { file, sql } of files.slice(files.findIndex(({ name }) => name === "connections"))) {
      expect(await breaches(sql, created), file).toEqual([]);
      for (const name of await createdIn(sql)) created.add(name);
    }
  });

  it("finds only the revokes of Supabase's default grants in the first migrations", async () => {
    const first = readFileSync(join(ROOT, "supabase/migrations/20261101090400_backups.sql"), "utf8");
    expect(await breaches(first)).toEqual([]);
  });
});
