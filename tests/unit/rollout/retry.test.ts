import { describe, expect, it } from "vitest";
import { controlRequest } from "../../../operations/rollout/ports/control.ts";
import type { RolloutContext } from "../../../operations/rollout/ports/context.ts";
import { drive } from "../../../operations/rollout/controller/controller.ts";
import { answerRequest } from "../../../operations/rollout/controller/requests.ts";
import { RolloutStore } from "../../../operations/rollout/controller/store.ts";
import { rolloutResult } from "../../../operations/rollout/model/result.ts";
import { handleState } from "../../../operations/rollout/controller/state-handlers.ts";
import type { StateHandler, StepResult } from "../../../operations/rollout/controller/step-result.ts";
import { rolloutExit } from "../../../cli/exit-codes.ts";
import { runVerb } from "../../support/verbs.ts";
import { advance, passes, TWO_STEPS } from "./plans.ts";
import { Process, World } from "./world.ts";
import type { JournalWriter } from "../../../operations/rollout/ports/journal.ts";
import { abort, rollback } from "../../support/rollout/verbs.ts";

/** Attempts that fail before one succeeds; each failure decrements it. */
interface Outage {
  left: number;
}

const failing =
  (outage: Outage) =>
  async <T>(act: () => Promise<T>): Promise<T> => {
    if (outage.left === 0) return act();
    outage.left -= 1;
    throw new Error("the connection breaks off");
  };

/** A cutover of {@link TWO_STEPS} with the given result of its gates; `outage` begins with the first step. */
async function cutoverWith(wanted: {
  readonly gates?: StepResult;
  readonly failing: "router" | "journal";
  readonly times: number;
}): Promise<{ world: World; run: Promise<{ code: number; notes: string[] }>; outage: Outage }> {
  const world = new World();
  const outage: Outage = { left: 0 };
  const fails = failing(outage);
  const work: StateHandler = async function* (_, state) {
    await Promise.resolve();
    if (state.name === "shift") outage.left = wanted.times;
    return (state.name === "shift" ? wanted.gates : undefined) ?? { outcome: "done", detail: "" };
  };
  const plain = world.context(new Process("ann@host"), "http://127.0.0.1:9", work);
  const context: RolloutContext =
    wanted.failing === "router"
      ? { ...plain, traffic: { ...plain.traffic, readiness: () => fails(() => plain.traffic.readiness()) } }
      : {
          ...plain,
          journal: {
            ...plain.journal,
            open: async (lease): Promise<JournalWriter> => {
              const writer = await plain.journal.open(lease);
              return { write: (journal) => fails(() => writer.write(journal)) };
            },
          },
        };
  const store = await RolloutStore.open(context, "cutover");
  await store.dispatch({ type: "start", plan: TWO_STEPS });
  const verb = async function* () {
    yield* drive(store);
    return rolloutExit(rolloutResult(store, TWO_STEPS));
  };
  const run = runVerb(verb()).then(({ code, events }) => ({
    code,
    notes: events.flatMap((event) => (event.type === "note" ? [event.message] : [])),
  }));
  return { world, run, outage };
}

describe("between two states", () => {
  it("a router without answers for a while does not prevent the next state", async () => {
    const { world, run } = await cutoverWith({ failing: "router", times: 8 });
    const { code, notes } = await run;
    expect(code).toBe(0);
    expect(notes).toContain("the connection breaks off; trying again");
    expect(world.table.weights).toEqual({ blue: 0, green: 100 });
    expect(world.broken).toEqual([]);
  });

  it("a journal that cannot be written for a while does not prevent a rollback", async () => {
    const gates: StepResult = { outcome: "fail", failure: { code: "error", message: "too many errors" } };
    const { world, run } = await cutoverWith({ gates, failing: "journal", times: 8 });
    expect((await run).code).toBe(1);
    expect(world.journal?.machine).toMatchObject({ active: "blue", ending: { outcome: "rolled-back" } });
    expect(world.table.weights).toEqual({ blue: 100, green: 0 });
    expect(world.broken).toEqual([]);
  });

  it("a permanent error ends the controller, and the rollout can be aborted later", async () => {
    const { world, run, outage } = await cutoverWith({ failing: "journal", times: Infinity });
    await expect(run).rejects.toThrow("the connection breaks off");
    expect(world.journal?.machine.state).toEqual({ name: "shift", step: 0 });
    outage.left = 0;
    const again = world.context(new Process("bob@host"), "http://127.0.0.1:9", passes);
    expect((await runVerb(abort(again, {}))).code).toBe(0);
    expect(world.table.weights).toEqual({ blue: 100, green: 0 });
  });
});

describe("a request during an outage", () => {
  async function leader(times: number) {
    const world = new World();
    const outage: Outage = { left: 0 };
    const fails = failing(outage);
    const context = world.context(new Process("ann@host"), "http://127.0.0.1:9", passes);
    const journal: RolloutContext["journal"] = {
      ...context.journal,
      open: async (lease) => {
        const writer = await context.journal.open(lease);
        return { write: (next) => fails(() => writer.write(next)) };
      },
    };
    const store = await RolloutStore.open({ ...context, journal }, "cutover");
    await store.dispatch({ type: "start", plan: TWO_STEPS });
    outage.left = times;
    return { world, store };
  }

  it("is carried out if the outage is short", async () => {
    const { store } = await leader(3);
    const request = controlRequest({ action: "pause" }, TWO_STEPS.id, "bob@host", "wait");
    expect(await answerRequest(store, request)).toMatchObject({ accepted: true });
    expect(store.machine.pause?.by).toBe("bob@host");
  });

  it("is refused with the error, and the leader continues", async () => {
    const { store } = await leader(Infinity);
    const request = controlRequest({ action: "pause" }, TWO_STEPS.id, "bob@host", "wait");
    expect(await answerRequest(store, request)).toMatchObject({
      accepted: false,
      problem: "failed: the connection breaks off",
    });
    expect(store.machine.pause).toBeUndefined();
  });

  it("gets no answer if it is a rollback: the requesting process rolls back instead", async () => {
    const { store } = await leader(Infinity);
    const request = controlRequest({ action: "rollback", evict: true }, TWO_STEPS.id, "bob@host", "bad");
    expect(await answerRequest(store, request)).toBeUndefined();
  });
});

describe("a rollback to a release that is gone", () => {
  it("leaves the users on their slot if its image is missing, and another release can follow", async () => {
    const world = new World();
    const context = world.context(new Process("ann@host"), "http://127.0.0.1:9", passes);
    const store = await RolloutStore.open(context, "cutover");
    await advance(store, TWO_STEPS, "standby");
    await store.close();
    world.slots.blue.running = false;
    const deployer = { ...context.deployer, deploy: () => Promise.reject(new Error("one: no such image")) };
    const { code, events } = await runVerb(rollback({ ...context, deployer, handler: handleState }, {}));
    expect(code).toBe(1);
    expect(events.at(-1)).toMatchObject({ data: { outcome: "kept", active: "green" } });
    expect(JSON.stringify(events)).toContain("one: no such image");
    expect(world.table.weights).toEqual({ blue: 0, green: 100 });
    expect(world.journal?.machine.state).toEqual({ name: "idle" });
    const next = await RolloutStore.open(context, "cutover");
    expect(await next.dispatch({ type: "start", plan: { ...TWO_STEPS, stable: "green", candidate: "blue" } })).toBe(
      true,
    );
    expect(world.broken).toEqual([]);
  });
});
