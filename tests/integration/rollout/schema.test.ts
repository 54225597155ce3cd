import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { migrateApply } from "../../../cli/commands/migrate/migrate.ts";
import { LOCAL_IMAGES } from "../../../contract/images.ts";
import { imageLabels, tryDocker } from "../../../operations/docker/cli.ts";
import { PROJECT_ROOT } from "../../../operations/images/paths.ts";
import { buildReferenceServer } from "../../../operations/images/reference.ts";
import { applyMigrations, migrationStatus } from "../../../operations/migrations/apply.ts";
import { migrationFiles } from "../../../contract/sql/files.ts";
import type { RolloutContext } from "../../../operations/rollout/ports/context.ts";
import { plannedSchema } from "../../../operations/rollout/controller/schema-check.ts";
import { activeReleases } from "../../../operations/rollout/commands/active-releases.ts";
import type { ReleaseGuard } from "../../../operations/schema/apply.ts";
import { databaseSchema } from "../../../operations/schema/coupling.ts";
import { startPostgresStack, type PostgresStack } from "../../support/postgres-stack.ts";
import { QUICK_CUTOVER, QUICK_GATES, startRolloutStack, type RolloutStack } from "../../support/rollout/stack.ts";
import { runVerb } from "../../support/verbs.ts";
import { fixSaying } from "../../support/fix-saying.ts";
import { cutover, rollback } from "../../support/rollout/verbs.ts";

const FIRST = migrationFiles(PROJECT_ROOT).at(-1)?.version ?? "";
const EXPAND = "20991101090000";
const CONTRACT = "20991101090100";
const LATER = "20991101090200";

const image = (name: string) => `${LOCAL_IMAGES.referenceServer}-schema-${name}`;
const OLD = image("old");
const NEW = image("new");
const NEWEST = image("newest");

let root: string;
let database: PostgresStack;
let stack: RolloutStack;

const migration = (file: string, sql: string) =>
  writeFile(join(root, "supabase/migrations", file), `set lock_timeout = '5s';\n${sql}\n`);

/** All migrations without the guard, as the Supabase CLI applies them. */
async function applyAll(): Promise<void> {
  const events = applyMigrations(database.url, { root });
  while ((await events.next()).done !== true);
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "exai-schema-"));
  await cp(join(PROJECT_ROOT, "supabase"), join(root, "supabase"), { recursive: true });
  for (const [tag, schemaMin, schemaMax] of [
    [OLD, FIRST, FIRST],
    [NEW, EXPAND, EXPAND],
    [NEWEST, EXPAND, LATER],
  ] as const)
    await buildReferenceServer({ tag, schemaMin, schemaMax });
  database = await startPostgresStack();
  await applyAll();
  stack = await startRolloutStack({ image: OLD });
});
afterAll(async () => {
  await stack.down();
  await database.down();
  await rm(root, { recursive: true, force: true });
  await tryDocker(["rmi", OLD, NEW, NEWEST]);
});

function context(url = database.url): RolloutContext {
  const schema = databaseSchema({ url: () => url, root, unlabelled: "refuse", labels: (tag) => imageLabels(tag) });
  return stack.context({ gates: QUICK_GATES, schema });
}
const guard = (): ReleaseGuard => ({
  unlabelled: "refuse",
  releases: () => activeReleases(context()),
  exclude: async () => {
    const lease = await context().leases.acquire("migrate apply");
    return () => lease.release();
  },
});
const apply = (expand = false) => runVerb(migrateApply(database.url, { root, guard: guard(), expand }));
const applied = async () =>
  (await migrationStatus(database.url, { root })).filter((each) => each.applied).at(-1)?.version;
const users = async () => (await stack.context().traffic.inForce())?.weights;

describe("releases and the schema", () => {
  it("an expand migration that takes something stops a cutover before anything is changed", async () => {
    await migration(`${EXPAND}_title.sql`, "alter table public.files drop column media_type;");
    await expect(runVerb(cutover(context(), { ...QUICK_CUTOVER, image: NEW }))).rejects.toMatchObject({
      where: `supabase/migrations/${EXPAND}_title.sql:2`,
      message: expect.stringContaining("drops column media_type of public.files") as string,
      exitCode: 3,
    });
    expect(await stack.context().journal.read()).toBeUndefined();
    expect(await applied()).toBe(FIRST);
  });

  it("a cutover expands before traffic, and leaves the contract migration", async () => {
    await migration(`${EXPAND}_title.sql`, "alter table public.files add column title text;");
    await migration(`${CONTRACT}_contract_media_type.sql`, "alter table public.files drop column media_type;");
    const machine = { state: { name: "idle" }, active: "blue", evicted: [], emptied: [] } as const;
    const planned = await plannedSchema(context(), machine, NEW);
    expect(planned).toMatchObject({
      verdict: { allowed: true },
      expand: [{ version: EXPAND }],
      later: [{ version: CONTRACT, kind: "contract" }],
    });
    expect(await applied()).toBe(FIRST);

    const { code, events } = await runVerb(cutover(context(), { ...QUICK_CUTOVER, image: NEW }));
    expect(code).toBe(0);
    const done = events.find((event) => event.type === "step" && event.id === "migrate" && event.status === "done");
    expect(done).toMatchObject({ detail: `${EXPAND}_title applied` });
    expect(await applied()).toBe(EXPAND);
    expect((await context().journal.read())?.machine.plan?.schema).toEqual({
      blue: { min: FIRST, max: FIRST },
      green: { min: EXPAND, max: EXPAND },
    });
  });

  it("migrate apply refuses the contract migration while the standby is warm, and says what to do", async () => {
    await expect(apply()).rejects.toMatchObject({
      exitCode: 3,
      message: expect.stringContaining(`${OLD} in blue is warm`) as string,
      fix: fixSaying(/rollout finish.*migrate apply/),
    });
    expect((await apply(true)).events.at(-1)).toMatchObject({ data: { applied: [] } });
    expect(await applied()).toBe(EXPAND);
    expect(await context().leases.holder()).toBeUndefined();
  });

  it("a rollback is refused if the schema has moved past the old release, and --accept-schema overrides it", async () => {
    await applyAll();
    expect(await applied()).toBe(CONTRACT);
    await expect(runVerb(rollback(context(), {}))).rejects.toMatchObject({
      exitCode: 3,
      message: expect.stringContaining("has moved past") as string,
      fix: fixSaying("--accept-schema"),
    });
    expect(await users()).toEqual({ blue: 0, green: 100 });

    const forced = await runVerb(rollback(context(), { acceptSchema: true }));
    expect(forced.code).toBe(0);
    expect(await users()).toEqual({ blue: 100, green: 0 });
    const notes = forced.events.flatMap((event) => (event.type === "note" ? [event.message] : []));
    expect(notes.join()).toContain("accepted (--accept-schema)");
  });

  it("a release that the schema has moved past, or that says nothing, gets no users", async () => {
    await expect(runVerb(cutover(context(), { ...QUICK_CUTOVER, image: NEW }))).rejects.toMatchObject({
      exitCode: 3,
      fix: fixSaying(`exai.schema.max is at least ${CONTRACT}`),
    });
    const silent = runVerb(cutover(context(), { ...QUICK_CUTOVER, image: LOCAL_IMAGES.referenceServer }));
    await expect(silent).rejects.toMatchObject({
      exitCode: 3,
      message: expect.stringContaining("does not declare which schema") as string,
    });
    expect(await users()).toEqual({ blue: 100, green: 0 });
  });

  it("a database that does not answer does not block a rollback", async () => {
    expect((await runVerb(cutover(context(), { ...QUICK_CUTOVER, image: NEWEST }))).code).toBe(0);
    const gone = database.url.replace(/@127\.0\.0\.1:\d+/, "@127.0.0.1:9");
    const { code, events } = await runVerb(rollback(context(gone), {}));
    expect(code).toBe(0);
    const notes = events.flatMap((event) => (event.type === "note" ? [event.message] : []));
    expect(notes.join()).toContain("cannot compare the schema with the old release");
  });

  it("migrate apply refuses what the release with the users does not know, and applies it when one does", async () => {
    await migration(`${LATER}_contract_title.sql`, "alter table public.files drop column title;");
    await expect(apply()).rejects.toMatchObject({
      exitCode: 3,
      message: expect.stringContaining(
        `${OLD} in blue, which serves users, supports the schema up to ${FIRST}`,
      ) as string,
      fix: fixSaying(`at least ${LATER}`),
    });
    expect((await runVerb(cutover(context(), { ...QUICK_CUTOVER, image: NEWEST }))).code).toBe(0);
    const at = context();
    const lease = await at.leases.acquire("cutover");
    await expect(apply()).rejects.toMatchObject({ exitCode: 3, message: expect.stringContaining("cutover") as string });
    await lease.release();
  });
});
