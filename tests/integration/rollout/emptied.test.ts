import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ROUTER } from "../../../components/routing/docker.ts";
import { SLOTS, type Slot } from "../../../contract/slots.ts";
import { ENVOY_METRICS } from "../../../contract/envoy/metrics.ts";
import { slotHost } from "../../../contract/envoy/names.ts";
import { LOCAL_IMAGES } from "../../../contract/images.ts";
import { RECORDS } from "../../../contract/monitoring.ts";
import { docker } from "../../../operations/docker/cli.ts";
import type { RolloutDeadlines } from "../../../operations/rollout/ports/context.ts";
import { Prometheus } from "../../../operations/rollout/gates/prometheus.ts";
import {
  QUICK_CUTOVER,
  QUICK_GATES,
  startRolloutStack,
  until,
  type RolloutStack,
} from "../../support/rollout/stack.ts";
import { runVerb } from "../../support/verbs.ts";
import { cutover, finish, rollback } from "../../support/rollout/verbs.ts";

/** Longer than two scrapes and two evaluations of the rules, seconds: what is to be raised is pending by then. */
const EVALUATED_SECONDS = 5;

let stack: RolloutStack;
let prometheus: Prometheus;
beforeAll(async () => {
  stack = await startRolloutStack();
  prometheus = new Prometheus(stack.prometheusUrl);
});
afterAll(async () => {
  await stack.down();
});

/** The slots that a record has the value for now. */
async function slotsWith(record: string, value: number): Promise<Slot[]> {
  const found = await Promise.all(SLOTS.map((slot) => prometheus.values(`${record}{slot="${slot}"}`)));
  return SLOTS.filter((_, index) => found[index]?.[0] === value);
}

/**
 * Alerts about a slot's servers that were pending or firing in the last seconds; their two minutes are promtool's to wait
 * for. The slot's latency on a busy machine does not matter here.
 */
async function raised(slot: Slot, seconds: number): Promise<string[]> {
  const series = await prometheus.samples(`ALERTS{slot="${slot}",symptom="availability"}`, seconds);
  return [...new Set(series.map(({ labels }) => labels.alertname ?? ""))].sort();
}

/** The slot has no server, the router says that this is meant, and no alert is about to be raised. */
async function expectQuiet(slot: Slot): Promise<void> {
  // Servers and router are scraped apart: until both are recorded, an evaluation may lie between them.
  await until("a slot without a server that the router calls empty", 30, async () => {
    const both = await Promise.all([slotsWith(RECORDS.slotTargetsUp, 0), slotsWith(RECORDS.slotEmptied, 1)]);
    return both.every((slots) => slots.includes(slot));
  });
  await sleep(EVALUATED_SECONDS * 1000);
  expect(await slotsWith(RECORDS.slotEmptied, 1)).toEqual([slot]);
  expect(await raised(slot, EVALUATED_SECONDS)).toEqual([]);
}

/** Both alerts are about to be raised; Alertmanager holds the target's back behind the slot's. */
async function expectRaised(slot: Slot): Promise<void> {
  let seen = "";
  const both = async (): Promise<boolean> => {
    const [alerts, emptied] = [await raised(slot, 6), await slotsWith(RECORDS.slotEmptied, 1)];
    seen = `${alerts.join(", ") || "none"}; called empty: ${emptied.join(", ") || "none"}`;
    return alerts.join() === "SlotDown,TargetDown" && emptied.length === 0;
  };
  await until("the alerts of a slot that is down", 60, both).catch((error: unknown) => {
    throw new Error(`it has ${seen}`, { cause: error });
  });
}

async function release(image: string, deadlines: Partial<RolloutDeadlines> = {}): Promise<number> {
  const context = stack.context({ gates: QUICK_GATES, deadlines });
  return (await runVerb(cutover(context, { ...QUICK_CUTOVER, image, drainSeconds: 0 }))).code;
}

describe("a slot without a server, with the real Envoy and the real Prometheus", () => {
  it("raises an alert if it died", async () => {
    await until("a word on both slots", 30, async () => (await slotsWith(RECORDS.slotEmptied, 0)).length === 2);
    const container = `${stack.name}-${slotHost("green")}`;
    await docker(["stop", "--time", "3", container]);
    await expectRaised("green");
    await docker(["start", container]);
    await until("quiet again", 60, async () => (await raised("green", 6)).length === 0);
  });

  it("raises no alert if `rollout finish` emptied it, even if the router restarts or is gone", async () => {
    expect(await release(LOCAL_IMAGES.referenceServer)).toBe(0);
    expect((await runVerb(finish(stack.context(), { drainSeconds: 0 }))).code).toBe(0);
    expect((await stack.context().traffic.inForce())?.emptied).toEqual(["blue"]);
    await expectQuiet("blue");
    // One series for all tables: it does not contain the name of a table.
    const job = { job: "router", instance: "router:9901", __name__: ENVOY_METRICS.eviction };
    const present = await prometheus.samples(ENVOY_METRICS.eviction, 4);
    expect(present.map(({ labels }) => labels)).toEqual([{ ...job, slot: "blue", eviction: "emptied" }]);
    const ever = await prometheus.samples(ENVOY_METRICS.eviction, 600);
    expect(ever.map(({ labels }) => Object.keys(labels).length)).toEqual(ever.map(() => 5));
    await docker(["stop", "--time", "1", `${stack.name}-${ROUTER}`]);
    await expectQuiet("blue");
    await docker(["start", `${stack.name}-${ROUTER}`]);
    await until("the router again", 60, async () => (await stack.context().traffic.readiness()).green);
    await expectQuiet("blue");
  });

  it("raises an alert if the release deployed there does not start", async () => {
    // Any image that is not a server.
    expect(await release(LOCAL_IMAGES.prometheus, { readySeconds: 10 })).toBe(1);
    const { machine, table } = (await stack.context().journal.read()) ?? {};
    expect({ active: machine?.active, evicted: table?.evicted, emptied: table?.emptied }).toEqual({
      active: "green",
      evicted: ["blue"],
      emptied: [],
    });
    await expectRaised("blue");
  });

  it("raises no alert if a rollback emptied it", async () => {
    expect(await release(LOCAL_IMAGES.referenceServer)).toBe(0);
    expect(await slotsWith(RECORDS.slotEmptied, 0)).toEqual([...SLOTS]);
    expect((await runVerb(rollback(stack.context(), { reason: "test" }))).code).toBe(0);
    expect((await stack.context().traffic.inForce())?.emptied).toEqual(["blue"]);
    await expectQuiet("blue");
  });
});
