import { describe, expect, it } from "vitest";
import type { RolloutContext } from "../../../operations/rollout/ports/context.ts";
import { RolloutStore } from "../../../operations/rollout/controller/store.ts";
import { runVerb } from "../../support/verbs.ts";
import { passes, rolloutPlan } from "./plans.ts";
import { Process, World } from "./world.ts";
import { abort, resume } from "../../support/rollout/verbs.ts";

/** Ann's rollout is under way; Bob refers to another one, or to hers. */
const ANNS = rolloutPlan({ id: "anns", drainSeconds: 0, holdSeconds: 0, bakeSeconds: 0 });

function contextOf(world: World, name: string): RolloutContext {
  return world.context(new Process(name), "http://127.0.0.1:9", passes);
}

/** A store of Ann's rollout in its first step. */
async function annLeads(world: World): Promise<RolloutStore> {
  const store = await RolloutStore.open(contextOf(world, "ann@host"), "cutover");
  await store.dispatch({ type: "start", plan: ANNS });
  while (store.machine.state.name !== "shift") {
    if (store.machine.state.name === "deploy") await store.deploy("green", ANNS.image);
    await store.dispatch({ type: "done" });
  }
  await store.reconcile();
  return store;
}

const bob = (world: World) => contextOf(world, "bob@host");

describe("an operation on a given rollout", () => {
  it.each([
    ["abort", (context: RolloutContext, rollout: string) => abort(context, { rollout })],
    ["resume", (context: RolloutContext, rollout: string) => resume(context, { rollout })],
  ])("does not change another rollout, led or not, and names its owner: %s", async (_, verb) => {
    const world = new World();
    const store = await annLeads(world);
    const refusal = {
      exitCode: 3,
      where: "rollout (shift 5 %)",
      message: "anns of ann@host is under way, not bobs",
    };
    await expect(runVerb(verb(bob(world), "bobs"))).rejects.toMatchObject(refusal);
    await store.close();
    await expect(runVerb(verb(bob(world), "bobs"))).rejects.toMatchObject(refusal);
    // An empty identifier matches no rollout.
    await expect(runVerb(verb(bob(world), ""))).rejects.toMatchObject({ exitCode: 3 });
    expect(world.journal?.machine).toMatchObject({ plan: { id: "anns" }, state: { name: "shift", step: 0 } });
    expect(world.table.weights).toEqual({ blue: 95, green: 5 });
  });

  it("rolls back the given rollout", async () => {
    const world = new World();
    await (await annLeads(world)).close();
    expect((await runVerb(abort(bob(world), { rollout: "anns", reason: "cancelled" }))).code).toBe(0);
    expect(world.table.weights).toEqual({ blue: 100, green: 0 });
  });

  it("has nothing to abort if the given rollout never started or has ended, and reports the outcome", async () => {
    const world = new World();
    const store = await annLeads(world);
    while (store.machine.state.name !== "standby") await store.dispatch({ type: "done" });
    await store.close();
    // Ann's release is kept warm, so no rollout is under way.
    const nothing = await runVerb(abort(bob(world), { rollout: "bobs" }));
    expect(nothing).toMatchObject({ code: 0, events: [{ data: { outcome: "nothing-to-abort", active: "blue" } }] });
    await expect(runVerb(resume(bob(world), { rollout: "bobs" }))).rejects.toMatchObject({ exitCode: 3 });
    expect((await runVerb(resume(bob(world), { rollout: "anns" }))).code).toBe(0);
    expect(world.table.weights).toEqual({ blue: 0, green: 100 });
  });

  it("ends with 1 if the rollout to resume has been rolled back meanwhile", async () => {
    const world = new World();
    await (await annLeads(world)).close();
    await runVerb(abort(contextOf(world, "carol@host"), { reason: "complaints" }));
    const { code, events } = await runVerb(resume(bob(world), { rollout: "anns" }));
    expect(code).toBe(1);
    expect(events).toMatchObject([
      {
        data: {
          outcome: "already-ended",
          ended: { outcome: "rolled-back", rollback: { from: "shift 5 %", reason: "complaints" } },
        },
      },
    ]);
  });
});

describe("resume --lead", () => {
  it("sends no request to the process that leads the rollout", async () => {
    const world = new World();
    const store = await annLeads(world);
    await store.dispatch({ type: "pause", pause: { by: "ann@host", reason: "lunch", at: "" } });
    const refused = runVerb(resume(bob(world), { rollout: "anns", lead: true }));
    await expect(refused).rejects.toMatchObject({ exitCode: 3, where: "lease" });
    expect(store.machine.pause?.by).toBe("ann@host");
  });

  it("leads an abandoned rollout, and keeps a person's pause", async () => {
    const world = new World();
    const store = await annLeads(world);
    await store.dispatch({ type: "pause", pause: { by: "carol@host", reason: "lunch", at: "" } });
    await store.close();
    const context = bob(world);
    const verb = resume(context, { rollout: "anns", lead: true });
    try {
      for (let events = 0; events < 5; events += 1) await verb.next();
      expect((await context.leases.holder())?.verb).toBe("rollout resume");
      expect(world.journal?.machine.pause?.by).toBe("carol@host");
    } finally {
      await verb.return(0);
    }
  });

  it("continues an abandoned rollout to its end", async () => {
    const world = new World();
    await (await annLeads(world)).close();
    expect((await runVerb(resume(bob(world), { rollout: "anns", lead: true }))).code).toBe(0);
    expect(world.table.weights).toEqual({ blue: 0, green: 100 });
  });
});
