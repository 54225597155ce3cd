import type { ProgressEvent } from "../../../contract/events.ts";
import type { SlotStatus } from "../ports/deployer.ts";
import type { Verdict } from "../gates/settings.ts";
import type { RolloutState } from "../model/machine.ts";
import type { RolloutPlan } from "../model/plan.ts";
import type { RolloutSession } from "./store.ts";

/** How the work of a state ended. */
export interface Work {
  readonly outcome: "done" | "fail";
  /** What was found, for people; the reason when it failed. */
  readonly detail: string;
  readonly verdicts?: readonly Verdict[];
  /** What was put into the slot. */
  readonly deployed?: SlotStatus;
}

/** A state's work: says how far it is, and how it ended. */
export type Working = AsyncGenerator<ProgressEvent, Work, void>;

/** Does what a state is for. */
export type WorkOf = (session: RolloutSession, state: RolloutState, plan: RolloutPlan) => Working;
