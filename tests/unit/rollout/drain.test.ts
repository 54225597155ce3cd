import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { awaitQuiet } from "../../../operations/rollout/controller/drain.ts";
import type { Work } from "../../../operations/rollout/controller/step-result.ts";
import { RolloutSession } from "../../../operations/rollout/controller/store.ts";
import { stateWork } from "../../../operations/rollout/controller/state-handlers.ts";
import { TWO_STEPS } from "./plans.ts";
import { Process, World } from "./world.ts";

/** What Prometheus says of blue's MCP sessions, one look after the other; the last answer stays. Empty: it knows nothing. */
let sessions: number[] = [];
let prometheus: Server;
let prometheusUrl: string;
beforeAll(async () => {
  prometheus = createServer((_, response) => {
    const [count] = sessions;
    if (sessions.length > 1) sessions.shift();
    const metric = { slot: "blue", figure: "mcpSessions" };
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
let session: RolloutSession;
beforeEach(async () => {
  world = new World();
  session = await RolloutSession.open(world.context(new Process("ann@host"), prometheusUrl, stateWork), "cutover");
  await session.happened({ type: "start", plan: TWO_STEPS });
  while (session.machine.state.name !== "standby") await session.happened({ type: "done" });
  await session.enforce();
  world.slots.blue.open = 0;
});

/** What the wait said, and how it ended. */
async function quiet(drainSeconds: number): Promise<{ readonly said: readonly string[]; readonly end: Work }> {
  const wait = awaitQuiet(session, "blue", drainSeconds);
  const said: string[] = [];
  for (;;) {
    const { done, value } = await wait.next();
    if (done === true) return { said, end: value };
    if (value.type === "step") said.push(value.detail ?? "");
  }
}

describe("the wait for a slot without users", () => {
  it("lasts while an MCP session is left, though no connection is open", async () => {
    sessions = [2, 1, 0];
    const { said, end } = await quiet(60);
    expect(said.map((text) => text.split(" on ")[0])).toEqual(["2 MCP sessions are left", "1 MCP sessions are left"]);
    expect(end).toEqual({ outcome: "done", detail: "nothing is open on blue" });
  });

  it("ends at its deadline, and says what is left", async () => {
    sessions = [3];
    world.slots.blue.open = 10_000;
    const { end } = await quiet(0);
    expect(end).toMatchObject({
      detail: expect.stringMatching(
        /^\d+ connections are open and 3 MCP sessions are left on blue, whose time is over$/,
      ) as string,
    });
  });

  it("takes sessions that nobody counts for ones that may be there", async () => {
    sessions = [];
    const { end } = await quiet(0.1);
    expect(end).toMatchObject({
      detail: "Prometheus does not say how many MCP sessions are left on blue, whose time is over",
    });
  });

  it("does not wait for sessions of testers, where no user has been", async () => {
    sessions = [3];
    const fresh = new World();
    fresh.slots.blue.open = 0;
    session = await RolloutSession.open(fresh.context(new Process("ann@host"), prometheusUrl, stateWork), "cutover");
    expect((await quiet(60)).end).toMatchObject({ detail: "nothing is open on blue" });
  });

  it("does not wait for sessions of a slot that answers nobody", async () => {
    sessions = [];
    world.slots.blue.running = false;
    expect((await quiet(60)).end).toMatchObject({ detail: "nothing is open on blue" });
  });
});
