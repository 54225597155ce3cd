import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import { UserError } from "../../contract/errors.ts";
import type { Operation } from "../../contract/events.ts";
import { command, fix } from "../../contract/fix.ts";
import { Interrupted } from "../../contract/interrupted.ts";
import { connectHistory } from "./connection.ts";
import type { ManualKind } from "./kinds.ts";
import { RECORD_QUERY, type BackupRecord } from "./history.ts";

export interface BackupRequest {
  readonly kind: ManualKind;
  readonly signal?: AbortSignal | undefined;
  /** Seconds until a request is withdrawn that no runner takes although none is busy. @default 30 */
  readonly claimSeconds?: number;
  /** Seconds between two queries of the state. @default 0.5 */
  readonly pollSeconds?: number;
  /** Longest time of the verification after the backup, in seconds. @default 600 */
  readonly verifySeconds?: number;
}

/**
 * How a manual backup ended:
 * - `completed`: made and verified.
 * - `failed`: the runner could not make it; `backup.error` has the reason.
 * - `verification-failed`: made, but the repository failed its verification.
 * - `verification-timeout`: made, but not verified in time.
 * - `not-claimed`: no runner took the request in time, and it was withdrawn.
 */
export type BackupOutcome = "completed" | "failed" | "verification-failed" | "verification-timeout" | "not-claimed";

export interface BackupResult {
  readonly outcome: BackupOutcome;
  readonly backup: BackupRecord;
  readonly seconds: number;
  /** Stack on a cluster; absent for `local`. */
  readonly stack?: string;
}

/** Requests a backup as the owner of the database, and waits until the runner has made and verified it. */
export async function* requestBackup(url: string, request: BackupRequest): Operation<BackupResult> {
  const { claimSeconds = 30, pollSeconds = 0.5, verifySeconds = 600 } = request;
  const client = await connectHistory(url);
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  const step = { type: "step", id: "backup", title: `${request.kind} backup` } as const;
  let id: string | undefined;
  try {
    yield { ...step, status: "started" };
    id = await enqueue(client, request.kind);
    let detail = "";
    let claimFrom = seconds();
    let completedAt: number | undefined;
    for (;;) {
      const backup = await read(client, id);
      if (backup.status === "completed") completedAt ??= seconds();
      // A runner that is busy with another backup is not absent.
      const queued = backup.status === "pending" && (await runnerBusy(client));
      if (queued) claimFrom = seconds();
      const outcome =
        endOf(backup) ??
        (completedAt !== undefined && seconds() - completedAt > verifySeconds
          ? "verification-timeout"
          : backup.status === "pending" && seconds() - claimFrom > claimSeconds
            ? "not-claimed"
            : undefined);
      if (outcome !== undefined) {
        const status = outcome === "completed" ? "done" : "failed";
        yield { ...step, status, detail: backup.label ?? outcome, seconds: seconds() };
        return { outcome, backup, seconds: seconds() };
      }
      const present = queued ? "waits for another backup to end" : PROGRESS[backup.status];
      if (present !== detail) yield { ...step, status: "progress", detail: present };
      detail = present;
      await sleep(pollSeconds * 1000, undefined, { signal: request.signal });
    }
  } catch (error) {
    if (request.signal?.aborted !== true || id === undefined) throw error;
    throw await interruptedBackup(client, id);
  } finally {
    // A request that is not waited for must not start a backup much later; a running backup continues.
    if (id !== undefined)
      await client
        .query("delete from public.backup_history where id = $1 and status = 'pending' and trigger = 'manual'", [id])
        .catch(() => undefined);
    await client.end().catch(() => undefined);
  }
}

/** What becomes of a backup that is no longer waited for. */
export async function interruptedBackup(client: Pick<pg.Client, "query">, id: string): Promise<Interrupted> {
  const list = fix`${command("backup list")} shows how it ends`;
  const withdrawn = await client
    .query<{ id: string }>(
      "delete from public.backup_history where id = $1 and status = 'pending' and trigger = 'manual' returning id",
      [id],
    )
    .catch(() => undefined);
  if (withdrawn === undefined) return new Interrupted(`it is unknown whether the runner makes backup ${id}`, list);
  if (withdrawn.rows.length === 1)
    return new Interrupted("the request was withdrawn; no backup is made", fix`${command("backup now")}`);
  const { status } = await read(client, id).catch(() => ({ status: "in_progress" as const }));
  const end = status === "in_progress" ? "the runner continues it" : `it is ${status}`;
  return new Interrupted(`backup ${id} had begun, and ${end}`, list);
}

/** Undefined while the backup or its verification is under way. */
function endOf({ status, verification }: BackupRecord): BackupOutcome | undefined {
  if (status === "failed") return "failed";
  if (status !== "completed" || verification === null) return undefined;
  return verification === "passed" ? "completed" : "verification-failed";
}

const PROGRESS: Readonly<Record<BackupRecord["status"], string>> = {
  pending: "waits for the runner",
  in_progress: "runs",
  completed: "made; verifying",
  failed: "failed",
};

/** A weekly backup counts as a backup of the schedule, so that it is kept as long. */
async function enqueue(client: pg.Client, kind: ManualKind): Promise<string> {
  const { rows } = await client.query<{ id: string }>(
    kind === "weekly"
      ? "select exai.backup_request(kind, 'manual', name) as id from public.backup_schedules where name = 'weekly'"
      : { text: "select exai.backup_request($1) as id", values: [kind] },
  );
  const id = rows[0]?.id;
  if (id === undefined)
    throw new UserError(
      "not-found",
      "backup schedule weekly",
      "is not declared in this database",
      fix`${command("up")}, then run the command again`,
    );
  return id;
}

async function read(client: Pick<pg.Client, "query">, id: string): Promise<BackupRecord> {
  const { rows } = await client.query<BackupRecord>(`${RECORD_QUERY} where h.id = $1`, [id]);
  const record = rows[0];
  if (record === undefined)
    throw new UserError(
      "not-found",
      `backup ${id}`,
      "was deleted from the history before it ended",
      fix`${command("backup list")}`,
    );
  return record;
}

/** Whether the runner makes another backup, or verifies one that it has just made. */
async function runnerBusy(client: pg.Client): Promise<boolean> {
  const { rowCount } = await client.query(
    `select from public.backup_history as h
     where h.status = 'in_progress'
        or h.status = 'completed' and h.finished_at > now() - interval '1 hour'
           and not exists (select from public.backup_verification as v where v.backup_id = h.id)`,
  );
  return rowCount !== 0;
}
