import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PlannedHook } from "../../../contract/hooks.ts";
import { SLOTS, otherSlot } from "../../../contract/slots.ts";
import {
  atRest,
  emptySlots,
  evictedSlots,
  type Machine,
  type Readiness,
  restingMachine,
  type RolloutEvent,
  stableIsStopping,
  type StateName,
  weightsOf,
} from "../../../operations/rollout/model/machine.ts";
import { dueHooks } from "../../../operations/rollout/model/hooks.ts";
import type { RolloutPlan } from "../../../operations/rollout/model/plan.ts";
import { reduce } from "../../../operations/rollout/model/reduce.ts";
import { stateLabel } from "../../../operations/rollout/model/labels.ts";
import { HOOKS } from "./world.ts";

const BOTH: Readiness = { blue: true, green: true };

function planFrom(machine: Machine, steps: readonly number[]): RolloutPlan {
  return {
    id: "r",
    stable: machine.active,
    candidate: otherSlot(machine.active),
    image: "image",
    steps,
    holdSeconds: 0,
    bakeSeconds: 0,
    standbySeconds: 0,
    drainSeconds: 0,
    approval: false,
    reason: "",
    by: "",
    startedAt: "",
  };
}

type Plain =
  "start" | "done" | "finish" | "fail" | "rollback" | "keep" | "pause" | "continue" | "promote" | "full" | "retire";

const BROKEN = { code: "error", message: "broken" } as const;

function eventOf(type: Plain | "observe", plan: RolloutPlan, ready: Readiness): RolloutEvent {
  switch (type) {
    case "start":
      return { type, plan, ready };
    case "fail":
      return { type, failure: BROKEN, ready };
    case "rollback":
    case "keep":
      return { type: "rollback", reason: "asked", evict: type === "rollback", ready };
    case "pause":
      return { type, pause: { by: "ann", reason: "lunch", at: "" }, ready };
    case "promote":
    case "full":
      return { type: "promote", full: type === "full", ready };
    case "retire":
      return { type, drainSeconds: 0, ready };
    default:
      return { type, ready };
  }
}

/** Applies events with both slots ready. */
function after(machine: Machine, ...types: Plain[]): Machine {
  return types.reduce((present, type) => reduce(present, eventOf(type, planFrom(present, [5, 100]), BOTH)), machine);
}

/** The hooks of the present state have run. */
function ran(machine: Machine, outcome: "passed" | "failed"): Machine {
  const { state, plan } = machine;
  if (plan === undefined || state.name !== "hooks") return machine;
  return dueHooks(plan, state).reduce((present, { name, when, step }) => {
    const end = { outcome, why: outcome === "passed" ? "accepted" : "refused", seconds: 0 } as const;
    return reduce(present, {
      type: "hook",
      run: { hook: name, when, step, attempt: 1, startedAt: "", end },
      ready: BOTH,
    });
  }, machine);
}

/** A rollout in this state, without failures so far. */
function until(name: StateName, plan: Partial<RolloutPlan> = {}): Machine {
  const idle = restingMachine("blue");
  let machine = reduce(idle, { type: "start", plan: { ...planFrom(idle, [5, 100]), ...plan }, ready: BOTH });
  while (machine.state.name !== name)
    machine = after(ran(machine, "passed"), machine.state.name === "approve" ? "promote" : "done");
  return machine;
}

describe("the rollout's machine", () => {
  it("passes all states and ends with the candidate", () => {
    const names: string[] = [];
    let machine = after(restingMachine("blue"), "start");
    while (!atRest(machine)) {
      names.push(`${machine.state.name} ${String(weightsOf(machine, BOTH).green)}`);
      machine = after(machine, "done");
    }
    expect(names).toEqual([
      "prepare 0",
      "drain 0",
      "deploy 0",
      "ready 0",
      "smoke 0",
      "migrate 0",
      "shift 5",
      "shift 100",
      "bake 100",
    ]);
    expect(machine.state.name).toBe("standby");
    expect(after(machine, "finish")).toMatchObject({
      state: { name: "idle" },
      active: "green",
      ending: { outcome: "completed" },
    });
  });

  it("evicts the candidate's clients if a gate fails, but not before it had users", () => {
    const failed = after(until("shift"), "fail");
    expect(failed.state).toMatchObject({
      name: "rollback",
      phase: "flip",
      from: "shift",
      automatic: true,
      evict: true,
    });
    expect(failed.evicted).toEqual(["green"]);
    expect(weightsOf(failed, BOTH)).toEqual({ blue: 100, green: 0 });
    // Users first, then the connections.
    expect(after(failed, "done").state).toMatchObject({ name: "rollback", phase: "drain" });
    expect(after(failed, "done", "done")).toMatchObject({ state: { name: "idle" }, emptied: ["green"] });
    expect(after(until("deploy"), "fail").state).toMatchObject({ evict: false });
    expect(after(until("deploy"), "fail", "done").state).toEqual({ name: "idle" });
  });

  it("lists a slot as empty from its emptying until the next deployment begins", () => {
    const walk = (machine: Machine, ...types: Plain[]): string[] => {
      let present = machine;
      return types.map((type) => {
        present = after(present, type);
        const { state } = present;
        const phase = "phase" in state ? ` ${state.phase}` : "";
        return `${state.name}${phase}: ${emptySlots(present).join()}`;
      });
    };
    // Rolled back automatically; the next rollout fails before it is ready: its slot has a server that did not come up.
    expect(walk(until("bake"), "fail", "done", "done", "start", "done", "done", "done", "fail", "done")).toEqual([
      ...["rollback flip: green", "rollback drain: green", "idle: green", "prepare: green", "drain: green"],
      ...["deploy: ", "ready: ", "rollback flip: ", "idle: "],
    ]);
    // The end of the standby, and a deployment of the old release that does not come up.
    const onlyGreen: Readiness = { blue: false, green: true };
    const finished = after(until("standby"), "retire", "done", "done");
    expect(walk(until("standby"), "retire", "done", "done", "rollback", "done")).toEqual([
      ...["retire wait: ", "retire stop: blue", "idle: blue", "rollback revive: ", "rollback flip: green"],
    ]);
    const kept = reduce(after(finished, "rollback"), { type: "fail", failure: BROKEN, ready: onlyGreen });
    expect([kept.ending?.outcome, emptySlots(kept)]).toEqual(["kept", []]);
    // A slot that could not be stopped, or was left running, is not empty.
    expect(walk(until("standby"), "retire", "done", "fail")).toContain("idle: ");
    expect(walk(until("bake"), "fail", "done", "fail")).toContain("idle: ");
    expect(walk(until("standby"), "keep", "done")).toEqual(["rollback flip: ", "idle: "]);
    expect(walk(until("smoke"), "fail", "done")).toEqual(["rollback flip: ", "idle: "]);
  });

  it("keeps the sessions if a person rolls back with --keep-sessions", () => {
    const standby = until("standby");
    expect(after(standby, "keep", "done")).toMatchObject({ state: { name: "idle" }, evicted: [], emptied: [] });
    expect(after(standby, "rollback", "done", "done")).toMatchObject({ evicted: ["green"], emptied: ["green"] });
  });

  it("evicts the sessions of a replaced slot until it gets users", () => {
    const evictions: string[] = [];
    let machine = after(restingMachine("blue"), "start");
    while (machine.state.name !== "shift") {
      evictions.push(`${machine.state.name}: ${machine.evicted.join()}`);
      machine = after(machine, "done");
    }
    expect(evictions).toEqual([
      ...["prepare: ", "drain: ", "deploy: green", "ready: green", "smoke: green", "migrate: green"],
    ]);
    expect(machine.evicted).toEqual([]);
  });

  it("starts a stable slot that is down before it gives it the users", () => {
    const onlyGreen: Readiness = { blue: false, green: true };
    const reviving = reduce(until("bake"), { type: "fail", failure: BROKEN, ready: onlyGreen });
    expect(reviving.state).toMatchObject({ phase: "revive" });
    expect(weightsOf(reviving, onlyGreen)).toEqual({ blue: 0, green: 100 });
    expect(reviving.evicted).toEqual([]);
    expect(weightsOf(after(reviving, "done"), BOTH)).toEqual({ blue: 100, green: 0 });
    const kept = reduce(reviving, { type: "fail", failure: BROKEN, ready: onlyGreen });
    expect(kept).toMatchObject({ state: { name: "idle" }, active: "green", ending: { outcome: "kept" } });
  });

  it("keeps its weights and gates during a pause, and continues afterwards", () => {
    const paused = after(until("shift"), "pause");
    expect(stateLabel(paused)).toBe("shift 5 %, paused");
    expect(after(paused, "done")).toBe(paused);
    expect(after(paused, "pause")).toBe(paused);
    expect(after(paused, "fail")).toMatchObject({ state: { name: "rollback" } });
    expect(after(paused, "fail").pause).toBeUndefined();
    expect(after(paused, "continue", "done").state).toEqual({ name: "shift", step: 1 });
    // A person may go step by step.
    expect(after(paused, "promote")).toMatchObject({ state: { name: "shift", step: 1 }, pause: { by: "ann" } });
    // Before the first user the work goes on to the last state without any.
    expect(after(until("deploy"), "pause", "done", "done", "done", "done").state.name).toBe("migrate");
    expect(after(after(until("bake"), "pause"), "done").state.name).toBe("bake");
    expect(after(until("standby"), "pause").pause).toBeUndefined();
  });

  it("waits for an approval at the weight before the last step", () => {
    const waiting = until("approve", { approval: true });
    expect(weightsOf(waiting, BOTH)).toEqual({ blue: 95, green: 5 });
    expect(after(waiting, "done")).toBe(waiting);
    expect(after(waiting, "promote").state).toEqual({ name: "shift", step: 1 });
    expect(after(waiting, "fail").state).toMatchObject({ name: "rollback", evict: true });
    // A promotion of the step before is not the approval; to pass over it is asked for by name.
    expect(after(until("shift", { approval: true }), "promote").state.name).toBe("approve");
    expect(after(until("shift", { approval: true }), "full").state).toEqual({ name: "shift", step: 1 });
    const atOnce = until("approve", { approval: true, steps: [100] });
    expect(weightsOf(atOnce, BOTH)).toEqual({ blue: 100, green: 0 });
  });

  it("does not promote a release without users, or one that is not ready", () => {
    for (const name of ["prepare", "deploy", "migrate", "standby"] as const) {
      const machine = until(name);
      expect(after(machine, "promote")).toBe(machine);
    }
    const unready = { type: "promote", full: false, ready: { blue: true, green: false } } as const;
    expect(reduce(until("shift"), unready).state).toMatchObject({ name: "rollback", automatic: true });
  });

  it("ends a standby by emptying its slot; a later rollback deploys the old release again", () => {
    const retiring = after(until("standby"), "retire");
    expect(retiring).toMatchObject({ state: { name: "retire", phase: "wait" }, evicted: [] });
    const stopping = after(retiring, "done");
    expect(stopping).toMatchObject({ state: { name: "retire", phase: "stop" }, evicted: ["blue"] });
    // It still looks ready, and soon is not.
    const back = after(stopping, "rollback");
    expect(back.state).toMatchObject({ name: "rollback", phase: "revive" });
    expect(after(back, "done")).toMatchObject({ state: { phase: "flip" }, evicted: ["green"] });
    const finished = after(stopping, "done");
    expect(finished).toMatchObject({ state: { name: "idle" }, active: "green", emptied: ["blue"], evicted: ["blue"] });
    // The router may see it ready for a moment longer than it runs.
    const cold = after(finished, "rollback");
    expect(cold).toMatchObject({ state: { name: "rollback", phase: "revive", from: "idle" } });
    expect(weightsOf(cold, BOTH)).toEqual({ blue: 0, green: 100 });
    expect(after(cold, "done", "done", "done")).toMatchObject({ active: "blue", emptied: ["green"] });
    // A rollback is not rolled back again.
    const done = after(cold, "done", "done", "done");
    expect(after(done, "rollback")).toBe(done);
  });

  it("stops nothing on a rollback while a standby only waits for its end", () => {
    const onlyGreen: Readiness = { blue: false, green: true };
    const retiring = after(until("standby"), "retire");
    const back = reduce(retiring, eventOf("rollback", planFrom(retiring, [100]), onlyGreen));
    expect(back).toMatchObject({ state: { name: "rollback", phase: "revive", from: "retire" }, evicted: [] });
    expect(stableIsStopping(back)).toBe(false);
    // It is whole: the first event with it ready gives it the users.
    expect(reduce(back, { type: "observe", ready: BOTH }).state).toMatchObject({ phase: "flip" });
    // One that was being stopped is not to be trusted before the work has deployed it.
    const stopped = after(retiring, "done", "rollback");
    expect(stableIsStopping(stopped)).toBe(true);
    expect(reduce(stopped, { type: "observe", ready: BOTH })).toBe(stopped);
  });

  it("runs the hooks around each step, after an approval, and before it is complete; then its end is reported", () => {
    const plan = { steps: [5, 100], approval: true, hooks: HOOKS };
    const stops: string[] = [];
    let machine = until("migrate", plan);
    while (!atRest(machine)) {
      const { state } = machine;
      if (state.name === "hooks") machine = ran(machine, "passed");
      machine = after(machine, state.name === "approve" ? "promote" : "done");
      stops.push(`${stateLabel(machine)}: ${String(weightsOf(machine, BOTH).green)}`);
    }
    expect(stops).toEqual([
      ...["hooks before shift 5 %: 0", "shift 5 %: 5", "hooks after shift 5 %: 5", "approve: 5"],
      ...[
        "hooks before shift 100 %: 5",
        "shift 100 %: 100",
        "bake: 100",
        "hooks before completion: 100",
        "standby: 100",
      ],
    ]);
    expect((machine.hooks ?? []).map(({ hook, step }) => `${hook} ${step}`)).toEqual([
      ...["before-users shift-5", "before-step shift-5", "after-step shift-5", "before-step shift-100"],
      ...["after-step shift-100", "before-completion bake"],
    ]);
    expect(machine.unreported).toMatchObject({ outcome: "completed", plan: { id: "r" } });
    const run = {
      hook: "after-completion",
      when: "after-completion",
      step: "completed",
      attempt: 1,
      startedAt: "",
    } as const;
    expect(reduce(machine, { type: "hook", run, ready: BOTH }).unreported).toBeDefined();
    const end = { outcome: "failed", why: "refused", seconds: 0 } as const;
    const reported = reduce(machine, { type: "hook", run: { ...run, end }, ready: BOTH });
    expect([reported.unreported, reported.state]).toEqual([undefined, machine.state]);
    // A rollback is reported instead of the completion before it.
    expect(after(machine, "rollback", "done", "done").unreported?.outcome).toBe("rolled-back");
    expect(after(machine, "rollback", "done", "done", "start")).not.toHaveProperty("hooks");
  });

  it("does not leave a hook that has not run, or that failed and stops the release", () => {
    const waiting = after(until("migrate", { hooks: HOOKS }), "done");
    expect(waiting.state).toMatchObject({ name: "hooks", phase: "before", step: -1 });
    expect(after(waiting, "done")).toBe(waiting);
    expect(after(waiting, "promote")).toBe(waiting);
    const failed = ran(waiting, "failed");
    expect(after(failed, "done")).toBe(failed);
    expect(after(failed, "fail").state).toMatchObject({ name: "rollback", from: "hooks" });
    const noted = HOOKS.map((hook) => ({ ...hook, onFailure: "note" as const }));
    expect(after(ran(after(until("migrate", { hooks: noted }), "done"), "failed"), "done").state.name).toBe("shift");
    // A promotion moves on, to the hooks; to 100 % it passes over the approval, not over them.
    const shifted = after(ran(waiting, "passed"), "done");
    expect(after(shifted, "full").state).toMatchObject({ name: "hooks", phase: "after", full: true });
    const full = after(ran(after(shifted, "full"), "passed"), "done");
    expect(stateLabel(full)).toBe("hooks before shift 100 %");
    // In a pause they run, and the state stays.
    const paused = ran(after(waiting, "pause"), "passed");
    expect(after(paused, "done")).toBe(paused);
    expect(after(paused, "continue", "done").state.name).toBe("shift");
  });

  it("does not start while the slot with the users is not ready", () => {
    const idle = restingMachine("blue");
    const ready: Readiness = { blue: false, green: true };
    expect(reduce(idle, { type: "start", plan: planFrom(idle, [100]), ready })).toBe(idle);
  });

  const readiness = fc.record({ blue: fc.boolean(), green: fc.boolean() });
  const steps = fc
    .uniqueArray(fc.integer({ min: 1, max: 99 }), { maxLength: 4 })
    .map((values) => [...values.sort((a, b) => a - b), 100]);
  const happening = fc.oneof(
    { weight: 8, arbitrary: fc.constant("done" as const) },
    { weight: 3, arbitrary: fc.constantFrom("passed" as const, "passed" as const, "failed" as const) },
    {
      weight: 2,
      arbitrary: fc.constantFrom(
        ...(["start", "observe", "fail", "rollback", "keep", "finish", "crash"] as const),
        ...(["pause", "continue", "promote", "full", "retire"] as const),
      ),
    },
  );
  const hooks = fc.constantFrom<readonly PlannedHook[]>([], HOOKS);
  const run = fc.array(fc.tuple(happening, fc.oneof({ weight: 4, arbitrary: fc.constant(BOTH) }, readiness)), {
    maxLength: 60,
  });

  it("keeps its invariants under any sequence of events, crashes and failing slots", () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(
        fc.constantFrom("prepare", "migrate", "shift", "bake", "standby"),
        steps,
        fc.boolean(),
        hooks,
        run,
        (begin, plan, approval, all, events) => {
          const planned = (machine: Machine): RolloutPlan => ({ ...planFrom(machine, plan), approval, hooks: all });
          let machine = until(begin, { steps: plan, approval, hooks: all });
          for (const [type, ready] of events) {
            if (type === "passed" || type === "failed") {
              machine = ran(machine, type);
              continue;
            }
            const before = machine;
            // A crash loses everything but the journal, which is JSON.
            machine =
              type === "crash"
                ? (JSON.parse(JSON.stringify(machine)) as Machine)
                : reduce(machine, eventOf(type, planned(machine), ready));
            expectSteady(before, machine, type, ready);
            // What a controller does next, after a crash as well: it looks.
            machine = reduce(machine, { type: "observe", ready });
            const { state } = machine;
            seen.add("phase" in state ? `${state.name} ${state.phase}` : state.name);
            expectSound(machine, ready);
          }
          // Left alone with healthy slots, or with broken ones, every run ends at rest, and the next finish ends idle.
          for (const ready of [BOTH, { blue: false, green: false }]) {
            let last = machine;
            for (let turn = 0; turn < 60 && last.state.name !== "idle"; turn += 1) {
              const stopped = last.hooks?.some(({ end }) => end?.outcome === "failed") === true;
              last = ran(last, "passed");
              const stuck = (!ready.blue && last.state.name === "ready") || (stopped && last.state.name === "hooks");
              const { pause, state } = last;
              const asked = pause !== undefined ? "continue" : state.name === "approve" ? "promote" : undefined;
              const type = state.name === "standby" ? "finish" : stuck ? "fail" : (asked ?? "done");
              last = reduce(last, eventOf(type, planned(last), ready));
            }
            expect(last.state.name).toBe("idle");
            expect([last.plan, last.pause]).toEqual([undefined, undefined]);
          }
        },
      ),
      { numRuns: 3000 },
    );
    // The property means something only if the runs reach every state.
    expect([...seen].sort()).toEqual(
      [
        ...["approve", "bake", "deploy", "drain", "idle", "migrate", "prepare", "ready", "shift", "smoke", "standby"],
        ...["hooks after", "hooks before", "hooks complete"],
        ...["retire stop", "retire wait", "rollback drain", "rollback flip", "rollback revive"],
      ].sort(),
    );
  });
});

/** Invariants of a machine with this readiness of its slots. */
function expectSound(machine: Machine, ready: Readiness): void {
  const weights = weightsOf(machine, ready);
  const { plan, state } = machine;
  // Only the route of an evicted slot can say that its slot is empty, and no user is there.
  for (const slot of [...machine.emptied, ...emptySlots(machine)]) {
    expect(machine.evicted, state.name).toContain(slot);
    expect(weights[slot], state.name).toBe(0);
  }
  expect(weights.blue + weights.green).toBe(100);
  expect(SLOTS.every((slot) => Number.isInteger(weights[slot]) && weights[slot] >= 0)).toBe(true);
  // The slot with the users is not evicted. A candidate may get them before its first step if the stable slot is down.
  const lost = state.name === "approve" || (state.name === "rollback" && state.phase === "revive");
  for (const slot of machine.evicted) if (!lost) expect(weights[slot], state.name).toBe(0);
  for (const slot of machine.evicted)
    expect(evictedSlots(machine, weights).includes(slot), state.name).toBe(weights[slot] === 0);
  expect(machine.pause === undefined || plan !== undefined).toBe(true);
  if (plan === undefined) {
    expect(weights[machine.active]).toBe(100);
    return;
  }
  const { candidate, stable } = plan;
  const done = state.name === "standby" || state.name === "retire";
  if (weights[candidate] > 0 && !done) {
    expect(ready[candidate] || !ready[stable], `${state.name}: users on a candidate that is not ready`).toBe(true);
  }
  const closed = (state.name === "approve" || state.name === "hooks") && state.step < 0;
  const flipping = state.name === "rollback" && state.phase !== "revive";
  if (weights[stable] > 0 && ["shift", "approve", "hooks", "rollback"].includes(state.name)) {
    expect(ready[stable] || !ready[candidate] || flipping || closed, `${state.name}: users on a dead stable slot`).toBe(
      true,
    );
  }
  const mayHaveUsers = ["shift", "approve", "hooks", "bake", "standby", "retire", "rollback"].includes(state.name);
  expect(weights[candidate] === 0 || mayHaveUsers, state.name).toBe(true);
}

/** What must hold between two machines. */
function expectSteady(before: Machine, after: Machine, type: string, ready: Readiness): void {
  const candidate = before.plan?.candidate;
  if (candidate === undefined || after.plan?.candidate !== candidate) return;
  const { state } = after;
  const all = state !== before.state && state.name === "shift" && after.plan.steps[state.step] === 100;
  if (after.plan.approval && all && type !== "crash")
    expect(["promote", "full"], "all users without an approval").toContain(type);
  const [was, is] = [weightsOf(before, ready)[candidate], weightsOf(after, ready)[candidate]];
  if (is <= was) return;
  expect(ready[candidate], `${type} gave users to a candidate that is not ready`).toBe(true);
  expect(["done", "promote", "full"]).toContain(type);
  if (type === "done") expect(before.pause, "more users in a pause").toBeUndefined();
}
