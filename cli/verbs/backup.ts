import { EXIT, UserError } from "../../contract/errors.ts";
import { LABELS } from "../../contract/labels.ts";
import type { Verb } from "../../contract/events.ts";
import { backupHistory, type BackupRecord } from "../../operations/backups/history.ts";
import { requestBackup, type BackupRequest } from "../../operations/backups/request.ts";

/** Makes a backup now, waits until it is made and verified, and says what it came to. */
export async function* backupNow(url: string, request: BackupRequest): Verb {
  const record = yield* requestBackup(url, request);
  yield {
    type: "result",
    title: `backup ${record.label ?? record.id} is complete and verified: ${size(record.storedBytes)} stored for a database of ${size(record.sizeBytes)}`,
    data: record,
    next: ["./exai backup list"],
  };
  return EXIT.ok;
}

/** The latest backups, youngest first. */
export async function* backupList(
  url: string,
  options: { readonly limit?: number; readonly signal?: AbortSignal } = {},
): Verb {
  const records = await backupHistory(url, options.limit);
  yield {
    type: "table",
    columns: ["REQUESTED (UTC)", "SCHEDULE", "KIND", "STATE", "VERIFIED", "TOOK", "STORED", "LABEL"],
    rows: records.map((record) => [
      record.requestedAt.toISOString().slice(0, 19).replace("T", " "),
      record.schedule ?? record.trigger,
      record.kind,
      state(record),
      record.verification ?? "",
      took(record),
      size(record.storedBytes),
      record.label ?? record.error?.split("\n")[0] ?? "",
    ]),
  };
  const usable = records.filter((record) => record.status === "completed" && record.expiredAt === null);
  yield {
    type: "result",
    title: `${usable.length} backups can be restored, ${records.filter((record) => record.status === "failed").length} failed`,
    data: records,
    ...(records.length === 0 ? { next: ["./exai backup now --kind full"] } : {}),
  };
  return EXIT.ok;
}

function state(record: BackupRecord): string {
  if (record.expiredAt !== null) return "expired";
  return record.status.replace("_", " ");
}

function took(record: BackupRecord): string {
  if (record.startedAt === null || record.finishedAt === null) return "";
  return `${((record.finishedAt.getTime() - record.startedAt.getTime()) / 1000).toFixed(1)} s`;
}

/** Bytes in binary units with three digits. */
function size(bytes: number | null): string {
  if (bytes === null) return "";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = bytes === 0 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${value.toFixed(power === 0 || value >= 100 ? 0 : 1)} ${units[power] ?? ""}`;
}

/** Refuses a stack on a cluster, whose backups are the cluster's own jobs. @throws UserError with the command to use */
export function refuseCluster(stack: string, verb: "now" | "list"): void {
  if (stack !== "staging" && stack !== "prod") return;
  const kubectl = `kubectl --namespace exai-${stack}`;
  throw new UserError(
    "failed",
    `stack ${stack}`,
    "is on a cluster, where backups are jobs of Kubernetes",
    verb === "now"
      ? `${kubectl} create job --from=cronjob/backup-daily backup-by-hand`
      : `${kubectl} get cronjobs,jobs --selector ${LABELS.component}=backup`,
  );
}
