import { resolve } from "node:path";
import { InvalidArgumentError, type Command } from "commander";
import { EXIT, UserError } from "../../../contract/errors.ts";
import { RECORDING } from "../../../contract/server.ts";
import type { Slot } from "../../../contract/slots.ts";
import { recordWorkload } from "../../../operations/branches/record/record.ts";
import { parseSeconds } from "../../../operations/rollout/model/plan.ts";
import { openStack } from "../../../platforms/stack.ts";
import { audited } from "../../audited.ts";
import { confirmByName } from "../../confirm.ts";
import { recordingQuestion } from "../../format/branch/record.ts";
import { resultOf, type Verb } from "../../events.ts";
import { onStack, withReason, type ReasonFlag, type Run, type SetFlags } from "../command.ts";
import { againWithYes, type YesFlag } from "./confirm.ts";

interface RecordFlags {
  readonly out: string;
  readonly for: string;
  readonly share: number;
  readonly most: number;
  readonly redact: readonly string[];
}

const HELP = `
The server of each slot hands over what it asks its database, in one pod of the slot on a cluster. Nothing of the server or the
database is set for it. The file has users' values, and only its owner can read it. Ctrl-C ends the recording and keeps the file.

Exit codes: 0 recorded, 2 failed, or nothing was asked, 3 not confirmed, 130 interrupted; the file is complete.

Examples:
  ./exai branch record --for 5m --out workload.jsonl
  ./exai branch record prod --share 0.05 --redact content,title --out workload.jsonl`;

/** branch record: the workload that branch shadow replays. */
export function addRecordVerb(branch: Command, run: Run): void {
  withReason(
    onStack(branch.command("record").description("record what users ask the database, for branch shadow to replay")),
  )
    .requiredOption("--out <file>", "a new file")
    .option("--for <duration>", "how long, at most 60m", "5m")
    .option("--share <share>", "share of the transactions, such as 0.1", parseShare, 1)
    .option("--most <number>", "end after this number of transactions", parseMost, 100_000)
    .option("--redact <columns>", "replace the values of these columns, such as content,title", parseColumns, [])
    .option("-y, --yes", "do not ask before users of staging or prod are recorded", false)
    .addHelpText("after", HELP)
    .action(async (stack: string, flags: SetFlags & ReasonFlag & RecordFlags & YesFlag) => {
      await run((signal) => {
        const opened = openStack(stack, flags.set);
        const { name, environment } = opened;
        const out = resolve(flags.out);
        const verb = async function* (): Verb {
          const options = {
            ...{ out, seconds: duration(flags.for), share: flags.share, most: flags.most, redact: flags.redact },
            session: (slot: Slot, command: readonly string[]) => opened.exec(slot, { command, terminal: false }),
            ...(environment === "local" ? {} : { stack: name }),
            signal,
          };
          if (environment !== "local" && !flags.yes)
            await confirmByName(name, recordingQuestion(name, out), againWithYes());
          return yield* resultOf("branch record", recordWorkload(options), ({ ended }) =>
            ended === "interrupted" ? EXIT.interrupted : EXIT.ok,
          );
        };
        return audited(opened.audit, { verb: "branch record", reason: flags.reason }, verb(), signal);
      });
    });
}

function duration(text: string): number {
  const seconds = parseSeconds(text, "--for");
  if (seconds >= 1 && seconds <= RECORDING.longestSeconds) return seconds;
  throw new UserError("invalid-argument", "--for", `"${text}" is not from 1s to 60m`, "--for 5m");
}

function parseShare(text: string): number {
  const share = Number(text);
  if (text.trim() === "" || !(share > 0 && share <= 1))
    throw new InvalidArgumentError("Expected a number above 0, at most 1.");
  return share;
}

function parseMost(text: string): number {
  if (!/^[1-9]\d{0,7}$/.test(text)) throw new InvalidArgumentError("Expected a number of transactions.");
  return Number(text);
}

function parseColumns(text: string): readonly string[] {
  const columns = text.split(",").map((column) => column.trim());
  if (columns.some((column) => !/^\w+$/.test(column)))
    throw new InvalidArgumentError("Expected names of columns, such as content,title.");
  return columns;
}
