import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { declaredStack } from "../../../platforms/declared.ts";
import { openKubernetesRollout } from "../../../platforms/kubernetes/rollout.ts";
import { Notifier } from "../../../operations/notify/notifier.ts";
import { webhook } from "../../../operations/notify/webhook.ts";
import type { HistoryEntry } from "../../../operations/rollout/model/journal.ts";
import { Cluster } from "../../../operations/rollout/kubernetes/cluster.ts";
import { KubernetesCursorStore, NOTIFIED_NAME } from "../../../operations/rollout/kubernetes/delivery-cursors.ts";
import { startConfigMaps, type ConfigMaps } from "../../support/config-maps.ts";
import { startReceiver, type Receiver } from "../../support/receiver.ts";
import { rolloutEntries } from "./entries.ts";

const SECRET = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
const WHOLE = rolloutEntries("prepare", "deploy", 25, 100, "standby");
const NAMESPACE = "exai-prod";

let api: ConfigMaps;
let receiver: Receiver;
beforeEach(async () => {
  api = await startConfigMaps();
  receiver = await startReceiver();
});
afterEach(async () => {
  await receiver.close();
  await api.close();
});

/** The cursors, on a separate machine. */
const cursors = () => new KubernetesCursorStore(Cluster.open({ kubeconfig: api.kubeconfig, namespace: NAMESPACE }));

/** The notifier of a machine. */
const machine = (flushSeconds = 20, attemptSeconds = 2) =>
  new Notifier({
    stack: "prod",
    channels: [webhook(`${receiver.url}/hook?key=hidden`, SECRET)],
    cursors: cursors(),
    flushSeconds,
    times: { attemptSeconds, pauseSeconds: 0.02, longestPauseSeconds: 0.1 },
  });
const heard = () => receiver.received.map(({ headers }) => headers["webhook-id"]);
const kept = () => api.data[`${NAMESPACE}/${NOTIFIED_NAME}`];
const cursor = () => JSON.parse(kept()?.webhook ?? "null") as unknown;

/** A turn in which the entries happen, on a journal that has the earlier ones. */
async function turn(of: Notifier, entries: readonly HistoryEntry[], earlier: readonly HistoryEntry[] = []) {
  of.begin(earlier.length, () => Promise.resolve([...earlier, ...entries]));
  for (const entry of entries) of.queue(entry);
  await of.end();
  return of.problems();
}

describe("delivery cursors on a cluster", () => {
  it("are shared by all machines: the next one sends what the first one left, and nothing twice", async () => {
    expect(await turn(machine(), WHOLE.slice(0, 1))).toEqual([]);
    // A job of a pipeline was killed with 2 to 4 in the journal; another runner goes on with 5.
    expect(await turn(machine(), WHOLE.slice(4), WHOLE.slice(0, 4))).toEqual([]);
    expect(heard()).toEqual(["r1-1", "r1-3", "r1-4", "r1-5"]);
    expect(cursor()).toEqual({ sequence: 5, delivered: 4, failed: 0 });
    // A machine that has last led long ago, or never, repeats none of it.
    await turn(machine(), [], WHOLE);
    expect(heard()).toHaveLength(4);
  });

  it("contain no address and no key", async () => {
    await turn(machine(), WHOLE.slice(0, 1));
    expect(Object.keys(kept() ?? {})).toEqual(["webhook"]);
    expect(JSON.stringify(kept())).not.toMatch(/hidden|whsec|http/);
  });

  it("only rise under concurrent writes, and lose no count", async () => {
    const told = (sequence: number) =>
      cursors().change("webhook", (present = { sequence: 0, delivered: 0, failed: 0 }) => ({
        ...present,
        sequence: Math.max(present.sequence, sequence),
        delivered: present.delivered + 1,
      }));
    await Promise.all([4, 1, 5, 3, 2].map(told));
    expect(cursor()).toEqual({ sequence: 5, delivered: 5, failed: 0 });
    expect(api.conflicts).toBeGreaterThan(0);
  });

  it("are not set back by a machine that sends what another one has sent meanwhile", async () => {
    await turn(machine(), WHOLE.slice(0, 1));
    receiver.answer = (response, index) => {
      if (index > 1) response.end("ok");
    };
    // It is slow to send 3; the other machine has sent all by then.
    const slow = machine();
    slow.begin(2, () => Promise.resolve(WHOLE.slice(0, 2)));
    for (const entry of WHOLE.slice(2, 3)) slow.queue(entry);
    await receiver.until(2);
    await turn(machine(), WHOLE.slice(3), WHOLE.slice(0, 3));
    await slow.end();
    expect(heard()).toEqual(["r1-1", "r1-3", "r1-3", "r1-4", "r1-5", "r1-3"]);
    expect(cursor()).toMatchObject({ sequence: 5, delivered: 5 });
  });

  it("are not set back by an operation that was overtaken, but by a new journal", async () => {
    await turn(machine(), WHOLE);
    const overtaken = machine();
    overtaken.begin(3, () => Promise.resolve(WHOLE));
    await overtaken.end();
    expect(cursor()).toMatchObject({ sequence: 5 });
    await turn(machine(), [], WHOLE.slice(0, 1));
    expect(cursor()).toMatchObject({ sequence: 1 });
  });
});

describe("an API server", () => {
  it("that does not answer delays no announcement and no rollout, and the next operation sends the backlog", async () => {
    await turn(machine(), WHOLE.slice(0, 1));
    api.mood = "is silent";
    const second = machine(20, 3);
    const started = performance.now();
    second.begin(4, () => Promise.resolve(WHOLE.slice(0, 4)));
    for (const entry of WHOLE.slice(4)) second.queue(entry);
    expect(performance.now() - started).toBeLessThan(5000);
    await receiver.until(2);
    await second.end();
    expect(performance.now() - started).toBeLessThan(30_000);
    expect(second.problems()).toEqual([
      expect.stringMatching(/^notifications to webhook: the delivery cursor cannot be read \(no answer in time\)/),
    ]);
    expect(heard()).toEqual(["r1-1", "r1-5"]);
    api.mood = "answers";
    await turn(machine(), [], WHOLE);
    expect(heard()).toEqual(["r1-1", "r1-5", "r1-3", "r1-4", "r1-5"]);
  });

  it("that stops answering at the end delays an operation no longer than the flush", async () => {
    const first = machine(0.3, 60);
    first.begin(0, () => Promise.resolve([]));
    for (const entry of WHOLE.slice(0, 1)) first.queue(entry);
    await receiver.until(1);
    await expect.poll(cursor).toMatchObject({ sequence: 1 });
    api.mood = "is silent";
    for (const entry of WHOLE.slice(1, 3)) first.queue(entry);
    await receiver.until(2);
    const ending = performance.now();
    await first.end();
    expect(performance.now() - ending).toBeLessThan(30_000);
    expect(first.problems()).toEqual([
      expect.stringMatching(/the delivery cursor cannot be written \(no answer in time\)/),
    ]);
    api.mood = "answers";
    await turn(machine(), [], WHOLE.slice(0, 3));
    expect(heard()).toEqual(["r1-1", "r1-3", "r1-3"]);
  });

  it("that fails within the backlog causes no gap", async () => {
    await turn(machine(), WHOLE.slice(0, 1));
    receiver.answer = (response, index) => {
      api.mood = index === 1 ? "forbids" : "answers";
      response.end("ok");
    };
    expect(await turn(machine(), WHOLE.slice(4), WHOLE.slice(0, 4))).toEqual([
      expect.stringMatching(/the delivery cursor cannot be written \(get ConfigMap .* is not allowed/),
    ]);
    expect(heard()).toEqual(["r1-1", "r1-3", "r1-4", "r1-5"]);
    expect(cursor()).toMatchObject({ sequence: 5 });
  });

  it("that does not return the history leaves the cursor unchanged", async () => {
    await turn(machine(), WHOLE.slice(0, 1));
    const second = machine();
    second.begin(4, () => Promise.reject(new Error("reset")));
    for (const entry of WHOLE.slice(4)) second.queue(entry);
    await second.end();
    expect(second.problems()).toEqual(["notifications: the history cannot be read: reset"]);
    await turn(machine(), [], WHOLE);
    expect(heard()).toEqual(["r1-1", "r1-5", "r1-3", "r1-4", "r1-5"]);
  });

  it("that denies access leads to a warning, and announcements are sent", async () => {
    api.mood = "forbids";
    expect(await turn(machine(), WHOLE)).toEqual([
      expect.stringMatching(/cannot be read \(get ConfigMap exai-rollout-notified is not allowed/),
    ]);
    expect(heard()).toHaveLength(4);
  });
});

describe("a stack on a cluster", () => {
  it("stores its cursors there for all machines", async () => {
    const settings = {
      ...{ instance: NAMESPACE, kubeconfig: api.kubeconfig, kubeContext: "test" },
      ...{ rolloutWebhook: `${receiver.url}/hook`, rolloutWebhookSecret: SECRET },
    };
    for (const [entries, earlier] of [
      [WHOLE.slice(0, 3), []],
      [WHOLE.slice(3), WHOLE.slice(0, 3)],
    ] as const) {
      const { context, ...opened } = await openKubernetesRollout(
        declaredStack("staging", settings),
        new AbortController().signal,
      );
      context.announcer?.begin(earlier.length, () => Promise.resolve(earlier));
      for (const entry of entries) context.announcer?.queue(entry);
      await context.announcer?.end();
      await opened.close();
    }
    expect(heard()).toEqual(["r1-1", "r1-3", "r1-4", "r1-5"]);
    expect(cursor()).toEqual({ sequence: 5, delivered: 4, failed: 0 });
  });
});
