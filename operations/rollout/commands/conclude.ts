import { EXIT } from "../../../contract/errors.ts";
import type { ExaiEvent, Operation, Verb } from "../../../contract/events.ts";
import type { InterruptedResult, RolloutResult } from "../model/result.ts";
import type { AcceptedResult } from "../controller/takeover.ts";
import { failureText } from "../../notify/wording.ts";
import { tableLabel } from "../model/labels.ts";

/** All results of the operations that lead a rollout, or ask the leader. */
export type LedResult = RolloutResult | AcceptedResult | InterruptedResult;

/**
 * Runs an operation, words its result and returns the exit code.
 *
 * @param wanted the outcome that counts as success
 */
export async function* concluded(
  operation: Operation<LedResult | number>,
  wanted: () => "completed" | "rolled-back",
): Verb {
  const result = yield* operation;
  return typeof result === "number" ? result : yield* conclude(result, wanted());
}

/** Words a result, and returns the exit code. */
export function* conclude(result: LedResult, wanted: "completed" | "rolled-back"): Generator<ExaiEvent, number, void> {
  switch (result.outcome) {
    case "completed":
      yield {
        type: "result",
        title: `${result.candidate} has all users; ${result.stable} stays warm`,
        data: result,
        next: ["./exai rollback", "./exai rollout history"],
      };
      return EXIT.ok;
    case "finished": {
      const { candidate, stable, stopped } = result;
      yield {
        type: "result",
        title: `${candidate} has all users; ${stable} ${stopped ? "is stopped" : "could not be stopped"}`,
        data: result,
        next: stopped ? ["./exai rollout history"] : ["./exai rollout status"],
      };
      return stopped ? EXIT.ok : EXIT.failed;
    }
    case "rolled-back": {
      const how = result.automatic ? "rolled back by itself" : "rolled back";
      yield {
        type: "result",
        title: `${how}: ${result.stable} has all users (${result.failure === undefined ? result.reason : failureText(result.failure)})`,
        data: result,
        next: ["./exai rollout history"],
      };
      return wanted === "rolled-back" ? EXIT.ok : EXIT.violations;
    }
    case "kept":
      yield {
        type: "result",
        title: `the rollback failed: ${result.stable} could not be brought back, so ${result.candidate} keeps the users`,
        data: result,
        next: ["./exai status", "./exai logs server"],
      };
      return EXIT.violations;
    case "accepted": {
      const { holder, state } = result;
      const name = `${holder.who} (\`${holder.verb}\`, process ${String(holder.pid)})`;
      yield { type: "result", title: `${state}: ${name} goes on`, data: result, next: ["./exai rollout status"] };
      return EXIT.ok;
    }
    case "interrupted":
      if (result.state !== undefined) {
        const message =
          `stopped in "${result.state}" with ${tableLabel(result)}; nobody watches the gates now. ` +
          "Go on with ./exai rollout resume, or take it back with ./exai rollout abort";
        yield { type: "note", level: "warning", message };
      }
      return EXIT.interrupted;
  }
}
