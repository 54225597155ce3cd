import { setImmediate as turnOfTheLoop } from "node:timers/promises";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sameTable } from "../../../contract/envoy/routes.ts";
import type { Verb } from "../../../cli/events.ts";
import { Asked } from "../../../operations/rollout/ports/prefetch.ts";
import type { RolloutContext } from "../../../operations/rollout/ports/context.ts";
import { controlRequest, type ControlAction } from "../../../operations/rollout/ports/control.ts";
import { atRest } from "../../../operations/rollout/model/machine.ts";
import type { StateHandler } from "../../../operations/rollout/controller/step-result.ts";
import { quietPrometheus } from "./prometheus.ts";
import { Process, World, type Fault } from "./world.ts";
import { abort, cutover, finish, pause, promote, resume, rollback } from "../../support/rollout-verbs.ts";

let prometheus: Awaited<ReturnType<typeof quietPrometheus>>;
beforeAll(async () => {
  prometheus = await quietPrometheus();
});
afterAll(() => {
  prometheus.close();
});

/** What a person types, and what befalls the process: its n-th boundary meets a fault. */
interface Act {
  readonly verb: "cutover" | "rollback" | "keep" | "abort" | "resume" | "pause" | "promote" | "finish";
  readonly steps: readonly number[];
  readonly approval: boolean;
  readonly drainSeconds: number;
  readonly faults: readonly (readonly [number, Fault])[];
  /** How the checks of the states end, in their order; after the last one all pass. */
  readonly outcomes: readonly ("pass" | "fail" | "throw")[];
  /** What another terminal asks for, at the fault `request` and at some turns of the event loop after the beginning. */
  readonly request: ControlAction["action"];
  readonly requestAt: readonly number[];
  /** Whether the router is asked before the verb begins. */
  readonly ahead: boolean;
}

/** How long nothing may happen in a process, milliseconds: longer than any deadline of the world. */
const PATIENCE_MS = 60;

/** What one turn of the event loop counts for at most: what it takes longer, the machine had other work. */
const TURN_MS = 1;

/** The checks of a state: they look at the slots, stay in a pause, and end as they are told. */
function checks(outcomes: Act["outcomes"][number][]): StateHandler {
  return async function* (run, state) {
    run.judge = () => Promise.resolve([]);
    const outcome = outcomes.shift() ?? "pass";
    for (let look = 0; look < 6; look += 1) {
      await run.sleep(1);
      if (state.name !== "ready") await run.dispatch({ type: "observe" });
      await run.reconcile();
      if (run.machine.state !== state) return { outcome: "done", detail: "left by a look" };
      const held = state.name === "approve" || run.machine.pause !== undefined;
      if (!held && look > 1) break;
      yield { type: "note", level: "info", message: "looks" };
    }
    if (state.name === "ready" && !(await run.readiness())[run.machine.plan?.candidate ?? "blue"])
      return { outcome: "fail", failure: { code: "error", message: "never ready" } };
    if (state.name === "approve") return { outcome: "fail", failure: { code: "error", message: "not approved" } };
    // A pause that nobody ends is ended here, for the run has an end.
    await run.dispatch({ type: "continue" });
    if (outcome === "throw") throw new Error("the checks broke");
    return outcome === "pass"
      ? { outcome: "done", detail: "" }
      : { outcome: "fail", failure: { code: "gate-failed", verdicts: [] } };
  };
}

function verbOf(context: RolloutContext, act: Act): Verb {
  switch (act.verb) {
    case "cutover": {
      const { steps, approval, drainSeconds } = act;
      return cutover(context, { image: "two", steps, approval, drainSeconds, holdSeconds: 0, bakeSeconds: 0 });
    }
    case "rollback":
    case "keep": {
      const asked = act.ahead ? { ahead: { readiness: new Asked(() => context.traffic.readiness()) } } : {};
      return rollback({ ...context, ...asked }, { keepSessions: act.verb === "keep" });
    }
    case "abort":
      return abort(context, {});
    case "resume":
      return resume(context);
    case "pause":
      return pause(context, {});
    case "promote":
      return promote(context, { full: act.approval });
    case "finish":
      return finish(context, {});
  }
}

async function ended(verb: Verb): Promise<number | Error> {
  try {
    for (;;) {
      const { done, value } = await verb.next();
      if (done === true) return value;
    }
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** Waits for a verb's end, or for its hanging. What waits for a person for too long is ended with Ctrl-C. */
async function restless(process: Process, running: Promise<unknown>): Promise<void> {
  const ends = { over: false };
  void running.then(() => (ends.over = true));
  let [boundaries, quiet] = [0, 0];
  while (!ends.over && !process.hanging) {
    const began = performance.now();
    if (process.boundaries > boundaries) [boundaries, quiet] = [process.boundaries, 0];
    else if (quiet > PATIENCE_MS) process.stop.abort(new Error("Ctrl-C"));
    await turnOfTheLoop();
    quiet += Math.min(TURN_MS, performance.now() - began);
  }
}

/**
 * Types a verb until nobody keeps it from ending: the request of a terminal that is gone, e.g. for a pause, may have
 * waited for the next controller.
 */
async function insist(world: World, verb: (context: RolloutContext) => Verb): Promise<number | Error> {
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const process = new Process("last@host");
    const running = ended(verb(world.context(process, prometheus.url, checks([]))));
    await restless(process, running);
    if (!process.stop.signal.aborted) return running;
  }
  return new Error("it waits for somebody each time");
}

/** What another terminal asks for. */
async function ask(world: World, { request, approval }: Act, after = 0): Promise<number | Error> {
  for (let turn = 0; turn < after; turn += 1) await turnOfTheLoop();
  const plan = world.journal?.machine.plan;
  if (plan === undefined) return 0;
  const other = world.context(new Process("other@host"), prometheus.url, checks([]));
  if (request === "rollback") return ended(rollback(other, {}));
  if (request === "abort") return ended(abort(other, {}));
  const action = request === "promote" ? { action: request, full: approval } : { action: request };
  await other.control.post(controlRequest(action, plan.id, "other@host", "asked"));
  return 0;
}

/** Runs what was typed. One that hangs is left; a rollback from another terminal must then come through. */
async function perform(world: World, act: Act): Promise<void> {
  const process = new Process(`${act.verb}@host`, new Map(act.faults));
  const others: Promise<number | Error>[] = [];
  world.onRequest = () => {
    others.push(ask(world, act));
  };
  for (const turn of act.requestAt) others.push(ask(world, act, turn));
  const running = ended(verbOf(world.context(process, prometheus.url, checks([...act.outcomes])), act));
  await restless(process, running);
  if (process.hanging) {
    const healthy = new Process("rescue@host");
    const code = await ended(rollback(world.context(healthy, prometheus.url, checks([])), {}));
    // It came through, or there is nothing to take back or nobody to take the users, and it says so.
    const { state, ending } = world.journal?.machine ?? { state: { name: "idle" } };
    if (code instanceof Error) expect(code).toMatchObject({ exitCode: 3 });
    else expect([code, state.name]).toEqual([ending?.outcome === "kept" ? 1 : 0, "idle"]);
    await Promise.all(others);
    const before = JSON.stringify([world.journal, world.table]);
    world.wake();
    await restless(process, running);
    await running;
    if (!(code instanceof Error))
      expect(JSON.stringify([world.journal, world.table]), "the one that hung wrote").toBe(before);
  }
  await Promise.all([running, ...others]);
}

const faults = fc.array(
  fc.tuple(
    fc.integer({ min: 1, max: 70 }),
    fc.constantFrom<Fault>(
      ...(["crash", "hang", "refuse", "unready-blue", "unready-green"] as const),
      ...(["request", "request", "silence", "no-image"] as const),
    ),
  ),
  { maxLength: 3 },
);
const act: fc.Arbitrary<Act> = fc.record({
  verb: fc.oneof(
    { weight: 3, arbitrary: fc.constant("cutover" as const) },
    {
      weight: 4,
      arbitrary: fc.constantFrom<Act["verb"]>("rollback", "keep", "abort", "resume", "pause", "promote", "finish"),
    },
  ),
  steps: fc.constantFrom([100], [5, 100], [5, 25, 50, 100]),
  approval: fc.boolean(),
  drainSeconds: fc.constantFrom(0, 1000),
  faults,
  outcomes: fc.array(
    fc.oneof(
      { weight: 6, arbitrary: fc.constant("pass" as const) },
      { weight: 1, arbitrary: fc.constantFrom("fail" as const, "throw" as const) },
    ),
    { maxLength: 12 },
  ),
  request: fc.constantFrom<Act["request"]>("pause", "continue", "promote", "abort", "rollback"),
  requestAt: fc.array(fc.integer({ min: 0, max: 800 }), { maxLength: 2 }),
  ahead: fc.boolean(),
});

const plain = (verb: Act["verb"], faults: Act["faults"] = []): Act => ({
  ...{
    verb,
    steps: [100],
    approval: false,
    drainSeconds: 1000,
    faults,
    outcomes: [],
    request: "pause",
    requestAt: [],
    ahead: false,
  },
});

/** What earlier runs have found, run first: nothing of it may come back. */
const FOUND: [Act[], boolean][] = [
  // The end of the standby dies while it waits, and the old slot is ill: the rollback stopped it with its sessions.
  ...[1, 2, 3, 4, 5, 6].map((moment): [Act[], boolean] => [
    [
      plain("cutover"),
      plain("finish", [
        [1, "unready-blue"],
        [moment, "crash"],
      ]),
      plain("rollback"),
      plain("cutover"),
    ],
    false,
  ]),
];

describe("store and controller over a world with faults", () => {
  it("keep their promises, and every run comes to rest", async () => {
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(fc.array(act, { minLength: 1, maxLength: 5 }), fc.boolean(), async (acts, resumes) => {
        const world = new World();
        for (const each of acts) {
          await perform(world, each);
          expect(world.broken).toEqual([]);
          // Between two verbs somebody fixes what is broken, or nobody does.
          if (resumes) world.fix();
        }
        world.fix();
        const code = await insist(world, (context) => (resumes ? resume(context) : abort(context, {})));
        // Abort refuses what is complete, and resume goes on with it.
        if (code instanceof Error) expect(await insist(world, resume)).toBe(0);
        expect(world.broken).toEqual([]);
        const { journal, table } = world;
        for (const state of world.seen) seen.add(state);
        if (journal === undefined) return;
        expect(atRest(journal.machine), JSON.stringify(journal.machine)).toBe(true);
        expect(sameTable(journal.table, table)).toBe(true);
        expect(table.emptied).toEqual(journal.machine.emptied);
        // The other way round there are slots that a deployment left without a server when it died.
        for (const slot of table.emptied) expect(world.slots[slot].running, `${slot} is called empty`).toBe(false);
        expect([0, 100]).toContain(table.weights.blue);
        expect(world.history.map((entry) => entry.sequence)).toEqual(world.history.map((_, index) => index + 1));
      }),
      { numRuns: 300, timeout: 30_000, examples: FOUND },
    );
    expect([...seen].sort()).toEqual(
      [
        ...["approve", "bake", "deploy", "drain", "idle", "migrate", "prepare", "ready", "shift", "smoke", "standby"],
        ...["retire stop", "retire wait", "rollback drain", "rollback flip", "rollback revive"],
      ].sort(),
    );
  }, 300_000);
});
