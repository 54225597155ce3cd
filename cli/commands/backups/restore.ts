import { EXIT, UserError, type ExitCode } from "../../../contract/errors.ts";
import { command, fix } from "../../../contract/fix.ts";
import type { DumpPlace } from "../../../operations/dumps/job.ts";
import {
  dropDumpScratch,
  listDumpScratch,
  restoreDump,
  type DumpRestored,
  type DumpRestoreRequest,
} from "../../../operations/dumps/scratch.ts";
import { dumpTarget } from "../../../operations/dumps/snapshots.ts";
import {
  abortInPlace,
  restoreInPlace,
  resumeInPlace,
  type InPlaceOptions,
  type InPlaceRequest,
  type InPlaceResult,
} from "../../../operations/restore/in-place.ts";
import type { RestoreSite } from "../../../operations/restore/site.ts";
import { restoreScratch, type RestoreRequest } from "../../../operations/restore/restore.ts";
import { dropScratch, listScratch, promoteScratch, type RestorePlace } from "../../../operations/restore/scratch.ts";
import { timeOf, timeOrPosition, type RestoreTarget } from "../../../operations/restore/target.ts";
import type { LeaseStore } from "../../../operations/rollout/ports/lease.ts";
import { checkPointInTime, restorePointInTime, type HostedProject } from "../../../operations/supabase/pitr.ts";
import type { Stack } from "../../../platforms/platform.ts";
import { openStack } from "../../../platforms/stack.ts";
import { audited } from "../../audited.ts";
import { confirmByName } from "../../confirm.ts";
import { typed } from "../../format/block.ts";
import { hostedQuestion, inPlaceQuestion } from "../../format/restore-in-place.ts";
import { resultOf, type Verb } from "../../events.ts";
import { onStack, withReason, type ReasonFlag, type Register, type SetFlags } from "../command.ts";

interface RestoreFlags extends SetFlags, ReasonFlag {
  readonly to?: string;
  readonly backup?: string;
  readonly before?: string;
  readonly within: string;
  readonly table?: readonly string[];
  readonly into?: string;
  readonly pause: boolean;
  readonly inPlace: boolean;
  readonly yes: boolean;
  /** `--without-backup` and `--without-proof`. */
  readonly withoutBackup: boolean;
  readonly withoutProof: boolean;
}

/** restore: an earlier state of the database. */
export const registerRestore: Register = (program, run) => {
  const restore = program
    .command("restore")
    .description("restore an earlier state of the database, into a scratch server or in place");
  withReason(onStack(restore))
    .option("--to <time|lsn>", "all commits up to a time (UTC), or before a position in the WAL")
    .option("--backup <label>", "the end of one backup")
    .option("--before <time>", "before the statement that took rows away at about this time")
    .option("--within <minutes>", "with --before: how far the statement may be from the time", "15")
    .option("--table <table>", "copy this table back into the database under another name; may be repeated", collect)
    .option("--into <name>", "name of the scratch server (default: made of the time)")
    .option("--pause", "keep the scratch server read-only at its target", false)
    .option("--in-place", "replace the database itself, after a question and a backup of it", false)
    .option("-y, --yes", "with --in-place: do not ask", false)
    .option("--without-backup", "with --in-place: the database cannot be backed up; its files are kept", false)
    .option("--without-proof", "with --in-place: accept a restored database of which a check fails", false)
    .addHelpText(
      "after",
      `
Without --to, --backup or --before: the last commit in the archive. The scratch server has its own container and volume, and never
touches the database. A copied table is named t_restored_<time>.

With --in-place the database is stopped and replaced. Users get 503 with a time to come back, and no other command may change the stack.
A restore that fails, or is interrupted, goes back to the previous database. After a kill, "restore resume" or "restore abort" ends it.

On a cluster a dump of the repository is loaded into a scratch server in a pod, and proved; without a time it is the newest. With
--to and --in-place, Supabase restores the project to the time, if its point-in-time recovery is on.

Exit codes: 0 restored, 1 a check failed, 2 failed, 3 several statements match --before, not confirmed, or refused.

Examples:
  ./exai restore --to 14:30
  ./exai restore --before 14:30 --table public.files
  ./exai restore --to 14:30 --in-place
  ./exai restore prod --to 14:30 --table public.files`,
    )
    .action(async (stack: string, flags: RestoreFlags) => {
      await run((signal) => {
        const opened = openStack(stack, flags.set);
        if (flags.inPlace) return inPlace(opened, flags, signal);
        const request = { ...requestOf(flags, new Date()), signal };
        const work = async function* (): Verb {
          if (opened.hosted === undefined) return yield* restoreInto(opened.restores(), request);
          const wanted = dumpRequest(request, opened.name);
          return yield* restoreFromDump(await opened.hosted.dumps(), wanted);
        };
        const subject = [request.name, ...request.tables].join(" ");
        return audited(opened.audit, { verb: "restore", subject, reason: flags.reason }, work(), signal);
      });
    });

  onStack(restore.command("list").description("list the scratch servers")).action(
    async (stack: string, flags: SetFlags) => {
      await run((signal) => {
        const opened = openStack(stack, flags.set);
        const { hosted } = opened;
        const list = async () => {
          if (hosted !== undefined) return { servers: await listDumpScratch(await hosted.dumps()), stack };
          const { instance, unfinished } = opened.restoreSite(signal);
          const found = unfinished.read();
          return { servers: await listScratch(instance), ...(found === undefined ? {} : { unfinished: found }) };
        };
        return resultOf("restore list", list(), () => EXIT.ok);
      });
    },
  );
  withReason(onStack(restore.command("resume").description("complete a restore in place that was killed"), "local"))
    .option("--without-proof", "accept a restored database of which a check fails", false)
    .action(async (stack: string, flags: SetFlags & ReasonFlag & Pick<RestoreFlags, "withoutProof">) => {
      await run((signal) => {
        const opened = openStack(stack, flags.set);
        const work = async function* (): Verb {
          return yield* restoreResume(opened.restoreSite(signal), { proof: !flags.withoutProof, signal });
        };
        return audited(opened.audit, { verb: "restore resume", reason: flags.reason }, work(), signal);
      });
    });
  withReason(
    onStack(restore.command("abort").description("go back to the database from before a restore in place"), "local"),
  ).action(async (stack: string, flags: SetFlags & ReasonFlag) => {
    await run((signal) => {
      const opened = openStack(stack, flags.set);
      const work = async function* (): Verb {
        return yield* restoreAbort(opened.restoreSite(signal));
      };
      return audited(opened.audit, { verb: "restore abort", reason: flags.reason }, work(), signal);
    });
  });
  onStack(
    restore.command("promote").description("make a read-only scratch server writable").argument("<name>", "its name"),
    "local",
  ).action(async (name: string, stack: string, flags: SetFlags) => {
    await run(() => {
      const { instance } = openStack(stack, flags.set).restores();
      return resultOf("restore promote", promoteScratch(instance, name), () => EXIT.ok);
    });
  });
  onStack(restore.command("drop").description("remove a scratch server").argument("<name>", "its name")).action(
    async (name: string, stack: string, flags: SetFlags) => {
      await run(() => {
        const opened = openStack(stack, flags.set);
        const { hosted } = opened;
        const drop = async () =>
          hosted === undefined
            ? dropScratch(opened.restores().instance, name)
            : dropDumpScratch(await hosted.dumps(), name);
        return resultOf("restore drop", drop(), () => EXIT.ok);
      });
    },
  );
};

/** `restore`. */
export function restoreInto(place: RestorePlace, request: RestoreRequest): Verb {
  return resultOf("restore", restoreScratch(place, request), ({ outcome }) =>
    outcome === "restored" ? EXIT.ok : EXIT.refused,
  );
}

/** `restore` of a stack on a cluster. */
function restoreFromDump(place: DumpPlace, request: DumpRestoreRequest): Verb {
  return resultOf("restore", restoreDump(place, request), (result) =>
    (result as DumpRestored).checks.every(({ status }) => status === "passed") ? EXIT.ok : EXIT.violations,
  );
}

/** @throws UserError for what needs the WAL */
function dumpRequest({ target, name, tables, pause, signal }: RestoreRequest, stack: string): DumpRestoreRequest {
  if (pause)
    throw new UserError(
      "invalid-argument",
      "--pause",
      "keeps a server at a position in the WAL, and a dump has none",
      "leave it out: the scratch server is yours alone",
    );
  return { target: dumpTarget(target, stack), name, tables, signal };
}

/** `restore --in-place`. */
export function restoreReplacing(site: RestoreSite, request: InPlaceRequest): Verb {
  return resultOf("restore", restoreInPlace(site, request), (result) => inPlaceCode(result as InPlaceResult));
}

/** `restore resume`. */
export function restoreResume(site: RestoreSite, options: InPlaceOptions): Verb {
  return resultOf("restore resume", resumeInPlace(site, options), inPlaceCode);
}

/** `restore abort`. */
export function restoreAbort(site: RestoreSite): Verb {
  return resultOf("restore abort", abortInPlace(site), () => EXIT.ok);
}

function inPlaceCode({ outcome }: InPlaceResult): ExitCode {
  const codes = {
    "restored-in-place": EXIT.ok,
    "not-proved": EXIT.violations,
    "no-backup": EXIT.failed,
    ambiguous: EXIT.refused,
  };
  return codes[outcome];
}

function inPlace(opened: Stack, flags: RestoreFlags, signal: AbortSignal): Verb {
  const wrong = (["into", "table", "pause"] as const).find(
    (name) => flags[name] !== undefined && flags[name] !== false,
  );
  if (wrong !== undefined)
    throw new UserError(
      "invalid-argument",
      `--${wrong}`,
      "is about a scratch server, and --in-place replaces the database",
      "leave one out",
    );
  const target = targetOf(flags, new Date());
  const { hosted } = opened;
  const confirm = async (question: string): Promise<void> => {
    const given = process.argv.slice(2).join(" ");
    if (!flags.yes) await confirmByName(opened.settings.instance, question, typed(command(`${given} --yes`)));
  };
  const work = async function* (): Verb {
    if (hosted !== undefined) {
      const at = hostedTime(flags, target, opened.name);
      const project = await hosted.project();
      await checkPointInTime(project, at);
      await confirm(hostedQuestion(project.ref, at));
      return yield* opened.rollout({}, signal, ({ leases }) => restoreHosted(project, at, leases, signal));
    }
    const site = opened.restoreSite(signal);
    await confirm(inPlaceQuestion(target, flags.withoutBackup));
    return yield* restoreReplacing(site, { target, backup: !flags.withoutBackup, proof: !flags.withoutProof, signal });
  };
  return audited(opened.audit, { verb: "restore", subject: "--in-place", reason: flags.reason }, work(), signal);
}

/** `restore --in-place` of a hosted database. No rollout changes its schema meanwhile. */
async function* restoreHosted(project: HostedProject, at: Date, leases: LeaseStore, signal: AbortSignal): Verb {
  const lease = await leases.acquire("restore");
  try {
    return yield* resultOf("restore", restorePointInTime(project, at, { signal }), () => EXIT.ok);
  } finally {
    await lease.release();
  }
}

/** The time that Supabase restores to. @throws UserError for what its point-in-time recovery does not have */
function hostedTime(flags: RestoreFlags, target: RestoreTarget, stack: string): Date {
  const option = flags.withoutBackup ? "--without-backup" : flags.withoutProof ? "--without-proof" : undefined;
  if (option !== undefined)
    throw new UserError("invalid-argument", option, "is for a database on this machine", "leave it out");
  if (target.kind === "time") return target.at;
  throw new UserError(
    "invalid-argument",
    "--in-place",
    `needs --to with a time: Supabase restores the project of stack ${stack} to a time alone`,
    fix`${command(`restore ${stack} --to 14:30 --in-place`)}, or without --in-place ${command(`restore ${stack} --backup LABEL`)}`,
  );
}

function requestOf(flags: RestoreFlags, now: Date): Omit<RestoreRequest, "signal"> {
  const { table = [], pause } = flags;
  if (pause && table.length > 0)
    throw new UserError(
      "invalid-argument",
      "--pause",
      "keeps the server read-only, and --table copies from a writable one",
      "leave one out",
    );
  const name = flags.into ?? now.toISOString().slice(0, 19).replace(/[-:]/g, "").toLowerCase();
  if (!/^[a-z0-9][a-z0-9-]{0,39}$/.test(name))
    throw new UserError(
      "invalid-argument",
      "--into",
      `"${name}" is not a name`,
      "use lower-case letters, digits and dashes",
    );
  const tables = table.map((each) => (each.includes(".") ? each : `public.${each}`));
  return { target: targetOf(flags, now), name, tables, pause };
}

function targetOf({ to, backup, before, within }: RestoreFlags, now: Date): RestoreTarget {
  const given = [to, backup, before].filter((each) => each !== undefined);
  if (given.length > 1)
    throw new UserError(
      "invalid-argument",
      "restore",
      "has more than one target",
      fix`give one of --to, --backup and --before: ${command("restore --to 14:30")}`,
    );
  if (to !== undefined) return timeOrPosition(to, now);
  if (backup !== undefined) return { kind: "backup", label: backup };
  if (before === undefined) return { kind: "latest" };
  if (!/^[1-9]\d{0,4}$/.test(within))
    throw new UserError(
      "invalid-argument",
      "--within",
      `"${within}" is not a number of minutes`,
      "give for example 15",
    );
  return { kind: "before", at: timeOf(before, "--before", now), withinMinutes: Number(within) };
}

function collect(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}
