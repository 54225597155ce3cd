import { EXIT, type ExitCode } from "../contract/errors.ts";
import type { CutoverPlan } from "../operations/rollout/commands/plan.ts";
import type { RolloutStatus } from "../operations/rollout/commands/status.ts";
import type { WatchResult } from "../operations/rollout/commands/watch.ts";
import type { RolloutChange } from "./format/rollout/change.ts";

/** The exit code of a verb that changes a rollout. */
export function rolloutExit(result: RolloutChange): ExitCode {
  switch (result.outcome) {
    case "completed":
    case "accepted":
    case "nothing-to-resume":
    case "nothing-to-abort":
      return EXIT.ok;
    case "finished":
      return result.stopped ? EXIT.ok : EXIT.failed;
    case "rolled-back":
      return result.requested ? EXIT.ok : EXIT.violations;
    case "kept":
      return EXIT.violations;
    case "already-ended":
      return result.ended.outcome === "completed" ? EXIT.ok : EXIT.violations;
    case "interrupted":
      return EXIT.interrupted;
  }
}

/** `rollout plan`: that of the error which the cutover would end with. */
export function planExit({ blockers }: CutoverPlan): ExitCode {
  return blockers[0]?.exitCode ?? EXIT.ok;
}

/** `rollout status`: 2 if the router does not answer, or has another table than the journal. */
export function statusExit({ router }: RolloutStatus): ExitCode {
  return router === "unavailable" || router === "differs" ? EXIT.failed : EXIT.ok;
}

/** `rollout status --watch`: how the rollout ended. */
export function watchExit({ outcome }: WatchResult): ExitCode {
  if (outcome === "interrupted") return EXIT.interrupted;
  return outcome === "completed" ? EXIT.ok : EXIT.violations;
}
