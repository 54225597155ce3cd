import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Results } from "../../../cli/results.ts";
import type { ChangeOptions } from "../../../operations/branches/merge/change.ts";
import { mergeBranch } from "../../../operations/branches/merge/merge.ts";
import { readResolutions } from "../../../operations/branches/merge/resolutions.ts";
import { revertBranch } from "../../../operations/branches/merge/revert.ts";
import { docker, tryDocker } from "../../../operations/docker/cli.ts";
import { runProgram } from "../../../operations/docker/process.ts";
import { PROJECT_ROOT } from "../../../operations/images/paths.ts";
import { openStack } from "../../../platforms/stack.ts";
import { MainWatch } from "../../support/database/main-wal.ts";
import { numbered, PLANTED, PLANTED_TABLES } from "../../support/database/planted.ts";
import { conversations, workloadLine } from "../../support/database/workload.ts";
import { LocalInstance } from "../../support/local-instance.ts";
import { until } from "../../support/rollout/stack.ts";
import { runOperation } from "../../support/verbs.ts";

type BranchVerb = Extract<keyof Results, `branch ${string}`>;

const USER = "00000000-0000-4000-8000-000000000001";

let stack: LocalInstance;
let main: pg.Client;
/** A project with its own migrations: a merge writes a file. */
let root: string;
const { signal } = new AbortController();

beforeAll(async () => {
  stack = await LocalInstance.create("branches");
  await stack.events(["up"], { grafana: "false" });
  main = new pg.Client((await opened()).main);
  await main.connect();
  root = mkdtempSync(join(tmpdir(), "exai-branches-"));
  cpSync(join(PROJECT_ROOT, "supabase"), join(root, "supabase"), { recursive: true });
  await until("a backup", 120, () => returns("select from public.backup_history where status = 'completed'"));
});
afterAll(async () => {
  await main.end();
  await stack.remove();
  rmSync(root, { recursive: true });
});

function opened() {
  const settings = { instance: stack.name, homeDirectory: join(".exai", stack.name), ...stack.ports };
  const texts = Object.fromEntries(Object.entries(settings).map(([key, value]) => [key, String(value)]));
  return openStack("local", texts).branches({ signal });
}

async function result<Verb extends BranchVerb>(verb: Verb, ...words: readonly string[]): Promise<Results[Verb]> {
  const data: unknown = (await stack.events([...verb.split(" "), ...words])).at(-1)?.data;
  return data as Results[Verb];
}

const merge = async (options: ChangeOptions = {}) =>
  (await runOperation(mergeBranch(await opened(), "one", { root, signal, ...options }))).result;

const revert = async (options: ChangeOptions = {}) =>
  (await runOperation(revertBranch(await opened(), "one", { root, signal, ...options }))).result;

async function rows(sql: string, values: readonly unknown[] = []): Promise<readonly Record<string, unknown>[]> {
  return (await main.query<Record<string, unknown>>(sql, [...values])).rows;
}

const returns = async (sql: string) => (await rows(sql)).length > 0;

/** Runs SQL on the branch. */
async function inBranch(sql: string): Promise<readonly Record<string, unknown>[]> {
  const client = new pg.Client(await (await opened()).host.url("one"));
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

// On a busy machine, each merge takes half a minute.
describe("a branch of the local database", { timeout: 600_000 }, () => {
  it("has what was committed before it; main loses no session and writes no WAL for it, also without a spare", async () => {
    await rows("insert into auth.users (id) values ($1)", [USER]);
    await main.query(PLANTED_TABLES);
    await main.query(
      "create type public.level as enum ('low'); create table public.entries (id int primary key, changed int not null default 0)",
    );
    const watch = new MainWatch(main, stack.name);
    await watch.whileQuiet(async () => {
      const [before, known] = [await watch.position(), await watch.sessions()];
      const { branch } = await result("branch create", "one");
      expect(branch).toMatchObject({ state: "MIGRATIONS_PASSED", server: "running" });
      expect(branch.source).toBe("copy");
      expect(await watch.sessions()).toEqual(known);
      expect(await watch.writtenAfter(before)).toEqual([]);
      const { url } = await result("branch status", "one", "--with-password");
      expect(url).toBe(await (await opened()).host.url("one"));
      const identity = ["--set", `instance=${stack.name}`, "--set", `homeDirectory=${join(".exai", stack.name)}`];
      const words = ["psql", "--branch", "one", ...identity, "--", "-XqAt", "-c", "select id from auth.users"];
      const ran = await runProgram(join(PROJECT_ROOT, "cli/start/run"), words, { cwd: PROJECT_ROOT });
      expect(ran).toMatchObject({ code: 0, stdout: `${USER}\n` });
      // The next one takes the spare, which the first has made.
      await result("branch create", "two");
      const listed = (await result("branch list")).branches;
      expect(listed.map(({ name, source }) => [name, source])).toEqual([
        ["one", "copy"],
        ["two", "spare"],
      ]);
      await result("branch delete", "two");
      expect(await watch.sessions()).toEqual(known);
      expect(await watch.writtenAfter(before)).toEqual([]);
    });
  });

  it("passes the 22 tests", async () => {
    expect(await result("branch test", "one")).toMatchObject({ passed: 22, failed: 0 });
  });

  it("answers thousands of operations as main does, and each of 20 planted differences is found", async () => {
    const file = join(root, "workload.jsonl");
    const shadow = async (lines: readonly string[], code = 0) => {
      writeFileSync(file, lines.join("\n"));
      const [last] = (await stack.events(["branch", "shadow", "one", "--workload", file], {}, code)).slice(-1);
      return last?.data as unknown as Results["branch shadow"];
    };
    const same = await shadow(conversations(USER, 600));
    expect(same).toMatchObject({ operations: 2400, different: 0, unstable: [] });
    expect(await rows("select from public.conversations")).toEqual([]);

    await inBranch(PLANTED.map(({ change }, index) => numbered(change, index + 1)).join(";\n"));
    // Every second line is about a table that is the same in both.
    const planted = PLANTED.flatMap(({ statement }, index) => [
      workloadLine(USER, { sql: numbered(statement, index + 1) }),
      workloadLine(USER, { sql: numbered(statement, index + 21) }),
    ]);
    const found = await shadow(planted, 1);
    expect(found.differences.map((each) => each.line)).toEqual(PLANTED.map((_, index) => 2 * index + 1));
    expect(found.different).toBe(20);
    await inBranch(
      "create or replace function shadow.f40(n int) returns int language sql as 'select n + 1 from pg_sleep(0.02)'",
    );
    const { slower } = await shadow(
      Array.from({ length: 20 }, () => workloadLine(USER, { sql: "select shadow.f40(1)" })),
      1,
    );
    expect(slower).toMatchObject([{ sql: "select shadow.f40(1)", runs: 20 }]);
    await main.query("drop schema shadow cascade");
    await result("branch reset", "one");
  });

  it("is compared with main", async () => {
    await inBranch(`
      alter table public.entries add column summary text not null default '', add column score numeric(12, 3);
      create index on public.entries (summary);
      create table public.notes (id bigint generated always as identity primary key, entry int references public.entries (id), body text);
      alter type public.level add value 'high';
      comment on table public.files is 'branch';
    `);
    await inBranch("alter table public.entries add column level public.level default 'high'");
    await main.query("comment on table public.files is 'main'; comment on table public.messages is 'main'");
    const { branch, main: ours } = await result("branch diff", "one");
    const names = (differences: typeof branch) => differences.map(({ change, object }) => `${change} ${object}`);
    expect(names(branch)).toEqual(
      expect.arrayContaining(["added column public.entries.summary", "changed comment on table public.files"]),
    );
    expect(names(ours)).toEqual(["changed comment on table public.files", "changed comment on table public.messages"]);
  });

  it("is merged into main as migrations, with conflicts named and decided by a file", async () => {
    const file = join(root, "decisions.yaml");
    const [last] = (await stack.events(["branch", "merge", "one", "--resolutions", file], {}, 1)).slice(-1);
    const object = "comment on table public.files";
    expect(last?.data).toMatchObject({ outcome: "conflicts", conflicts: [{ object, reason: "both-changed" }] });
    writeFileSync(file, readFileSync(file, "utf8").replace(`${object}:`, `${object}: branch`));
    const merged = await merge({ resolutions: readResolutions(file, "branch") });
    expect(merged.outcome).toBe("applied");
    // A value of an enum is used in the transaction after the one that adds it.
    expect(merged.files).toHaveLength(2);
    for (const each of merged.files) expect(readdirSync(join(root, "supabase/migrations"))).toContain(basename(each));
    expect(
      await rows(
        "select obj_description('public.files'::regclass) as files, obj_description('public.messages'::regclass) as messages",
      ),
    ).toEqual([{ files: "branch", messages: "main" }]);
    expect(await merge()).toMatchObject({ outcome: "nothing" });
  });

  it("is reverted without a lost value of 10,000 rows, which the second merge puts back", async () => {
    await main.query(`
      insert into public.entries (id, summary, score, level)
        select i, 'summary ' || i, i + 0.125, case when i % 3 > 0 then 'high' end::public.level from generate_series(1, 10000) as i;
      insert into public.notes (entry, body) select i, md5(i::text) from generate_series(1, 10000) as i;
    `);
    const digest = `select count(*)::int as rows, md5(string_agg(e::text || n::text, ',' order by e.id)) as digest
      from (select id, summary, score, level from public.entries) as e join public.notes as n on n.entry = e.id`;
    const written = await rows(digest);
    expect(written).toMatchObject([{ rows: 10_000 }]);

    expect(await result("branch revert", "one", "--dry-run")).toMatchObject({ outcome: "planned", conflicts: [] });
    const reverted = await revert();
    expect(reverted).toMatchObject({ outcome: "applied", conflicts: [] });
    expect(reverted.steps.filter(({ destructive }) => destructive)).toEqual([]);
    expect(
      await rows(
        `select to_regclass('public.notes') as notes, enum_range(null::public.level)::text as levels, count(*)::int as entries,
           (select string_agg(column_name, ' ' order by column_name) from information_schema.columns where table_name = 'entries') as columns
         from public.entries`,
      ),
    ).toEqual([{ notes: null, levels: "{low}", entries: 10_000, columns: "changed id" }]);
    await expect(revert()).rejects.toMatchObject({ code: "state-conflict" });

    // The conflict is there again, and is decided as before.
    const resolutions = readResolutions(join(root, "decisions.yaml"), "branch");
    expect(await merge({ resolutions })).toMatchObject({ outcome: "applied" });
    expect(await rows(digest)).toEqual(written);
    expect(
      await returns("select from pg_class where relnamespace = 'exai_parked'::regnamespace and relkind = 'r'"),
    ).toBe(false);
    expect(await rows("insert into public.notes (entry) values (1) returning id::int")).toEqual([{ id: 10_001 }]);
  });

  it("is there again after the container of the branches was killed, and so is the spare, which follows main", async () => {
    await inBranch("create table public.kept (id int primary key); insert into public.kept values (1)");
    const container = `${stack.name}-branches`;
    const spare = `psql -XqAt -h /tmp/branches -p "$(cat /var/lib/exai-branches/spare/port)" postgres -c "$0"`;
    const inSpare = (sql: string) => tryDocker(["exec", container, "sh", "-c", spare, sql]);
    const isThere = () =>
      until("the spare", 120, async () => (await inSpare("select pg_is_in_recovery()")).stdout === "t\n");
    await isThere();
    await docker(["kill", container]);
    await docker(["start", container]);
    await isThere();
    expect(await inBranch("select id from public.kept")).toEqual([{ id: 1 }]);
    await main.query("create table public.followed (id int primary key)");
    // It looks every 30 s.
    await until("main's table in the spare", 60, async () => {
      const { stdout } = await inSpare("select to_regclass('public.followed') is not null");
      return stdout === "t\n";
    });
    // Only the owner, over a socket of the container, may connect to it.
    const port = (await docker(["exec", container, "cat", "/var/lib/exai-branches/spare/port"])).trim();
    const published = (await docker(["port", container, port])).trim();
    const client = new pg.Client({ connectionString: `postgres://postgres:x@${published}/postgres?sslmode=disable` });
    await expect(client.connect()).rejects.toThrow(/no pg_hba.conf entry/);
    await main.query("drop table public.followed");
  });

  it("is made of an earlier moment as well, without what came later", async () => {
    await main.query("create table public.later (id int primary key); insert into public.later values (1)");
    const [{ at } = {}] = await rows("select pg_current_wal_insert_lsn()::text as at");
    await main.query("insert into public.later values (2)");
    await main.query("select pg_switch_wal()");
    const { branch } = await result("branch create", "earlier", "--at", String(at));
    expect(branch).toMatchObject({ source: "restored", server: "running" });
    const client = new pg.Client(await (await opened()).host.url("earlier"));
    await client.connect();
    expect((await client.query("select id from public.later")).rows).toEqual([{ id: 1 }]);
    await client.end();
    await result("branch delete", "earlier");
    await main.query("drop table public.later");
  });

  it("is made again from main, and removed with its data", async () => {
    await inBranch("create table public.lost (id int primary key)");
    expect((await result("branch reset", "one")).branch.state).toBe("MIGRATIONS_PASSED");
    expect(await inBranch("select to_regclass('public.lost') as lost")).toEqual([{ lost: null }]);
    await result("branch delete", "one");
    expect((await result("branch list")).branches).toEqual([]);
  });
});
