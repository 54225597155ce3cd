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
import { GATEWAY_API, ROUTING_NAMES, sharedRules } from "../../contract/gateway.ts";
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
import { until } from "../support/rollout/stack.ts";
import { runVerb } from "../support/verbs.ts";
import { disturbedTests } from "./rollout/disturbed.ts";
import { cutover, rollback } from "../support/rollout/verbs.ts";

/** Rollouts with real pods, a real Envoy Gateway and a real Prometheus on the cluster of `EXAI_TEST_KUBECONFIG`. */
const kubeconfig = process.env.EXAI_TEST_KUBECONFIG ?? "";

const ROOT = join(import.meta.dirname, "../..");
const GREEN = { [HEADERS.testerSlot]: "green" };
const QUICK = { steps: [20, 100], holdSeconds: 1, bakeSeconds: 1 } as const;

/** A rule of an HTTPRoute as the API server has it. */
interface Rule {
  readonly name?: string;
}

describe.skipIf(kubeconfig === "")("rollouts on a cluster (EXAI_TEST_KUBECONFIG)", { timeout: 300_000 }, () => {
  let rollouts: KubernetesRollouts;

  beforeAll(async () => {
    rollouts = await KubernetesRollouts.start(kubeconfig);
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

  async function replaceRules(name: string, rules: readonly unknown[]): Promise<void> {
    const metadata = { name, namespace: rollouts.stack.namespace };
    const route = { apiVersion: GATEWAY_API, kind: "HTTPRoute", metadata, spec: { rules } } as ApiObject;
    await rollouts.stack.cluster.apply(route, "other-manager");
  }

  test("event streams are counted per slot, and stand in the latency of no request", async ({ skip }) => {
    if (!rollouts.stack.sessionTags) skip("the controller has no extensionApis.enableLua");
    const { traffic, routerUrl } = rollouts.context;
    const before = await Promise.all(SLOTS.map((slot) => long("plain", slot)));
    const streams = await Promise.all([
      ...[1, 2, 3].map(() => openSession(routerUrl)),
      openDashboard(routerUrl),
      ...[1, 2].map(() => openSession(routerUrl, GREEN)),
      openDashboard(routerUrl, GREEN),
    ]);
    expect(streams.map(({ servedBy }) => servedBy)).toEqual([
      ...["blue", "blue", "blue", "blue"],
      ...["green", "green", "green"],
    ]);
    expect(await traffic.open()).toEqual({
      blue: { requests: 0, streams: 4, webSockets: 0 },
      green: { requests: 0, streams: 3, webSockets: 0 },
    });
    await sleep(6000);
    await Promise.all(streams.map((stream) => stream.end()));
    await until("the streams to end", 10, async () => {
      const open = await traffic.open();
      return open.blue.streams + open.green.streams === 0;
    });
    await until("Prometheus to see their length", 30, async () => {
      const [blue = 0, other = 0] = await Promise.all(SLOTS.map((slot) => long("stream", slot)));
      return blue >= 3 && other >= 2;
    });
    expect(await Promise.all(SLOTS.map((slot) => long("plain", slot)))).toEqual(before);
  });

  test("a stack that is older than the port of streams gets their rules with the first table after an up", async () => {
    const { traffic, routerUrl, leases, signal } = rollouts.context;
    const { table } = await rollouts.state();
    if (table === undefined) throw new Error("no table in force");
    /** What a dashboard is counted as, by the weights and by the testers' header. */
    const countedAs = async (): Promise<readonly string[]> => {
      const dashboards = [await openDashboard(routerUrl), await openDashboard(routerUrl, GREEN)];
      const open = await traffic.open();
      for (const dashboard of dashboards) await dashboard.end();
      return SLOTS.flatMap((slot) => Object.entries(open[slot]).flatMap(([kind, count]) => (count > 0 ? [kind] : [])));
    };
    const counted = (kind: string) => async () => (await countedAs()).join() === `${kind},${kind}`;
    const lease = await leases.acquire("test");
    try {
      const writer = await traffic.writer(lease);
      let { generation } = table;
      const write = async (by = writer) => {
        generation += 1;
        await by.apply({ ...table, generation, token: lease.token }, signal);
        const name = `generation-${String(generation)}-token-${String(lease.token)}`;
        return (await ruleNames()).map((each) => String(each).replace(name, "table"));
      };
      const pinned = await rulesOf(ROUTING_NAMES.pinned.http);
      const older = pinned.filter(({ name }) => name?.startsWith("stream-") !== true);
      expect(older).toHaveLength(pinned.length / 2);
      await replaceRules(ROUTING_NAMES.pinned.http, older);
      const rules = sharedRules({ listener: "http", wsPort: 8079, table, streams: false });
      await replaceRules(ROUTING_NAMES.shared.http, rules);
      await until("dashboards to be counted as requests", 30, counted("requests"));
      expect((await rollouts.state()).table).toEqual(table);
      expect(await write()).toEqual(["table"]);

      await replaceRules(ROUTING_NAMES.pinned.http, pinned);
      await until("a tester's dashboard to be counted as a stream", 30, async () =>
        (await countedAs()).includes("streams"),
      );
      await until(
        "users' to be counted as requests",
        30,
        async () => (await countedAs()).join() === "requests,streams",
      );
      await traffic.inForce();
      expect(await write()).toEqual(["table-stream", "table"]);
      await until("dashboards to be counted as streams", 30, counted("streams"));
      // So does a process that has read nothing yet, such as a rollback's.
      const fresh = await rollouts.stack.open();
      expect(await write(await fresh.context.traffic.writer(lease))).toEqual(["table-stream", "table"]);
      await fresh.close();
    } finally {
      await lease.release();
    }
  });

  test("a cutover moves the users to the other slot without a failed request", async () => {
    const before = (await rollouts.state()).table;
    const users = await rollouts.underLoad(async () => {
      const request = { ...QUICK, image: rollouts.stack.image, reason: "test" };
      expect(await rollouts.run((context) => cutover(context, request))).toBe(0);
    });
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
