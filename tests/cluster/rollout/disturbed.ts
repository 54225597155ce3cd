import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test, type TestContext } from "vitest";
import { sameTable } from "../../../contract/envoy/routes.ts";
import { GATEWAY_API, ROUTING_NAMES, sharedRules } from "../../../contract/gateway.ts";
import { cutover } from "../../../operations/rollout/cutover.ts";
import type { Pod } from "../../../operations/rollout/kubernetes/objects.ts";
import { killProcesses, processesOf } from "../../support/cluster-kill.ts";
import type { ClusterRollouts } from "../../support/cluster-rollouts.ts";
import type { GatewayPlace } from "../../support/cluster-users.ts";
import { proxyPods, slotPods } from "../../support/cluster-stack.ts";
import { runVerb, until } from "../../support/rollout-stack.ts";

/** Port of the listener for HTTPS in a proxy's pod: Envoy Gateway adds 10000 to what only root may listen on. */
const PROXY_PORT = 10_443;

/** What befalls a rollout on a cluster from outside: second controllers, `kill -9`, somebody's hands. */
export function disturbedTests(rollouts: () => ClusterRollouts): void {
  test("a second controller is refused with the holder's name; after kill -9 the rollout is resumed at once", async () => {
    const { context, stack } = rollouts();
    const child = await rollouts().cutoverAt("shift-20");
    await expect(runVerb(cutover(context, { image: stack.image, steps: [100] }))).rejects.toThrow(
      new RegExp(`holds it: \`cutover\`, process ${String(child.pid)}`),
    );
    child.kill("SIGKILL");
    await once(child, "close");
    expect((await rollouts().state()).table?.weights).toEqual({ blue: 80, green: 20 });
    expect((await rollouts().exai("rollout", "status")).said).toContain("rollout resume");
    const users = await rollouts().underLoad(async () => {
      expect(await rollouts().resume()).toBe(0);
    });
    expect(users.failed).toEqual([]);
    expect((await rollouts().state()).table?.weights).toEqual({ blue: 0, green: 100 });
    expect(await rollouts().rollback()).toBe(0);
  });

  test("weights that somebody else changes in mid-rollout are put back", async () => {
    const { cluster, namespace } = rollouts().stack;
    const child = await rollouts().cutoverAt("shift-20");
    const { table } = await rollouts().state();
    if (table === undefined) throw new Error("no table in force");
    const name = ROUTING_NAMES.shared.http;
    const rules = sharedRules({ listener: "http", wsPort: 8079, table: { ...table, weights: { blue: 1, green: 99 } } });
    const route = { apiVersion: GATEWAY_API, kind: "HTTPRoute", metadata: { name, namespace }, spec: { rules } };
    await cluster.apply(route, "somebody");
    const changed = async () => {
      const found = await cluster.read({ apiVersion: GATEWAY_API, kind: "HTTPRoute", name });
      return JSON.stringify(found).includes('"weight":99');
    };
    expect(await changed()).toBe(true);
    await until("the weights to be put back", 30, async () => !(await changed()));
    expect(await once(child, "close")).toEqual([0, null]);
    expect((await rollouts().state()).table?.weights).toEqual({ blue: 0, green: 100 });
    expect(await rollouts().rollback()).toBe(0);
  });

  /** Only where a node's processes are this machine's can they be killed. */
  async function needsProcesses({ skip }: TestContext): Promise<void> {
    const [pod] = await proxyPods(rollouts().stack.cluster);
    skip(processesOf(pod, "envoy").length === 0, "the node's processes are not on this machine");
  }

  /**
   * Kills a container under load, then does what comes next.
   *
   * @returns for each request that failed, the seconds from the kill to its begin
   */
  async function failedByKill(
    pod: Pod | undefined,
    container: string,
    next: () => Promise<unknown>,
    by?: Partial<GatewayPlace>,
  ) {
    let at = 0;
    const { failed } = await rollouts().underLoad(async () => {
      await sleep(1000);
      at = Date.now();
      killProcesses(processesOf(pod, container));
      await next();
    }, by);
    return failed.map(({ startedAt }) => (startedAt - at) / 1000);
  }

  test("a replica of the candidate that is killed costs what it was answering, and no more", async (context) => {
    await needsProcesses(context);
    const child = await rollouts().cutoverAt("shift-20");
    const [pod] = await slotPods(rollouts().stack.cluster, "green");
    const failed = await failedByKill(pod, "server", () => once(child, "close"));
    for (const seconds of failed) expect(seconds).toBeLessThan(0.1);
    expect(failed.length).toBeLessThan(3);
    // Its gates may have seen the restart, or a probe that was cut off; either way the rollout is over, and well.
    const { table, journal } = await rollouts().state();
    expect([0, 1]).toContain(child.exitCode);
    expect(table?.weights[child.exitCode === 0 ? "green" : "blue"]).toBe(100);
    expect(table !== undefined && journal !== undefined && sameTable(table, journal.table)).toBe(true);
    expect(journal?.machine.state.name).toBe(child.exitCode === 0 ? "standby" : "idle");
    if (child.exitCode === 0) expect(await rollouts().rollback()).toBe(0);
  });

  test("an Envoy proxy that is killed has the step's weights when it is back; its controller waits for it", async (context) => {
    await needsProcesses(context);
    const child = await rollouts().cutoverAt("shift-20");
    const ended = once(child, "close");
    const [pod] = await proxyPods(rollouts().stack.cluster);
    // By the pod's own address: a Service without a ready endpoint leads nowhere.
    const by = { address: pod?.status?.podIP ?? "", port: PROXY_PORT };
    const failed = await failedByKill(
      pod,
      "envoy",
      async () => {
        await until("the proxy to be back", 60, async () => {
          return (await rollouts().state()).table?.weights.green === 20;
        });
        expect(child.exitCode, "the controller's exit code").toBe(null);
        expect(await rollouts().rollback()).toBe(0);
        expect(await ended).toEqual([1, null]);
      },
      by,
    );
    expect(Math.max(...failed)).toBeLessThan(10);
    expect((await rollouts().state()).table?.weights).toEqual({ blue: 100, green: 0 });
  });
}
