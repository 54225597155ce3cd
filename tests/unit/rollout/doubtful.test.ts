import { describe, expect, it } from "vitest";
import type { RolloutContext } from "../../../operations/rollout/ports/context.ts";
import { drive } from "../../../operations/rollout/controller/controller.ts";
import { RolloutStore } from "../../../operations/rollout/controller/store.ts";
import { rolloutResult } from "../../../operations/rollout/model/result.ts";
import type { StateHandler } from "../../../operations/rollout/controller/step-result.ts";
import { rolloutExit } from "../../../cli/exit-codes.ts";
import { runVerb } from "../../support/verbs.ts";
import { TWO_STEPS } from "./plans.ts";
import { Process, World } from "./world.ts";
import { pause, rollback } from "../../support/rollout/verbs.ts";

/** Stays at the first step until a request ends it. */
const waits: StateHandler = async function* (run, state) {
  await Promise.resolve();
  while (state.name === "shift") await run.sleep(1);
  return { outcome: "done", detail: "" };
};

async function led() {
  const world = new World();
  const process = new Process("ann@host");
  const store = await RolloutStore.open(world.context(process, "http://127.0.0.1:9", waits), "cutover");
  await store.dispatch({ type: "start", plan: TWO_STEPS });
  const verb = async function* () {
    yield* drive(store);
    return rolloutExit(rolloutResult(store, TWO_STEPS));
  };
  const leading = runVerb(verb()).finally(() => store.close());
  leading.catch(() => undefined);
  while (store.machine.state.name !== "shift") await new Promise((resolve) => setImmediate(resolve));
  return { world, process, leading };
}

/** The context of another machine, whose clock differs from the leader's. */
function elsewhere(world: World, process = new Process("bob@host")): RolloutContext {
  const context = world.context(process, "http://127.0.0.1:9", waits);
  const { leases } = context;
  const holder = async () => {
    const certain = await leases.holder();
    return { who: "ann@host", pid: 1, verb: "cutover", ...certain, doubtful: true } as const;
  };
  return { ...context, leases: { ...leases, holder } };
}

describe("a leader on a machine with another clock", () => {
  it("rolls back on request", async () => {
    const { world, leading } = await led();
    expect((await runVerb(rollback(elsewhere(world), {}))).code).toBe(0);
    expect((await leading).code).toBe(1);
    expect(world.history.find(({ to }) => to === "rollback")?.who).toBe("bob@host");
    expect(world.table.weights).toEqual({ blue: 100, green: 0 });
    expect(world.broken).toEqual([]);
  });

  it("is taken over for a rollback if it has ended, before its lease expires", async () => {
    const { world, process, leading } = await led();
    process.dead = true;
    process.stop.abort(new Error("killed"));
    await leading.catch(() => undefined);
    const { code, events } = await runVerb(rollback(elsewhere(world), {}));
    expect(code).toBe(0);
    expect(JSON.stringify(events)).toContain("does not answer: taking the rollout over");
    expect(world.table.weights).toEqual({ blue: 100, green: 0 });
  });

  it("does not prevent a pause if it has ended: the lease is acquired", async () => {
    const { world, process, leading } = await led();
    process.dead = true;
    process.stop.abort(new Error("killed"));
    await leading.catch(() => undefined);
    const bob = new Process("bob@host");
    const pausing = runVerb(pause(elsewhere(world, bob), {}));
    while (world.journal?.machine.pause === undefined) await new Promise((resolve) => setImmediate(resolve));
    expect(world.journal.machine.pause.by).toBe("bob@host");
    bob.stop.abort(new Error("Ctrl-C"));
    expect((await pausing).code).toBe(130);
  });
});
