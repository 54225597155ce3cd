import type { ExaiEvent } from "../../contract/events.ts";
import type { Verdict } from "./gates.ts";

/** How the work of a state ended. */
export interface Work {
  readonly outcome: "done" | "fail";
  /** What was found, for people; the reason when it failed. */
  readonly detail: string;
  readonly verdicts?: readonly Verdict[];
}

/** A state's work: says how far it is, and how it ended. */
export type Working = AsyncGenerator<ExaiEvent, Work, void>;
