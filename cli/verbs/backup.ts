import { EXIT, UserError } from "../../contract/errors.ts";
import { LABELS } from "../../contract/labels.ts";
import type { Verb } from "../../contract/events.ts";
import { backupHistory } from "../../operations/backups/history.ts";
import { requestBackup, type BackupRequest } from "../../operations/backups/request.ts";
import { formatBackupList, formatBackupNow } from "../format/backup.ts";
import { shown } from "../format/shown.ts";

/** Makes a backup now and waits until it is made and verified. Exit code 2 if it is not. */
export async function* backupNow(url: string, request: BackupRequest): Verb {
  const result = yield* requestBackup(url, request);
  yield* shown(result, formatBackupNow(result));
  return result.outcome === "completed" ? EXIT.ok : EXIT.failed;
}

/** The latest backups, newest first. */
export async function* backupList(
  url: string,
  options: { readonly limit?: number; readonly signal?: AbortSignal } = {},
): Verb {
  const data = { backups: await backupHistory(url, options.limit) };
  yield* shown(data, formatBackupList(data));
  return EXIT.ok;
}

/** Refuses a stack on a cluster, where Kubernetes runs the backups. @throws UserError with the command to use */
export function refuseCluster(stack: string, verb: "now" | "list"): void {
  if (stack !== "staging" && stack !== "prod") return;
  const kubectl = `kubectl --namespace exai-${stack}`;
  throw new UserError(
    "failed",
    `stack ${stack}`,
    "runs on a cluster, where backups are jobs of Kubernetes",
    verb === "now"
      ? `${kubectl} create job --from=cronjob/backup-daily backup-manual`
      : `${kubectl} get cronjobs,jobs --selector ${LABELS.component}=backup`,
  );
}
