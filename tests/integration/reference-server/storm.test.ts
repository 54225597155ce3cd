import { afterAll, beforeAll, expect, test } from "vitest";
import { SERVER_PATHS } from "../../../contract/server.ts";
import { storm } from "../../support/load/storm.ts";
import { connected, Servers, until } from "./harness.ts";

const USERS = 200;
const servers = new Servers();
beforeAll(async () => {
  await servers.prepare();
});
afterAll(() => {
  servers.stop();
});

test("each new dashboard costs one message, however many are open", async () => {
  const server = await servers.start();
  let messages = 0;
  const began = performance.now();
  const dashboards = await Promise.all(
    Array.from({ length: USERS }, async () => {
      const socket = await connected(server.url.replace("http", "ws") + SERVER_PATHS.dashboardWebSocket);
      socket.on("message", () => (messages += 1));
      return socket;
    }),
  );
  await until("the first figures of all", () => Promise.resolve(messages >= USERS));
  // And one message each for every two seconds in between.
  const pushes = Math.ceil((performance.now() - began) / 2000);
  expect(messages).toBeLessThanOrEqual(USERS * (1 + pushes));
  for (const dashboard of dashboards) dashboard.terminate();
});

test("a server that is slow for each connection answers all of a storm, late", async () => {
  const server = await servers.start({ EXAI_FAULTS: "connection-cpu=2ms" });
  const { hostname: host, port } = new URL(server.url);
  const users = await storm({
    ...{ host, port: Number(port), users: USERS, patienceSeconds: 60 },
    ...{ webSocketPath: SERVER_PATHS.dashboardWebSocket, path: SERVER_PATHS.health },
  });
  users.end();
  const { webSockets, requests } = users;
  expect({ ...webSockets.lost, ...requests.lost }).toEqual({});
  expect(webSockets.answered + requests.answered).toBe(2 * USERS);
  // Two milliseconds of CPU for each of the connections.
  expect(Math.max(...webSockets.seconds, ...requests.seconds)).toBeGreaterThan(2 * 2 * USERS * 0.5e-3);
});
