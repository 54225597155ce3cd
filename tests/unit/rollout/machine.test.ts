import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { COLOURS, otherColour } from "../../../contract/colours.ts";
import {
  atRest,
  evictionsOf,
  reduce,
  restingMachine,
  weightsOf,
  type Machine,
  type Readiness,
  type RolloutEvent,
} from "../../../operations/rollout/machine.ts";
import type { RolloutPlan } from "../../../operations/rollout/plan.ts";

const BOTH: Readiness = { blue: true, green: true };

function planFrom(machine: Machine, steps: readonly number[]): RolloutPlan {
  return {
    id: "r",
    stable: machine.active,
    candidate: otherColour(machine.active),
    image: "image",
    steps,
    holdSeconds: 0,
    bakeSeconds: 0,
    standbySeconds: 0,
    reason: "",
    by: "",
    startedAt: "",
  };
}

/** Applies events that all see both colours ready. */
function after(machine: Machine, ...types: ("start" | "done" | "finish" | "fail" | "rollback")[]): Machine {
  return types.reduce<Machine>((present, type) => {
    if (type === "start") return reduce(present, { type, plan: planFrom(present, [5, 100]), ready: BOTH });
    if (type === "fail") return reduce(present, { type, reason: "broken", ready: BOTH });
    if (type === "rollback") return reduce(present, { type, reason: "asked", evict: false, ready: BOTH });
    return reduce(present, { type, ready: BOTH });
  }, machine);
}

describe("the rollout's machine", () => {
  it("walks the whole way and ends with the candidate", () => {
    const names: string[] = [];
    let machine = after(restingMachine("blue"), "start");
    while (!atRest(machine)) {
      names.push(`${machine.state.name} ${String(weightsOf(machine, BOTH).green)}`);
      machine = after(machine, "done");
    }
    expect(names).toEqual([
      "prepare 0",
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

  it("sends the candidate's sessions away when a gate fails, and not before it had any", () => {
    const shifting = after(restingMachine("blue"), "start", "done", "done", "done", "done", "done");
    expect(shifting.state).toEqual({ name: "shift", step: 0 });
    const failed = after(shifting, "fail");
    expect(failed.state).toMatchObject({
      name: "rollback",
      phase: "flip",
      from: "shift",
      automatic: true,
      evict: true,
    });
    expect(evictionsOf(failed)).toEqual(["green"]);
    expect(weightsOf(failed, BOTH)).toEqual({ blue: 100, green: 0 });
    expect(after(restingMachine("blue"), "start", "done", "fail").state).toMatchObject({ evict: false });
  });

  it("lets the sessions be when a person takes it back without need", () => {
    const standby = after(
      restingMachine("blue"),
      "start",
      ..."prepare deploy ready smoke migrate five all bake".split(" ").map(() => "done" as const),
    );
    expect(standby.state.name).toBe("standby");
    expect(evictionsOf(after(standby, "rollback", "done"))).toEqual([]);
    const emergency = reduce(standby, { type: "rollback", reason: "", evict: true, ready: BOTH });
    expect(evictionsOf(after(emergency, "done"))).toEqual(["green"]);
  });

  it("tells the sessions of a slot that it is replaced, until the new container is ready", () => {
    const evictions: string[] = [];
    let machine = after(restingMachine("blue"), "start");
    while (machine.state.name !== "shift") {
      evictions.push(`${machine.state.name}: ${evictionsOf(machine).join()}`);
      machine = after(machine, "done");
    }
    expect(evictions).toEqual(["prepare: ", "deploy: green", "ready: green", "smoke: ", "migrate: "]);
    expect(evictionsOf(machine)).toEqual([]);
  });

  it("revives a stable colour that died before it gives it the users", () => {
    const baking = after(restingMachine("blue"), "start", "done", "done", "done", "done", "done", "done", "done");
    expect(baking.state.name).toBe("bake");
    const onlyGreen: Readiness = { blue: false, green: true };
    const reviving = reduce(baking, { type: "fail", reason: "slow", ready: onlyGreen });
    expect(reviving.state).toMatchObject({ phase: "revive" });
    expect(weightsOf(reviving, onlyGreen)).toEqual({ blue: 0, green: 100 });
    expect(evictionsOf(reviving)).toEqual([]);
    expect(weightsOf(after(reviving, "done"), BOTH)).toEqual({ blue: 100, green: 0 });
    const kept = reduce(reviving, { type: "fail", reason: "dead", ready: onlyGreen });
    expect(kept).toMatchObject({ state: { name: "idle" }, active: "green", ending: { outcome: "kept" } });
  });

  it("refuses to start while the colour with the users is not ready", () => {
    const idle = restingMachine("blue");
    const ready: Readiness = { blue: false, green: true };
    expect(reduce(idle, { type: "start", plan: planFrom(idle, [100]), ready })).toBe(idle);
  });

  const readiness = fc.record({ blue: fc.boolean(), green: fc.boolean() });
  const steps = fc
    .uniqueArray(fc.integer({ min: 1, max: 99 }), { maxLength: 4 })
    .map((values) => [...values.sort((a, b) => a - b), 100]);
  const happening = fc.oneof(
    { weight: 6, arbitrary: fc.constant("done" as const) },
    { weight: 1, arbitrary: fc.constantFrom("start", "observe", "fail", "rollback", "evict", "finish", "crash") },
  );
  const run = fc.array(fc.tuple(happening, fc.oneof({ weight: 4, arbitrary: fc.constant(BOTH) }, readiness)), {
    maxLength: 60,
  });

  function eventOf(type: string, machine: Machine, plan: readonly number[], ready: Readiness): RolloutEvent {
    switch (type) {
      case "start":
        return { type, plan: planFrom(machine, plan), ready };
      case "fail":
        return { type, reason: "broken", ready };
      case "rollback":
      case "evict":
        return { type: "rollback", reason: "asked", evict: type === "evict", ready };
      default:
        return { type: type as "done" | "observe" | "finish", ready };
    }
  }

  it("keeps its promises under any sequence of events, crashes and dying colours", () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(steps, run, (plan, events) => {
        let machine = reduce(restingMachine("blue"), {
          type: "start",
          plan: planFrom(restingMachine("blue"), plan),
          ready: BOTH,
        });
        for (const [type, ready] of events) {
          // A crash loses everything but the journal, which is JSON.
          machine =
            type === "crash"
              ? (JSON.parse(JSON.stringify(machine)) as Machine)
              : reduce(machine, eventOf(type, machine, plan, ready));
          // What a controller does next, after a crash as well: it looks.
          machine = reduce(machine, { type: "observe", ready });
          seen.add(machine.state.name);
          const weights = weightsOf(machine, ready);
          expect(weights.blue + weights.green).toBe(100);
          expect(COLOURS.every((colour) => Number.isInteger(weights[colour]) && weights[colour] >= 0)).toBe(true);
          const { plan: running, state } = machine;
          if (running === undefined) continue;
          const { candidate, stable } = running;
          if (weights[candidate] > 0 && state.name !== "standby") {
            expect(ready[candidate] || !ready[stable], `${state.name}: users on a candidate that is not ready`).toBe(
              true,
            );
          }
          if (weights[stable] > 0 && (state.name === "shift" || state.name === "rollback")) {
            expect(ready[stable] || !ready[candidate] || (state.name === "rollback" && state.phase === "flip")).toBe(
              true,
            );
          }
          expect(weights[candidate] === 0 || ["shift", "bake", "standby", "rollback"].includes(state.name)).toBe(true);
          // Sessions are sent away only when their users have somewhere to go.
          expect(evictionsOf(machine).every((colour) => weights[colour] === 0)).toBe(true);
        }
        // Left alone with healthy colours, or with broken ones, every run ends at rest, and the next finish ends idle.
        for (const ready of [BOTH, { blue: false, green: false }]) {
          let last = machine;
          for (let turn = 0; turn < 40 && last.state.name !== "idle"; turn += 1) {
            const stuck = !ready.blue && last.state.name === "ready";
            const type = last.state.name === "standby" ? "finish" : stuck ? "fail" : "done";
            last = reduce(last, eventOf(type, last, plan, ready));
          }
          expect(last.state.name).toBe("idle");
          expect(last.plan).toBeUndefined();
        }
      }),
      { numRuns: 2000 },
    );
    // The property means something only if the runs reach every state.
    expect([...seen].sort()).toEqual(
      ["bake", "deploy", "idle", "migrate", "prepare", "ready", "rollback", "shift", "smoke", "standby"].sort(),
    );
  });
});
