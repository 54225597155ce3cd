import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FIRST_TABLE, type RouteTable } from "../../contract/envoy/routes.ts";
import { GATEWAY_API, LISTENERS, ROUTING_NAMES, sharedRules } from "../../contract/gateway.ts";
import { controlRequest } from "../../operations/rollout/ports/control.ts";
import { firstJournal, type HistoryEntry, type Journal } from "../../operations/rollout/model/journal.ts";
import { Cluster } from "../../operations/rollout/kubernetes/cluster.ts";
import { KubernetesControlStore } from "../../operations/rollout/kubernetes/control.ts";
import { KubernetesJournalStore, JOURNAL_NAME } from "../../operations/rollout/kubernetes/journal.ts";
import { KubernetesCursorStore } from "../../operations/rollout/kubernetes/delivery-cursors.ts";
import { KubernetesLeaseStore, LEASE_NAME } from "../../operations/rollout/kubernetes/lease.ts";
import type { ApiObject, ConfigMap, Lease as LeaseObject } from "../../operations/rollout/kubernetes/api-types.ts";
import { GatewayProxies } from "../../operations/rollout/kubernetes/gateway-proxies.ts";
import { GatewayTraffic } from "../../operations/rollout/kubernetes/gateway-traffic.ts";
import { until } from "../support/rollout/stack.ts";
import { FencedError } from "../../operations/rollout/ports/lease.ts";

/** Lease, journal, control and the routes' fence on a real API server, without a pod: `EXAI_TEST_KUBECONFIG`. */
const kubeconfig = process.env.EXAI_TEST_KUBECONFIG ?? "";

describe.skipIf(kubeconfig === "")(
  "a rollout's objects on a cluster (EXAI_TEST_KUBECONFIG)",
  { timeout: 120_000 },
  () => {
    const namespace = `exai-stores-${randomBytes(3).toString("hex")}`;
    const cluster = kubeconfig === "" ? (undefined as never) : Cluster.open({ kubeconfig, namespace });

    beforeAll(async () => {
      await cluster.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } }, "exai-test");
      for (const listener of LISTENERS) {
        const rules = sharedRules({ listener, wsPort: 8079, table: FIRST_TABLE });
        const metadata = { name: ROUTING_NAMES.shared[listener], namespace };
        await cluster.apply(
          { apiVersion: GATEWAY_API, kind: "HTTPRoute", metadata, spec: { rules } } as ApiObject,
          "pulumi",
        );
      }
    });

    afterAll(async () => {
      await cluster.remove({ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
    });

    const journalStore = () => new KubernetesJournalStore(cluster);
    const leaseStore = (seconds?: number) =>
      new KubernetesLeaseStore(cluster, {
        floor: () => journalStore().token(),
        ...(seconds === undefined ? {} : { seconds }),
      });
    const traffic = () =>
      new GatewayTraffic({
        cluster,
        proxies: new GatewayProxies(cluster, "envoy-gateway-system"),
        wsPort: 8079,
        readBackSeconds: 0,
      });
    const journalOf = (sequence: number, entry?: HistoryEntry): Journal => ({
      ...firstJournal(),
      sequence,
      ...(entry === undefined ? {} : { entry }),
    });
    const entryOf = (sequence: number, reason: string): HistoryEntry => ({
      sequence,
      reason,
      at: new Date().toISOString(),
      who: "test",
      rollout: "r",
      from: "prepare",
      to: "deploy",
      label: "deploy",
      images: {},
      weights: { blue: 100, green: 0 },
      verdicts: [],
    });

    describe("the lease", () => {
      test("is refused with the holder's name while it is held, and free when it is released", async () => {
        const lease = await leaseStore().acquire("cutover");
        expect(await leaseStore().holder()).toMatchObject({ verb: "cutover", pid: process.pid });
        await expect(leaseStore().acquire("rollback")).rejects.toThrow(
          new RegExp(`holds it: \`cutover\`, process ${String(process.pid)}, token ${String(lease.token)}`),
        );
        await lease.release();
        expect(await leaseStore().holder()).toBeUndefined();
        const next = await leaseStore().acquire("rollback");
        expect(next.token).toBe(lease.token + 1);
        await next.release();
      });

      test("goes to one of many that ask at the same time", async () => {
        const asked = await Promise.allSettled(Array.from({ length: 6 }, () => leaseStore().acquire("cutover")));
        const taken = asked.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
        expect(taken).toHaveLength(1);
        await taken[0]?.release();
      });

      test("is renewed for as long as it is held", async () => {
        const lease = await leaseStore(3).acquire("cutover");
        await sleep(5000);
        expect(lease.lost.aborted).toBe(false);
        await expect(leaseStore(3).acquire("rollback")).rejects.toThrow("holds it");
        await lease.release();
      });

      test("that was taken over shuts the sleeping holder out of journal and routes", async () => {
        const first = await leaseStore().acquire("cutover");
        const [writer, router] = [await journalStore().open(first), await traffic().writer(first)];
        await writer.write(journalOf(1));
        const second = await leaseStore().seize("rollback");
        expect(second.token).toBeGreaterThan(first.token);
        const newer = await journalStore().open(second);
        await traffic().writer(second);
        await expect(writer.write(journalOf(2))).rejects.toThrow(FencedError);
        const table: RouteTable = { ...FIRST_TABLE, generation: 2, weights: { blue: 0, green: 100 } };
        await expect(router.apply(table, AbortSignal.timeout(5000))).rejects.toThrow(FencedError);
        const route = { apiVersion: GATEWAY_API, kind: "HTTPRoute", name: ROUTING_NAMES.shared.http };
        expect(JSON.stringify(await cluster.read(route))).not.toContain('"weight":100,"name":"server-green"');
        expect((await journalStore().read())?.sequence).toBe(1);
        await expect(journalStore().open(first)).rejects.toThrow(FencedError);
        await newer.write(journalOf(2));
        await until("the first holder to notice", 15, () => Promise.resolve(first.lost.aborted));
        await second.release();
      });

      /** A holder on another machine, as far as this one can see. */
      async function heldElsewhere(renewedSecondsAgo: number): Promise<void> {
        const reference = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", name: LEASE_NAME };
        const lease = await cluster.read<LeaseObject>(reference);
        if (lease === undefined) throw new Error("there is no lease");
        const holder = {
          who: "ann@elsewhere",
          verb: "cutover",
          pid: 7,
          boot: "other",
          processNamespace: "",
          processStart: "",
        };
        lease.metadata.annotations = { "exai.holder": JSON.stringify(holder) };
        const renewTime = new Date(Date.now() - renewedSecondsAgo * 1000).toISOString().replace("Z", "000Z");
        lease.spec = { ...lease.spec, holderIdentity: "ann@elsewhere", leaseDurationSeconds: 3, renewTime };
        await cluster.replace(lease);
      }

      test("of a machine that no longer exists can be taken over after its duration without a renewal", async () => {
        await heldElsewhere(1);
        await expect(leaseStore().acquire("resume")).rejects.toThrow("ann@elsewhere holds it: `cutover`");
        await heldElsewhere(3600);
        const began = performance.now();
        const lease = await leaseStore().acquire("resume");
        expect(performance.now() - began).toBeGreaterThan(3000);
        await lease.release();
      });

      test.each([3600, -3600])(
        "of a holder whose clock is %d s off stays with the holder while it is renewed",
        async (off) => {
          await heldElsewhere(off);
          const attempt = leaseStore()
            .acquire("resume")
            .then(
              () => "taken",
              (error: unknown) => String(error),
            );
          await sleep(1000);
          await heldElsewhere(off);
          expect(await attempt).toContain("ann@elsewhere holds it");
          await (await leaseStore().seize("test")).release();
        },
      );

      test.each([3600, -3600])("of a clock that is %d s off has a holder, who may be gone", async (off) => {
        await heldElsewhere(0);
        expect(await leaseStore().holder()).toEqual({ who: "ann@elsewhere", verb: "cutover", pid: 7 });
        await heldElsewhere(off);
        expect(await leaseStore().holder()).toMatchObject({ who: "ann@elsewhere", doubtful: true });
        await (await leaseStore().seize("test")).release();
      });

      test("that was deleted does not fall behind the journal", async () => {
        const before = await leaseStore().seize("test");
        await journalStore().open(before);
        await before.release();
        const metadata = { name: LEASE_NAME, namespace };
        await cluster.remove({ apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata });
        const lease = await leaseStore().acquire("test");
        expect(lease.token).toBe(before.token + 1);
        await lease.release();
      });
    });

    describe("the journal", () => {
      test("survives foreign labels, and its deletion", async () => {
        const lease = await leaseStore().seize("test");
        const writer = await journalStore().open(lease);
        await writer.write(journalOf(10, entryOf(10, "first")));
        const metadata = { name: JOURNAL_NAME, namespace };
        await cluster.apply<ConfigMap>(
          { apiVersion: "v1", kind: "ConfigMap", metadata: { ...metadata, labels: { team: "a" } } },
          "other-manager",
        );
        await writer.write(journalOf(11, entryOf(11, "second")));
        expect((await journalStore().history()).map(({ reason }) => reason)).toEqual(["first", "second"]);
        await cluster.remove({ apiVersion: "v1", kind: "ConfigMap", metadata });
        await writer.write(journalOf(12, entryOf(12, "third")));
        expect((await journalStore().read())?.sequence).toBe(12);
        await lease.release();
      });

      test("has the gates' last check for other machines", async () => {
        const verdicts = [{ gate: "errors", verdict: "pass", why: "within-limit", test: "none" }] as const;
        await journalStore().publish({ sequence: 12, verdicts });
        await journalStore().publish({ sequence: 13, verdicts });
        expect(await journalStore().lastCheck()).toEqual({ sequence: 13, verdicts });
      });

      test("keeps the newest of a history that outgrows its object", async () => {
        const lease = await leaseStore().seize("test");
        const writer = await journalStore().open(lease);
        const long = "x".repeat(100 * 1024);
        for (let sequence = 20; sequence < 32; sequence += 1)
          await writer.write(journalOf(sequence, entryOf(sequence, `${String(sequence)} ${long}`)));
        const kept = (await journalStore().history()).map(({ sequence }) => sequence);
        expect(kept.at(-1)).toBe(31);
        expect(kept.length).toBeGreaterThan(4);
        expect(kept.length).toBeLessThan(8);
        await lease.release();
      });
    });

    test("requests from another machine reach the controller once, and their answers the asker", async () => {
      const [asker, controller] = [new KubernetesControlStore(cluster), new KubernetesControlStore(cluster)];
      const mine = controlRequest({ action: "pause" }, "rollout-1", "ann@elsewhere", "test");
      const other = controlRequest({ action: "pause" }, "rollout-0", "bob@elsewhere", "test");
      await Promise.all([asker.post(mine), new KubernetesControlStore(cluster).post(other)]);
      const taken = await Promise.all([
        controller.take("rollout-1"),
        new KubernetesControlStore(cluster).take("rollout-1"),
      ]);
      expect(taken.flat()).toEqual([mine]);
      await controller.answer({ id: mine.id, accepted: true, state: "paused" });
      expect(await asker.answerTo(mine.id)).toEqual({ id: mine.id, accepted: true, state: "paused" });
      expect(await asker.answerTo(other.id)).toBeUndefined();
    });

    test("all machines share what a channel of notifications has delivered, and no count is lost", async () => {
      expect(await new KubernetesCursorStore(cluster).read("webhook")).toBeUndefined();
      const told = (sequence: number) =>
        new KubernetesCursorStore(cluster).change("webhook", (present = { sequence: 0, delivered: 0, failed: 0 }) => ({
          ...present,
          sequence: Math.max(present.sequence, sequence),
          delivered: present.delivered + 1,
        }));
      await Promise.all([3, 1, 2].map(told));
      const cursor = { sequence: 3, delivered: 3, failed: 0 };
      expect(await new KubernetesCursorStore(cluster).read("webhook")).toEqual(cursor);
    });
  },
);
