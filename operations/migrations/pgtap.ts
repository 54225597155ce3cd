import pg from "pg";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../contract/errors.ts";
import { PROJECT_ROOT } from "../images/paths.ts";
import { supabaseDirectory } from "./files.ts";
import { parseTap, type TapResult } from "./tap.ts";
import { clientOptions, databaseUrl } from "./url.ts";

/** Outcome of one file of pgTAP tests. */
export interface PgtapOutcome extends TapResult {
  readonly file: string;
}

/**
 * Runs supabase/tests against a database, one file after the other, each in a transaction that is rolled back. Yields an
 * outcome per file; an SQL error is a failure of its file.
 *
 * @throws UserError where there is no test, the database is out of reach, or pgTAP is not available there
 */
export async function* runPgtap(url: string, root = PROJECT_ROOT): AsyncGenerator<PgtapOutcome, void, void> {
  const directory = join(supabaseDirectory(root), "tests");
  const files = readdirSync(directory)
    .filter((name) => name.endsWith(".sql"))
    .sort();
  if (files.length === 0) throw new UserError("failed", directory, "holds no test", "supabase test new <name>");
  const database = databaseUrl(url);
  for (const file of files) {
    // A connection each: what one file sets must not reach the next.
    const client = new pg.Client({ ...clientOptions(database), application_name: "exai migrate test" });
    try {
      await client.connect();
      await requirePgtap(client, database.display);
      yield { file, ...(await runFile(client, readFileSync(join(directory, file), "utf8"))) };
    } catch (cause) {
      if (cause instanceof UserError) throw cause;
      const reason = cause instanceof Error ? cause.message || cause.name : String(cause);
      throw new UserError("failed", database.display, `cannot be tested: ${reason}`, "./exai up", { cause });
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}

async function requirePgtap(client: pg.Client, display: string): Promise<void> {
  const { rowCount } = await client.query("select from pg_available_extensions where name = 'pgtap'");
  if (rowCount === 0)
    throw new UserError("failed", display, "has no extension pgtap", "test against ./exai up, whose image brings it");
}

async function runFile(client: pg.Client, sql: string): Promise<TapResult> {
  let results: readonly pg.QueryResult<Record<string, unknown>>[];
  try {
    // A text of several statements is answered by one result for each, which the types do not say.
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
