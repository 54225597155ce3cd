import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Verb } from "../../../cli/events.ts";
import type { VerbEvent } from "../../support/verbs.ts";
import { LOCAL_IMAGES } from "../../../contract/images.ts";
import type { Failure } from "../../../contract/failure.ts";
import { HEADERS } from "../../../contract/server.ts";
import { docker } from "../../../operations/docker/cli.ts";
import { buildReferenceServer } from "../../../operations/images/reference.ts";
import { McpProbe } from "../../../operations/rollout/probes/mcp.ts";
import { rolloutDetail } from "../../../operations/rollout/commands/history.ts";
import { rolloutStatus } from "../../../operations/rollout/commands/status.ts";
import {
  QUICK_CUTOVER,
  QUICK_GATES,
  startRolloutStack,
  until,
  type RolloutStack,
} from "../../support/rollout/stack.ts";
import { testerHeaders } from "../../support/rollout/access.ts";
import { runVerb } from "../../support/verbs.ts";
import { abort, cutover, resume, rollback } from "../../support/rollout/verbs.ts";

const GOOD = { ...QUICK_CUTOVER, image: LOCAL_IMAGES.referenceServer } as const;

let stack: RolloutStack;
beforeAll(async () => {
  stack = await startRolloutStack();
});
afterAll(async () => {
  await stack.down();
});
// Each test begins at rest on one of the slots.
afterEach(async () => {
  await runVerb(abort(stack.context(), {})).catch(() => undefined);
});

async function userIsServedBy(): Promise<string | null> {
  const response = await fetch(stack.routerUrl);
  await response.arrayBuffer();
  expect(response.status).toBe(200);
  return response.headers.get(HEADERS.servedBy);
}

/** Runs a verb until an event of interest, and leaves the rest of it to the caller. */
async function runUntil(verb: Verb, wanted: (event: VerbEvent) => boolean): Promise<void> {
  for (;;) {
    const next = await verb.next();
    if (next.done === true) throw new Error(`the verb ended with ${String(next.value)} before`);
    if (wanted(next.value)) return;
  }
}

const startsStep = (id: string) => (event: VerbEvent) =>
  event.type === "step" && event.id === id && event.status === "started";

describe("a cutover", () => {
  it("moves the users to a good image, records its history, and rolls back in one step", async () => {
    const context = stack.context({ gates: QUICK_GATES });
    const done = await runVerb(cutover(context, { ...GOOD, reason: "release 1" }));
    expect(done.code).toBe(0);
    expect(await userIsServedBy()).toBe("green");
    const started = done.events.filter((event) => event.type === "step" && event.status === "started");
    expect(started.map((event) => (event.type === "step" ? event.id : ""))).toEqual([
      "prepare",
      "drain",
      "deploy",
      "ready",
      "smoke",
      "migrate",
      "shift-20",
      "shift-100",
      "bake",
    ]);
    const rollout = (await context.journal.history())[0]?.rollout ?? "";
    const text = JSON.stringify(await rolloutDetail(context, rollout));
    for (const part of ["release 1", context.who, GOOD.image, "p99", "shift 20 %"]) expect(text).toContain(part);
    expect((await rolloutStatus(context)).router).toBe("in-force");

    const takenBack = runVerb(rollback(context, { reason: "second thoughts" }));
    // Before the slot is emptied, which takes its time.
    await until("blue to have the users", 30, async () => (await context.traffic.inForce())?.weights.blue === 100);
    expect((await takenBack).code).toBe(0);
    expect(await userIsServedBy()).toBe("blue");
    await expect(runVerb(rollback(context, {}))).rejects.toMatchObject({ exitCode: 3 });
  });

  it("rolls back a bad image automatically, evicts its sessions and reports the figures", async () => {
    const image = "exai/reference-server:test-errors";
    // Sound as long as the smoke test asks, which would stop it otherwise: here the gates have to.
    await buildReferenceServer({ tag: image, faults: "errors=0.2,sound-requests=20" });
    const context = stack.context({ gates: { ...QUICK_GATES, minimumSamples: 200 } });
    const ended = await runVerb(cutover(context, { ...GOOD, image }));
    expect(ended.code).toBe(1);
    expect(failure(ended)).toMatchObject({
      code: "gate-failed",
      verdicts: expect.arrayContaining([
        expect.objectContaining({ gate: "errors", why: "above-limit", limit: 0.01 }),
      ]) as unknown,
    });
    expect(await userIsServedBy()).toBe("blue");
    const journal = await context.journal.read();
    expect(journal?.machine).toMatchObject({
      active: "blue",
      evicted: ["green"],
      ending: { automatic: true, from: "shift" },
    });
    expect(journal?.table.evicted).toEqual(["green"]);
  });

  it("stops a container that dies before any user meets it", async () => {
    const image = "exai/reference-server:test-never-ready";
    await buildReferenceServer({ tag: image, faults: "never-ready" });
    const context = stack.context({ gates: QUICK_GATES, deadlines: { readySeconds: 5 } });
    const ended = await runVerb(cutover(context, { ...GOOD, image }));
    expect(ended.code).toBe(1);
    expect(failure(ended)).toMatchObject({ code: "not-ready", slot: "green", seconds: 5 });
    expect(await userIsServedBy()).toBe("blue");
  });

  it("holds without data while Prometheus is down, then rolls back at the deadline", async () => {
    const context = stack.context({ gates: { ...QUICK_GATES, noDataSeconds: 6 } });
    const prometheus = `${stack.name}-prometheus`;
    const verb = cutover(context, GOOD);
    await runUntil(verb, startsStep("shift-20"));
    await docker(["pause", prometheus]);
    try {
      const ended = await runVerb(verb);
      expect(ended.code).toBe(1);
      expect(failure(ended)).toMatchObject({ code: "gates-timeout", seconds: 7 });
      expect(await userIsServedBy()).toBe("blue");
      await expect(runVerb(cutover(context, GOOD))).rejects.toMatchObject({ where: "gates" });
    } finally {
      await docker(["unpause", prometheus]);
    }
  });

  it("is left resumable by Ctrl-C", async () => {
    const stop = new AbortController();
    const verb = cutover(stack.context({ gates: QUICK_GATES, signal: stop.signal }), GOOD);
    await runUntil(verb, startsStep("shift-20"));
    stop.abort();
    const left = await runVerb(verb);
    expect(left.code).toBe(130);
    expect(left.text).toContain("./exai rollout resume");
    const context = stack.context({ gates: QUICK_GATES });
    await expect(runVerb(cutover(context, GOOD))).rejects.toMatchObject({ exitCode: 3, where: "rollout" });
    expect((await runVerb(resume(context))).code).toBe(0);
    expect(await userIsServedBy()).toBe("green");
    expect((await runVerb(rollback(context, {}))).code).toBe(0);
  });

  it("rolls back at once when the new slot's container is killed, and a session there starts again", async () => {
    const context = stack.context({ gates: { ...QUICK_GATES, minimumSamples: 100_000 } });
    const verb = cutover(context, GOOD);
    await runUntil(verb, startsStep("shift-20"));
    const session = new McpProbe(stack.routerUrl, await testerHeaders("green"), () => AbortSignal.timeout(5000));
    await session.initialize();
    const id = session.session ?? "";
    await docker(["kill", `${stack.name}-server-green`]);
    const ended = await runVerb(verb);
    expect(ended.code).toBe(1);
    expect(JSON.stringify(failure(ended))).toMatch(/"(restarted|not-running|unready)"/);
    const response = await fetch(`${stack.routerUrl}/mcp`, { method: "POST", headers: { [HEADERS.mcpSessionId]: id } });
    expect([response.status, await response.text()]).toEqual([
      404,
      expect.stringContaining("initialize a new session"),
    ]);
  });

  it("deploys the old slot again in a rollback if it died during the standby", async () => {
    const context = stack.context({ gates: QUICK_GATES });
    expect((await runVerb(cutover(context, GOOD))).code).toBe(0);
    expect(await userIsServedBy()).toBe("green");
    const to = "blue";
    await docker(["rm", "--force", `${stack.name}-server-${to}`]);
    await untilUnready(to);
    expect((await runVerb(rollback(context, {}))).code).toBe(0);
    expect(await userIsServedBy()).toBe(to);
  });

  async function untilUnready(slot: "blue" | "green"): Promise<void> {
    const { traffic } = stack.context();
    while ((await traffic.readiness())[slot]) await new Promise((resolve) => setTimeout(resolve, 200));
  }
});

function failure(ended: { readonly events: readonly VerbEvent[] }): Failure | undefined {
  const last = ended.events.findLast((event) => event.type === "result");
  return last?.type === "result" ? (last.data as { failure?: Failure }).failure : undefined;
}
