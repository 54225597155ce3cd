import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hookDefinition } from "../../../contract/hooks.ts";
import { LOCAL_IMAGES } from "../../../contract/images.ts";
import { rolloutStatus } from "../../../operations/rollout/commands/status.ts";
import { Controller, readJournal } from "../../support/rollout/controller.ts";
import { expectSound, killIn } from "../../support/rollout/kill.ts";
import { testHooks } from "../../support/rollout/hooks.ts";
import { QUICK_CUTOVER, QUICK_GATES, startRolloutStack, type RolloutStack } from "../../support/rollout/stack.ts";
import { startReceiver } from "../../support/receiver.ts";
import { runVerb } from "../../support/verbs.ts";
import { abort, cutover, resume, rollback } from "../../support/rollout/verbs.ts";

let stack: RolloutStack;
beforeAll(async () => {
  stack = await startRolloutStack();
});
afterAll(async () => {
  await stack.down();
});

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
    });

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
    });
  }

  it("in a hook: resume runs it again with the same identifier, and none that has ended", async () => {
    const receiver = await startReceiver();
    const hooks = (["before-users", "after-step", "after-completion", "after-rollback"] as const).map((when) =>
      hookDefinition.parse({ name: when, when, url: receiver.url }),
    );
    const sent = () =>
      receiver.received.map(({ body }) => (JSON.parse(body) as { data: { id: string; attempt: number } }).data);
    try {
      // The first hook passes; the second one is running when the controller is killed.
      receiver.answer = (response, index) => {
        if (index === 0) response.end("ready");
      };
      const controller = Controller.start(stack, { action: "cutover", hooks });
      await receiver.until(2);
      controller.signal("SIGKILL");
      await controller.ended();
      receiver.answer = (response) => response.end("fine");
      const own = () => stack.context({ gates: QUICK_GATES, hooks: testHooks(hooks) });
      const { code, events } = await runVerb(resume(own()));
      expect(code, JSON.stringify(events.at(-1))).toBe(0);
      const { machine } = await expectSound(stack);
      const id = machine.plan?.id ?? "";
      expect(sent().map((data) => [data.id, data.attempt])).toEqual([
        [`${id}-shift-20-before-users`, 1],
        [`${id}-shift-20-after-step`, 1],
        [`${id}-shift-20-after-step`, 2],
        [`${id}-shift-100-after-step`, 1],
        [`${id}-completed-after-completion`, 1],
      ]);
      expect((await rolloutStatus(own())).hooks?.map(({ hook, attempt, end }) => [hook, attempt, end?.answer])).toEqual(
        [
          ["before-users", 1, "ready"],
          ["after-step", 2, "fine"],
          ["after-step", 1, "fine"],
          ["after-completion", 1, "fine"],
        ],
      );

      // A rollback is reported to its hook when the users are back, and does not depend on the answer.
      const before = receiver.received.length;
      receiver.answer = (response) => response.writeHead(500).end();
      const back = runVerb(rollback(own(), {}));
      await receiver.until(before + 1);
      expect((await own().traffic.inForce())?.weights[machine.plan?.stable ?? "blue"]).toBe(100);
      receiver.answer = (response) => response.writeHead(403).end("not now");
      expect((await back).code).toBe(0);
      expect((await expectSound(stack)).machine.hooks?.at(-1)).toMatchObject({
        ...{ step: "rolled-back", end: { outcome: "failed", why: "refused", answer: "not now" } },
      });

      // A hook that refuses before a step rolls the release back, under the reason code of a hook.
      receiver.answer = (response) => response.writeHead(409).end("no capacity");
      const refused = await runVerb(cutover(own(), { ...QUICK_CUTOVER, image: LOCAL_IMAGES.referenceServer }));
      expect(refused.code).toBe(1);
      expect(refused.events.at(-1)).toMatchObject({
        data: { failure: { code: "hook-failed", run: { hook: "before-users", end: { answer: "no capacity" } } } },
      });
      const urgent = await runVerb(
        cutover(own(), { ...QUICK_CUTOVER, image: LOCAL_IMAGES.referenceServer, skipHooks: true }),
      );
      expect(urgent.code).toBe(0);
      expect((await runVerb(rollback(own(), {}))).code).toBe(0);
    } finally {
      await receiver.close();
    }
  });

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
    });
  }
});
