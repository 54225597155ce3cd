import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import type { Operation } from "../../contract/events.ts";
import { command, fix } from "../../contract/fix.ts";

/** Longest time to wait for the archive, milliseconds. */
const DEADLINE_MS = 30_000;

/**
 * Has the running database archive the WAL that it has written, so that a restore reaches the present. A database that does not
 * answer ends nothing: the restore is needed then most of all.
 *
 * @returns whether all of it is archived
 */
export async function* flushArchive(url: string): Operation<boolean> {
  const step = { type: "step", id: "archive", title: "archive the open WAL segment" } as const;
  yield { ...step, status: "started" };
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: 5000,
    application_name: "exai restore",
  });
  client.on("error", () => undefined);
  try {
    await client.connect();
    // A segment that has nothing new is not switched.
    const { rows } = await client.query<{ segment: string }>("select pg_walfile_name(pg_switch_wal()) as segment");
    const deadline = performance.now() + DEADLINE_MS;
    while (performance.now() < deadline) {
      const { rows: state } = await client.query<{ done: boolean }>(
        `select coalesce(left(last_archived_wal, 24) >= $1, false) or
           not exists (select from pg_ls_archive_statusdir() where name like '%.ready') as done from pg_stat_archiver`,
        [rows[0]?.segment],
      );
      if (state[0]?.done === true) {
        yield { ...step, status: "done" };
        return true;
      }
      await sleep(100);
    }
    yield { ...step, status: "failed", detail: "the archive does not take it" };
  } catch (error) {
    yield { ...step, status: "skipped", detail: error instanceof Error ? error.message : String(error) };
  } finally {
    await client.end().catch(() => undefined);
  }
  yield {
    type: "note",
    level: "warning",
    message: "the restore reaches as far as the archive: what the database wrote since is not in it",
    fix: fix`${command("status")}, ${command("logs postgres")}`,
  };
  return false;
}
