import type { Slot } from "../../../contract/slots.ts";
import type { Verdict } from "./verdict.ts";

/** Why a transition of a rollout happened: data, no sentence. `cli/format/reasons.ts` words it. */
export type Reason =
  /** A person gave it as text: of a release, a pause, a rollback. */
  | { readonly code: "requested"; readonly text: string }
  /** Gates failed: those alone. */
  | { readonly code: "gate-failed"; readonly verdicts: readonly Verdict[] }
  /** Gates did not pass in time: those alone that had not. */
  | { readonly code: "gates-timeout"; readonly seconds: number; readonly verdicts: readonly Verdict[] }
  /** The router saw the slot ready, and sees it unready now. */
  | { readonly code: "unready"; readonly slot: Slot }
  /** The slot did not become ready in time. `last`: what the last check found; `log`: last lines of its container. */
  | {
      readonly code: "not-ready";
      readonly slot: Slot;
      readonly seconds: number;
      readonly last: string;
      readonly log?: string;
    }
  /** The container restarted, was replaced or stopped before it was ready. */
  | { readonly code: "container-failed"; readonly slot: Slot; readonly verdict: Verdict; readonly log?: string }
  /** A smoke check failed. */
  | { readonly code: "smoke-failed"; readonly check: string; readonly message: string }
  /** The work of a state failed with an error. */
  | { readonly code: "error"; readonly message: string };
