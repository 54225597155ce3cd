import type { RolloutPlan } from "../../../operations/rollout/model/plan.ts";
import type { RolloutStore } from "../../../operations/rollout/controller/store.ts";
import type { StateHandler } from "../../../operations/rollout/controller/step-result.ts";

/** A rollout of exai:2 from blue to green. */
export function rolloutPlan(changes: Partial<RolloutPlan> = {}): RolloutPlan {
  return {
    ...{ id: "20261123T115955Z-abc123", stable: "blue", candidate: "green", image: "exai:2", stableImage: "exai:1" },
    ...{
      steps: [5, 25, 50, 100],
      holdSeconds: 10,
      bakeSeconds: 10,
      standbySeconds: 3600,
      drainSeconds: 300,
      approval: false,
    },
    ...{ reason: "release 2", by: "ann@host", startedAt: "2026-11-23T11:59:55.000Z" },
    ...changes,
  };
}

/** A fast rollout of a model world's images in two steps without waits. */
export const TWO_STEPS = rolloutPlan({
  ...{ id: "r", image: "two", stableImage: "one", steps: [20, 100], holdSeconds: 0, bakeSeconds: 0, drainSeconds: 0 },
  ...{ reason: "", startedAt: "2026-11-23T11:59:55.000Z" },
});

/** Every state is done at once. */
export const passes: StateHandler = async function* () {
  await Promise.resolve();
  return { outcome: "done", detail: "" };
};

/** Starts a plan of a model world and brings it to a state, without a controller. */
export async function advance(store: RolloutStore, plan: RolloutPlan, state: "shift" | "standby"): Promise<void> {
  await store.dispatch({ type: "start", plan });
  while (store.machine.state.name !== state) {
    if (store.machine.state.name === "deploy") await store.deploy(plan.candidate, plan.image);
    await store.dispatch({ type: "done" });
    await store.reconcile();
  }
}
