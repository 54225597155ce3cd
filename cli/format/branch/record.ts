import { command, onStack } from "../../../contract/fix.ts";
import type { WorkloadRecorded } from "../../../operations/branches/record/record.ts";
import { heading, lines, next, pairs, type Block } from "../block.ts";
import { count, span } from "../units.ts";

const ENDED: Readonly<Record<WorkloadRecorded["ended"], string>> = {
  time: "",
  limit: ", ended by --most",
  interrupted: ", interrupted",
};

/** `branch record`. */
export function formatBranchRecord(recorded: WorkloadRecorded): readonly Block[] {
  const { file, slots, transactions, statements, users, leftOut, dropped, ended, seconds, stack } = recorded;
  return [
    pairs({ file, slots: slots.join(", "), users: String(users), statements: String(statements) }),
    ...(leftOut === 0
      ? []
      : [lines(`left out, because shadow does not replay them: ${count(leftOut, "transaction")}`)]),
    ...(dropped === 0 ? [] : [lines(`dropped, because they came too fast: ${count(dropped, "transaction")}`)]),
    lines("the file has values of users: remove it when it is no longer needed"),
    heading(`${count(transactions, "transaction")} recorded (${span(seconds)}${ENDED[ended]})`),
    next(
      command(onStack("branch create <name>", stack)),
      command(onStack(`branch shadow <name> --workload ${file}`, stack)),
    ),
  ];
}

/** What is asked before users' values leave a stack that others use. */
export function recordingQuestion(stack: string, file: string): string {
  return `Record what users of ${stack} send to its database, with their values, in ${file}.`;
}
