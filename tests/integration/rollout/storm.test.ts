import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SERVER_PATHS } from "../../../contract/server.ts";
import { buildReferenceServer } from "../../../operations/images/reference.ts";
import { storm, type Storm } from "../../support/load/storm.ts";
import { startRolloutStack, type RolloutStack } from "../../support/rollout/stack.ts";

/** More connections than Node's default backlog of 511, and several seconds of work for the server. */
const USERS = 400;

let stack: RolloutStack;
beforeAll(async () => {
  const image = "exai/reference-server:test-connection-cpu";
  await buildReferenceServer({ tag: image, faults: "connection-cpu=5ms" });
  stack = await startRolloutStack({ image });
}, 180_000);
afterAll(async () => {
  await stack.down();
}, 60_000);

describe("the router, before a server that needs 5 ms of CPU for each connection", () => {
  let users: Storm;

  it("answers all users who come at once", async () => {
    const { hostname: host, port } = new URL(stack.routerUrl);
    users = await storm({
      ...{ host, port: Number(port), users: USERS, patienceSeconds: 100 },
      ...{ webSocketPath: SERVER_PATHS.dashboardWebSocket, path: SERVER_PATHS.health },
    });
    expect({ ...users.webSockets.lost, ...users.requests.lost }).toEqual({});
    expect(users.webSockets.answered).toBe(USERS);
    expect(users.requests.answered).toBe(USERS);
  }, 120_000);

  it("passes the server's closing code 1012 on to all of them", async () => {
    await stack.deployer.drain("blue", 10, AbortSignal.timeout(30_000));
    expect(await users.closed).toEqual({ "1012": USERS });
  }, 60_000);

  it("answers 503 with a time to come back where no server is left", async () => {
    await stack.deployer.drain("green", 10, AbortSignal.timeout(30_000));
    const responses = await Promise.all(
      Array.from({ length: 40 }, () => fetch(new URL(SERVER_PATHS.health, stack.routerUrl))),
    );
    expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([503]));
    const seconds = new Set(responses.map(({ headers }) => headers.get("retry-after")));
    expect([...seconds].every((value) => /^[1-4]$/.test(value ?? ""))).toBe(true);
    expect(seconds.size).toBeGreaterThan(1);
  }, 60_000);
});
