import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "pg";
import type { Operation } from "../../contract/events.ts";
import { command, fix } from "../../contract/fix.ts";
import { withClient } from "../migrations/client.ts";
import { databaseUrl } from "../migrations/url.ts";

/** Longest time to wait for the archive, milliseconds. */
const DEADLINE_MS = 30_000;

/**
 * Has the running database archive the WAL that it has written, so that a restore reaches the present. A database that does not
 * answer ends nothing: the restore is needed then most of all.
 */
export async function* flushArchive(url: string): Operation<void> {
  const step = { type: "step", id: "archive", title: "archive the open WAL segment" } as const;
  yield { ...step, status: "started" };
  try {
    if (await withClient(databaseUrl(url), isArchived, { seconds: 5, application: "exai restore" })) {
      yield { ...step, status: "done" };
      return;
    }
    yield { ...step, status: "failed", detail: "the archive does not take it" };
  } catch (error) {
    yield { ...step, status: "skipped", detail: error instanceof Error ? error.message : String(error) };
  }
  yield {
    type: "note",
    level: "warning",
    message: "the restore reaches as far as the archive: what the database wrote since is not in it",
    fix: fix`${command("status")}, ${command("logs postgres")}`,
  };
}

/** Whether the archive takes all WAL in time. */
async function isArchived(client: Client): Promise<boolean> {
  // A segment that has nothing new is not switched.
  const { rows } = await client.query<{ segment: string }>("select pg_walfile_name(pg_switch_wal()) as segment");
  const deadline = performance.now() + DEADLINE_MS;
  while (performance.now() < deadline) {
    const { rows: state } = await client.query<{ done: boolean }>(
      `select coalesce(left(last_archived_wal, 24) >= $1, false) or
         not exists (select from pg_ls_archive_statusdir() where name like '%.ready') as done from pg_stat_archiver`,
      [rows[0]?.segment],
    );
    if (state[0]?.done === true) return true;
    await sleep(100);
  }
  return false;
}
