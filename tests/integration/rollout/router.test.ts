import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { SLOTS } from "../../../contract/slots.ts";
import { ENVOY_METRICS } from "../../../contract/envoy/metrics.ts";
import { BOOTSTRAP_PATH, OBSERVE_PATHS, ROUTES_FILE } from "../../../contract/envoy/names.ts";
import { FIRST_TABLE, sameTable, type RouteTable } from "../../../contract/envoy/routes.ts";
import { HEADERS } from "../../../contract/server.ts";
import { ROUTER } from "../../../components/routing/docker.ts";
import { docker, tryDocker } from "../../../operations/docker/cli.ts";
import { McpProbe } from "../../../operations/rollout/probes/mcp.ts";
import { Prometheus } from "../../../operations/rollout/gates/prometheus.ts";
import { TEST_ACCESS, testerHeaders } from "../../support/rollout/access.ts";
import type { TrafficWriter } from "../../../operations/rollout/ports/traffic.ts";
import { EnvoyTraffic } from "../../../operations/rollout/local/envoy-traffic.ts";
import { ensureRoutes } from "../../../contract/envoy/seed.ts";
import { startRolloutStack, until, type RolloutStack } from "../../support/rollout/stack.ts";

let stack: RolloutStack;
let writer: TrafficWriter;
let generation = FIRST_TABLE.generation;
const signal = new AbortController().signal;

beforeAll(async () => {
  stack = await startRolloutStack();
  const { leases, traffic } = stack.context();
  writer = await traffic.writer(await leases.acquire("test"));
});
afterAll(async () => {
  await stack.down();
});

async function apply(
  weights: RouteTable["weights"],
  { evicted = [], emptied = [] }: Partial<Pick<RouteTable, "evicted" | "emptied">> = {},
): Promise<RouteTable> {
  generation += 1;
  const table: RouteTable = { generation, token: 1, weights, evicted, emptied };
  await writer.apply(table, signal);
  return table;
}

function session(headers: Record<string, string> = {}): McpProbe {
  return new McpProbe(stack.routerUrl, headers, () => AbortSignal.timeout(10_000));
}

async function servedBy(headers: Record<string, string> = {}): Promise<string | null> {
  const response = await fetch(stack.routerUrl, { headers });
  await response.arrayBuffer();
  expect(response.status).toBe(200);
  return response.headers.get(HEADERS.servedBy);
}

describe("the router, with the real Envoy", () => {
  it("runs a configuration that Envoy finds valid", async () => {
    const validate = ["envoy", "--mode", "validate", "--config-path", BOOTSTRAP_PATH];
    const ran = await tryDocker(["exec", `${stack.name}-${ROUTER}`, ...validate]);
    expect(ran.code, ran.stderr).toBe(0);
    expect(`${ran.stdout}${ran.stderr}`).not.toContain("eprecated");
    const log = await docker(["logs", `${stack.name}-${ROUTER}`]);
    expect(log).not.toMatch(/\[(error|critical)\]/);
  });

  it("names its instance, and refuses requests for another one", async () => {
    const { observeUrl, routesDirectory, name } = stack;
    const own = new EnvoyTraffic({ observeUrl, routesDirectory, instance: name });
    expect(await own.readiness()).toEqual({ blue: true, green: true });
    const other = new EnvoyTraffic({ observeUrl, routesDirectory, instance: "another" });
    await expect(other.readiness()).rejects.toMatchObject({
      exitCode: 3,
      where: observeUrl,
      message: `the router of ${name} answers there, not the router of another`,
    });
  });

  it("publishes its administration read-only", async () => {
    const observe = async (path: string, method = "GET"): Promise<number> => {
      const response = await fetch(new URL(path, stack.observeUrl), { method });
      await response.arrayBuffer();
      return response.status;
    };
    expect(await observe("/ready")).toBe(200);
    expect(await observe("/clusters?format=json")).toBe(200);
    for (const path of [
      "/quitquitquit",
      "/logging?level=debug",
      "/runtime_modify?a=b",
      "/drain_listeners",
      "/",
      "/certs",
    ]) {
      expect(await observe(path), path).toBe(404);
      expect(await observe(path, "POST"), path).toBe(404);
    }
    expect(await observe("/ready", "POST")).toBe(404);
    expect(await observe("/ready/../quitquitquit", "POST")).toBe(404);
    expect(await observe("/ready")).toBe(200);
  });

  it("has the written table in force, and keeps an existing one at the start", async () => {
    const table = await apply({ blue: 60, green: 40 });
    const present = await stack.context().traffic.inForce();
    expect(present !== undefined && sameTable(present, table)).toBe(true);
    expect(await ensureRoutes(stack.routesDirectory)).toBe(false);
    expect(await readFile(join(stack.routesDirectory, ROUTES_FILE), "utf8")).toContain(
      `generation-${String(generation)}`,
    );
  });

  it("fails if a table is not in force in time", async () => {
    const { traffic, leases } = stack.context({
      home: join(stack.home, "elsewhere"),
      routesDirectory: join(stack.home, "elsewhere"),
    });
    const lease = await leases.acquire("test");
    // A directory that the router does not watch: the file is written, and never in force.
    const late = await traffic.writer(lease);
    await expect(late.apply({ ...FIRST_TABLE, generation: 99 }, signal)).rejects.toMatchObject({
      name: "UserError",
      message: expect.stringContaining("has not taken generation 99") as string,
    });
    await lease.release();
  });

  it("lets testers choose the slot regardless of the weights", async () => {
    await apply({ blue: 100, green: 0 });
    expect(await servedBy()).toBe("blue");
    for (const slot of SLOTS) expect(await servedBy(await testerHeaders(slot))).toBe(slot);
  });

  it("follows the weights within 5 points", async () => {
    await apply({ blue: 75, green: 25 });
    let green = 0;
    for (let count = 0; count < 1200; count += 1) if ((await servedBy()) === "green") green += 1;
    // Four standard deviations of 1200 draws at 25 % are 5 points.
    expect(Math.abs((100 * green) / 1200 - 25)).toBeLessThan(5);
  });

  it("keeps MCP sessions on their slot while the weights move, and the server sees its own identifier", async () => {
    await apply({ blue: 50, green: 50 });
    const sessions = Array.from({ length: 24 }, () => session());
    for (const each of sessions) await each.initialize();
    const slots = sessions.map((each) => each.session?.split(".")[0]);
    expect(new Set(slots)).toEqual(new Set(SLOTS));
    for (const weights of [
      { blue: 0, green: 100 },
      { blue: 100, green: 0 },
      { blue: 50, green: 50 },
    ]) {
      await apply(weights);
      for (const [index, each] of sessions.entries()) {
        await each.request("tools/call", { name: "echo", arguments: { text: "x" } });
        expect(each.servedBy).toBe(slots[index]);
      }
    }
    for (const each of sessions) await each.end();
  });

  it("answers the sessions of an evicted slot with 404, and their clients initialize again on the other one", async () => {
    await apply({ blue: 0, green: 100 });
    const [doomed, kept] = [session(), session(await testerHeaders("blue"))];
    await doomed.initialize();
    await kept.initialize();
    expect(doomed.session).toMatch(/^green\./);
    await apply({ blue: 100, green: 0 }, { evicted: ["green"] });
    await expect(doomed.request("ping")).rejects.toThrow("HTTP 404");
    await kept.request("ping");
    const again = session();
    await again.initialize();
    expect(again.session).toMatch(/^blue\./);
    // A tester still reaches the slot that users were taken from.
    const tester = session(await testerHeaders("green"));
    await tester.initialize();
    expect(tester.servedBy).toBe("green");
  });

  it("reports in its series which slots the present table evicts, before any request", async () => {
    const said = async (): Promise<string[]> => {
      const page = await (await fetch(new URL(OBSERVE_PATHS.metrics, stack.observeUrl))).text();
      const found = page.matchAll(new RegExp(`^${ENVOY_METRICS.eviction}\\{.*envoy_route="([^"]*)".*\\} 0$`, "gmu"));
      return [...found].map(([, name = ""]) => name).sort();
    };
    const weights = { blue: 100, green: 0 };
    for (const [evictions, names] of [
      [{}, []],
      [{ evicted: ["green"] }, ["evicted-green"]],
      [{ evicted: ["green"], emptied: ["green"] }, ["emptied-green"]],
      [{ evicted: ["green"], emptied: ["green"] }, ["emptied-green"]],
      [{}, []],
    ] as const) {
      await apply(weights, evictions);
      // Envoy's workers let the table before go a moment later.
      await until(`the series ${names.join()}`, 10, async () => (await said()).join() === names.join());
    }
  });

  it("opens new WebSockets by weight and cuts none when the weights move", async () => {
    await apply({ blue: 100, green: 0 });
    const [old, dashboard] = await Promise.all([
      open(stack.webSocketUrl),
      open(`${stack.routerUrl.replace("http", "ws")}/ws/dashboard`),
    ]);
    expect([old.slot, dashboard.slot]).toEqual(["blue", "blue"]);
    await apply({ blue: 0, green: 100 });
    const young = await open(stack.webSocketUrl);
    expect(young.slot).toBe("green");
    const echoed = new Promise((resolve) => old.socket.once("message", resolve));
    old.socket.send("{}");
    await echoed;
    await until("the open connections counted by slot", 10, async () => {
      const { blue, green } = await stack.context().traffic.open();
      return blue.webSockets === 1 && blue.streams === 1 && green.webSockets === 1;
    });
    expect(dashboard.socket.readyState).toBe(WebSocket.OPEN);
    for (const each of [old, dashboard, young]) each.socket.close();
  });

  it("detects a slot that stopped, and counts its failures in the series that gates read", async () => {
    await apply({ blue: 100, green: 0 });
    const { traffic } = stack.context();
    await docker(["stop", "--time", "3", `${stack.name}-server-green`]);
    await until("green unready", 20, async () => !(await traffic.readiness()).green);
    expect((await traffic.readiness()).blue).toBe(true);
    const response = await fetch(stack.routerUrl, { headers: await TEST_ACCESS.probe("green") });
    await response.arrayBuffer();
    expect(response.status).toBe(503);
    await until("the failure among green's errors", 15, async () => {
      const selector = `${ENVOY_METRICS.requests}{slot="green",kind="probe",envoy_response_code_class="5"}`;
      const series = await new Prometheus(stack.prometheusUrl).samples(selector, 10);
      return (series[0]?.samples.at(-1)?.[1] ?? 0) >= 1;
    });
    await docker(["start", `${stack.name}-server-green`]);
    await until("green ready", 30, async () => (await traffic.readiness()).green);
  });
});

function open(url: string): Promise<{ readonly socket: WebSocket; readonly slot: unknown }> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url);
    let slot: unknown;
    socket.once("upgrade", (response) => (slot = response.headers[HEADERS.servedBy]));
    socket.once("open", () => {
      resolve({ socket, slot });
    });
    socket.once("error", reject);
  });
}
