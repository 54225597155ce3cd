import type { Operation } from "../../../contract/events.ts";
import type { Failure } from "../../../contract/failure.ts";
import type { Verdict } from "../../../contract/verdict.ts";
import type { RolloutState } from "../model/machine.ts";
import type { RolloutPlan } from "../model/plan.ts";
import type { SlotStatus } from "../ports/deployer.ts";
import type { StateRun } from "./state-run.ts";

/** Result of a state's handler. */
export type StepResult =
  | {
      readonly outcome: "done";
      /** What was found, for people; may be empty. */
      readonly detail: string;
      readonly verdicts?: readonly Verdict[];
      /** The new server of the candidate. */
      readonly deployed?: SlotStatus;
    }
  | { readonly outcome: "fail"; readonly failure: Failure; readonly verdicts?: readonly Verdict[] };

/** Does the work of a state. */
export type StateHandler = (run: StateRun, state: RolloutState, plan: RolloutPlan) => Operation<StepResult>;
