import { describe, expect, it } from "vitest";
import type { RolloutContext } from "../../../operations/rollout/ports/context.ts";
import { abort, resume } from "../../../operations/rollout/commands/resume.ts";
import { RolloutStore } from "../../../operations/rollout/controller/store.ts";
import { runVerb } from "../../support/verbs.ts";
import { passes, rolloutPlan } from "./plans.ts";
import { Process, World } from "./world.ts";

/** Ann's, which is under way; Bob's run has had one of its own, or none. */
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

describe("a verb that means one rollout", () => {
  it.each([
    ["abort", (context: RolloutContext, rollout: string) => abort(context, { rollout })],
    ["resume", (context: RolloutContext, rollout: string) => resume(context, { rollout })],
  ])("leaves another one alone, led or not, and says whose it is: %s", async (_, verb) => {
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
    // An identifier that a script has lost is nobody's, and not everybody's.
    await expect(runVerb(verb(bob(world), ""))).rejects.toMatchObject({ exitCode: 3 });
    expect(world.journal?.machine).toMatchObject({ plan: { id: "anns" }, state: { name: "shift", step: 0 } });
    expect(world.table.weights).toEqual({ blue: 95, green: 5 });
  });

  it("takes back the one that it means", async () => {
    const world = new World();
    await (await annLeads(world)).close();
    expect((await runVerb(abort(bob(world), { rollout: "anns", reason: "cancelled" }))).code).toBe(0);
    expect(world.table.weights).toEqual({ blue: 100, green: 0 });
  });

  it("has nothing to take back where that one never began or is over, and says how it ended", async () => {
    const world = new World();
    const store = await annLeads(world);
    while (store.machine.state.name !== "standby") await store.dispatch({ type: "done" });
    await store.close();
    // Ann's release is kept warm: that is no rollout under way.
    const nothing = await runVerb(abort(bob(world), { rollout: "bobs" }));
    expect(nothing).toMatchObject({ code: 0, events: [{ message: "nothing to abort: blue has all users" }] });
    await expect(runVerb(resume(bob(world), { rollout: "bobs" }))).rejects.toMatchObject({ exitCode: 3 });
    expect((await runVerb(resume(bob(world), { rollout: "anns" }))).code).toBe(0);
    expect(world.table.weights).toEqual({ blue: 0, green: 100 });
  });

  it("ends with 1 where it would go on with one that somebody has taken back by then", async () => {
    const world = new World();
    await (await annLeads(world)).close();
    await runVerb(abort(contextOf(world, "carol@host"), { reason: "complaints" }));
    const { code, events } = await runVerb(resume(bob(world), { rollout: "anns" }));
    expect(code).toBe(1);
    expect(events).toMatchObject([
      { message: "nothing to resume: anns is over, taken back (in shift 5 %: complaints)" },
    ]);
  });
});

describe("resume --lead", () => {
  it("asks nothing of the one who leads", async () => {
    const world = new World();
    const store = await annLeads(world);
    await store.dispatch({ type: "pause", pause: { by: "ann@host", reason: "lunch", at: "" } });
    const refused = runVerb(resume(bob(world), { rollout: "anns", lead: true }));
    await expect(refused).rejects.toMatchObject({ exitCode: 3, where: "lease" });
    expect(store.machine.pause?.by).toBe("ann@host");
  });

  it("leads what was left, and ends no pause of a person", async () => {
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

  it("goes on with what was left to its end", async () => {
    const world = new World();
    await (await annLeads(world)).close();
    expect((await runVerb(resume(bob(world), { rollout: "anns", lead: true }))).code).toBe(0);
    expect(world.table.weights).toEqual({ blue: 0, green: 100 });
  });
});
