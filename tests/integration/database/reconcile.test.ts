import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { migrateApply, migratePlan } from "../../../cli/commands/migrate/migrate.ts";
import { migrateLint, migrateReconcile, migrateVerify } from "../../../cli/commands/migrate/ledger.ts";
import { withClient } from "../../../operations/migrations/client.ts";
import { databaseUrl } from "../../../operations/migrations/url.ts";
import {
  compareReadings,
  readSchema,
  type Oracle,
  type OracleVerdict,
  type SchemaReading,
} from "../../../operations/reconcile/oracles.ts";
import type { ReconcileResult } from "../../../operations/reconcile/reconcile.ts";
import type { LintResult } from "../../../operations/reconcile/lint.ts";
import { openScratch } from "../../../operations/reconcile/scratch.ts";
import type { VerifyResult } from "../../../operations/reconcile/verify.ts";
import { PROJECT_ROOT } from "../../../operations/images/paths.ts";
import { startPostgresStack, type PostgresStack } from "../../support/postgres-stack.ts";
import { runVerb, type VerbEvent } from "../../support/verbs.ts";

let stack: PostgresStack;
/** A copy of the project, whose files the tests change. */
let root: string;
const USER = "00000000-0000-4000-8000-000000000001";
const migrations = () => join(root, "supabase/migrations");

beforeAll(async () => {
  stack = await startPostgresStack();
  root = mkdtempSync(join(tmpdir(), "exai-reconcile-"));
  mkdirSync(join(root, "supabase"));
  for (const part of ["migrations", "config.toml"])
    cpSync(join(PROJECT_ROOT, "supabase", part), join(root, "supabase", part), { recursive: true });
  expect((await runVerb(migrateApply(stack.url, { root }))).code).toBe(0);
  await stack.sql(`insert into auth.users (id) values ('${USER}');
    insert into public.conversations (id, user_id) values ('${USER}', '${USER}');
    insert into public.messages (conversation_id, user_id, role, content)
      select '${USER}', '${USER}', 'user', 'message ' || n from generate_series(1, 500) n`);
  await stack.sql("create database pristine template template0");
  await stack.sql(readFileSync(join(PROJECT_ROOT, "supabase/prelude.sql"), "utf8"), "pristine");
  expect((await runVerb(migrateApply(at("pristine"), { root }))).code).toBe(0);
});
afterAll(async () => {
  await stack.down();
  rmSync(root, { recursive: true });
});

const at = (database: string) => stack.url.replace("/postgres?", `/${database}?`);
const verifyData = (events: readonly VerbEvent[]) => (events.at(-1) as unknown as { data: VerifyResult }).data;
const reconcileData = (events: readonly VerbEvent[]) => (events.at(-1) as unknown as { data: ReconcileResult }).data;
const reconcileOptions = (more: object = {}) => ({
  ...{ root, allowDestructive: false, dryRun: false, dump: join(root, `${Date.now()}.dump`) },
  ...more,
});
const ledger = () =>
  stack.sql("select version, name, md5(statements::text) from supabase_migrations.schema_migrations order by 1");

/** One kind of drift each: what is done, and the object that names it in the words of each oracle. No two have an object in common. */
const DRIFT: readonly (readonly [drift: string, sql: string, objects: Readonly<Record<Oracle, string>>])[] = [
  [
    "a table",
    "create table public.drift_table (id bigint generated always as identity primary key, note text not null default 'x', owner uuid references auth.users (id)); alter table public.drift_table enable row level security",
    all("table public.drift_table"),
  ],
  [
    "a column",
    "alter table public.messages add column drift_column integer not null default 7",
    { ...all("column public.messages.drift_column"), dump: "table public.messages" },
  ],
  [
    "a default",
    "alter table public.conversations alter column title set default 'none'",
    {
      facts: "default public.conversations.title",
      catalogue: "column public.conversations.title",
      dump: "table public.conversations",
    },
  ],
  [
    "a type of a column",
    "alter table public.system_health alter column response_time_ms type numeric",
    { ...all("column public.system_health.response_time_ms"), dump: "table public.system_health" },
  ],
  [
    "a constraint",
    "alter table public.files add constraint drift_check check (length(name) < 2000)",
    { ...all("constraint drift_check on public.files"), dump: "table public.files" },
  ],
  [
    "an index",
    "create index drift_index on public.files (created_at) where user_id is not null",
    all("index public.drift_index"),
  ],
  [
    "a policy",
    "create policy drift_policy on public.files for select to service_role using (true)",
    { ...all("policy drift_policy on public.files"), dump: "policy public.files drift_policy" },
  ],
  [
    "a changed policy",
    "alter policy files_owner_select on public.files using ((select auth.uid()) is not null)",
    { ...all("policy files_owner_select on public.files"), dump: "policy public.files files_owner_select" },
  ],
  [
    "a function's body",
    "create or replace function exai.touch_updated_at() returns trigger language plpgsql set search_path = '' as $$ begin new.updated_at := clock_timestamp(); return new; end $$",
    all("function exai.touch_updated_at()"),
  ],
  [
    "a trigger",
    "create trigger drift_trigger before update on public.files for each row execute function exai.touch_updated_at()",
    { ...all("trigger drift_trigger on public.files"), dump: "trigger public.files drift_trigger" },
  ],
  [
    "an option of a view",
    "alter view exai.backup_status set (security_invoker = false)",
    { ...all("view exai.backup_status"), dump: "rule exai.backup_status _RETURN" },
  ],
  [
    "a materialized view",
    "create materialized view public.drift_view as select count(*) from public.sessions",
    all("materialized view public.drift_view"),
  ],
  ["an extension", "create extension pgcrypto schema extensions", all("extension pgcrypto")],
  [
    "a grant",
    "grant select on public.sessions to anon",
    {
      facts: "grant to anon on table public.sessions",
      catalogue: "table public.sessions",
      dump: "acl public.TABLE sessions",
    },
  ],
  [
    "a column grant",
    "grant update (name) on public.files to service_role; grant select (name) on public.files to anon",
    {
      facts: "column grant to anon on table public.files (name)",
      catalogue: "column public.files.name",
      dump: "acl public.COLUMN files.name",
    },
  ],
  [
    "default privileges",
    "alter default privileges in schema public grant select on tables to anon",
    {
      facts: "default privilege of postgres for anon on tables in public",
      catalogue: "default privileges postgres public r",
      dump: "default acl public.DEFAULT PRIVILEGES FOR TABLES",
    },
  ],
  [
    "a comment",
    "comment on table public.files is 'set by hand'",
    {
      facts: "comment on table public.files",
      catalogue: "comment table public.files",
      dump: "comment public.TABLE files",
    },
  ],
  ["a type", "create type public.drift_type as enum ('a', 'b')", all("type public.drift_type")],
  ["a sequence", "create sequence public.drift_sequence start 5", all("sequence public.drift_sequence")],
  [
    "row security that is not forced",
    "alter table public.audit_log no force row level security",
    all("table public.audit_log"),
  ],
];

function all(object: string): Readonly<Record<Oracle, string>> {
  return { facts: object, catalogue: object, dump: object };
}

describe("verify", () => {
  const verified = async () => {
    const { code, events, text } = await runVerb(migrateVerify(stack.url, { root }));
    return { code, text, result: verifyData(events) };
  };

  it("agrees right after the migrations were applied, by three oracles that have looked at objects", async () => {
    const { code, text, result } = await verified();
    expect(result.findings).toEqual([]);
    expect(code).toBe(0);
    expect(text).toContain("ledger, files and database agree: ");
    expect(result.oracles?.map(({ oracle }) => oracle)).toEqual(["facts", "catalogue", "dump"]);
    for (const { objects } of result.oracles ?? []) expect(objects).toBeGreaterThan(300);
  });

  it("finds changed files, versions that only one side has, and a migration that was marked and never ran", async () => {
    const files = readdirSync(migrations());
    writeFileSync(join(migrations(), "20250101000000_forgotten.sql"), "create table public.forgotten (a integer);\n");
    writeFileSync(
      join(migrations(), files[1] ?? ""),
      `${readFileSync(join(migrations(), files[1] ?? ""), "utf8")}select 1;\n`,
    );
    await stack.sql(`insert into supabase_migrations.schema_migrations (version, name, statements) values
      ('20990101000000', 'ghost', array['create table public.ghost (a integer)', 'create index ghost_a on public.ghost (a)']),
      ('20990102000000', 'lost', null)`);
    const { code, result, text } = await verified();
    expect(code).toBe(1);
    expect(result.findings).toEqual([
      { reason: "not-recorded", version: "20250101000000", name: "forgotten" },
      expect.objectContaining({ reason: "edited", version: files[1]?.slice(0, 14) }),
      { reason: "file-missing", version: "20990101000000", name: "ghost" },
      { reason: "lost", version: "20990102000000", name: "lost" },
      {
        ...{ reason: "never-ran", version: "20990101000000", name: "ghost" },
        objects: expect.arrayContaining(["table public.ghost", "index public.ghost_a"]) as string[],
      },
      expect.objectContaining({ reason: "drift" }),
    ]);
    expect(text).toContain("marked as applied, and never ran: the database lacks");
    await stack.sql("delete from supabase_migrations.schema_migrations where version like '2099%'");
    rmSync(join(migrations(), "20250101000000_forgotten.sql"));
    cpSync(join(PROJECT_ROOT, "supabase/migrations"), migrations(), { recursive: true });
  });

  it("finds a baseline without statements, which no new database could be made of", async () => {
    const before = await ledger();
    const first = readdirSync(migrations())[0]?.slice(0, 14) ?? "";
    await stack.sql(`create table public.saved as select * from supabase_migrations.schema_migrations;
      update supabase_migrations.schema_migrations set statements = null where version = '${first}'`);
    const { code, result } = await verified();
    expect(code).toBe(1);
    expect(result.findings).toMatchObject([
      { reason: "statements-missing", version: first },
      {
        reason: "replay-failed",
        statement: expect.any(Number) as number,
        message: expect.stringContaining("exai") as string,
      },
    ]);
    // The file has them.
    const repaired = await runVerb(migrateReconcile(stack.url, reconcileOptions({ allowDestructive: true })));
    expect(reconcileData(repaired.events)).toMatchObject({
      outcome: "reconciled",
      repairs: [{ version: first, action: "record-file" }],
      migration: { name: "reconcile", sql: expect.stringContaining('"saved"') as string },
    });
    rmSync(join(migrations(), readdirSync(migrations()).at(-1) ?? ""));
    await stack.sql(`truncate supabase_migrations.schema_migrations;
      insert into supabase_migrations.schema_migrations select * from public.saved; drop table public.saved`);
    expect(await ledger()).toBe(before);
  });
});

describe("each oracle", () => {
  let pristine: SchemaReading;
  let verdicts: readonly OracleVerdict[];
  beforeAll(async () => {
    pristine = await readSchema(at("pristine"));
    await stack.sql("create database mutant template pristine");
    await stack.sql(DRIFT.map(([, sql]) => sql).join(";\n"), "mutant");
    verdicts = await compareReadings(pristine, await readSchema(at("mutant")));
    await stack.sql("drop database mutant with (force)");
  });

  it.each(DRIFT)("sees %s", (_, __, objects) => {
    for (const { oracle, differences } of verdicts)
      expect(differences.map(({ object }) => object)).toContain(objects[oracle]);
  });

  it("sees nothing if nothing differs", async () => {
    const same = await compareReadings(pristine, await readSchema(at("pristine")));
    expect(same.flatMap(({ differences }) => differences)).toEqual([]);
  });
});

describe("reconcile", () => {
  const counted = () =>
    stack.sql(
      "select (select count(*) from public.messages), (select count(*) from public.drift_table), (select md5(string_agg(m::text, '' order by m.id)) from public.messages m)",
    );

  beforeAll(async () => {
    for (const [, sql] of DRIFT) await stack.sql(sql);
    await stack.sql("insert into public.drift_table (note) select 'row ' || n from generate_series(1, 100) n");
  });

  it("shows what it would do, and does nothing", async () => {
    const [before, files] = [await ledger(), readdirSync(migrations())];
    const { code, text } = await runVerb(migrateReconcile(stack.url, reconcileOptions({ dryRun: true })));
    expect(code).toBe(1);
    expect(text).toContain("column public.messages.drift_column");
    expect(text).toContain('ADD COLUMN IF NOT EXISTS "drift_column"');
    expect([await ledger(), readdirSync(migrations())]).toEqual([before, files]);
  });

  it("refuses a migration that removes something where it is applied later, unless that is allowed", async () => {
    const before = await ledger();
    await stack.sql("drop table public.performance_benchmarks");
    const { code, events } = await runVerb(migrateReconcile(stack.url, reconcileOptions()));
    expect(code).toBe(3);
    expect(reconcileData(events)).toMatchObject({
      outcome: "destructive",
      destructive: expect.arrayContaining(["table public.performance_benchmarks"]) as string[],
      migration: { name: "contract_reconcile" },
    });
    expect(await ledger()).toBe(before);
    expect(readdirSync(migrations())).toEqual(readdirSync(join(PROJECT_ROOT, "supabase/migrations")));
  });

  it("puts ledger and files back if the proof fails", async () => {
    const [before, rows] = [await ledger(), await counted()];
    let opened = 0;
    const scratch = async () => {
      opened += 1;
      const server = await openScratch();
      // The server of the proof has something that the database has not.
      if (opened === 2)
        await withClient(databaseUrl(server.url), (client) => client.query("create table public.foreign_to_it ()"));
      return server;
    };
    const options = reconcileOptions({ allowDestructive: true, scratch });
    await expect(runVerb(migrateReconcile(stack.url, options))).rejects.toMatchObject({
      where: "proof",
      message: expect.stringContaining("public.foreign_to_it") as string,
    });
    expect([await ledger(), await counted()]).toEqual([before, rows]);
    expect(readdirSync(migrations())).toEqual(readdirSync(join(PROJECT_ROOT, "supabase/migrations")));
  });

  it("adopts every kind of drift: the replay is identical, no row is lost, and a dump was made first", async () => {
    const rows = await counted();
    // Done by hand, and unknown to the ledger.
    writeFileSync(join(migrations(), "20260601000000_by_hand.sql"), "create table public.by_hand (a integer);\n");
    await stack.sql("create table public.by_hand (a integer)");
    const options = reconcileOptions({ allowDestructive: true });
    const { code, events, text } = await runVerb(migrateReconcile(stack.url, options));
    expect(code).toBe(0);
    const result = reconcileData(events);
    expect(result.outcome).toBe("reconciled");
    expect(result.repairs).toMatchObject([{ version: "20260601000000", action: "mark-applied" }]);
    expect(result.proof?.map(({ differences }) => differences)).toEqual([[], [], []]);
    expect(text).toContain("is written, marked and proved");
    expect(await counted()).toBe(rows);
    expect(statSync(options.dump).mode & 0o777).toBe(0o600);
    expect(readFileSync(options.dump).subarray(0, 5).toString()).toMatch(/^PG.MP$/);
    expect(existsSync(join(migrations(), `${result.migration?.version ?? ""}_contract_reconcile.sql`))).toBe(true);

    const after = await runVerb(migrateVerify(stack.url, { root }));
    expect(verifyData(after.events).findings).toEqual([]);
    expect((await runVerb(migratePlan(stack.url, { root }))).code).toBe(0);
    const again = await runVerb(migrateReconcile(stack.url, reconcileOptions()));
    expect(reconcileData(again.events).outcome).toBe("agreed");
  });
});

describe("lint", () => {
  it("reports the locks that statements really take on a copy with data, and leaves the database alone", async () => {
    const file = (name: string, sql: string) => {
      writeFileSync(join(migrations(), name), sql);
    };
    file(
      "20990101000000_index.sql",
      "create index lint_index on public.messages (created_at);\ncreate table public.lint_new (a integer);\n",
    );
    file(
      "20990102000000_rewrite.sql",
      "-- Comment.\nalter table public.messages add column lint_random uuid not null default gen_random_uuid();\n",
    );
    file("20990103000000_refused.sql", "alter table public.messages alter column model set not null;\n");
    file("20990104000000_after.sql", "select 1;\n");
    const before = await ledger();
    const { code, events, text } = await runVerb(migrateLint(stack.url, { root, limitMs: 60_000 }));
    expect(code).toBe(1);
    const { migrations: outcomes, bytes } = (events.at(-1) as unknown as { data: LintResult }).data;
    expect(bytes).toBeGreaterThan(1_000_000);
    expect(outcomes.map(({ name }) => name)).toEqual(["index", "rewrite", "refused"]);
    const [index, rewrite, refused] = outcomes;
    expect(index?.statements.map(({ locks }) => locks)).toMatchObject([
      [{ table: "public.messages", mode: "ShareLock", blocks: "writes" }],
      [],
    ]);
    expect(index?.findings).toEqual([]);
    expect(rewrite).toMatchObject({
      statements: [
        { line: 2, locks: [{ table: "public.messages", mode: "AccessExclusiveLock", blocks: "reads and writes" }] },
      ],
      findings: [{ reason: "rewrite", line: 2, table: "public.messages" }],
    });
    expect(refused?.findings).toMatchObject([
      { reason: "breaks-releases", line: 1 },
      { reason: "refused", line: 1, message: expect.stringContaining("contains null values") as string },
    ]);
    expect(text).toMatch(/20990102000000_rewrite\.sql:2:\s+rewrites\s+public\.messages/);
    expect(await ledger()).toBe(before);
    expect(await stack.sql("select to_regclass('public.lint_new') is null")).toBe("t\n");
  });
});
