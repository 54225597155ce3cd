import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Results } from "../../../cli/results.ts";
import { runProgram } from "../../../operations/docker/process.ts";
import { Cluster } from "../../../operations/rollout/kubernetes/cluster.ts";
import { BRANCHES_LEASE, KubernetesLeaseStore } from "../../../operations/rollout/kubernetes/lease.ts";
import { applyMigrations } from "../../../operations/migrations/apply.ts";
import { serializeFacts } from "../../../operations/schema-facts/snapshot.ts";
import { readFacts } from "../../../operations/schema-facts/read.ts";
import { Checkout } from "../../support/checkout.ts";
import { startConfigMaps, type ConfigMaps } from "../../support/config-maps.ts";
import { conversations } from "../../support/database/workload.ts";
import { startProjectDatabases, type ProjectDatabases } from "../../support/supabase-api/databases.ts";
import { startPooler, type Pooler } from "../../support/supabase-api/pooler.ts";
import { startSupabaseApi, type SupabaseApi } from "../../support/supabase-api/server.ts";
import type { BranchState, ProjectState } from "../../support/supabase-api/world.ts";
import { runOperation } from "../../support/verbs.ts";

type BranchVerb = Extract<keyof Results, `branch ${string}`>;

const USER = "00000000-0000-4000-8000-000000000001";
const TOKEN = `sbp_${"1".repeat(40)}`;

let databases: ProjectDatabases;
let pooler: Pooler;
let api: SupabaseApi;
let cluster: ConfigMaps;
let checkout: Checkout;
/** The production project, and staging's, which is a branch of it. */
let parent: ProjectState;
let staging: ProjectState;

beforeAll(async () => {
  // Staging is one migration ahead of production.
  databases = await startProjectDatabases(1);
  pooler = await startPooler((project) => databases.portOf(project));
  const { password } = databases;
  api = await startSupabaseApi({ token: TOKEN, database: { host: pooler.host, password }, branches: databases });
  parent = api.world.addProject({ name: "hosted", organization: "acme", region: "eu-central-1" });
  api.world.addBranch(parent, "main", undefined, undefined);
  staging = api.world.addBranch(parent, "staging", "staging", undefined).project;
  cluster = await startConfigMaps();
  checkout = new Checkout();
  for (const stack of ["staging", "prod"])
    checkout.configure(stack, {
      ...{ instance: "hosted", kubeconfig: cluster.kubeconfig, kubeContext: "test", databaseCa: pooler.certificate },
      supabaseEndpoint: api.url,
      ...(stack === "staging" ? { supabaseProjectRef: parent.ref } : { supabaseOrganization: "acme" }),
    });
});
afterAll(async () => {
  checkout.remove();
  await cluster.close();
  await api.close();
  await pooler.close();
  await databases.close();
});

const environment = () => ({
  SUPABASE_ACCESS_TOKEN: TOKEN,
  SUPABASE_API_ENDPOINT: api.url,
  EXAI_DATABASE_URL: `postgres://postgres.${staging.ref}:${databases.password}@${pooler.host}:5432/postgres`,
});

/** Runs `./exai branch …`, and returns its last event. */
async function last(words: readonly string[], code: number, env: Readonly<Record<string, string>> = {}) {
  const events = await checkout.events(["branch", ...words], { code, env: { ...environment(), ...env } });
  expect(JSON.stringify(events)).not.toMatch(secrets());
  return events.at(-1);
}

/** The passwords of branches, and the token. */
function secrets(): RegExp {
  return new RegExp([TOKEN, ...hosted().map(({ project }) => project.password)].join("|"));
}

async function result<Verb extends BranchVerb>(verb: Verb, words: readonly string[], code = 0): Promise<Results[Verb]> {
  return (await last([verb.replace("branch ", ""), ...words], code))?.data as unknown as Results[Verb];
}

const hosted = (): BranchState[] =>
  [...api.world.branches.values()].filter((branch) => !branch.isDefault && branch.gitBranch === undefined);

async function sql(url: string, text: string): Promise<readonly Record<string, unknown>[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}

const inMain = (text: string) => sql(databases.main, text);
const inBranch = (text: string) => {
  const [branch] = hosted();
  const url = new URL(databases.main);
  url.password = branch?.project.password ?? "";
  url.port = String(databases.portOf(branch?.project.ref ?? ""));
  return sql(url.href, text);
};

/** All that a merge could change of main, but the files. */
const mainState = async () => [
  await serializeFacts(await readFacts(databases.main)),
  await inMain("select version from supabase_migrations.schema_migrations order by version"),
];
const files = () => readdirSync(join(checkout.root, "supabase/migrations"));

describe("a branch of a hosted database", () => {
  it("takes an access token", async () => {
    expect(await last(["list", "staging"], 2, { SUPABASE_ACCESS_TOKEN: "" })).toMatchObject({
      code: "invalid-setting",
    });
  });

  it("is made of main's migrations, also when the rate limit interrupts it, and changes nothing of main", async () => {
    const before = await mainState();
    api.failNext("POST", "/branches", 429, { "retry-after": "1" });
    const { branch } = await result("branch create", ["one", "staging", "--persistent"]);
    const project = hosted()[0]?.project.ref;
    expect(branch).toMatchObject({
      state: "MIGRATIONS_PASSED",
      server: "running",
      source: "ledger",
      persistent: true,
      project,
    });
    expect(await mainState()).toEqual(before);
    const { branches } = await result("branch list", ["staging"]);
    expect(branches).toMatchObject([{ name: "one", withData: false, ageSeconds: expect.any(Number) as number }]);
    const { url } = await result("branch status", ["one", "staging"]);
    expect(url).toContain(`postgres.${project ?? ""}@${pooler.host}:5432/postgres?sslmode=verify-full`);
  });

  it("is changed by one command at a time, of all machines", async () => {
    const namespace = Cluster.open({ kubeconfig: cluster.kubeconfig, context: "test", namespace: "hosted" });
    const lease = await new KubernetesLeaseStore(namespace, { name: BRANCHES_LEASE }).acquire("branch merge");
    const refused = await last(["delete", "one", "staging", "--yes"], 3);
    expect(refused).toMatchObject({ code: "lock-held", where: "lease exai-branches" });
    await lease.release();
  });

  it("passes the 22 tests", async () => {
    expect(await result("branch test", ["one", "staging"])).toMatchObject({ passed: 22, failed: 0 });
  });

  it("is merged after a question, and main is as before until it is answered", async () => {
    const index = "create index files_by_name on public.files (name)";
    const words = ["psql", "staging", "--branch", "one", "--", "--command", index];
    const made = await runProgram(join(checkout.root, "cli/start/run"), words, { env: environment() });
    expect(made).toMatchObject({ code: 0, stdout: "CREATE INDEX\n" });
    const { branch } = await result("branch diff", ["one", "staging"]);
    expect(branch.map(({ object }) => object)).toEqual(["index public.files_by_name"]);
    const before = [await mainState(), files()];
    expect(await last(["merge", "one", "staging"], 3)).toMatchObject({ code: "not-confirmed" });
    expect([await mainState(), files()]).toEqual(before);
    // The copy that the merge was tried on is gone.
    expect(hosted().map(({ name }) => name)).toEqual(["one"]);
  });

  it("is merged with a decision where main has changed the same, and reverted", async () => {
    const root = checkout.root;
    writeFileSync(
      join(root, "supabase/migrations/20261101095000_note.sql"),
      "comment on table public.files is 'main';",
    );
    await runOperation(applyMigrations(databases.main, { root }));
    await inBranch("comment on table public.files is 'branch'");
    const { conflicts } = await result("branch merge", ["one", "staging", "--yes"], 1);
    expect(conflicts).toMatchObject([{ reason: "both-changed" }]);
    const take = ["--take", `branch=${conflicts[0]?.object ?? ""}`, "--yes"];
    expect(await result("branch merge", ["one", "staging", ...take])).toMatchObject({ outcome: "applied" });
    const found =
      "select obj_description('public.files'::regclass) as note, to_regclass('public.files_by_name') is not null as made";
    expect(await inMain(found)).toEqual([{ note: "branch", made: true }]);
    expect(await result("branch revert", ["one", "staging", "--yes"])).toMatchObject({ outcome: "applied" });
    expect(await inMain(found)).toEqual([{ note: "main", made: false }]);
  });

  it("is made again from main, and says where main is not what its migrations make", async () => {
    const project = hosted()[0]?.project.ref;
    await inMain("create table public.by_hand (id int primary key)");
    const events = await checkout.events(["branch", "reset", "one", "staging", "--yes"], { env: environment() });
    await inMain("drop table public.by_hand");
    expect(JSON.stringify(events)).toContain("table public.by_hand");
    const { branch } = events.at(-1)?.data as unknown as Results["branch reset"];
    expect(branch).toMatchObject({ persistent: true, state: "MIGRATIONS_PASSED" });
    expect(branch.project).not.toBe(project);
    expect(await inBranch("select to_regclass('public.files_by_name') as made")).toEqual([{ made: null }]);
  });

  it("is deleted", async () => {
    expect(await last(["delete", "one", "staging"], 3)).toMatchObject({ code: "not-confirmed" });
    expect(hosted()).toHaveLength(1);
    await result("branch delete", ["one", "staging", "--yes"]);
    expect(hosted()).toEqual([]);
  });

  it("is kept with the reason if a migration of main fails in it", async () => {
    await inMain(
      "insert into supabase_migrations.schema_migrations values ('20260101000000', array['select 1 / 0'], 'old')",
    );
    const { branch } = await result("branch create", ["two", "staging"], 1);
    expect(branch).toMatchObject({
      state: "MIGRATIONS_FAILED",
      reason: expect.stringContaining("division by zero") as string,
    });
    await result("branch delete", ["two", "staging", "--yes"]);
    await inMain("delete from supabase_migrations.schema_migrations where version = '20260101000000'");
  });

  it("has main's rows with --with-data, and answers a workload as main does", async () => {
    parent.pointInTimeRecovery = true;
    await inMain(`insert into auth.users (id) values ('${USER}')`);
    const { branch } = await result("branch create", ["rows", "prod", "--with-data"]);
    expect(branch).toMatchObject({ source: "restored", withData: true });
    expect(await inBranch("select from auth.users")).toHaveLength(1);
    const workload = join(checkout.root, "workload.jsonl");
    writeFileSync(workload, conversations(USER, 10).join("\n"));
    const answers = await result("branch shadow", ["rows", "prod", "--workload", workload]);
    expect(answers).toMatchObject({ operations: 40, different: 0, unstable: [] });
    await result("branch delete", ["rows", "prod", "--yes"]);
  });

  it("is in the audit log with all that changed it", () => {
    const log = Object.values(cluster.data)
      .map((data) => JSON.stringify(data))
      .join("");
    for (const verb of ["create", "merge", "revert", "reset", "delete"]) expect(log).toContain(`branch ${verb}`);
    // What is left of the branches is the last merge, which could be merged again after its revert.
    expect(Object.keys(cluster.data["hosted/exai-branches"] ?? {})).toEqual(["one.merge.json"]);
    expect(Object.keys(cluster.data["hosted/exai-branch-one"] ?? {})).toHaveLength(3);
    expect(JSON.stringify(cluster.data).length).toBeLessThan(500_000);
    expect(cluster.data).not.toHaveProperty("hosted/exai-branch-two");
  });
});
