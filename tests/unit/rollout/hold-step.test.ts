import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { WebSocketServer } from "ws";
import { ENVOY_METRICS, LATENCY_BUCKETS_MILLISECONDS } from "../../../contract/envoy/metrics.ts";
import { HEADERS } from "../../../contract/server.ts";
import { drive } from "../../../operations/rollout/controller/controller.ts";
import { handleState } from "../../../operations/rollout/controller/state-handlers.ts";
import { RolloutStore } from "../../../operations/rollout/controller/store.ts";
import type { StateHandler } from "../../../operations/rollout/controller/step-result.ts";
import { CONTROL_PER_SECOND } from "../../../operations/rollout/gates/probe-rate.ts";
import { DEFAULT_GATES } from "../../../operations/rollout/gates/settings.ts";
import { slotOf } from "../../support/rollout/access.ts";
import { runOperation } from "../../support/verbs.ts";
import { passes, rolloutPlan } from "./plans.ts";
import { Process, World } from "./world.ts";

/** Seconds in which the gates must pass. */
const DEADLINE = 4;

/** Requests of the candidate in a tenth of a second. One in twenty is slow: exactly what p95 allows, so no number decides. */
const REQUESTS = 60;

const began = Date.now() / 1000;
/** When the candidate was probed, in seconds since the test began. */
const probedAt: number[] = [];
let prometheus: Server;
let router: Server;

async function listening(answer: RequestListener): Promise<Server> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}
const portOf = (server: Server) => String((server.address() as AddressInfo).port);

beforeAll(async () => {
  prometheus = await listening((request, response) => {
    const now = Date.now() / 1000;
    const query = new URL(request.url ?? "", "http://prometheus").searchParams.get("query");
    const scalar = { resultType: "scalar", result: [now, String(now)] };
    const data = query === "time()" ? scalar : { resultType: "matrix", result: candidateSeries(now) };
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ status: "success", data }));
  });
  router = await listening((request, response) => {
    const slot = slotOf(request.headers);
    if (slot === "green") probedAt.push(Date.now() / 1000 - began);
    response.setHeader(HEADERS.servedBy, slot);
    response.end("{}");
  });
  const webSockets = new WebSocketServer({ server: router });
  webSockets.on("connection", (socket) => {
    socket.on("message", (message) => {
      socket.send(message as Buffer);
    });
  });
});
afterAll(() => {
  for (const server of [prometheus, router]) {
    server.closeAllConnections();
    server.close();
  }
});

/** The candidate's requests since the test began, scraped ten times a second. */
function candidateSeries(now: number) {
  const scrapes = Array.from({ length: Math.floor((now - began) * 10) }, (_, index) => index);
  const series = (name: string, perScrape: number, labels: Record<string, string> = {}) => ({
    metric: { __name__: name, job: "router", instance: "router:9901", slot: "green", kind: "plain", ...labels },
    values: scrapes.map((index) => [began + index / 10, String(index * perScrape)]),
  });
  return [
    series(ENVOY_METRICS.requestsTotal, REQUESTS),
    series(ENVOY_METRICS.requests, REQUESTS, { envoy_response_code_class: "2" }),
    ...[...LATENCY_BUCKETS_MILLISECONDS, Infinity].map((bound) => {
      const within = bound < DEFAULT_GATES.p99Milliseconds ? (REQUESTS * 19) / 20 : REQUESTS;
      return series(`${ENVOY_METRICS.requestTime}_bucket`, within, { le: bound === Infinity ? "+Inf" : String(bound) });
    }),
  ];
}

it("a step that samples do not decide is probed until its deadline, which names the gate that holds", async () => {
  const world = new World();
  const handler: StateHandler = (run, state, plan) => (state.name === "bake" ? handleState : passes)(run, state, plan);
  const context = {
    ...world.context(new Process("ann@host"), `http://127.0.0.1:${portOf(prometheus)}`, handler),
    routerUrl: `http://127.0.0.1:${portOf(router)}`,
    webSocketUrl: `ws://127.0.0.1:${portOf(router)}`,
    gates: {
      ...DEFAULT_GATES,
      ...{ noDataSeconds: DEADLINE, checkSeconds: 0.2, memoryGrowth: 0 },
      ...{ minimumRoundTrips: 1, webSocketMilliseconds: 10_000, p99Milliseconds: 10_000 },
    },
    sleep: async (milliseconds: number, signal: AbortSignal) => {
      await sleep(Math.min(milliseconds, 50), undefined, { signal });
    },
  };
  const store = await RolloutStore.open(context, "cutover");
  await store.dispatch({ type: "start", plan: rolloutPlan({ steps: [100], bakeSeconds: 0, drainSeconds: 0 }) });
  await runOperation(drive(store));
  await store.close();

  expect(store.machine.ending).toMatchObject({
    ...{ outcome: "rolled-back", automatic: true, from: "bake" },
    failure: { code: "gates-timeout", seconds: DEADLINE, verdicts: [{ gate: "p95", why: "not-proven" }] },
  });
  const last = probedAt.at(-1) ?? 0;
  expect(last - (probedAt[0] ?? 0)).toBeGreaterThan(DEADLINE - 1);
  const inLastSecond = probedAt.filter((at) => at > last - 1).length;
  expect(inLastSecond).toBeGreaterThan(2 * CONTROL_PER_SECOND);
  expect(world.broken).toEqual([]);
});
