import { readLedger } from "../../migrations/apply.ts";
import { withClient } from "../../migrations/client.ts";
import { databaseUrl } from "../../migrations/url.ts";
import { migrationLabel } from "../../../contract/sql/files.ts";
import { replay, type Replayed } from "../../reconcile/ledger.ts";

/**
 * Runs the migrations of main's ledger that a branch lacks, by their recorded statements. Supabase makes every branch of the production
 * project, which a stack that is itself a branch may be ahead of.
 *
 * @returns why one failed
 */
export async function catchUp(main: string, branch: string): Promise<string | undefined> {
  const [ours, theirs] = await Promise.all([main, branch].map((url) => readLedger(databaseUrl(url))));
  const missing: Replayed[] = [];
  for (const { version, name, statements } of ours?.values() ?? []) {
    if (theirs?.has(version) === true) continue;
    if (statements === null) return `${migrationLabel({ version, name })}: main's ledger does not have its statements`;
    missing.push({ version, name, statements });
  }
  if (missing.length === 0) return undefined;
  const failure = await withClient(databaseUrl(branch), (client) =>
    replay(client, missing, async ({ version, name, statements }) => {
      await client.query(
        "insert into supabase_migrations.schema_migrations (version, name, statements) values ($1, $2, $3)",
        [version, name, statements],
      );
    }),
  );
  return failure === undefined ? undefined : `${migrationLabel(failure)}: ${failure.message}`;
}
