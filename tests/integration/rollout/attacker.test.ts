import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { ACCESS } from "../../../contract/envoy/access.ts";
import { ENVOY_METRICS } from "../../../contract/envoy/metrics.ts";
import { HEADERS, SERVER_PATHS } from "../../../contract/server.ts";
import { LOCAL_IMAGES } from "../../../contract/images.ts";
import { buildReferenceServer } from "../../../operations/images/reference.ts";
import { McpProbe } from "../../../operations/rollout/probes/mcp.ts";
import { testerHeaders } from "../../support/rollout/access.ts";
import { FLOODS, Outsider, WAYS_IN } from "../../support/rollout/attacks.ts";
import { QUICK_CUTOVER, QUICK_GATES, startRolloutStack, type RolloutStack } from "../../support/rollout/stack.ts";
import { Load } from "../../support/load/load.ts";
import { cutover } from "../../support/rollout/verbs.ts";
import { runVerb } from "../../support/verbs.ts";

let stack: RolloutStack;
beforeAll(async () => {
  stack = await startRolloutStack();
});
afterAll(async () => {
  await stack.down();
});

/** Requests that have reached the green slot by any cluster, except health checks and the scrapes of Prometheus. */
async function reached(): Promise<number> {
  const text = await (await fetch(new URL("/stats/prometheus", stack.observeUrl))).text();
  return [
    ...text.matchAll(new RegExp(`^${ENVOY_METRICS.requestsTotal}{.*="green(?!-metrics")[^"]*"} (\\d+)$`, "gm")),
  ].reduce((sum, [, count]) => sum + Number(count), 0);
}

const WAYS = Object.entries(WAYS_IN);

/** Ways that the router refuses to testers as well: the request is not valid, or has a second token that is not. */
const REFUSED_TO_ALL = ["a tunnel to the slot", "a smuggled request", "a cookie", "an empty cookie"];

describe("an idle slot", () => {
  it.each(WAYS)("is not reached by an outsider with %s", async (_, attempt) => {
    const before = await reached();
    const answer = await attempt(stack);
    if (answer instanceof Response) expect(answer.headers.get(HEADERS.servedBy)).not.toBe("green");
    else expect(String(answer)).not.toMatch(/x-exai-served-by: green/i);
    expect(await reached()).toBe(before);
  });

  describe("is reached by a tester with a link", () => {
    it.each(WAYS.filter(([name]) => !REFUSED_TO_ALL.includes(name)))("with %s", async (_, attempt) => {
      const before = await reached();
      const answer = await attempt({ ...stack, headers: await testerHeaders("green") });
      if (answer instanceof Response) expect(answer.headers.get(HEADERS.servedBy)).toBe("green");
      expect(await reached()).toBeGreaterThan(before);
    });

    it.each(WAYS.filter(([name]) => REFUSED_TO_ALL.includes(name)))("but not with %s", async (_, attempt) => {
      const before = await reached();
      await attempt({ ...stack, headers: await testerHeaders("green") });
      expect(await reached()).toBe(before);
    });

    it.each(["GET", "HEAD", "POST", "PUT", "DELETE"])("by %s", async (method) => {
      const headers = await testerHeaders("green");
      for (const path of ["/", SERVER_PATHS.health, SERVER_PATHS.apiMetrics, "/none"]) {
        const response = await fetch(new URL(path, stack.routerUrl), { method, headers });
        await response.arrayBuffer();
        expect(response.headers.get(HEADERS.servedBy)).toBe("green");
      }
    });

    it("by a browser's cookie among others, and the page that sets it", async () => {
      const [token = ""] = Object.values(await testerHeaders("green"));
      const headers = { cookie: `a=1; ${ACCESS.cookie}=${token}; b=2` };
      const response = await fetch(stack.routerUrl, { headers });
      await response.arrayBuffer();
      expect(response.headers.get(HEADERS.servedBy)).toBe("green");
      // The page is for those whose token has expired as well.
      const page = await fetch(new URL(ACCESS.page, stack.routerUrl), {
        headers: { cookie: `${ACCESS.cookie}=expired` },
      });
      expect(page.headers.get("content-type")).toContain("text/html");
      expect(await page.text()).toContain(`document.cookie = "${ACCESS.cookie}="`);
    });

    it("by an MCP session and its event stream, although the slot's sessions are closed to users", async () => {
      const probe = new McpProbe(stack.routerUrl, await testerHeaders("green"), () => AbortSignal.timeout(5000));
      await probe.initialize();
      expect(probe.session).toMatch(/^green\./);
      expect(await probe.request("tools/list")).toHaveProperty("tools");
      expect(await probe.listen()).toBe(true);
      expect(probe.servedBy).toBe("green");
      await probe.end();
    });

    it.each(["header", "cookie"])("by WebSockets on both ports with a %s", async (by) => {
      const given = await testerHeaders("green");
      const headers = by === "header" ? given : { cookie: `${ACCESS.cookie}=${Object.values(given).join("")}` };
      const dashboard = new URL(SERVER_PATHS.dashboardWebSocket, stack.routerUrl.replace("http", "ws"));
      for (const url of [stack.webSocketUrl, dashboard]) {
        const socket = new WebSocket(url, { headers });
        const slot = await new Promise((resolve, reject) => {
          socket.on("upgrade", (response) => {
            resolve(response.headers[HEADERS.servedBy]);
          });
          socket.on("error", reject);
        });
        expect(slot).toBe("green");
        socket.terminate();
      }
    });

    it("until the token expires, which is answered with 401", async () => {
      const context = stack.context();
      const token = await context.access.token("green", "tester", -120);
      const response = await fetch(stack.routerUrl, { headers: { [HEADERS.access]: token } });
      expect(response.status).toBe(401);
      expect(response.headers.get(HEADERS.servedBy)).toBeNull();
    });
  });
});

describe(`under ${String(Object.keys(FLOODS).length)} floods of an outsider at the same time`, () => {
  async function underAttack(image: string) {
    const users = new Load({ ...stack, requestsPerSecond: 10, webSockets: 2, mcpSessions: 2 });
    await users.start();
    const outsider = new Outsider(stack);
    const context = stack.context({ gates: QUICK_GATES });
    const { code } = await runVerb(cutover(context, { ...QUICK_CUTOVER, holdSeconds: 5, bakeSeconds: 3, image }));
    await outsider.stop();
    await users.stop();
    expect(Object.keys(outsider.attempts).sort()).toEqual(Object.keys(FLOODS).sort());
    expect(Math.min(...Object.values(outsider.attempts))).toBeGreaterThan(5);
    return { code, ending: (await context.journal.read())?.machine.ending };
  }

  it("a bad release is rolled back", async () => {
    const image = "exai/reference-server:test-errors";
    await buildReferenceServer({ tag: image, faults: "errors=0.2,sound-requests=20" });
    const { code, ending } = await underAttack(image);
    expect(code, JSON.stringify(ending)).toBe(1);
    expect(ending?.failure).toMatchObject({ code: "gate-failed" });
  });

  it("a sound release gets all users", async () => {
    const { code, ending } = await underAttack(LOCAL_IMAGES.referenceServer);
    expect(code, JSON.stringify(ending)).toBe(0);
  });
});
