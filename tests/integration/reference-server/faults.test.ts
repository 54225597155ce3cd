import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SERVER_METRICS, SERVER_PATHS } from "../../../contract/server.ts";
import { connected, exchange, openWebSocket, sample, Servers, until, type TestServer } from "./harness.ts";

const servers = new Servers();
beforeAll(async () => {
  await servers.prepare();
});
afterAll(() => {
  servers.stop();
});

async function statuses(server: TestServer, path: string, count: number, method = "GET"): Promise<number[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const response = await fetch(server.url + path, { method });
      await response.text();
      return response.status;
    }),
  );
}
const failures = (all: readonly number[]) => all.filter((status) => status === 500).length;

test("errors: about the share of user requests fails, probes and metrics never do", async () => {
  const server = await servers.start({ EXAI_FAULTS: "errors=0.2" });
  for (const path of [SERVER_PATHS.dashboard, SERVER_PATHS.apiMetrics]) {
    // 500 requests at 20 %: 100 failures, standard deviation 9; the bounds are five of them away.
    const failed = failures(await statuses(server, path, 500));
    expect(failed, path).toBeGreaterThan(55);
    expect(failed, path).toBeLessThan(145);
  }
  expect(failures(await statuses(server, SERVER_PATHS.mcp, 100, "POST"))).toBeGreaterThan(0);
  for (const path of [SERVER_PATHS.health, SERVER_PATHS.ready, SERVER_PATHS.metrics])
    expect(failures(await statuses(server, path, 100)), path).toBe(0);
  const series = `${SERVER_METRICS.requests}{method="GET",route="/",status="500"}`;
  expect(await sample(server, series)).toBeGreaterThan(55);
});

test("latency: the share of requests takes the time, the others do not", async () => {
  const server = await servers.start({ EXAI_FAULTS: "latency=400ms@0.3" });
  const times = await Promise.all(
    Array.from({ length: 200 }, async () => {
      const started = performance.now();
      await (await fetch(server.url)).text();
      return performance.now() - started;
    }),
  );
  const slow = times.filter((time) => time >= 395).length;
  expect(slow).toBeGreaterThan(25);
  expect(slow).toBeLessThan(110);
  const started = performance.now();
  expect((await fetch(server.url + SERVER_PATHS.health)).status).toBe(200);
  expect(performance.now() - started).toBeLessThan(300);
});

test("ws-latency: messages come late, and the measured round trip shows it", async () => {
  const server = await servers.start({ EXAI_FAULTS: "ws-latency=300ms" });
  const socket = await connected(server.webSocketUrl);
  const started = performance.now();
  expect(await exchange(socket, { id: 1 })).toMatchObject({ id: 1 });
  expect(performance.now() - started).toBeGreaterThanOrEqual(295);
  const bucket = (bound: string) => sample(server, `${SERVER_METRICS.webSocketLatency}_bucket{le="${bound}"}`);
  await until("the first ping", async () => (await bucket("+Inf")) === 1);
  expect(await bucket("0.25")).toBe(0);
  socket.close();
});

test("ws-reject: about the share of WebSockets is refused", async () => {
  const server = await servers.start({ EXAI_FAULTS: "ws-reject=0.5" });
  const opened = await Promise.all(Array.from({ length: 100 }, () => openWebSocket(server.webSocketUrl)));
  const refused = opened.filter((one) => "status" in one && one.status === 503).length;
  expect(refused).toBeGreaterThan(25);
  expect(refused).toBeLessThan(75);
  for (const one of opened) if ("socket" in one) one.socket.terminate();
});

test("never-ready: alive and serving, but never ready", async () => {
  const server = await servers.start({ EXAI_FAULTS: "never-ready" });
  await sleep(500);
  expect((await fetch(server.url + SERVER_PATHS.ready)).status).toBe(503);
  expect((await fetch(server.url + SERVER_PATHS.health)).status).toBe(200);
});

test("ready-after: unready first, then ready", async () => {
  const server = await servers.start({ EXAI_FAULTS: "ready-after=1s" });
  const ready = async () => (await fetch(server.url + SERVER_PATHS.ready)).status === 200;
  expect(await ready()).toBe(false);
  await sleep(400);
  expect(await ready()).toBe(false);
  await until("ready", ready, 3);
});

test("crash-after: ends with code 1, without taking leave", async () => {
  const server = await servers.start({ EXAI_FAULTS: "crash-after=1s" });
  const started = performance.now();
  expect(await server.exited).toBe(1);
  expect(performance.now() - started).toBeLessThan(2000);
});

test("leak: memory grows at about the rate", async () => {
  const server = await servers.start({ EXAI_FAULTS: "leak=50MB/s" });
  const memory = async () => (await sample(server, "process_resident_memory_bytes")) ?? 0;
  const before = await memory();
  await sleep(2000);
  const grown = (await memory()) - before;
  expect(grown).toBeGreaterThan(60e6);
  expect(grown).toBeLessThan(160e6);
});
