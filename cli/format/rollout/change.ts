import { command } from "../../../contract/fix.ts";
import type { AbortResult } from "../../../operations/rollout/commands/abort.ts";
import type { LedResult } from "../../../operations/rollout/commands/ask-leader.ts";
import type { ResumeResult } from "../../../operations/rollout/commands/resume.ts";
import type { InterruptedSlot, RolledBackResult } from "../../../operations/rollout/model/result.ts";
import { heading, lines, next, type Block } from "../block.ts";
import { summaryText } from "./history.ts";
import { span } from "../units.ts";
import { causeText, holderText, weightsText } from "./words.ts";

/** Results of the verbs that change a rollout. */
export type RolloutChange = LedResult | ResumeResult | AbortResult;

/** How a verb that changes a rollout ended: cutover, rollback, resume, abort, pause, promote, finish. */
export function formatRolloutChange(result: RolloutChange): readonly Block[] {
  switch (result.outcome) {
    case "completed":
      return [
        heading(`${result.candidate} has all users; ${result.stable} stays warm`, "good"),
        next(command(`rollout history ${result.rollout}`), {
          ...command("rollback"),
          comment: `returns to the old release while ${result.stable} is warm`,
        }),
      ];
    case "finished":
      return result.stopped
        ? [
            heading(`${result.candidate} has all users; ${result.stable} is stopped`, "good"),
            next(command("rollout history")),
          ]
        : [
            heading(`${result.candidate} has all users; ${result.stable} could not be stopped`, "bad"),
            next(command("rollout status")),
          ];
    case "rolled-back":
      return rolledBack(result);
    case "kept":
      return [
        heading(
          `the rollback failed: ${result.stable} did not become ready, so ${result.candidate} keeps the users`,
          "bad",
        ),
        next(command("status"), command(`logs server-${result.stable}`)),
      ];
    case "accepted":
      return [heading(`${result.state}: ${holderText(result.holder)} continues`), next(command("rollout status"))];
    case "interrupted":
      return result.state === undefined
        ? [heading("interrupted")]
        : [
            heading(
              `interrupted in "${result.state}" with ${weightsText(result.weights)}; no process watches the gates`,
              "warning",
            ),
            ...(result.slot === undefined ? [] : [lines(`  ${interruptedSlotText(result.slot)}`)]),
            next(command("rollout resume"), command("rollout abort")),
          ];
    case "nothing-to-resume": {
      const repaired = result.repaired ? "; the router had another table and has the journal's now" : "";
      return [heading(`nothing to resume: ${result.state}, ${result.active} has the users${repaired}`)];
    }
    case "already-ended":
      return [heading(`nothing to resume: ${summaryText(result.ended)}`)];
    case "nothing-to-abort":
      return [heading(`nothing to abort: ${result.active} has all users`)];
  }
}

function rolledBack(result: RolledBackResult): readonly Block[] {
  const { stable, candidate, automatic, reason, drainSeconds, evicted, rollout } = result;
  const kept = `  MCP sessions and connections on ${candidate} may stay open for ${span(drainSeconds)}, and then until its next deployment`;
  return [
    automatic
      ? heading(`rolled back automatically: ${stable} has all users`, "bad")
      : heading(`rolled back: ${stable} has all users (${reason})`, "good"),
    ...(automatic ? [lines(`  why: ${causeText(result)}`)] : []),
    ...(evicted.includes(candidate) ? [] : [lines(kept)]),
    next(command(automatic ? `rollout history ${rollout}` : "rollout history")),
  ];
}

/** What the interruption of a deployment or a stop left, and what may still happen. */
function interruptedSlotText({ slot, wanted, present, continues }: InterruptedSlot): string {
  const image = present?.image ?? "no image";
  const now =
    present === undefined
      ? `the state of ${slot} is not known`
      : `${slot} ${present.running ? "runs" : "is stopped, with"} ${image}`;
  const goal = wanted === undefined ? "stop" : `be replaced by ${wanted}`;
  const done = wanted === undefined ? present?.running === false : present?.running === true && image === wanted;
  if (done) return now;
  return continues || present === undefined
    ? `${now}; the work on it had not ended: it may still ${goal}`
    : `${now}; it was to ${goal}, and resume begins that again`;
}
