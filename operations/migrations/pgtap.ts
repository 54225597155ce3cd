import { randomUUID } from "node:crypto";
import pg from "pg";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../contract/errors.ts";
import type { Operation } from "../../contract/events.ts";
import { command, fix } from "../../contract/fix.ts";
import { PROJECT_ROOT } from "../images/paths.ts";
import { endBackends } from "./backends.ts";
import { supabaseDirectory } from "../../contract/sql/files.ts";
import { parseTap, type TapResult } from "./tap.ts";
import { clientOptions, databaseUrl } from "./url.ts";

/** Outcome of one file of pgTAP tests. */
export interface PgtapFile extends TapResult {
  readonly file: string;
}

/** Outcome of all files. */
export interface PgtapResult {
  /** Number of tests that passed. */
  readonly passed: number;
  readonly failed: number;
  readonly files: readonly PgtapFile[];
}

export interface PgtapOptions {
  /** Root of the project that holds supabase/tests. @default the checkout */
  readonly root?: string;
  /** Folder below supabase/tests. @default supabase/tests itself */
  readonly directory?: string;
  /** The files to run. @default all */
  readonly only?: (file: string) => boolean;
  /** Settings of the session of each file. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs supabase/tests against a database, one file after the other, each in a transaction that is rolled back. An SQL
 * error is a failure of its file.
 *
 * @throws UserError if there is no test, the database is unreachable, or pgTAP is not available there
 */
export async function* runPgtap(url: string, options: PgtapOptions = {}): Operation<PgtapResult> {
  const directory = join(supabaseDirectory(options.root ?? PROJECT_ROOT), "tests", options.directory ?? "");
  const files = readdirSync(directory)
    .filter((name) => name.endsWith(".sql") && (options.only?.(name) ?? true))
    .sort();
  if (files.length === 0) throw new UserError("not-found", directory, "contains no test", "supabase test new <name>");
  const database = databaseUrl(url);
  const outcomes: PgtapFile[] = [];
  for (const file of files) {
    options.signal?.throwIfAborted();
    // Each file has its own connection: settings of one file must not affect the next.
    const application = `exai migrate test ${randomUUID()}`;
    const client = new pg.Client({ ...clientOptions(database), application_name: application });
    // The connection's own error is that of its query.
    client.on("error", () => undefined);
    const cancel = () => void endBackends(database, application, "-infinity").catch(() => client.end());
    options.signal?.addEventListener("abort", cancel, { once: true });
    try {
      await client.connect();
      await requirePgtap(client, database.display);
      for (const setting of Object.entries(options.settings ?? {}))
        await client.query("select set_config($1, $2, false)", setting);
      const outcome = { file, ...(await runFile(client, readFileSync(join(directory, file), "utf8"))) };
      const status = outcome.failures.length === 0 ? "done" : "failed";
      const detail = `${outcome.passed} of ${outcome.planned} passed`;
      yield { type: "step", id: file, title: file, status, detail };
      outcomes.push(outcome);
    } catch (cause) {
      if (cause instanceof UserError) throw cause;
      const reason = cause instanceof Error ? cause.message || cause.name : String(cause);
      const problem = `the tests cannot run: ${reason}`;
      throw new UserError("unavailable", database.display, problem, fix`${command("up")}`, { cause });
    } finally {
      options.signal?.removeEventListener("abort", cancel);
      await client.end().catch(() => undefined);
    }
    options.signal?.throwIfAborted();
  }
  const sum = (count: (file: PgtapFile) => number) => outcomes.reduce((total, file) => total + count(file), 0);
  return { passed: sum((file) => file.passed), failed: sum((file) => file.failures.length), files: outcomes };
}

async function requirePgtap(client: pg.Client, display: string): Promise<void> {
  const { rowCount } = await client.query("select from pg_available_extensions where name = 'pgtap'");
  if (rowCount === 0)
    throw new UserError(
      "missing-tool",
      display,
      "does not have the extension pgtap",
      fix`test against the database of ${command("up")}, whose image contains it`,
    );
}

async function runFile(client: pg.Client, sql: string): Promise<TapResult> {
  let results: readonly pg.QueryResult<Record<string, unknown>>[];
  try {
    // A query of several statements has one result for each, which the types do not express.
    results = [await client.query<Record<string, unknown>>(sql)].flat();
  } catch (error) {
    const { message, hint, where } = error as pg.DatabaseError;
    const diagnostics = [message, hint, where].filter((text) => text !== undefined);
    return { planned: 0, passed: 0, failures: [{ title: "SQL error", diagnostics }] };
  }
  const lines = results
    .flatMap((result) => result.rows.flatMap((row) => Object.values(row)))
    .filter((value) => typeof value === "string")
    .flatMap((value) => value.split("\n"));
  return parseTap(lines);
}
