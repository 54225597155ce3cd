import type { HookRun } from "./hooks.ts";
import type { Slot } from "./slots.ts";
import type { Verdict } from "./verdict.ts";

/**
 * Why a state of a rollout failed: data, no sentence. `cli/format/failures.ts` words it. What a person gives as a reason is
 * text, and is kept apart from it.
 */
export type Failure =
  /** Gates failed. `verdicts`: those that failed. */
  | { readonly code: "gate-failed"; readonly verdicts: readonly Verdict[] }
  /** The gates did not pass in time. `verdicts`: those that did not pass at the last check. */
  | { readonly code: "gates-timeout"; readonly seconds: number; readonly verdicts: readonly Verdict[] }
  /** The candidate is not ready any more, or not ready at the end of its step. */
  | { readonly code: "unready"; readonly slot: Slot }
  /** The slot did not become ready in time. `last`: what the last check found; `log`: the last lines of its container. */
  | {
      readonly code: "not-ready";
      readonly slot: Slot;
      readonly seconds: number;
      readonly last: string;
      readonly log?: string;
    }
  /** The candidate's container restarted, was replaced or stopped before it was ready. */
  | { readonly code: "container-failed"; readonly slot: Slot; readonly verdict: Verdict; readonly log?: string }
  /** A smoke check failed. */
  | { readonly code: "smoke-failed"; readonly check: string; readonly message: string }
  /** A hook failed that the release may not go on without. */
  | { readonly code: "hook-failed"; readonly run: HookRun }
  /** The work of a state failed with an error. */
  | { readonly code: "error"; readonly message: string };
