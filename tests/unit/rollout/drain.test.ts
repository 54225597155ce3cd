import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { awaitDrained } from "../../../operations/rollout/controller/drain.ts";
import type { StepResult } from "../../../operations/rollout/controller/step-result.ts";
import { StateRun } from "../../../operations/rollout/controller/state-run.ts";
import { RolloutStore } from "../../../operations/rollout/controller/store.ts";
import { handleState } from "../../../operations/rollout/controller/state-handlers.ts";
import { TWO_STEPS } from "./plans.ts";
import { Process, World } from "./world.ts";

/** Prometheus' answers about blue's MCP sessions, in order; the last one is repeated. Empty: it has no sample. */
let sessions: number[] = [];
let prometheus: Server;
let prometheusUrl: string;
beforeAll(async () => {
  prometheus = createServer((_, response) => {
    const [count] = sessions;
    if (sessions.length > 1) sessions.shift();
    const metric = { slot: "blue", metric: "mcpSessions" };
    const result = count === undefined ? [] : [{ metric, value: [0, String(count)] }];
    response.end(JSON.stringify({ status: "success", data: { resultType: "vector", result } }));
  }).listen(0, "127.0.0.1");
  await once(prometheus, "listening");
  prometheusUrl = `http://127.0.0.1:${String((prometheus.address() as AddressInfo).port)}`;
});
afterAll(() => {
  prometheus.closeAllConnections();
  prometheus.close();
});

let world: World;
let store: RolloutStore;
beforeEach(async () => {
  world = new World();
  store = await RolloutStore.open(world.context(new Process("ann@host"), prometheusUrl, handleState), "cutover");
  await store.dispatch({ type: "start", plan: TWO_STEPS });
  while (store.machine.state.name !== "standby") await store.dispatch({ type: "done" });
  await store.reconcile();
  world.slots.blue.open = 0;
});

/** The progress of the wait, and its result. */
async function quiet(drainSeconds: number): Promise<{ readonly said: readonly string[]; readonly end: StepResult }> {
  const wait = awaitDrained(new StateRun(store), "blue", drainSeconds);
  const said: string[] = [];
  for (;;) {
    const { done, value } = await wait.next();
    if (done === true) return { said, end: value };
    if (value.type === "step") said.push(value.detail ?? "");
  }
}

describe("the wait for the connections of a slot without users", () => {
  it("lasts while there are MCP sessions without open connections", async () => {
    sessions = [2, 1, 0];
    const { said, end } = await quiet(60);
    expect(said.map((text) => text.split(" on ")[0])).toEqual(["2 MCP sessions", "1 MCP sessions"]);
    expect(end).toEqual({ outcome: "done", detail: "no open connections on blue" });
  });

  it("ends at its deadline and reports the rest", async () => {
    sessions = [3];
    world.slots.blue.open = 10_000;
    const { end } = await quiet(0);
    expect(end).toMatchObject({
      detail: expect.stringMatching(/^\d+ open connections and 3 MCP sessions on blue at the deadline$/) as string,
    });
  });

  it("waits until the deadline if the number of sessions is unknown", async () => {
    sessions = [];
    const { end } = await quiet(0.1);
    expect(end).toMatchObject({
      detail: "an unknown number of MCP sessions on blue at the deadline",
    });
  });

  it("does not wait for testers' sessions on a slot that had no users", async () => {
    sessions = [3];
    const fresh = new World();
    fresh.slots.blue.open = 0;
    store = await RolloutStore.open(fresh.context(new Process("ann@host"), prometheusUrl, handleState), "cutover");
    expect((await quiet(60)).end).toMatchObject({ detail: "no open connections on blue" });
  });

  it("does not wait for sessions of a slot without a server", async () => {
    sessions = [];
    world.slots.blue.running = false;
    expect((await quiet(60)).end).toMatchObject({ detail: "no open connections on blue" });
  });
});
