import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SERVER_PATHS } from "../../../contract/server.ts";
import { buildReferenceServer } from "../../../operations/images/reference.ts";
import { storm, type Storm } from "../../support/load/storm.ts";
import { QUICK_CUTOVER, QUICK_GATES, startRolloutStack, type RolloutStack } from "../../support/rollout/stack.ts";
import { cutover, rollback } from "../../support/rollout/verbs.ts";
import { runVerb } from "../../support/verbs.ts";

/** More connections than Node's default backlog of 511, and several seconds of work for the server. */
const USERS = 400;

/** Users of a release that is rolled back. */
const RETURNING = 300;

const image = "exai/reference-server:test-connection-cpu";

let stack: RolloutStack;
beforeAll(async () => {
  await buildReferenceServer({ tag: image, faults: "connection-cpu=5ms" });
  stack = await startRolloutStack({ image });
});
afterAll(async () => {
  await stack.down();
});

describe("the router, before a server that needs 5 ms of CPU for each connection", () => {
  let users: Storm;

  /** So many users at once, all of whom are answered. */
  async function answered(count: number): Promise<Storm> {
    const { hostname: host, port } = new URL(stack.routerUrl);
    const all = await storm({
      ...{ host, port: Number(port), users: count, patienceSeconds: 100 },
      ...{ webSocketPath: SERVER_PATHS.dashboardWebSocket, path: SERVER_PATHS.health },
    });
    expect({ ...all.webSockets.lost, ...all.requests.lost }).toEqual({});
    expect(all.webSockets.answered).toBe(count);
    expect(all.requests.answered).toBe(count);
    return all;
  }

  it("answers all users who come at once", async () => {
    users = await answered(USERS);
  });

  it("answers all users who come back at once when a rollback has closed their connections", async () => {
    const context = stack.context({ gates: QUICK_GATES });
    expect((await runVerb(cutover(context, { ...QUICK_CUTOVER, image }))).code).toBe(0);
    const before = await answered(RETURNING);
    const rolledBack = runVerb(rollback(context, {}));
    expect(await before.closed).toEqual({ "1012": RETURNING });
    (await answered(RETURNING)).end();
    expect((await rolledBack).code).toBe(0);
  });

  it("passes the server's closing code 1012 on to all of them", async () => {
    await stack.deployer.drain("blue", 10, AbortSignal.timeout(30_000));
    expect(await users.closed).toEqual({ "1012": USERS });
  });

  it("answers 503 with a time to come back where no server is left", async () => {
    await stack.deployer.drain("green", 10, AbortSignal.timeout(30_000));
    const responses = await Promise.all(
      Array.from({ length: 40 }, () => fetch(new URL(SERVER_PATHS.health, stack.routerUrl))),
    );
    expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([503]));
    const seconds = new Set(responses.map(({ headers }) => headers.get("retry-after")));
    expect([...seconds].every((value) => /^[1-4]$/.test(value ?? ""))).toBe(true);
    expect(seconds.size).toBeGreaterThan(1);
  });
});
