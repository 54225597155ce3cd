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
  const server = await servers.start({ EXAI_FAULTS: "latency=1500ms@0.3" });
  const time = async (path: string) => {
    const started = performance.now();
    await (await fetch(server.url + path)).text();
    return performance.now() - started;
  };
  const times: number[] = [];
  // A few at a time: on a busy machine a burst would wait for itself and look slow.
  for (let round = 0; round < 5; round++)
    times.push(...(await Promise.all(Array.from({ length: 20 }, () => time(SERVER_PATHS.dashboard)))));
  const slow = times.filter((milliseconds) => milliseconds >= 1490).length;
  // 100 requests at 30 %, standard deviation 4.6: four and a half of them to either side.
  expect(slow).toBeGreaterThan(9);
  expect(slow).toBeLessThan(51);
  for (let probe = 0; probe < 10; probe++) expect(await time(SERVER_PATHS.health)).toBeLessThan(1400);
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
  const server = await servers.start({ EXAI_FAULTS: "ready-after=3s" });
  const ready = async () => (await fetch(server.url + SERVER_PATHS.ready)).status === 200;
  expect(await ready()).toBe(false);
  await sleep(400);
  expect(await ready()).toBe(false);
  await until("ready", ready);
});

test("crash-after: ends with code 1, without taking leave", async () => {
  const server = await servers.start({ EXAI_FAULTS: "crash-after=3s" });
  expect(await server.exited).toBe(1);
  expect(server.output()).toContain("EXAI_FAULTS crashes this server");
  expect(server.output()).not.toContain("draining");
});

test("leak: memory grows at about the rate", async () => {
  const server = await servers.start({ EXAI_FAULTS: "leak=50MB/s" });
  const memory = async () => (await sample(server, "process_resident_memory_bytes")) ?? 0;
  const started = performance.now();
  const before = await memory();
  await sleep(2000);
  const rate = ((await memory()) - before) / ((performance.now() - started) / 1000);
  expect(rate).toBeGreaterThan(15e6);
  expect(rate).toBeLessThan(75e6);
});
