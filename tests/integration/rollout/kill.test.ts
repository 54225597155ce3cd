import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Controller, readJournal } from "../../support/rollout/controller.ts";
import { expectSound, killIn } from "../../support/rollout/kill.ts";
import { QUICK_GATES, startRolloutStack, type RolloutStack } from "../../support/rollout/stack.ts";
import { runVerb } from "../../support/verbs.ts";
import { abort, resume, rollback } from "../../support/rollout/verbs.ts";

let stack: RolloutStack;
beforeAll(async () => {
  stack = await startRolloutStack();
}, 120_000);
afterAll(async () => {
  await stack.down();
}, 60_000);

const start = (action: "cutover" | "abort", haltAt?: string) =>
  Controller.start(stack, { action, ...(haltAt === undefined ? {} : { haltAt }) });

const STATES = ["prepare", "deploy", "ready", "smoke", "migrate", "shift", "bake"] as const;

/** Without work these states last milliseconds, and a reader of the journal could miss them. */
const BRIEF: readonly string[] = ["prepare", "migrate"];

/** A cutover, to be killed in a state. */
const startFor = (state: string) => start("cutover", BRIEF.includes(state) ? state : undefined);

describe("a controller that is killed", () => {
  for (const state of STATES) {
    it(`in "${state}": resume goes on to the end`, async () => {
      await killIn(stack, startFor(state), state);
      const context = stack.context({ gates: QUICK_GATES });
      const { code, events } = await runVerb(resume(context));
      expect(events.at(-1), JSON.stringify(events.at(-1))).toMatchObject({ type: "result" });
      expect(code).toBe(0);
      const after = await expectSound(stack);
      expect(after.machine.state.name).toBe("standby");
      expect(after.table.weights[after.machine.plan?.candidate ?? "blue"]).toBe(100);
      expect((await runVerb(rollback(context, {}))).code).toBe(0);
      await expectSound(stack);
    }, 180_000);

    it(`in "${state}": abort rolls back`, async () => {
      const before = readJournal(stack.home)?.machine.active ?? "blue";
      await killIn(stack, startFor(state), state);
      expect((await runVerb(abort(stack.context(), { reason: "killed" }))).code).toBe(0);
      const after = await expectSound(stack);
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
      const before = readJournal(stack.home)?.machine.active ?? "blue";
      await killIn(stack, start("cutover"), "shift");
      await killIn(stack, start("abort"), "rollback");
      expect((await runVerb(verb(stack.context()))).code).toBe(0);
      const after = await expectSound(stack);
      expect(after.machine).toMatchObject({ state: { name: "idle" }, active: before });
    }, 180_000);
  }
});
