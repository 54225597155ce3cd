import { expect, it } from "vitest";
import { rotateJwt, type RotationContext } from "../../../operations/secrets/rotate.ts";
import { nextStep, type Rotation } from "../../../operations/secrets/rotation.ts";
import type { RotationStore } from "../../../operations/secrets/store.ts";
import { runOperation } from "../../support/verbs.ts";
import { passes } from "../rollout/plans.ts";
import { quietPrometheus } from "../rollout/prometheus.ts";
import { Process, World } from "../rollout/world.ts";

/** Keeps the record in memory; `written` is called with each. */
function storeOf(written: (rotation: Rotation) => void): RotationStore {
  let kept: Rotation | undefined;
  const write = (rotation: Rotation): Promise<void> => {
    kept = rotation;
    written(rotation);
    return Promise.resolve();
  };
  return { read: () => Promise.resolve(kept), prepare: () => Promise.resolve({}), write, settle: write };
}

it("a rotation does not move users who reach its slot before its cutover, and its record stays correct", async () => {
  const world = new World();
  const contextOf = (of: World) => of.context(new Process("ann@host"), "http://127.0.0.1:9", passes);
  let record: Rotation | undefined;
  const store = storeOf((rotation) => {
    record = rotation;
    // The users are rolled back while the record is written.
    if (rotation.running.green === undefined) world.table = { ...world.table, weights: { blue: 0, green: 100 } };
  });
  const context: RotationContext = {
    store,
    rollout: (verb) => verb(contextOf(world)),
    leases: contextOf(new World()).leases,
    signal: new AbortController().signal,
  };
  const refused = runOperation(rotateJwt(context, { lifetimeSeconds: 60 }));
  await expect(refused).rejects.toMatchObject({ exitCode: 3, where: "green" });
  expect(world.journal).toBeUndefined();
  expect(record?.running).toEqual({ blue: "current" });
  expect(record && nextStep(record, "green", 0)).toEqual({ type: "cutover", slot: "blue", keys: "current+next" });
});

it("only the cutovers that retire a key ignore refused WebSockets", async () => {
  const prometheus = await quietPrometheus();
  const { url } = prometheus;
  const world = new World();
  let phase: Rotation["phase"] = "introduce";
  const cutovers: (readonly [phase: string, retiresKey: boolean])[] = [];
  const context: RotationContext = {
    store: storeOf((rotation) => {
      phase = rotation.phase;
    }),
    rollout: (verb) =>
      verb(
        world.context(new Process("ann@host"), url, async function* (_, state, plan) {
          await Promise.resolve();
          if (state.name === "smoke") cutovers.push([phase, plan.retiresKey === true]);
          return { outcome: "done", detail: "" };
        }),
      ),
    // The rotation's own lease is another one than the rollout's.
    leases: new World().context(new Process("ann@host"), url, passes).leases,
    signal: new AbortController().signal,
  };
  const cutover = { steps: [100], holdSeconds: 0, bakeSeconds: 0, drainSeconds: 0 };
  try {
    const { result } = await runOperation(rotateJwt(context, { lifetimeSeconds: 0, wait: true, cutover }));
    expect(result.outcome).toBe("replaced");
  } finally {
    prometheus.close();
  }
  expect(cutovers).toEqual([
    ["introduce", false],
    ["introduce", false],
    ["introduce", false],
    ["retire", true],
    ["retire", true],
  ]);
});
