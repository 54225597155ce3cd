import { once } from "node:events";
import { Agent, get } from "node:http";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { CallToolResult } from "@modelcontextprotocol/sdk/types.js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CLOSE_SERVICE_RESTART, SERVER_PATHS } from "../../../contract/server.ts";
import { connected, openWebSocket, Servers, until } from "./harness.ts";

const servers = new Servers();
beforeAll(async () => {
  await servers.prepare();
});
afterAll(() => {
  servers.stop();
});

const GRACE = { EXAI_GRACE_SECONDS: "3", EXAI_LAME_DUCK_SECONDS: "0.5" };

test("an idle server leaves as soon as its lame-duck delay is over", async () => {
  const server = await servers.start({ ...GRACE, EXAI_GRACE_SECONDS: "30" });
  const started = performance.now();
  server.process.kill("SIGTERM");
  expect(await server.exited).toBe(0);
  expect(performance.now() - started).toBeGreaterThanOrEqual(450);
  expect(performance.now() - started).toBeLessThan(10_000);
});

test("first it is unready, but serves; then it takes nothing any more", async () => {
  const server = await servers.start({ EXAI_LAME_DUCK_SECONDS: "2", EXAI_GRACE_SECONDS: "30" });
  // Keeps the server alive beyond the delay, so that the second phase can be seen.
  const socket = await connected(server.webSocketUrl);
  server.process.kill("SIGTERM");
  await until("unready", async () => (await fetch(server.url + SERVER_PATHS.ready)).status === 503, 1.5);
  const response = await fetch(server.url + SERVER_PATHS.health);
  expect(response.status).toBe(200);
  expect(response.headers.get("connection")).toBe("close");
  await until("no listener", () =>
    fetch(server.url).then(
      () => false,
      () => true,
    ),
  );
  await expect(openWebSocket(server.webSocketUrl)).rejects.toThrow("ECONNREFUSED");
  socket.close();
  expect(await server.exited).toBe(0);
});

test("WebSockets are closed with 1012, spread over the grace, and the server ends with the last", async () => {
  const server = await servers.start({ ...GRACE, EXAI_GRACE_SECONDS: "6" });
  const sockets = await Promise.all(Array.from({ length: 40 }, () => connected(server.webSocketUrl)));
  const started = performance.now();
  const closes = sockets.map(async (socket) => {
    const [code] = (await once(socket, "close")) as [number];
    return { code, at: performance.now() - started };
  });
  server.process.kill("SIGTERM");
  const closed = await Promise.all(closes);
  expect(new Set(closed.map(({ code }) => code))).toEqual(new Set([CLOSE_SERVICE_RESTART]));
  // The window is 0.5 s to 4.9 s after the signal; of 40 sockets about 20 stand in each half of it.
  const early = closed.filter(({ at }) => at < 2700).length;
  expect(early).toBeGreaterThan(5);
  expect(early).toBeLessThan(30);
  expect(Math.min(...closed.map(({ at }) => at))).toBeGreaterThanOrEqual(450);
  expect(await server.exited).toBe(0);
  expect(server.output()).not.toContain("connections were cut");
});

test("a WebSocket that does not say goodbye is cut when the grace is over", async () => {
  const server = await servers.start({ EXAI_GRACE_SECONDS: "1", EXAI_LAME_DUCK_SECONDS: "0" });
  const socket = await connected(server.webSocketUrl);
  socket.pause();
  const started = performance.now();
  server.process.kill("SIGTERM");
  expect(await server.exited).toBe(0);
  expect(performance.now() - started).toBeGreaterThanOrEqual(950);
  expect(performance.now() - started).toBeLessThan(10_000);
  expect(server.output()).toContain('"cutWebSockets":1');
  socket.terminate();
});

test("a tool call in flight is finished, while event streams end", async () => {
  const server = await servers.start(GRACE);
  const client = new Client({ name: "test", version: "1" });
  const transport = new StreamableHTTPClientTransport(new URL(SERVER_PATHS.mcp, server.url));
  await client.connect(transport);
  const call = client.callTool({ name: "echo", arguments: { text: "finished", delay_seconds: 1.5 } });
  await sleep(200);
  server.process.kill("SIGTERM");
  const { content } = (await call) as CallToolResult;
  expect(content).toEqual([{ type: "text", text: "finished" }]);
  expect(await server.exited).toBe(0);
  expect(server.output()).not.toContain("connections were cut");
  await client.close();
});

test("a kept connection does not hold the server up", async () => {
  const server = await servers.start({ ...GRACE, EXAI_GRACE_SECONDS: "30" });
  const agent = new Agent({ keepAlive: true });
  const request = get(server.url + SERVER_PATHS.health, { agent });
  const [response] = (await once(request, "response")) as [NodeJS.ReadableStream];
  response.resume();
  await once(response, "end");
  const started = performance.now();
  server.process.kill("SIGTERM");
  expect(await server.exited).toBe(0);
  expect(performance.now() - started).toBeLessThan(10_000);
  agent.destroy();
});

test("a request whose head is not complete is cut at the end of the grace, not before", async () => {
  const server = await servers.start({ EXAI_GRACE_SECONDS: "1", EXAI_LAME_DUCK_SECONDS: "0" });
  const socket = connect(Number(new URL(server.url).port), "127.0.0.1");
  await once(socket, "connect");
  socket.write("POST /mcp HTTP/1.1\r\n");
  await sleep(100);
  server.process.kill("SIGTERM");
  expect(await server.exited).toBe(0);
  socket.destroy();
});

test("the second signal ends it at once", async () => {
  const server = await servers.start({ EXAI_GRACE_SECONDS: "30", EXAI_LAME_DUCK_SECONDS: "20" });
  server.process.kill("SIGTERM");
  await until("draining", () => Promise.resolve(server.output().includes('"draining"')));
  const started = performance.now();
  server.process.kill("SIGTERM");
  expect(await server.exited).toBe(143);
  expect(performance.now() - started).toBeLessThan(10_000);
});
