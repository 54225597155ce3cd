import { EXIT, UserError } from "../../../contract/errors.ts";
import { command, fix } from "../../../contract/fix.ts";
import { restoreScratch, type RestoreRequest } from "../../../operations/restore/restore.ts";
import { dropScratch, listScratch, promoteScratch, type RestorePlace } from "../../../operations/restore/scratch.ts";
import { timeOf, timeOrPosition, type RestoreTarget } from "../../../operations/restore/target.ts";
import { openStack } from "../../../platforms/stack.ts";
import { audited } from "../../audited.ts";
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
}

/** restore: an earlier state of the database. */
export const registerRestore: Register = (program, run) => {
  const restore = program
    .command("restore")
    .description("restore an earlier state of the database into a scratch server");
  withReason(onStack(restore, "local"))
    .option("--to <time|lsn>", "all commits up to a time (UTC), or before a position in the WAL")
    .option("--backup <label>", "the end of one backup")
    .option("--before <time>", "before the statement that took rows away at about this time")
    .option("--within <minutes>", "with --before: how far the statement may be from the time", "15")
    .option("--table <table>", "copy this table back into the database under another name; may be repeated", collect)
    .option("--into <name>", "name of the scratch server (default: made of the time)")
    .option("--pause", "keep the scratch server read-only at its target", false)
    .addHelpText(
      "after",
      `
Without --to, --backup or --before: the last commit in the archive. The scratch server has its own container and volume, and never
touches the database. A copied table is named t_restored_<time>.

Exit codes: 0 restored, 2 failed, 3 several statements match --before.

Examples:
  ./exai restore --to 14:30
  ./exai restore --before 14:30 --table public.files`,
    )
    .action(async (stack: string, flags: RestoreFlags) => {
      await run((signal) => {
        const opened = openStack(stack, flags.set);
        const request = { ...requestOf(flags, new Date()), signal };
        const work = async function* (): Verb {
          return yield* restoreInto(opened.restores(), request);
        };
        const subject = [request.name, ...request.tables].join(" ");
        return audited(opened.audit, { verb: "restore", subject, reason: flags.reason }, work(), signal);
      });
    });

  onStack(restore.command("list").description("list the scratch servers"), "local").action(
    async (stack: string, flags: SetFlags) => {
      await run(() => {
        const { instance } = openStack(stack, flags.set).restores();
        const list = async () => ({ servers: await listScratch(instance) });
        return resultOf("restore list", list(), () => EXIT.ok);
      });
    },
  );
  onStack(
    restore.command("promote").description("make a read-only scratch server writable").argument("<name>", "its name"),
    "local",
  ).action(async (name: string, stack: string, flags: SetFlags) => {
    await run(() => {
      const { instance } = openStack(stack, flags.set).restores();
      return resultOf("restore promote", promoteScratch(instance, name), () => EXIT.ok);
    });
  });
  onStack(
    restore.command("drop").description("remove a scratch server").argument("<name>", "its name"),
    "local",
  ).action(async (name: string, stack: string, flags: SetFlags) => {
    await run(() => {
      const { instance } = openStack(stack, flags.set).restores();
      return resultOf("restore drop", dropScratch(instance, name), () => EXIT.ok);
    });
  });
};

/** `restore`. */
export function restoreInto(place: RestorePlace, request: RestoreRequest): Verb {
  return resultOf("restore", restoreScratch(place, request), ({ outcome }) =>
    outcome === "restored" ? EXIT.ok : EXIT.refused,
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
