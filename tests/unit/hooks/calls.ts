import type { HookCall } from "../../../operations/rollout/ports/hooks.ts";
import { rolloutPlan } from "../rollout/plans.ts";

/** A key that requests are signed with. */
export const SECRET = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;

/** A run of a hook before 25 %. */
export function hookCall(changes: Partial<HookCall> = {}): HookCall {
  return {
    hook: "acceptance",
    when: "before-step",
    step: "shift-25",
    attempt: 1,
    weight: 5,
    rollout: rolloutPlan(),
    ...changes,
  };
}
