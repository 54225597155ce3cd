import type { ProgressEvent } from "../../../contract/events.ts";
import type { Failure } from "../../../contract/failure.ts";
import type { Verdict } from "../../../contract/verdict.ts";
import type { SlotStatus } from "../ports/deployer.ts";
import type { RolloutState } from "../model/machine.ts";
import type { RolloutPlan } from "../model/plan.ts";
import type { RolloutSession } from "./store.ts";

/** How the work of a state ended. */
export type Work =
  | {
      readonly outcome: "done";
      /** What was found, for people. */
      readonly detail: string;
      readonly verdicts?: readonly Verdict[];
      /** What was put into the slot. */
      readonly deployed?: SlotStatus;
    }
  | { readonly outcome: "fail"; readonly failure: Failure; readonly verdicts?: readonly Verdict[] };

/** A state's work: says how far it is, and how it ended. */
export type Working = AsyncGenerator<ProgressEvent, Work, void>;

/** Does what a state is for. */
export type WorkOf = (session: RolloutSession, state: RolloutState, plan: RolloutPlan) => Working;
