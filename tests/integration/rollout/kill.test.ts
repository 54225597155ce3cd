import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { sameTable } from "../../../contract/envoy/routes.ts";
import type { Verb } from "../../../contract/events.ts";
import { LOCAL_IMAGES } from "../../../contract/images.ts";
import { cutover } from "../../../operations/rollout/cutover.ts";
import type { Journal } from "../../../operations/rollout/journal.ts";
import type { StateName } from "../../../operations/rollout/machine.ts";
import { rollback } from "../../../operations/rollout/rollback.ts";
import { abort, resume } from "../../../operations/rollout/resume.ts";
import { testerHeaders } from "../../../operations/rollout/smoke.ts";
import { finish, pause, promote } from "../../../operations/rollout/steer.ts";
import type { Job } from "../../support/rollout-child.ts";
import { readJournal } from "../../support/rollout-controller.ts";
import { QUICK_GATES, runVerb, startRolloutStack, until, type RolloutStack } from "../../support/rollout-stack.ts";

let stack: RolloutStack;
beforeAll(async () => {
  stack = await startRolloutStack();
}, 120_000);
afterAll(async () => {
  await stack.down();
}, 60_000);

function start(action: "cutover" | "abort", request: Job["request"] = {}): ChildProcess {
  const { name, home, routerUrl, webSocketUrl, observeUrl, prometheusUrl, routesDirectory } = stack;
  const facts = { name, home, routerUrl, webSocketUrl, observeUrl, prometheusUrl, routesDirectory };
  const script = join(import.meta.dirname, "../../support/rollout-child.ts");
  return spawn(process.execPath, [script, JSON.stringify({ facts, action, request })], {
    stdio: ["ignore", "ignore", "inherit"],
  });
}

function journal(): Journal | undefined {
  return readJournal(stack.home);
}

/** Kills the controller with SIGKILL as soon as its journal shows the state. */
async function killIn(child: ChildProcess, state: StateName): Promise<void> {
  const exited = once(child, "exit");
  const deadline = performance.now() + 90_000;
  while (journal()?.machine.state.name !== state) {
    if (child.exitCode !== null || performance.now() > deadline) {
      child.kill("SIGKILL");
      throw new Error(`the controller ended with ${String(child.exitCode)} before it was in "${state}"`);
    }
    await sleep(1);
  }
  child.kill("SIGKILL");
  await exited;
}

/** What must hold after every end: at rest, the router has the journal's table, nobody holds the lease, a whole history. */
async function expectSound(): Promise<Journal> {
  const context = stack.context();
  const present = journal();
  const inForce = await context.traffic.inForce();
  expect(await context.leases.holder()).toBeUndefined();
  if (present === undefined || inForce === undefined) throw new Error("no journal, or no table");
  expect(["idle", "standby"]).toContain(present.machine.state.name);
  expect(sameTable(present.table, inForce), JSON.stringify({ journal: present.table, inForce })).toBe(true);
  expect(Object.values(present.table.weights).sort((a, b) => a - b)).toEqual([0, 100]);
  const sequences = (await context.journal.history()).map((entry) => entry.sequence);
  expect(sequences).toEqual(Array.from({ length: present.sequence }, (_, index) => index + 1));
  const answer = await fetch(stack.routerUrl);
  await answer.arrayBuffer();
  expect(answer.status).toBe(200);
  return present;
}

const STATES = ["prepare", "deploy", "ready", "smoke", "migrate", "shift", "bake"] as const;

describe("a controller that is killed", () => {
  for (const state of STATES) {
    it(`in "${state}": resume goes on to the end`, async () => {
      await killIn(start("cutover"), state);
      const context = stack.context({ gates: QUICK_GATES });
      const { code, events } = await runVerb(resume(context));
      expect(events.at(-1), JSON.stringify(events.at(-1))).toMatchObject({ type: "result" });
      expect(code).toBe(0);
      const after = await expectSound();
      expect(after.machine.state.name).toBe("standby");
      expect(after.table.weights[after.machine.plan?.candidate ?? "blue"]).toBe(100);
      expect((await runVerb(rollback(context, {}))).code).toBe(0);
      await expectSound();
    }, 180_000);

    it(`in "${state}": abort takes it back`, async () => {
      const before = journal()?.machine.active ?? "blue";
      await killIn(start("cutover"), state);
      expect((await runVerb(abort(stack.context(), { reason: "killed" }))).code).toBe(0);
      const after = await expectSound();
      expect(after.machine).toMatchObject({
        state: { name: "idle" },
        active: before,
        ending: { outcome: "rolled-back" },
      });
      expect(after.table.weights[before]).toBe(100);
    }, 180_000);
  }

  for (const [name, verb] of [
    ["resume", resume],
    ["abort", (context: Parameters<typeof resume>[0]) => abort(context, {})],
  ] as const) {
    it(`in "rollback": ${name} completes the rollback`, async () => {
      const before = journal()?.machine.active ?? "blue";
      await killIn(start("cutover"), "shift");
      await killIn(start("abort"), "rollback");
      expect((await runVerb(verb(stack.context()))).code).toBe(0);
      const after = await expectSound();
      expect(after.machine).toMatchObject({ state: { name: "idle" }, active: before });
    }, 180_000);
  }

  it("in standby: resume has nothing to do, abort refuses, rollback takes it back", async () => {
    await killIn(start("cutover"), "standby");
    const context = stack.context({ gates: QUICK_GATES });
    expect((await runVerb(resume(context))).code).toBe(0);
    expect((await expectSound()).machine.state.name).toBe("standby");
    await expect(runVerb(abort(context, {}))).rejects.toMatchObject({ exitCode: 3, mend: "./exai rollback" });
    expect((await runVerb(rollback(context, {}))).code).toBe(0);
    expect((await expectSound()).machine.state.name).toBe("idle");
  }, 180_000);

  it("while it waits for the candidate's last connections: the time goes on from where it was", async () => {
    const idle = journal()?.machine.active === "green" ? "blue" : "green";
    const context = stack.context();
    // The rollback before has emptied the slot.
    await context.deployer.deploy(idle, LOCAL_IMAGES.referenceServer, AbortSignal.timeout(60_000));
    await until(`${idle} to be ready`, 60, async () => (await context.traffic.readiness())[idle]);
    const tester = new WebSocket(stack.webSocketUrl, { headers: testerHeaders(idle) });
    await once(tester, "open");
    const closed = once(tester, "close");
    const began = performance.now();
    await killIn(start("cutover", { drainSeconds: 6 }), "drain");
    await sleep(2000);
    expect(tester.readyState).toBe(WebSocket.OPEN);
    const resumed = runVerb(resume(stack.context({ gates: QUICK_GATES })));
    const [code] = (await closed) as [number];
    const seconds = (performance.now() - began) / 1000;
    expect(code).toBe(1012);
    // Not before its time, which the kill neither ended nor began anew.
    expect(seconds).toBeGreaterThan(5.5);
    expect((await resumed).code).toBe(0);
    expect((await runVerb(rollback(stack.context(), {}))).code).toBe(0);
    await expectSound();
  }, 180_000);

  it("while it waits for an approval: resume waits again, and a promotion from elsewhere ends it", async () => {
    await killIn(start("cutover", { approval: true }), "approve");
    const resumed = runVerb(resume(stack.context({ gates: QUICK_GATES })));
    while ((await stack.context().leases.holder()) === undefined) await sleep(20);
    const promoted = await untilAccepted(() => promote(stack.context(), { reason: "approved" }));
    expect(promoted.code).toBe(0);
    expect((await resumed).code).toBe(0);
    const entry = (await stack.context().journal.history()).findLast(({ from }) => from === "approve");
    expect(entry).toMatchObject({ reason: "approved", label: "shift 100 %" });
    expect((await runVerb(rollback(stack.context(), {}))).code).toBe(0);
    await expectSound();
  }, 180_000);

  it("in a pause: it stays paused in the journal, and resume goes on", async () => {
    const child = start("cutover", { holdSeconds: 20 });
    const exited = once(child, "exit");
    await untilAccepted(() => pause(stack.context(), { reason: "lunch" }));
    child.kill("SIGKILL");
    await exited;
    expect(journal()?.machine.pause).toMatchObject({ reason: "lunch" });
    expect((await runVerb(resume(stack.context({ gates: QUICK_GATES })))).code).toBe(0);
    expect(journal()?.machine.pause).toBeUndefined();
    expect((await runVerb(rollback(stack.context(), {}))).code).toBe(0);
    await expectSound();
  }, 180_000);

  for (const hangs of [false, true]) {
    it(`${hangs ? "hangs" : "lives"}: a rollback from another terminal takes effect at once`, async () => {
      const before = journal()?.machine.active ?? "blue";
      const child = start("cutover", { steps: [50, 100], holdSeconds: 60 });
      const exited = once(child, "exit");
      while (journal()?.machine.state.name !== "shift") await sleep(20);
      await sleep(500);
      if (hangs) child.kill("SIGSTOP");
      const asked = performance.now();
      let flipped = 0;
      const verb = runVerb(rollback(stack.context(), { reason: "bad" }));
      while (flipped === 0) {
        const table = await stack.context().traffic.inForce();
        if (table?.weights[before] === 100) flipped = performance.now() - asked;
        else await sleep(5);
      }
      const { code } = await verb;
      if (hangs) child.kill("SIGCONT");
      process.stdout.write(
        `rollback beside a controller that ${hangs ? "hangs" : "lives"}: ${flipped.toFixed(0)} ms\n`,
      );
      // Seconds on a machine that does other things as well; the figure is printed.
      expect(flipped).toBeLessThan(5000);
      expect(code).toBe(0);
      // The release is not out, or somebody else has taken over.
      expect((await exited)[0]).toBe(hangs ? 3 : 1);
      const after = await expectSound();
      expect(after.machine).toMatchObject({ state: { name: "idle" }, active: before, ending: { reason: "bad" } });
      expect(after.entry?.who).toBe(stack.context().who);
    }, 180_000);
  }

  it("finish ends the standby, and a rollback after it says what it deploys, and does", async () => {
    const context = stack.context({ gates: QUICK_GATES });
    const before = journal()?.machine.active ?? "blue";
    await killIn(start("cutover"), "standby");
    expect((await runVerb(finish(context, { drainSeconds: 0 }))).code).toBe(0);
    expect(await context.deployer.status(before)).toMatchObject({ running: false });
    expect((await expectSound()).machine).toMatchObject({ emptied: [before], previous: { stable: before } });
    const back = await runVerb(rollback(context, {}));
    expect(back.events[0]).toMatchObject({
      type: "note",
      message: expect.stringContaining(`${before} is not warm`) as string,
    });
    expect(back.code).toBe(0);
    const after = await expectSound();
    expect(after.table.weights[before]).toBe(100);
  }, 180_000);

  it("does not let a second cutover or resume in while it lives, naming the holder", async () => {
    const child = start("cutover");
    try {
      while (journal()?.machine.state.name !== "deploy" && child.exitCode === null) await sleep(5);
      const request = { image: "another" };
      for (const verb of [resume(stack.context()), cutover(stack.context(), request)]) {
        await expect(runVerb(verb)).rejects.toMatchObject({
          exitCode: 3,
          message: expect.stringContaining(`process ${String(child.pid)}`) as string,
        });
      }
    } finally {
      await killIn(child, "ready");
      await runVerb(abort(stack.context(), {}));
    }
    await expectSound();
  }, 180_000);
});

/** Runs a verb that asks the one who leads until it is accepted: before the first step there is nothing to promote. */
async function untilAccepted(verb: () => Verb): Promise<{ readonly code: number }> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    try {
      return await runVerb(verb());
    } catch (error) {
      if (performance.now() > deadline) throw error;
      expect(error).toMatchObject({ exitCode: 3 });
      await sleep(200);
    }
  }
}
