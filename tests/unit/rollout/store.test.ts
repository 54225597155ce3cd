import { readFileSync } from "node:fs";
import { Writable } from "node:stream";
import { setImmediate as turnOfTheLoop } from "node:timers/promises";
import { describe, expect, it, vi } from "vitest";
import { textRenderer } from "../../../cli/render/text.ts";
import { Prefetched, type Prefetch } from "../../../operations/rollout/ports/prefetch.ts";
import type { Announcer } from "../../../operations/rollout/ports/announcer.ts";
import { controlRequest } from "../../../operations/rollout/ports/control.ts";
import type { RolloutContext } from "../../../operations/rollout/ports/context.ts";
import { drive } from "../../../operations/rollout/controller/controller.ts";
import type { RolloutPlan } from "../../../operations/rollout/model/plan.ts";
import { RolloutStore } from "../../../operations/rollout/controller/store.ts";
import { type RollbackRequest } from "../../../operations/rollout/commands/rollback.ts";
import { rolloutResult } from "../../../operations/rollout/model/result.ts";
import type { RolloutSchema } from "../../../operations/schema/coupling.ts";
import { rolloutExit } from "../../../cli/exit-codes.ts";
import { runVerb } from "../../support/verbs.ts";
import { advance, passes } from "./plans.ts";
import { Process, World } from "./world.ts";
import { cutover, pause, rollback } from "../../support/rollout/verbs.ts";

const PLAN: RolloutPlan = {
  ...{ id: "r", stable: "blue", candidate: "green", image: "two", stableImage: "one", steps: [5, 25, 100] },
  ...{ holdSeconds: 0, bakeSeconds: 0, standbySeconds: 3600, drainSeconds: 0, approval: false },
  ...{ reason: "", by: "ann@host", startedAt: "2026-11-23T11:59:55.000Z" },
};

const SILENT: Announcer = {
  begin: () => undefined,
  queue: () => undefined,
  problems: () => [],
  end: () => Promise.resolve(),
};

/** Lines with their times replaced. */
function withoutFigures(text: string): readonly string[] {
  return text
    .trimEnd()
    .split("\n")
    .map((line) => line.replaceAll(/\d+(?:\.\d+)? (m?s)\b/g, "N $1"));
}

function contextOf(world: World, name: string): RolloutContext {
  return world.context(new Process(name), "http://127.0.0.1:9", passes);
}

/** A store of a rollout in its first step. */
async function atFirstStep(world: World, context = contextOf(world, "ann@host")): Promise<RolloutStore> {
  const store = await RolloutStore.open(context, "cutover");
  await advance(store, PLAN, "shift");
  return store;
}

describe("a store", () => {
  it("drops an event of a state that was left", async () => {
    const store = await atFirstStep(new World());
    const during = store.machine.state;
    await store.dispatch({ type: "promote", full: false });
    expect(store.machine.state).toEqual({ name: "shift", step: 1 });
    expect(await store.dispatch({ type: "done" }, { during })).toBe(false);
    expect(
      await store.dispatch({ type: "fail", failure: { code: "error", message: "of the step before" } }, { during }),
    ).toBe(false);
    expect(store.machine.state).toEqual({ name: "shift", step: 1 });
    expect(await store.dispatch({ type: "done" }, { during: store.machine.state })).toBe(true);
  });

  it("does not write a table that was replaced while the router was read", async () => {
    const world = new World();
    const { promise: answered, resolve: answer } = Promise.withResolvers<undefined>();
    const asked = { slowly: false };
    const context = contextOf(world, "ann@host");
    const inForce = async () => {
      if (asked.slowly) await answered;
      return world.table;
    };
    const store = await atFirstStep(world, { ...context, traffic: { ...context.traffic, inForce } });
    await store.reconcile();
    asked.slowly = true;
    const looking = store.reconcile();
    await store.dispatch({ type: "rollback", reason: "asked", evict: true });
    await store.reconcile();
    answer(undefined);
    await looking;
    expect(world.table.weights).toEqual({ blue: 100, green: 0 });
    expect(world.broken).toEqual([]);
  });

  it.each([
    ["is in place, and continues from it", true],
    ["is missing, and keeps its state", false],
  ])("checks whether a failed write %s", async (_, lands) => {
    const world = new World();
    const context = contextOf(world, "ann@host");
    const fault = { comes: false };
    const told: number[] = [];
    const store = await atFirstStep(world, {
      ...context,
      announcer: { ...SILENT, queue: ({ sequence }) => void told.push(sequence) },
      journal: {
        ...context.journal,
        open: async (lease) => {
          const writer = await context.journal.open(lease);
          return {
            write: async (next) => {
              if (lands || !fault.comes) await writer.write(next);
              if (fault.comes) throw new Error("the connection breaks off");
            },
          };
        },
      },
    });
    const { state } = store.machine;
    const { sequence } = store.journal;
    fault.comes = true;
    const promotion = store.dispatch({ type: "promote", full: false });
    if (lands) expect(await promotion).toBe(true);
    else await expect(promotion).rejects.toThrow("breaks off");
    fault.comes = false;
    if (lands) expect(store.machine.state).toEqual({ name: "shift", step: 1 });
    else expect(store.machine.state).toBe(state); // works compare it by identity
    expect(told.at(-1)).toBe(lands ? sequence + 1 : sequence);
    await store.dispatch({ type: "promote", full: false });
    await store.reconcile();
    expect(world.history.map((entry) => entry.sequence)).toEqual(told);
    expect(world.broken).toEqual([]);
  });

  it("does not stop or deploy a slot after a takeover, even before its lease is lost", async () => {
    const world = new World();
    const store = await atFirstStep(world);
    // The lease is lost at its next renewal; until then only the journal shows it.
    const successor = await RolloutStore.open(contextOf(world, "bob@host"), "rollback", "seize");
    await successor.dispatch({ type: "rollback", reason: "asked", evict: true });
    const before = JSON.stringify(world.slots);
    await expect(store.drain("green")).rejects.toMatchObject({ where: "rollout lease", exitCode: 3 });
    await expect(store.deploy("green", "three")).rejects.toMatchObject({ where: "rollout lease", exitCode: 3 });
    expect(JSON.stringify(world.slots)).toBe(before);
    await successor.reconcile();
    await successor.drain("green");
    expect(world.slots.green.running).toBe(false);
  });

  it("continues with a rollback that it accepted when the rollout became complete", async () => {
    const world = new World();
    const context = contextOf(world, "ann@host");
    const inStandby = (): boolean => world.journal?.machine.state.name === "standby";
    let asked = false;
    const late: RolloutContext = {
      ...context,
      traffic: {
        ...context.traffic,
        // The request arrives during the last read of the router.
        inForce: async () => {
          if (inStandby() && !asked) {
            asked = true;
            const action = { action: "rollback", evict: true } as const;
            await context.control.post(controlRequest(action, PLAN.id, "bob@host", "complaints"));
            while (inStandby()) await turnOfTheLoop();
          }
          return context.traffic.inForce();
        },
      },
    };
    const store = await RolloutStore.open(late, "cutover");
    await store.dispatch({ type: "start", plan: PLAN });
    const { code, events } = await runVerb(
      (async function* () {
        yield* drive(store);
        return rolloutExit(rolloutResult(store, PLAN));
      })(),
    );
    expect(asked).toBe(true);
    expect(code).toBe(1);
    expect(store.machine).toMatchObject({ state: { name: "idle" }, active: "blue", emptied: ["green"] });
    expect(world.table.weights).toEqual({ blue: 100, green: 0 });
    expect(store.machine.ending).toMatchObject({ outcome: "rolled-back", reason: "complaints" });
    expect(events.at(-1)).toMatchObject({ type: "step", id: "rollback", status: "done" });
    expect(world.broken).toEqual([]);
  });
});

describe("a rollback of a warm release", () => {
  /** A rollout that is complete, and a terminal whose questions and writes are noted. */
  async function standby() {
    const world = new World();
    const store = await atFirstStep(world);
    await store.dispatch({ type: "promote", full: true });
    while (store.machine.state.name !== "standby") {
      await store.reconcile();
      await store.dispatch({ type: "done" });
    }
    await store.reconcile();
    await store.close();
    const context = contextOf(world, "bob@host");
    const { traffic, journal, leases } = context;
    const noted: string[] = [];
    const note = <Answer>(what: string, act: () => Promise<Answer>): Promise<Answer> => {
      noted.push(what);
      return act();
    };
    const state = () => Promise.resolve({ applied: [], pending: [] });
    const schema: RolloutSchema = {
      ...{ unlabelled: "warn", root: "", range: () => Promise.resolve(undefined), expand: () => Promise.resolve([]) },
      state: () => note("schema?", state),
    };
    const watched: RolloutContext = {
      ...context,
      schema,
      traffic: {
        ...traffic,
        inForce: () => note("table?", () => traffic.inForce()),
        readiness: () => note("ready?", () => traffic.readiness()),
        writer: async (lease) => {
          const writer = await traffic.writer(lease);
          return { apply: (table, signal) => note("table!", () => writer.apply(table, signal)) };
        },
      },
      journal: {
        ...journal,
        open: async (lease) => {
          const writer = await journal.open(lease);
          return { write: (next) => note("journal!", () => writer.write(next)) };
        },
      },
      leases: { ...leases, acquire: (verb) => note("lease!", () => leases.acquire(verb)) },
    };
    return { world, watched, noted };
  }

  it("asks router and database at once, and neither again before the users are back", async () => {
    const { world, watched, noted } = await standby();
    expect((await runVerb(rollback(watched, {}))).code).toBe(0);
    expect(noted.slice(0, 5)).toEqual(["ready?", "schema?", "lease!", "journal!", "table!"]);
    expect(world.table.weights).toEqual({ blue: 100, green: 0 });
    expect(world.broken).toEqual([]);
  });

  it("prints what README.md shows, and mentions kept connections only if there are any", async () => {
    const readme = readFileSync(new URL("../../../README.md", import.meta.url), "utf8");
    const shown = /^\$ \.\/exai rollback --reason complaints\n([^`]*)```/m.exec(readme)?.[1] ?? "";
    expect(shown).toContain("rolled back: ");
    const said = async (request: RollbackRequest): Promise<readonly string[]> => {
      const { watched } = await standby();
      let text = "";
      const sink = new Writable({
        write: (chunk: Buffer, _encoding, done) => {
          text += chunk.toString("utf8");
          done();
        },
      });
      const renderer = textRenderer({ out: sink, err: sink }, true);
      for (const event of (await runVerb(rollback(watched, request))).events) renderer.show({ at: "", ...event });
      return withoutFigures(text);
    };
    const plain = await said({ reason: "complaints" });
    const lines = withoutFigures(shown).filter((line) => line !== "…");
    expect(plain.filter((line) => lines.includes(line))).toEqual(lines);
    expect(plain.join("\n")).not.toContain("may stay open");
    expect((await said({ keepSessions: true })).join("\n")).toContain("connections on green may stay open");
  });

  it("uses answers to requests that were sent before it began", async () => {
    const { world, watched, noted } = await standby();
    const prefetch: Prefetch = {
      readiness: new Prefetched(() => watched.traffic.readiness()),
      schema: new Prefetched(() => Promise.resolve({ applied: [], pending: [] })),
    };
    expect((await runVerb(rollback({ ...watched, prefetch }, {}))).code).toBe(0);
    expect(noted.slice(0, 4)).toEqual(["ready?", "lease!", "journal!", "table!"]);
    expect(world.broken).toEqual([]);
  });

  it("asks the router again after an error: a release that is down gets no users", async () => {
    const { world, watched } = await standby();
    world.slots.blue.running = false;
    const questions = [Promise.reject(new Error("reset"))];
    const prefetch: Prefetch = { readiness: new Prefetched(() => questions.shift() ?? watched.traffic.readiness()) };
    const { code, events } = await runVerb(rollback({ ...watched, prefetch }, {}));
    expect(events).toContainEqual(
      expect.objectContaining({ message: expect.stringContaining("is not warm") as string }),
    );
    expect(code).toBe(0);
    expect(world.slots.blue.running).toBe(true);
    expect(world.broken).toEqual([]);
  });

  it("does not wait for a router that does not answer", async () => {
    const { world, watched, noted } = await standby();
    const silent = { ...watched.traffic, readiness: () => new Promise<never>(() => undefined) };
    const verb = rollback({ ...watched, traffic: silent }, {});
    try {
      while (world.table.weights.blue < 100)
        if ((await verb.next()).done === true) throw new Error("it ended without moving the users");
    } finally {
      await verb.return(0);
    }
    expect(noted).toEqual(["schema?", "lease!", "journal!", "table!"]);
    expect(world.broken).toEqual([]);
  });
});

describe("a prefetched answer", () => {
  it("is requested again if it is old, counted from the request", async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    try {
      const answers = [1, 2];
      const asked = new Prefetched(() => Promise.resolve(answers.shift()));
      vi.advanceTimersByTime(900);
      expect(await asked.answer()).toBe(1);
      vi.advanceTimersByTime(200);
      expect(await asked.answer()).toBe(2);
    } finally {
      vi.useRealTimers();
    }
  });

  it("is requested again after an error", async () => {
    const answers = [Promise.reject(new Error("down")), Promise.resolve(2)];
    const asked = new Prefetched(() => answers.shift() ?? Promise.reject(new Error("asked too often")));
    expect(await asked.answer()).toBe(2);
  });
});

describe("a cutover to a chosen slot", () => {
  it("is refused if the slot has users by then, and changes nothing", async () => {
    const world = new World();
    const request = { image: "two", candidate: "blue" as const };
    const refused = runVerb(cutover(contextOf(world, "ann@host"), request));
    await expect(refused).rejects.toMatchObject({ exitCode: 3, where: "blue" });
    expect(world.journal).toBeUndefined();
    expect(await contextOf(world, "bob@host").leases.holder()).toBeUndefined();
  });
});

describe("a cutover while a release is kept warm", () => {
  it("is refused only to the slot that has the users", async () => {
    const world = new World();
    const store = await atFirstStep(world);
    while (store.machine.state.name !== "standby") await store.dispatch({ type: "done" });
    await store.close();
    const to = (candidate: "blue" | "green") =>
      runVerb(cutover(contextOf(world, "ann@host"), { image: "three", candidate }));
    await expect(to("green")).rejects.toMatchObject({ exitCode: 3, where: "green" });
    // Fails later, because there is no Prometheus.
    await expect(to("blue")).rejects.toMatchObject({ exitCode: 2, where: "gates" });
  });
});

describe("a request", () => {
  it("is withdrawn by Ctrl-C, so a later controller does not get it", async () => {
    const world = new World();
    const leader = await atFirstStep(world); // without a controller
    const asking = new Process("bob@host");
    const context = world.context(asking, "http://127.0.0.1:9", passes);
    const posted = context.control.post.bind(context.control);
    let asked = 0;
    const control = {
      ...context.control,
      post: (request: Parameters<typeof posted>[0]) => ((asked += 1), posted(request)),
    };
    asking.stop.abort(new Error("Ctrl-C"));
    await expect(runVerb(pause({ ...context, control }, {}))).rejects.toThrow("Ctrl-C");
    expect(asked).toBe(1);
    expect(await leader.context.control.take(PLAN.id)).toEqual([]);
  });
});
