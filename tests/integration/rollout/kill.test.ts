import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sameTable } from "../../../contract/envoy/routes.ts";
import type { Journal } from "../../../operations/rollout/journal.ts";
import type { StateName } from "../../../operations/rollout/machine.ts";
import { rollback } from "../../../operations/rollout/rollback.ts";
import { abort, resume } from "../../../operations/rollout/resume.ts";
import { readJournal } from "../../support/rollout-controller.ts";
import { QUICK_GATES, runVerb, startRolloutStack, type RolloutStack } from "../../support/rollout-stack.ts";

let stack: RolloutStack;
beforeAll(async () => {
  stack = await startRolloutStack();
}, 120_000);
afterAll(async () => {
  await stack.down();
}, 60_000);

function start(action: "cutover" | "abort"): ChildProcess {
  const { name, home, routerUrl, webSocketUrl, observeUrl, prometheusUrl, routesDirectory } = stack;
  const facts = { name, home, routerUrl, webSocketUrl, observeUrl, prometheusUrl, routesDirectory };
  const script = join(import.meta.dirname, "../../support/rollout-child.ts");
  return spawn(process.execPath, [script, JSON.stringify({ facts, action })], {
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

  it("does not let a second one in while it lives, naming the holder", async () => {
    const child = start("cutover");
    try {
      while (journal()?.machine.state.name !== "deploy") await sleep(5);
      for (const verb of [resume(stack.context()), abort(stack.context(), {}), rollback(stack.context(), {})]) {
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
