import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { sameTable } from "../../../contract/envoy/routes.ts";
import { GATEWAY_API, ROUTING_NAMES, sharedRules } from "../../../contract/gateway.ts";
import { KubernetesControlStore } from "../../../operations/rollout/kubernetes/control.ts";
import { killProcesses, processesOf } from "../../support/kubernetes/kill.ts";
import type { KubernetesRollouts } from "../../support/kubernetes/rollouts.ts";
import type { GatewayPlace } from "../../support/kubernetes/users.ts";
import { proxyPods, slotPods } from "../../support/kubernetes/stack.ts";
import { until } from "../../support/rollout/stack.ts";
import { runVerb } from "../../support/verbs.ts";
import { cutover, rollback } from "../../support/rollout/verbs.ts";

/** Port of the listener for HTTPS in a proxy's pod: Envoy Gateway adds 10000 to what only root may listen on. */
const PROXY_PORT = 10_443;

/** Disturbances of a rollout on a cluster: second controllers, `kill -9`, manual changes. */
export function disturbedTests(rollouts: () => KubernetesRollouts): void {
  test("a second controller is refused with the holder's name; after kill -9 the rollout is resumed at once", async () => {
    const { context, stack } = rollouts();
    const controller = await rollouts().cutoverAt("shift-20");
    await expect(runVerb(cutover(context, { image: stack.image, steps: [100] }))).rejects.toThrow(
      new RegExp(`holds it: \`cutover\`, process ${String(controller.pid)}`),
    );
    await controller.kill();
    expect((await rollouts().state()).table?.weights).toEqual({ blue: 80, green: 20 });
    expect((await rollouts().exai("rollout", "status")).said).toContain("rollout resume");
    const users = await rollouts().underLoad(async () => {
      expect(await rollouts().resume()).toBe(0);
    });
    expect(users.failed).toEqual([]);
    expect((await rollouts().state()).table?.weights).toEqual({ blue: 0, green: 100 });
    expect(await rollouts().rollback()).toBe(0);
  });

  test("weights that are changed manually in mid-rollout are restored", async () => {
    const { cluster, namespace } = rollouts().stack;
    const controller = await rollouts().cutoverAt("shift-20");
    const { table } = await rollouts().state();
    if (table === undefined) throw new Error("no table in force");
    const name = ROUTING_NAMES.shared.http;
    const rules = sharedRules({ listener: "http", wsPort: 8079, table: { ...table, weights: { blue: 1, green: 99 } } });
    const route = { apiVersion: GATEWAY_API, kind: "HTTPRoute", metadata: { name, namespace }, spec: { rules } };
    const changed = (found: unknown) => JSON.stringify(found).includes('"weight":99');
    // A later check could miss it.
    expect(changed(await cluster.apply(route, "other-manager"))).toBe(true);
    await until(
      "the weights to be put back",
      30,
      async () => !changed(await cluster.read({ apiVersion: GATEWAY_API, kind: "HTTPRoute", name })),
    );
    expect(await controller.ended).toBe(0);
    expect((await rollouts().state()).table?.weights).toEqual({ blue: 0, green: 100 });
    expect(await rollouts().rollback()).toBe(0);
  });

  /**
   * Ends something under load, then does what comes next.
   *
   * @returns for each request that failed, the seconds from the end to its begin
   */
  async function failedBy(end: () => unknown, next: () => Promise<unknown>, by?: Partial<GatewayPlace>) {
    let at = 0;
    const { failed } = await rollouts().underLoad(async () => {
      await sleep(1000);
      at = Date.now();
      await end();
      await next();
    }, by);
    return failed.map(({ startedAt }) => (startedAt - at) / 1000);
  }

  /** A rollout that lost a pod of its candidate may complete or roll back, depending on its gates; it must end. */
  async function expectEnded(code: number): Promise<void> {
    const { table, journal } = await rollouts().state();
    expect([0, 1]).toContain(code);
    expect(table?.weights[code === 0 ? "green" : "blue"]).toBe(100);
    expect(table !== undefined && journal !== undefined && sameTable(table, journal.table)).toBe(true);
    expect(journal?.machine.state.name).toBe(code === 0 ? "standby" : "idle");
    if (code === 0) expect(await rollouts().rollback()).toBe(0);
  }

  /** The router has the weights of the first step, and the controller that waited for it obeys. */
  async function expectGoesOn({ ended }: { readonly ended: Promise<number> }): Promise<void> {
    const early = ended.then(async (code) => {
      const { ending } = (await rollouts().context.journal.read())?.machine ?? {};
      const what = `the controller ended with ${String(code)} before the router had the step's weights`;
      throw new Error(`${what}: ${JSON.stringify(ending)}`);
    });
    early.catch(() => undefined);
    const weights = until("the step's weights", 60, async () => {
      const { table } = await rollouts().state();
      if (table === undefined) throw new Error("no proxy has a table");
      return table.weights.green === 20;
    });
    await Promise.race([early, weights]);
    // It is not taken over, however long a busy cluster keeps its answer.
    const control = new KubernetesControlStore(rollouts().stack.cluster, 30);
    expect(await rollouts().run((context) => rollback({ ...context, control }, { reason: "test" }))).toBe(0);
    expect(await ended).toBe(1);
    expect((await rollouts().state()).table?.weights).toEqual({ blue: 100, green: 0 });
  }

  test("deleting a pod of the candidate fails no request while the other replica is up", async () => {
    const { cluster } = rollouts().stack;
    const { ended } = await rollouts().cutoverAt("shift-20");
    const [pod] = await slotPods(cluster, "green");
    const failed = await failedBy(
      () => cluster.remove({ apiVersion: "v1", kind: "Pod", metadata: pod?.metadata ?? {} }),
      () => ended,
    );
    expect(failed).toEqual([]);
    await expectEnded(await ended);
  });

  test("a replica of the candidate that is killed costs what it was answering, and no more", async ({ skip }) => {
    const { ended } = await rollouts().cutoverAt("shift-20");
    const [pod] = await slotPods(rollouts().stack.cluster, "green");
    const processes = processesOf(pod, "server");
    const failed = await failedBy(
      () => {
        killProcesses(processes);
      },
      () => ended,
    );
    for (const seconds of failed) expect(seconds).toBeLessThan(1);
    expect(failed.length).toBeLessThan(3);
    await expectEnded(await ended);
    skip(processes.length === 0, "not killed: the node's processes are not on this machine");
  });

  test("an Envoy proxy that is killed has the step's weights when it is back; its controller waits for it", async ({
    skip,
  }) => {
    const controller = await rollouts().cutoverAt("shift-20");
    const [pod] = await proxyPods(rollouts().stack.cluster);
    const processes = processesOf(pod, "envoy");
    // By the pod's own address: a Service without a ready endpoint leads nowhere.
    const by = { address: pod?.status?.podIP ?? "", port: PROXY_PORT };
    const failed = await failedBy(
      () => {
        killProcesses(processes);
      },
      () => expectGoesOn(controller),
      by,
    );
    for (const seconds of failed) expect(seconds).toBeLessThan(30);
    skip(processes.length === 0, "not killed: the node's processes are not on this machine");
    expect(failed).not.toEqual([]);
  });

  test("an Envoy proxy whose pod is deleted is followed by one with the step's weights", async () => {
    const { cluster } = rollouts().stack;
    const controller = await rollouts().cutoverAt("shift-20");
    const [pod] = await proxyPods(cluster);
    const metadata = pod?.metadata ?? {};
    await cluster.remove({ apiVersion: "v1", kind: "Pod", metadata });
    await until("another proxy", 60, async () => {
      const conditions = (await proxyPods(cluster)).flatMap(({ metadata: { name } = {}, status }) =>
        name === metadata.name ? [] : (status?.conditions ?? []),
      );
      return conditions.some(({ type, status }) => type === "Ready" && status === "True");
    });
    await expectGoesOn(controller);
  });
}
