import type pg from "pg";
import { UserError } from "../../contract/errors.ts";
import type { ExaiEvent } from "../../contract/events.ts";
import { connectHistory } from "./connection.ts";
import { RECORD_QUERY, type BackupRecord } from "./history.ts";

/** A backup by hand: a kind, or the name of a schedule whose kind and retention are taken. */
export const MANUAL_KINDS = ["full", "incremental", "differential", "weekly"] as const;

/** One of {@link MANUAL_KINDS}. */
export type ManualKind = (typeof MANUAL_KINDS)[number];

export interface BackupRequest {
  readonly kind: ManualKind;
  readonly signal?: AbortSignal | undefined;
  /** Seconds until a request that no runner takes, while none is running, is given up. @default 30 */
  readonly claimSeconds?: number;
  /** Seconds between two looks. @default 0.5 */
  readonly pollSeconds?: number;
  /** Seconds that the verification may take after the backup. @default 600 */
  readonly verifySeconds?: number;
}

/**
 * Enqueues a backup as the owner of the database and waits until the runner has made and verified it.
 *
 * @throws UserError where no runner takes it, it fails, or its verification does
 */
export async function* requestBackup(
  url: string,
  request: BackupRequest,
): AsyncGenerator<ExaiEvent, BackupRecord, void> {
  const client = await connectHistory(url);
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  const step = { type: "step", id: "backup", title: `${request.kind} backup` } as const;
  let id: string | undefined;
  try {
    yield { ...step, status: "started" };
    id = await enqueue(client, request.kind);
    let told = "";
    let waitedFrom = seconds();
    let completed: number | undefined;
    for (;;) {
      const record = await read(client, id);
      if (record.status === "failed") {
        yield { ...step, status: "failed", seconds: seconds() };
        throw new UserError(
          "failed",
          `backup ${id}`,
          `failed: ${record.error ?? "no reason was recorded"}`,
          "./exai logs backup-runner",
        );
      }
      if (record.status === "completed" && record.verification !== null) {
        if (record.verification === "failed") {
          yield { ...step, status: "failed", seconds: seconds() };
          throw new UserError(
            "failed",
            `backup ${record.label ?? id}`,
            "was made, and the verification of the repository failed",
            "./exai backup list, then ./exai logs backup-runner",
          );
        }
        yield { ...step, status: "done", detail: `${record.label ?? id}, verified`, seconds: seconds() };
        return record;
      }
      if (record.status === "completed") {
        completed ??= seconds();
        if (seconds() - completed > (request.verifySeconds ?? 600))
          throw new UserError(
            "failed",
            `backup ${record.label ?? id}`,
            "was made and never verified",
            "./exai logs backup-runner",
          );
      }
      // A runner that is at another backup is not absent.
      const behind = record.status === "pending" && (await anotherRuns(client));
      if (behind) waitedFrom = seconds();
      if (record.status === "pending" && seconds() - waitedFrom > (request.claimSeconds ?? 30))
        throw new UserError(
          "failed",
          `backup ${id}`,
          `is taken by no runner after ${request.claimSeconds ?? 30} s; the request was withdrawn`,
          "./exai status, then ./exai logs backup-runner",
        );
      const state = behind ? "waits behind a backup that runs" : stateText(record);
      if (state !== told) yield { ...step, status: "progress", detail: state };
      told = state;
      await pause(request.pollSeconds ?? 0.5, request.signal);
    }
  } finally {
    // Whoever stops waiting leaves no request behind that starts a backup much later; one that runs goes on.
    if (id !== undefined)
      await client
        .query("delete from public.backup_history where id = $1 and status = 'pending' and trigger = 'manual'", [id])
        .catch(() => undefined);
    await client.end().catch(() => undefined);
  }
}

/** A weekly one counts as the schedule's own, so that it is kept as long. */
async function enqueue(client: pg.Client, kind: ManualKind): Promise<string> {
  const schedule = kind === "weekly" ? "weekly" : undefined;
  const { rows } = await client.query<{ id: string }>(
    schedule === undefined
      ? { text: "select exai.backup_request($1) as id", values: [kind] }
      : {
          text: "select exai.backup_request(kind, 'manual', name) as id from public.backup_schedules where name = $1",
          values: [schedule],
        },
  );
  const id = rows[0]?.id;
  if (id === undefined)
    throw new UserError(
      "failed",
      "backup schedule weekly",
      "is not declared in this database",
      "./exai up, then try again",
    );
  return id;
}

async function read(client: pg.Client, id: string): Promise<BackupRecord> {
  const { rows } = await client.query<BackupRecord>(`${RECORD_QUERY} where h.id = $1`, [id]);
  const record = rows[0];
  if (record === undefined)
    throw new UserError(
      "failed",
      `backup ${id}`,
      "vanished from the history while it was waited for",
      "./exai backup list",
    );
  return record;
}

/** Whether the runner is at another backup, or verifies one that it has just made. */
async function anotherRuns(client: pg.Client): Promise<boolean> {
  const { rowCount } = await client.query(
    `select from public.backup_history as h
     where h.status = 'in_progress'
        or h.status = 'completed' and h.finished_at > now() - interval '1 hour'
           and not exists (select from public.backup_verification as v where v.backup_id = h.id)`,
  );
  return rowCount !== 0;
}

function stateText(record: BackupRecord): string {
  switch (record.status) {
    case "pending":
      return "waits for the runner";
    case "in_progress":
      return "runs";
    default:
      return `${record.label ?? ""} is complete; verifying`;
  }
}

function pause(seconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, seconds * 1000);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
