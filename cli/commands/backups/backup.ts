import { Option } from "commander";
import { EXIT } from "../../../contract/errors.ts";
import type { Operation } from "../../../contract/events.ts";
import { backupHistory } from "../../../operations/backups/history.ts";
import { MANUAL_KINDS, type ManualKind } from "../../../operations/backups/kinds.ts";
import { requestBackup, type BackupRequest, type BackupResult } from "../../../operations/backups/request.ts";
import { verifyBackups, type BackupVerification } from "../../../operations/backups/verify.ts";
import { dumpNow, listDumps, verifyDumps } from "../../../operations/dumps/commands.ts";
import type { DumpPlace } from "../../../operations/dumps/job.ts";
import { openStack } from "../../../platforms/stack.ts";
import { resultOf, type Verb } from "../../events.ts";
import { audited } from "../../audited.ts";
import type { BackupListData } from "../../results.ts";
import { onStack, withReason, type ReasonFlag, type Register, type SetFlags } from "../command.ts";

/** backup: the backups of the database. */
export const registerBackup: Register = (program, run) => {
  const backup = program.command("backup").description("make, list and verify the backups of the database");
  withReason(onStack(backup.command("now").description("make a backup now and wait until it is verified")))
    .addOption(new Option("--kind <kind>", "kind of backup").choices(MANUAL_KINDS).default("incremental"))
    .addHelpText("after", "\nExit codes: 0 made and verified, 2 failed.")
    .action(async (stack: string, flags: SetFlags & ReasonFlag & { kind: ManualKind }) => {
      const { kind, reason } = flags;
      await run((signal) => {
        const opened = openStack(stack, flags.set);
        const work = async function* (): Verb {
          return opened.hosted === undefined
            ? yield* backupNow((await opened.database({ signal })).url, { kind, signal })
            : yield* backedUp(dumpNow(await opened.hosted.dumps(), kind, signal));
        };
        return audited(opened.audit, { verb: "backup now", subject: kind, reason }, work(), signal);
      });
    });

  const verify = backup.command("verify").description("verify all backups and the WAL, and restore a sample");
  withReason(onStack(verify))
    .addHelpText(
      "after",
      `
Compares the history, the repository's list, its files and the chain of its WAL, and restores the newest backup into the
runner's scratch volume. The verdict of each backup is shown by "backup list". It works without the database.
On a cluster a Job compares the history and the repository of the dumps, reads all of its data, and loads the newest dump.

Exit codes: 0 sound, 1 damaged, 2 failed.`,
    )
    .action(async (stack: string, flags: SetFlags & ReasonFlag) => {
      await run((signal) => {
        const opened = openStack(stack, flags.set);
        const { reason } = flags;
        const work = async function* (): Verb {
          return opened.hosted === undefined
            ? yield* backupVerify(`${opened.settings.instance}-backup-runner`, signal)
            : yield* verified(verifyDumps(await opened.hosted.dumps(), signal));
        };
        return audited(opened.audit, { verb: "backup verify", reason }, work(), signal);
      });
    });

  onStack(backup.command("list").description("list the backups and their state")).action(
    async (stack: string, flags: SetFlags) => {
      await run(async function* (signal) {
        const opened = openStack(stack, flags.set);
        return opened.hosted === undefined
          ? yield* backupList((await opened.database({ signal })).url)
          : yield* dumpList(await opened.hosted.dumps(), signal);
      });
    },
  );
};

/** `backup now`. */
export function backupNow(url: string, request: BackupRequest): Verb {
  return backedUp(requestBackup(url, request));
}

function backedUp(work: Operation<BackupResult>): Verb {
  return resultOf("backup now", work, ({ outcome }) => (outcome === "completed" ? EXIT.ok : EXIT.failed));
}

/** `backup verify`. */
export function backupVerify(runner: string, signal?: AbortSignal): Verb {
  return verified(verifyBackups(runner, signal));
}

function verified(work: Operation<BackupVerification>): Verb {
  return resultOf("backup verify", work, ({ outcome }) => (outcome === "sound" ? EXIT.ok : EXIT.violations));
}

/** `backup list`. */
export function backupList(url: string, options: { readonly limit?: number } = {}): Verb {
  const list = async () => ({ backups: await backupHistory(url, options.limit) });
  return resultOf("backup list", list(), () => EXIT.ok);
}

/** `backup list` of a stack on a cluster. */
function dumpList(place: DumpPlace, signal?: AbortSignal): Verb {
  const list = async function* (): Operation<BackupListData> {
    const { backups, unreachable } = yield* listDumps(place, signal);
    return { backups, stack: place.stack, ...(unreachable === undefined ? {} : { unreachable }) };
  };
  return resultOf("backup list", list(), () => EXIT.ok);
}
