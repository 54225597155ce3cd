import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { isAlert } from "../../components/monitoring/rules/rule.ts";
import { targetAlerts } from "../../components/monitoring/rules/targets.ts";
import { SLOTS, otherSlot, type Slot } from "../../contract/slots.ts";
import { ENVOY_METRICS } from "../../contract/envoy/metrics.ts";
import type { ClusterKind } from "../../contract/envoy/names.ts";
import { sameTable } from "../../contract/envoy/routes.ts";
import { GATEWAY_API, ROUTING_NAMES } from "../../contract/gateway.ts";
import { HOOK_MOMENTS, hookDefinition } from "../../contract/hooks.ts";
import { JOBS, RECORDS } from "../../contract/monitoring.ts";
import { HEADERS } from "../../contract/server.ts";
import { Cluster } from "../../operations/rollout/kubernetes/cluster.ts";
import type { ApiObject, Deployment } from "../../operations/rollout/kubernetes/api-types.ts";
import { KubernetesCursorStore } from "../../operations/rollout/kubernetes/delivery-cursors.ts";
import { McpProbe } from "../../operations/rollout/probes/mcp.ts";
import { Prometheus } from "../../operations/rollout/gates/prometheus.ts";
import { KubernetesRollouts } from "../support/kubernetes/rollouts.ts";
import { accountKubeconfig, GATEWAY_NAMESPACE, slotPods } from "../support/kubernetes/stack.ts";
import { openDashboard, openSession, streamStatus } from "../support/kubernetes/event-streams.ts";
import { ACCESS, accessKey } from "../../contract/envoy/access.ts";
import { SlotAccess } from "../../operations/rollout/ports/access.ts";
import { STAND_IN_ACCESS } from "../support/kubernetes/stand-ins.ts";
import type { RolloutContext } from "../../operations/rollout/ports/context.ts";
import { startReceiver } from "../support/receiver.ts";
import { testerHeaders } from "../support/rollout/access.ts";
import { testHooks } from "../support/rollout/hooks.ts";
import { until } from "../support/rollout/stack.ts";
import { runVerb } from "../support/verbs.ts";
import { disturbedTests } from "./rollout/disturbed.ts";
import { cutover, rollback } from "../support/rollout/verbs.ts";

/** Rollouts with real pods, a real Envoy Gateway and a real Prometheus on the cluster of `EXAI_TEST_KUBECONFIG`. */
const kubeconfig = process.env.EXAI_TEST_KUBECONFIG ?? "";

const ROOT = join(import.meta.dirname, "../..");
const QUICK = { steps: [20, 100], holdSeconds: 1, bakeSeconds: 1 } as const;

/** A rule of an HTTPRoute as the API server has it. */
interface Rule {
  readonly name?: string;
}

describe.skipIf(kubeconfig === "")("rollouts on a cluster (EXAI_TEST_KUBECONFIG)", () => {
  let rollouts: KubernetesRollouts;
  let green: Record<string, string>;

  beforeAll(async () => {
    rollouts = await KubernetesRollouts.start(kubeconfig);
    green = await testerHeaders("green", STAND_IN_ACCESS);
  }, 600_000);

  afterAll(async () => {
    await rollouts.down();
  });

  /** What Prometheus has recorded of a slot. */
  async function recorded(records: readonly string[], slot: Slot): Promise<(number | undefined)[]> {
    const prometheus = new Prometheus(rollouts.context.prometheusUrl);
    const found = records.map((record) => prometheus.values(`${record}{slot="${slot}"}`));
    return (await Promise.all(found)).map(([value]) => value);
  }

  /** Names of the alerts whose condition a slot meets now; how long it must last is promtool's to judge. */
  async function alertsOn(slot: Slot): Promise<readonly string[]> {
    const prometheus = new Prometheus(rollouts.context.prometheusUrl);
    const alerts = targetAlerts({ jobs: Object.values(JOBS), backups: [] }).rules.filter(isAlert);
    const about = `and on (slot) ${RECORDS.slotTargetsUp}{slot="${slot}"}`;
    const met = await Promise.all(alerts.map(({ expr }) => prometheus.values(`(${expr}) ${about}`)));
    return alerts.flatMap(({ alert }, index) => (met[index]?.length === 0 ? [] : [alert]));
  }

  /** How many requests of a kind have taken more than five seconds, as the gates' Prometheus has it. */
  async function long(kind: ClusterKind, slot: Slot): Promise<number> {
    const upTo = (bound: string): string =>
      `sum(${ENVOY_METRICS.requestTime}_bucket{kind="${kind}",slot="${slot}",le="${bound}"})`;
    const [count = 0] = await new Prometheus(rollouts.context.prometheusUrl).values(
      `${upTo("+Inf")} - ${upTo("5000")}`,
    );
    return count;
  }

  async function rulesOf(name: string): Promise<readonly Rule[]> {
    const route = await rollouts.stack.cluster.read({ apiVersion: GATEWAY_API, kind: "HTTPRoute", name });
    return (route as unknown as { spec: { rules: readonly Rule[] } }).spec.rules;
  }

  async function ruleNames(): Promise<readonly unknown[]> {
    return (await rulesOf(ROUTING_NAMES.shared.http)).map(({ name }) => name);
  }

  test("an outsider cannot choose the idle slot, a tester with a link can", async ({ skip }) => {
    const { access, routerUrl } = rollouts.context;
    const ask = async (headers: Record<string, string>, path = "/health", method = "GET") => {
      const response = await fetch(new URL(path, routerUrl), { method, headers });
      await response.arrayBuffer();
      return `${String(response.status)} ${response.headers.get(HEADERS.servedBy) ?? "router"}`;
    };
    const other = new SlotAccess("", () => accessKey("a secret of another stack", 1));
    for (const pinned of ["green", "green-tester", "green-probe"])
      expect(await ask({ [HEADERS.pinned]: pinned, [HEADERS.sessionSlot]: "green" })).toBe("200 blue");
    expect(await ask({ "x-envoy-upstream-rq-timeout-ms": "1" }, "/api/metrics")).toBe("200 blue");
    for (const token of [
      await other.token("green", "tester", 600),
      await access.token("green", "tester", -600),
      "a.b.c",
    ]) {
      expect(await ask({ [HEADERS.access]: token })).toMatch(/^401 /);
    }
    expect(await ask(green)).toBe("200 green");
    if (!rollouts.stack.sessionTags) skip("the controller has no extensionApis.enableLua");
    // Without a rollout green has had no users, so it has no session of a user.
    const session = { [HEADERS.mcpSessionId]: "green.10.0.0.1:8080~none", accept: "text/event-stream" };
    for (const method of ["GET", "DELETE"]) expect(await ask(session, "/mcp", method)).toMatch(/^404 /);
    const [token = ""] = Object.values(green);
    expect(await ask({ cookie: `a=1; ${ACCESS.cookie}=${token}` })).toBe("200 green");
    expect(await ask({ cookie: `${ACCESS.cookie}=expired` }, ACCESS.page)).toMatch(/^200 /);
  });

  test("event streams are counted per slot, and stand in the latency of no request", async ({ skip }) => {
    if (!rollouts.stack.sessionTags) skip("the controller has no extensionApis.enableLua");
    const { traffic, routerUrl } = rollouts.context;
    const before = await Promise.all(SLOTS.map((slot) => long("plain", slot)));
    const streams = await Promise.all([
      ...[1, 2, 3].map(() => openSession(routerUrl)),
      openDashboard(routerUrl),
      ...[1, 2].map(() => openSession(routerUrl, green)),
      openDashboard(routerUrl, green),
    ]);
    expect(streams.map(({ servedBy }) => servedBy)).toEqual([
      ...["blue", "blue", "blue", "blue"],
      ...["green", "green", "green"],
    ]);
    expect(await traffic.open()).toEqual({
      blue: { requests: 0, streams: 4, webSockets: 0 },
      green: { requests: 3, streams: 0, webSockets: 0 },
    });
    await sleep(6000);
    await Promise.all(streams.map((stream) => stream.end()));
    await until("the streams to end", 10, async () => {
      const open = await traffic.open();
      return open.blue.streams + open.green.streams === 0;
    });
    await until("Prometheus to see their length", 30, async () => {
      const [blue, other] = await Promise.all([long("stream", "blue"), long("tester", "green")]);
      return blue >= 3 && other >= 2;
    });
    expect(await Promise.all(SLOTS.map((slot) => long("plain", slot)))).toEqual(before);
  });

  test("a cutover moves the users to the other slot without a failed request, and runs its hooks", async () => {
    const before = (await rollouts.state()).table;
    const receiver = await startReceiver();
    const hooks = HOOK_MOMENTS.map((when) => hookDefinition.parse({ name: when, when, url: receiver.url }));
    const users = await rollouts.underLoad(async () => {
      const request = { ...QUICK, image: rollouts.stack.image, reason: "test" };
      const hooked = (context: RolloutContext) => ({ ...context, hooks: testHooks(hooks) });
      expect(await rollouts.run((context) => cutover(hooked(context), request))).toBe(0);
    });
    await receiver.close();
    const called = receiver.received.map(({ body }) => (JSON.parse(body) as { data: { when: string } }).data.when);
    const step = ["before-step", "after-step"];
    expect(called).toEqual(["before-users", ...step, ...step, "before-completion", "after-completion"]);
    expect(before?.weights).toEqual({ blue: 100, green: 0 });
    expect(users.failed).toEqual([]);
    expect(users.requests.at(-1)?.servedBy).toBe("green");
    const { table, journal } = await rollouts.state();
    expect(table?.weights).toEqual({ blue: 0, green: 100 });
    expect(journal?.machine.state.name).toBe("standby");
    expect(journal !== undefined && table !== undefined && sameTable(journal.table, table)).toBe(true);
    expect(users.requests.filter(({ servedBy }) => servedBy === "green").length).toBeGreaterThan(0);
    const labels = (await rollouts.context.journal.history()).map(({ label }) => label);
    expect(labels).toEqual(expect.arrayContaining(["shift 20 %", "shift 100 %", "bake", "standby"]));
    expect(journal?.machine.hooks?.map(({ end }) => end?.answer)).toEqual(called.map(() => "ok"));
    const rule = `generation-${String(table?.generation)}-token-${String(table?.token)}`;
    expect(await ruleNames()).toEqual([`${rule}-stream`, rule]);
  });

  test("a slot that was drained manually is reported, and the next deployment restores its replicas", async () => {
    const { deployer, traffic } = rollouts.context;
    const idle = otherSlot((await rollouts.state()).journal?.machine.active ?? "blue");
    expect((await rollouts.state()).table?.emptied).toEqual([]);
    await deployer.drain(idle, 5, AbortSignal.timeout(120_000));
    expect(await slotPods(rollouts.stack.cluster, idle)).toEqual([]);
    await until("the proxies to see it", 30, async () => !(await traffic.readiness())[idle]);
    expect(await deployer.status(idle)).toMatchObject({ running: false, image: rollouts.stack.image });
    await until("the slot to be missed", 60, async () => (await alertsOn(idle)).includes("SlotDown"));
    await deployer.deploy(idle, rollouts.stack.image, AbortSignal.timeout(120_000));
    const name = `server-${idle}`;
    const deployment = await rollouts.stack.cluster.read<Deployment>({
      apiVersion: "apps/v1",
      kind: "Deployment",
      name,
    });
    expect(deployment?.status?.readyReplicas).toBe(2);
    await until("the proxies to see it", 30, async () => (await traffic.readiness())[idle]);
  });

  test("./exai rollback moves the users back without a failed request, and evicts MCP sessions", async ({ skip }) => {
    const session = new McpProbe(rollouts.context.routerUrl, {}, () => AbortSignal.timeout(10_000));
    await session.initialize();
    expect(session.servedBy).toBe("green");
    let said = { code: -1, said: "" };
    const users = await rollouts.underLoad(async () => {
      said = await rollouts.exai("rollback", "--reason", "test");
    });
    expect(said.said).toContain("blue has all users");
    expect(said.code).toBe(0);
    expect(users.failed).toEqual([]);
    expect(users.requests.at(-1)?.servedBy).toBe("blue");
    expect((await rollouts.state()).table).toMatchObject({ weights: { blue: 100, green: 0 }, emptied: ["green"] });
    await until("the gateway's series to say that it is meant", 30, async () => {
      const [meant, servers] = await recorded([RECORDS.slotEmptied, RECORDS.slotTargetsUp], "green");
      return meant === 1 && servers === 0;
    });
    expect(await alertsOn("green")).toEqual([]);
    expect(await recorded([RECORDS.slotEmptied, RECORDS.slotEvicted], "blue")).toEqual([0, 0]);
    if (!rollouts.stack.sessionTags) skip("the controller has no extensionApis.enableLua");
    await expect(session.request("tools/list")).rejects.toThrow(/HTTP 404/);
    const streamOf = ({ session: id = "" }: McpProbe) =>
      streamStatus(rollouts.context.routerUrl, { [HEADERS.mcpSessionId]: id });
    expect(await streamOf(session)).toBe(404);
    const again = new McpProbe(rollouts.context.routerUrl, {}, () => AbortSignal.timeout(10_000));
    await again.initialize();
    expect(again.servedBy).toBe("blue");
    expect(await streamOf(again)).toBe(200);
  });

  test("rollback without a rollout is refused with exit code 3, status and history work from anywhere", async () => {
    expect((await rollouts.exai("rollback")).code).toBe(3);
    const status = await rollouts.exai("rollout", "status");
    expect(status.code).toBe(0);
    expect(status.said).toContain("idle: blue 100 %");
    expect((await rollouts.exai("rollout", "history")).said).toContain("test");
  });

  disturbedTests(() => rollouts);

  test("the rights of docs/rollout-role.yaml are enough, and no more than that", async () => {
    const text = readFileSync(join(ROOT, "docs/rollout-role.yaml"), "utf8").replaceAll(
      "exai-prod",
      rollouts.stack.namespace,
    );
    const objects = parseAllDocuments(text.replaceAll("envoy-gateway-system", GATEWAY_NAMESPACE)).map(
      (document) => document.toJS() as ApiObject,
    );
    const account = { name: "exai-rollout", namespace: rollouts.stack.namespace };
    await rollouts.stack.cluster.apply({ apiVersion: "v1", kind: "ServiceAccount", metadata: account }, "exai-test");
    for (const object of objects) await rollouts.stack.cluster.apply(object, "exai-test");
    try {
      const confined = await accountKubeconfig(kubeconfig, account);
      const cluster = Cluster.open({ kubeconfig: confined.path, namespace: rollouts.stack.namespace });
      const limited = await rollouts.stack.open({ settings: { kubeconfig: confined.path } });
      try {
        const quick = { ...QUICK, image: rollouts.stack.image, reason: "rights" };
        for (const verb of [cutover(limited.context, quick), rollback(limited.context, {})]) {
          const { code, events } = await runVerb(verb);
          expect(code, JSON.stringify(events.slice(-4))).toBe(0);
        }
      } finally {
        await limited.close();
      }
      const cursors = new KubernetesCursorStore(cluster);
      for (const sequence of [1, 2])
        await cursors.change("webhook", () => ({ sequence, delivered: sequence, failed: 0 }));
      expect(await cursors.read("webhook")).toMatchObject({ sequence: 2 });
      const secret = { apiVersion: "v1", kind: "Secret", name: "exai-tls" };
      await expect(cluster.read(secret)).rejects.toThrow(/is not allowed: .*forbidden/);
      const pinned = { apiVersion: GATEWAY_API, kind: "HTTPRoute", name: ROUTING_NAMES.pinned.http };
      await expect(cluster.read(pinned)).rejects.toThrow(/is not allowed/);
      confined.remove();
    } finally {
      for (const object of objects) await rollouts.stack.cluster.remove(object);
    }
  });
});
