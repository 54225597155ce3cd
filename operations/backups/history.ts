import { withHistory } from "./connection.ts";

/** One row of the history, with its schedule and its last verification. */
export interface BackupRecord {
  readonly id: string;
  /** Name of the schedule; null for a manual backup. */
  readonly schedule: string | null;
  readonly kind: string;
  readonly trigger: string;
  readonly status: "pending" | "in_progress" | "completed" | "failed";
  readonly requestedAt: Date;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
  readonly label: string | null;
  /** Size of the database, bytes. */
  readonly sizeBytes: number | null;
  /** Bytes that the backup added to the repository. */
  readonly storedBytes: number | null;
  readonly error: string | null;
  /** When the repository expired it; null while it can be restored. */
  readonly expiredAt: Date | null;
  /** Null if it was not verified. */
  readonly verification: "passed" | "failed" | null;
  /** Whether the repository lists a completed backup; absent if it was not read. */
  readonly stored?: boolean;
}

/** Columns and joins of a {@link BackupRecord}. */
export const RECORD_QUERY = `
  select h.id, s.name as schedule, h.kind, h.trigger, h.status, h.requested_at as "requestedAt",
         h.started_at as "startedAt", h.finished_at as "finishedAt", h.label, h.size_bytes::float8 as "sizeBytes",
         h.stored_bytes::float8 as "storedBytes", h.error, h.expired_at as "expiredAt", v.status as verification
  from public.backup_history as h
  left join public.backup_schedules as s on s.id = h.schedule_id
  left join lateral (
    select status from public.backup_verification where backup_id = h.id order by verified_at desc limit 1
  ) as v on true`;

/** The latest backups, newest first. @throws UserError if the database is unreachable */
export async function backupHistory(url: string, limit = 50): Promise<readonly BackupRecord[]> {
  return withHistory(url, async (client) => {
    const { rows } = await client.query<BackupRecord>(`${RECORD_QUERY} order by h.requested_at desc limit $1`, [limit]);
    return rows;
  });
}
