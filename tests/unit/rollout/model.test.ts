import { setImmediate as turnOfTheLoop } from "node:timers/promises";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sameTable } from "../../../contract/envoy/routes.ts";
import { HOOK_MOMENTS, type HookMoment } from "../../../contract/hooks.ts";
import type { Operation } from "../../../contract/events.ts";
import type { Verb } from "../../../cli/events.ts";
import { Prefetched } from "../../../operations/rollout/ports/prefetch.ts";
import type { RolloutContext } from "../../../operations/rollout/ports/context.ts";
import { controlRequest, type ControlAction } from "../../../operations/rollout/ports/control.ts";
import { dueHooks, type HooksState } from "../../../operations/rollout/model/hooks.ts";
import type { RolloutPlan } from "../../../operations/rollout/model/plan.ts";
import { atRest } from "../../../operations/rollout/model/machine.ts";
import { hookEvents, HookRuns } from "../../../operations/rollout/controller/hooks.ts";
import type { StateRun } from "../../../operations/rollout/controller/state-run.ts";
import type { StateHandler, StepResult } from "../../../operations/rollout/controller/step-result.ts";
import { quietPrometheus } from "./prometheus.ts";
import { HOOKS, Process, World, type Fault } from "./world.ts";
import { abort, cutover, finish, pause, promote, resume, rollback } from "../../support/rollout/verbs.ts";

let prometheus: Awaited<ReturnType<typeof quietPrometheus>>;
beforeAll(async () => {
  prometheus = await quietPrometheus();
});
afterAll(() => {
  prometheus.close();
});

/** What a person types, and the faults of the process at its n-th boundary. */
interface Act {
  readonly verb: "cutover" | "rollback" | "keep" | "abort" | "resume" | "pause" | "promote" | "finish";
  readonly steps: readonly number[];
  readonly approval: boolean;
  readonly drainSeconds: number;
  readonly faults: readonly (readonly [number, Fault])[];
  /** Results of the states' checks, in order; later checks pass. */
  readonly outcomes: readonly ("pass" | "fail" | "throw")[];
  /** The request of another terminal, at the fault `request` and after some turns of the event loop. */
  readonly request: ControlAction["action"];
  readonly requestAt: readonly number[];
  /** Whether the router is asked before the verb begins. */
  readonly prefetch: boolean;
  /** Whether the stack has hooks; the one of this name refuses. */
  readonly hooks: "none" | "pass" | HookMoment;
}

/** Longest time without a boundary in a process, milliseconds: longer than any deadline of the world. */
const PATIENCE_MS = 60;

/** Milliseconds that one turn of the event loop counts at most: a longer turn means that the machine is busy. */
const TURN_MS = 1;

/** The checks of a state: they read the slots, wait during a pause, and end with the given outcomes. */
function checks(outcomes: Act["outcomes"][number][]): StateHandler {
  return async function* (run, state, plan) {
    if (state.name === "hooks") return yield* withoutGates(run, state, plan);
    run.judge = () => Promise.resolve([]);
    const outcome = outcomes.shift() ?? "pass";
    for (let look = 0; look < 6; look += 1) {
      await run.sleep(1);
      if (state.name !== "ready") await run.dispatch({ type: "observe" });
      await run.reconcile();
      if (run.machine.state !== state) return { outcome: "done", detail: "the state was left" };
      const held = state.name === "approve" || run.machine.pause !== undefined;
      if (!held && look > 1) break;
      yield { type: "note", level: "info", message: "looks" };
    }
    if (state.name === "ready" && !(await run.readiness())[run.machine.plan?.candidate ?? "blue"])
      return { outcome: "fail", failure: { code: "error", message: "never ready" } };
    if (state.name === "approve") return { outcome: "fail", failure: { code: "error", message: "not approved" } };
    // Ends a pause, so that every run ends.
    await run.dispatch({ type: "continue" });
    if (outcome === "throw") throw new Error("the checks broke");
    return outcome === "pass"
      ? { outcome: "done", detail: "" }
      : { outcome: "fail", failure: { code: "gate-failed", verdicts: [] } };
  };
}

/** The hooks of a state whose gates always pass. */
async function* withoutGates(run: StateRun, state: HooksState, plan: RolloutPlan): Operation<StepResult> {
  const hooks = new HookRuns(run, plan, dueHooks(plan, state));
  try {
    while (!hooks.isOver) {
      await Promise.race([hooks.over, run.sleep(1)]);
      yield* hookEvents(run, plan, hooks.news());
    }
    if (hooks.error !== undefined) throw hooks.error;
    if (hooks.stopped !== undefined) return { outcome: "fail", failure: { code: "hook-failed", run: hooks.stopped } };
    // Ends a pause, so that every run ends.
    await run.dispatch({ type: "continue" });
    return { outcome: "done", detail: "" };
  } finally {
    hooks.stop();
  }
}

function verbOf(context: RolloutContext, act: Act): Verb {
  switch (act.verb) {
    case "cutover": {
      const { steps, approval, drainSeconds } = act;
      return cutover(context, { image: "two", steps, approval, drainSeconds, holdSeconds: 0, bakeSeconds: 0 });
    }
    case "rollback":
    case "keep": {
      const asked = act.prefetch ? { prefetch: { readiness: new Prefetched(() => context.traffic.readiness()) } } : {};
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

/** Waits until a verb ends or hangs. Ctrl-C ends a verb that waits for a person for too long. */
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
 * Repeats a verb until it ends: a request of a terminal that has ended, e.g. for a pause, may still wait for the next
 * controller.
 */
async function insist(world: World, verb: (context: RolloutContext) => Verb): Promise<number | Error> {
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const process = new Process("last@host");
    const running = ended(verb(world.context(process, prometheus.url, checks([]))));
    await restless(process, running);
    if (!process.stop.signal.aborted) return running;
  }
  return new Error("it waits for a person each time");
}

/** The request of another terminal. */
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

/** What is written; only the router's and the machine's part while its leader reports the end to hooks. */
function present({ journal, table }: World): string {
  if (journal?.machine.hooks === undefined && journal?.machine.unreported === undefined)
    return JSON.stringify([journal, table]);
  return JSON.stringify([{ ...journal.machine, hooks: [], unreported: undefined }, table]);
}

/** Runs a verb. If it hangs, a rollback from another terminal must succeed. */
async function perform(world: World, act: Act): Promise<void> {
  const process = new Process(`${act.verb}@host`, new Map(act.faults));
  world.hooks = act.hooks === "none" ? [] : HOOKS;
  world.refusing = [act.hooks];
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
    // It succeeds, or reports that there is nothing to roll back or no slot for the users.
    const { state, ending } = world.journal?.machine ?? { state: { name: "idle" } };
    if (code instanceof Error) expect(code).toMatchObject({ exitCode: 3 });
    else expect([code, state.name]).toEqual([ending?.outcome === "kept" ? 1 : 0, "idle"]);
    await Promise.all(others);
    const before = present(world);
    world.wake();
    await restless(process, running);
    await running;
    if (!(code instanceof Error)) expect(present(world), "the process that hung wrote").toBe(before);
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
  prefetch: fc.boolean(),
  hooks: fc.constantFrom<Act["hooks"]>("none", "pass", "pass", ...HOOK_MOMENTS),
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
    prefetch: false,
    hooks: "none",
  },
});

/** Cases that earlier runs have found. They run first. */
const FOUND: [Act[], boolean][] = [
  // `finish` crashes while it waits and the old slot is not ready: the rollback stopped the slot with its sessions.
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

describe("store and controller in a world with faults", () => {
  it("keep their invariants, and every run ends at rest", async () => {
    const seen = new Set<string>();
    const called = new Set<string>();
    await fc.assert(
      fc.asyncProperty(fc.array(act, { minLength: 1, maxLength: 5 }), fc.boolean(), async (acts, resumes) => {
        const world = new World();
        for (const each of acts) {
          await perform(world, each);
          expect(world.broken).toEqual([]);
          // Faults are fixed between two verbs, or stay.
          if (resumes) world.fix();
        }
        world.fix();
        const code = await insist(world, (context) => (resumes ? resume(context) : abort(context, {})));
        // Abort refuses a complete rollout, resume continues it.
        if (code instanceof Error) expect(await insist(world, resume)).toBe(0);
        // The hooks that a killed process left are run by the next one, and only once.
        expect(await insist(world, resume)).toBe(0);
        expect(world.journal?.machine.unreported).toBeUndefined();
        for (const call of world.calls) called.add(call.split(" ")[2] ?? "");
        expect(new Set(world.calls).size).toBe(world.calls.length);
        expect(world.broken).toEqual([]);
        const { journal, table } = world;
        for (const state of world.seen) seen.add(state);
        if (journal === undefined) return;
        expect(atRest(journal.machine), JSON.stringify(journal.machine)).toBe(true);
        expect(sameTable(journal.table, table)).toBe(true);
        expect(table.emptied).toEqual(journal.machine.emptied);
        // Not the reverse: a deployment that crashed leaves a slot without a server.
        for (const slot of table.emptied) expect(world.slots[slot].running, `${slot} is called empty`).toBe(false);
        expect([0, 100]).toContain(table.weights.blue);
        expect(world.history.map((entry) => entry.sequence)).toEqual(world.history.map((_, index) => index + 1));
      }),
      { numRuns: 300, timeout: 30_000, examples: FOUND },
    );
    expect([...seen].sort()).toEqual(
      [
        ...["approve", "bake", "deploy", "drain", "idle", "migrate", "prepare", "ready", "shift", "smoke", "standby"],
        ...["hooks after", "hooks before", "hooks complete"],
        ...["retire stop", "retire wait", "rollback drain", "rollback flip", "rollback revive"],
      ].sort(),
    );
    expect([...called].sort()).toEqual([...HOOK_MOMENTS].sort());
  });
});
