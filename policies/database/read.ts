import { existsSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { UserError } from "../../contract/errors.ts";
import { keep, readKept, ResultKey } from "../../contract/machine/kept-results.ts";
import { readMigrations } from "../../contract/sql/files.ts";
import { apply, type SqlFile } from "./apply.ts";
import { BackupQueue } from "./backup-queue.ts";
import { baselineOf, noteExtensions } from "./baseline.ts";
import { bodiesIn } from "./bodies.ts";
import { publicBuckets } from "./buckets.ts";
import type { OpenCondition } from "./conditional-blocks.ts";
import { readCatalog } from "./catalog.ts";
import { disableEventTriggers } from "./event-triggers.ts";
import { readOpenings, staffOpenings } from "./openings.ts";
import { OwnerConstraints } from "./owner-constraints.ts";
import { preinstalledFor } from "./pglite/extensions.ts";
import { identifier, openPglite, openServer, USUAL_PATH, type Postgres } from "./postgres.ts";
import type { Alternative, Database, FileProblem } from "./facts.ts";
import { probe } from "./probe.ts";
import { readDeclarations, readSchema } from "./schema.ts";
import { ownReaders } from "../proof/own-readers.ts";
import { prove } from "../proof/prove.ts";
import { publicBucketsOf, readConfig, seedFilesOf, type SeededBucket } from "../reading/supabase/config.ts";

export interface ReadOptions {
  /** Superuser's URL of a PostgreSQL server to use instead of PGlite. @default EXAI_POSTGRES_URL */
  readonly url?: string | undefined;
  /** Directory of earlier results; false for none. @default `.exai/cache/plan` under the root */
  readonly cache?: string | false;
  /** Milliseconds that a statement may run, or the probes of a table. @default two minutes */
  readonly limit?: number;
  /** Ends the reading; the result is then an error. */
  readonly signal?: AbortSignal;
}

/** Far more than a statement takes on a database without rows, also on a busy machine. */
const STEP_LIMIT = 120_000;

const MIGRATIONS = "supabase/migrations";
const PRELUDE = "supabase/prelude.sql";

/**
 * The facts about the database that a project's migrations create. Returns an error if they are not available: the rules
 * about the database are then inconclusive, and the others are not.
 *
 * Results are cached by a hash over all their inputs: the SQL files with their names, the code that reads the facts, and
 * the versions of PGlite and the parser. Results from a server are not cached. A cache that cannot be read or written, for
 * example on a full disk, changes no result.
 */
export async function readDatabase(root: string, options: ReadOptions = {}): Promise<Database | Error> {
  try {
    const url = options.url ?? process.env.EXAI_POSTGRES_URL;
    const { prelude, migrations, problems } = filesOf(root);
    const config = readConfig(root);
    const seeds = seedFilesOf(root, config);
    const buckets = publicBucketsOf(config);
    const now = { problems, ...(config === undefined ? {} : { config }) };
    const directory =
      options.cache === false || url !== undefined ? undefined : (options.cache ?? join(root, ".exai/cache/plan"));
    const file =
      directory === undefined
        ? undefined
        : join(directory, `database-${hashOf(prelude, migrations, seeds, buckets)}.json`);
    const earlier = file === undefined ? undefined : cachedFacts(file);
    if (earlier !== undefined) return { ...earlier, ...now, cached: true };
    const task = { prelude, migrations, seeds, buckets, url, limit: options.limit ?? STEP_LIMIT };
    const facts = await readInThread(task, options.signal);
    if (file !== undefined) keep(file, JSON.stringify(facts));
    return { ...facts, ...now };
  } catch (error) {
    if (error instanceof UserError) return new Error(`${relative(root, error.where)} ${error.message}`);
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** The input of {@link read}, as plain data that can be sent to a thread. */
export interface ReadTask {
  readonly prelude: SqlFile | undefined;
  readonly migrations: readonly SqlFile[];
  /** What the CLI runs after the migrations. */
  readonly seeds: readonly SqlFile[];
  /** Buckets that the CLI makes public. */
  readonly buckets: readonly SeededBucket[];
  readonly url: string | undefined;
  /** Milliseconds that a step may take. */
  readonly limit: number;
}

/** What the thread says: the step that it begins, such as a place of a migration, or in the end the facts. */
export type ReadMessage = { readonly step: string } | { readonly facts: Database };

/** {@link read} in a separate thread: PGlite needs seconds of CPU time, while the program runs. */
function readInThread(task: ReadTask, signal?: AbortSignal): Promise<Database> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { workerData: task });
    const end = () => void worker.terminate();
    signal?.addEventListener("abort", end, { once: true });
    let watch: NodeJS.Timeout | undefined;
    worker.on("message", (message: ReadMessage) => {
      clearTimeout(watch);
      if ("facts" in message) resolve(message.facts);
      else
        watch = setTimeout(() => {
          reject(new Error(`${message.step} does not end within ${task.limit / 1000} s: it waits, or loops`));
          end();
        }, limitOfThread(task));
    });
    worker.once("error", reject);
    worker.once("exit", (code) => {
      signal?.removeEventListener("abort", end);
      clearTimeout(watch);
      reject(new Error(`the thread that reads the database exited with code ${code}`));
    });
  });
}

/** A server ends a statement by its own time-out, so that no statement goes on there. */
function limitOfThread({ limit, url }: ReadTask): number {
  return url === undefined ? limit : 2 * limit;
}

/** How the facts are read. */
export interface ReadSettings {
  /** Superuser's URL of a server. @default PGlite */
  readonly url?: string | undefined;
  /** Milliseconds after which a server ends a statement. @default never */
  readonly limit?: number;
  /** Files that run after the migrations. @default none */
  readonly seeds?: readonly SqlFile[];
  /** Buckets that the settings of the CLI make public. @default none */
  readonly buckets?: readonly SeededBucket[];
  /** Called before each step. */
  readonly step?: (step: string) => void;
}

/**
 * Applies the migrations to a scratch database, reads its catalog and probes it. If conditions of DO blocks depend on where
 * they run, the migrations are applied again with the other answers.
 */
export async function read(
  prelude: SqlFile | undefined,
  migrations: readonly SqlFile[],
  settings: ReadSettings = {},
): Promise<Database> {
  const { database, conditions } = await readOnce(prelude, migrations, settings);
  const untried = conditions.flatMap(({ error, ...rest }) => (error === undefined ? [] : [{ ...rest, error }]));
  const alternatives: Alternative[] = [];
  for (const answer of [true, false]) {
    const differ = conditions.filter(({ other, error }) => error === undefined && other === answer);
    if (differ.length === 0) continue;
    const elsewhere = await readOnce(prelude, migrations, settings, answer);
    untried.push(
      ...elsewhere.conditions.flatMap(({ error, ...rest }) => (error === undefined ? [] : [{ ...rest, error }])),
    );
    alternatives.push({ conditions: differ.map(({ text }) => text), answer, database: elsewhere.database });
  }
  return { ...database, untried, alternatives };
}

async function readOnce(
  prelude: SqlFile | undefined,
  migrations: readonly SqlFile[],
  { url, limit, step, seeds = [], buckets: seeded = [] }: ReadSettings,
  answer?: boolean,
): Promise<{ database: Database; conditions: readonly OpenCondition[] }> {
  const texts = [...(prelude === undefined ? [] : [prelude]), ...migrations, ...seeds];
  // Only what the prelude describes is a project of Supabase.
  const preinstalled = prelude === undefined ? [] : preinstalledFor(texts.map(({ text }) => text).join("\n"));
  const postgres: Postgres =
    url === undefined ? await openPglite([...extensionsOf(texts), ...preinstalled]) : await openServer(url, limit);
  try {
    if (prelude !== undefined) await postgres.run(prelude.text);
    for (const name of preinstalled)
      await postgres.run(`create extension if not exists ${identifier(name)} with schema extensions`);
    const baseline = await baselineOf(postgres);
    const files = migrations.map(({ file }) => file);
    const queue = new BackupQueue(postgres);
    const constraints = new OwnerConstraints(postgres);
    const applied = await apply(postgres, [...migrations, ...seeds], answer, {
      statement: ({ file, line }) => step?.(`${file}:${line}`),
      file: async () => {
        await queue.declare();
        await constraints.note();
      },
      extensions: () => noteExtensions(postgres, baseline),
    });
    step?.("the reading of the catalog");
    // The last file may leave the connection with another role.
    await postgres.run("reset session authorization; reset role");
    const backupQueue = await queue.problems();
    const catalog = await readCatalog(postgres, baseline, applied.at);
    // PostgreSQL then prints names with their schemas.
    await postgres.run("set search_path = ''");
    const bodies = await bodiesIn(postgres);
    const openings = await readOpenings(postgres, baseline, catalog.apiRoles, bodies, applied.statements, applied.at);
    await postgres.run("reset search_path");
    await disableEventTriggers(postgres);
    const schema = await readSchema(postgres, catalog.apiRoles, applied.at, baseline);
    const declarations = await readDeclarations(postgres, schema, migrations);
    const buckets = await publicBuckets(postgres, declarations, bodies, applied.at, seeded);
    const proofs = prove(
      schema,
      declarations.filter(({ error }) => error === undefined),
    );
    const readers = ownReaders(schema);
    const promoting = await staffOpenings(
      postgres,
      bodies,
      proofs.flatMap(({ marks }) => marks),
      applied.at,
    );
    await postgres.run(USUAL_PATH);
    const lostConstraints = await constraints.lost(files, applied.statements, proofs);
    const probed =
      answer === undefined
        ? await probe(
            postgres,
            catalog.tables,
            catalog.policies,
            catalog.apiRoles,
            declarations,
            proofs.flatMap(({ marks }) => marks),
            step,
          )
        : { policies: catalog.policies, probes: [] };
    const database: Database = {
      server: postgres.name,
      cached: false,
      migrations: files,
      problems: [],
      statements: applied.statements,
      tables: catalog.tables,
      policies: probed.policies,
      views: catalog.views,
      functions: catalog.functions.map((made) => (readers.has(made.name) ? { ...made, ownRows: true } : made)),
      grants: catalog.grants,
      memberships: catalog.memberships,
      foreignKeys: catalog.foreignKeys,
      probes: probed.probes,
      proofs,
      declarations,
      openings: [...openings, ...buckets, ...promoting],
      lostConstraints,
      ...(backupQueue === undefined ? {} : { backupQueue }),
      apiRoles: catalog.apiRoles,
      untried: [],
      alternatives: [],
    };
    return { database, conditions: applied.conditions };
  } finally {
    await postgres.close();
  }
}

function filesOf(root: string): {
  prelude: SqlFile | undefined;
  migrations: SqlFile[];
  problems: readonly FileProblem[];
} {
  const { files, problems } = readMigrations(root);
  return {
    prelude: existsSync(join(root, PRELUDE))
      ? { file: PRELUDE, text: readFileSync(join(root, PRELUDE), "utf8") }
      : undefined,
    migrations: files.map(({ file, sql }) => ({ file: `${MIGRATIONS}/${file}`, text: sql })),
    problems: problems.map(({ where, message, fix }) => ({
      file: relative(root, where),
      message,
      fix: String(fix),
    })),
  };
}

function hashOf(
  prelude: SqlFile | undefined,
  migrations: readonly SqlFile[],
  seeds: readonly SqlFile[],
  buckets: readonly SeededBucket[],
): string {
  const key = new ResultKey();
  for (const { file, text } of [...(prelude === undefined ? [] : [prelude]), ...migrations]) key.add(file, text);
  key.add("seeds", JSON.stringify([seeds, buckets]));
  const here = fileURLToPath(new URL(".", import.meta.url));
  for (const folder of ["database", "proof"]) key.addFolder(join(here, "..", folder));
  key.addFolder(join(here, "../../contract/sql"), "contract/sql");
  for (const name of ["@electric-sql/pglite", "@electric-sql/pglite-prepopulatedfs", "libpg-query"]) {
    const file = fileURLToPath(new URL(`../../node_modules/${name}/package.json`, import.meta.url));
    if (existsSync(file)) key.add(name, readFileSync(file));
  }
  return key.toString();
}

/** Undefined if the file is not there, cannot be read, or is not a complete result. */
function cachedFacts(file: string): Database | undefined {
  const kept = readKept(file);
  if (kept === undefined) return undefined;
  try {
    const facts = JSON.parse(kept.toString("utf8")) as Partial<Database>;
    return Array.isArray(facts.tables) && Array.isArray(facts.probes) ? (facts as Database) : undefined;
  } catch {
    return undefined;
  }
}

/** Contrib modules that the files name, which PGlite has to load. */
function extensionsOf(files: readonly SqlFile[]): string[] {
  return [
    ...new Set(
      files.flatMap((file) =>
        [...file.text.matchAll(/create\s+extension\s+(?:if\s+not\s+exists\s+)?"?([\w-]+)"?/gi)].map(
          (match) => match[1] ?? "",
        ),
      ),
    ),
  ];
}
