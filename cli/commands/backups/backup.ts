import { Option } from "commander";
import { EXIT, UserError } from "../../../contract/errors.ts";
import { LABELS } from "../../../contract/labels.ts";
import { backupHistory } from "../../../operations/backups/history.ts";
import { MANUAL_KINDS, type ManualKind } from "../../../operations/backups/kinds.ts";
import { requestBackup, type BackupRequest } from "../../../operations/backups/request.ts";
import type { Stack } from "../../../platforms/platform.ts";
import { verifyBackups } from "../../../operations/backups/verify.ts";
import { openStack } from "../../../platforms/stack.ts";
import { resultOf, type Verb } from "../../events.ts";
import { audited } from "../../audited.ts";
import { onStack, withReason, type ReasonFlag, type Register, type SetFlags } from "../command.ts";

/** backup: the backups of the database. */
export const registerBackup: Register = (program, run) => {
  const backup = program.command("backup").description("make, list and verify the backups of the database");
  withReason(onStack(backup.command("now").description("make a backup now and wait until it is verified"), "local"))
    .addOption(new Option("--kind <kind>", "kind of backup").choices(MANUAL_KINDS).default("incremental"))
    .addHelpText("after", "\nExit codes: 0 made and verified, 2 failed.")
    .action(async (stack: string, flags: SetFlags & ReasonFlag & { kind: ManualKind }) => {
      const { kind, reason } = flags;
      await run((signal) => {
        const opened = openStack(stack, flags.set);
        refuseCluster(opened, "now");
        const work = async function* (): Verb {
          return yield* backupNow((await opened.database({ signal })).url, { kind, signal });
        };
        return audited(opened.audit, { verb: "backup now", subject: kind, reason }, work(), signal);
      });
    });

  const verify = backup.command("verify").description("verify all backups and the WAL, and restore a sample");
  withReason(onStack(verify, "local"))
    .addHelpText(
      "after",
      `
Compares the history, the repository's list, its files and the chain of its WAL, and restores the newest backup into the
runner's scratch volume. The verdict of each backup is shown by "backup list". It works without the database.

Exit codes: 0 sound, 1 damaged, 2 failed.`,
    )
    .action(async (stack: string, flags: SetFlags & ReasonFlag) => {
      await run((signal) => {
        const opened = openStack(stack, flags.set);
        refuseCluster(opened, "verify");
        const { reason } = flags;
        const work = backupVerify(`${opened.settings.instance}-backup-runner`, signal);
        return audited(opened.audit, { verb: "backup verify", reason }, work, signal);
      });
    });

  onStack(backup.command("list").description("list the backups and their state"), "local").action(
    async (stack: string, flags: SetFlags) => {
      await run(async function* (signal) {
        const opened = openStack(stack, flags.set);
        refuseCluster(opened, "list");
        return yield* backupList((await opened.database({ signal })).url);
      });
    },
  );
};

/** `backup now`. */
export function backupNow(url: string, request: BackupRequest): Verb {
  return resultOf("backup now", requestBackup(url, request), ({ outcome }) =>
    outcome === "completed" ? EXIT.ok : EXIT.failed,
  );
}

/** `backup verify`. */
export function backupVerify(runner: string, signal?: AbortSignal): Verb {
  return resultOf("backup verify", verifyBackups(runner, signal), ({ outcome }) =>
    outcome === "sound" ? EXIT.ok : EXIT.violations,
  );
}

/** `backup list`. */
export function backupList(url: string, options: { readonly limit?: number } = {}): Verb {
  const list = async () => ({ backups: await backupHistory(url, options.limit) });
  return resultOf("backup list", list(), () => EXIT.ok);
}

/** Refuses a stack on a cluster, where Kubernetes runs the backups. @throws UserError with the command to use */
function refuseCluster({ name, environment, settings }: Stack, verb: "now" | "list" | "verify"): void {
  if (environment === "local") return;
  const kubectl = `kubectl --namespace ${settings.instance}`;
  throw new UserError(
    "invalid-argument",
    `stack ${name}`,
    "runs on a cluster, where backups are jobs of Kubernetes",
    verb === "now"
      ? `${kubectl} create job --from=cronjob/backup-daily backup-manual`
      : `${kubectl} get cronjobs,jobs --selector ${LABELS.component}=backup`,
  );
}
