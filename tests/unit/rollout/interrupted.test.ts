import { afterAll, beforeAll, expect, it } from "vitest";
import { formatRolloutChange } from "../../../cli/format/rollout/change.ts";
import { cutover } from "../../../operations/rollout/commands/cutover.ts";
import { finish } from "../../../operations/rollout/commands/finish.ts";
import type { InterruptedResult, RolloutResult } from "../../../operations/rollout/model/result.ts";
import type { RolloutContext } from "../../../operations/rollout/ports/context.ts";
import type { Operation } from "../../../contract/events.ts";
import { passes, TWO_STEPS } from "./plans.ts";
import { quietPrometheus } from "./prometheus.ts";
import { Process, World } from "./world.ts";

let prometheus: Awaited<ReturnType<typeof quietPrometheus>>;
beforeAll(async () => {
  prometheus = await quietPrometheus();
});
afterAll(() => {
  prometheus.close();
});

/** Runs an operation to its end; Ctrl-C comes when it does `what` to a slot. */
async function interruptIn(
  world: World,
  what: "deploy" | "drain",
  operation: (context: RolloutContext) => Operation<RolloutResult | InterruptedResult>,
) {
  const process = new Process("ann@host");
  const context = world.context(process, prometheus.url, passes);
  const interrupt = (signal: AbortSignal): Promise<never> => {
    process.stop.abort(new Error("interrupted"));
    signal.throwIfAborted();
    throw new Error("the signal is not the process's");
  };
  const deployer =
    what === "deploy"
      ? { ...context.deployer, deploy: (...[, , signal]: [unknown, unknown, AbortSignal]) => interrupt(signal) }
      : { ...context.deployer, drain: (...[, , signal]: [unknown, unknown, AbortSignal]) => interrupt(signal) };
  const running = operation({ ...context, deployer });
  for (;;) {
    const { done, value } = await running.next();
    if (done === true) return value;
  }
}

const texts = (result: RolloutResult | InterruptedResult) =>
  formatRolloutChange(result).flatMap((block) => (block.type === "lines" ? block.lines : []));

it("Ctrl-C in a deployment says what the slot has, and what resume does", async () => {
  const world = new World();
  world.slots.green = { ...world.slots.green, running: false };
  const result = await interruptIn(world, "deploy", (context) => cutover(context, { ...TWO_STEPS }));
  expect(result).toMatchObject({
    ...{ outcome: "interrupted", state: "deploy" },
    slot: { slot: "green", wanted: "two", present: { running: false, image: "one" }, continues: false },
  });
  expect(texts(result)).toEqual([
    "  green is stopped, with one; it was to be replaced by two, and resume begins that again",
  ]);
});

it("Ctrl-C while the old slot is stopped says whether it runs", async () => {
  const world = new World();
  const whole = cutover(world.context(new Process("ann@host"), prometheus.url, passes), { ...TWO_STEPS });
  while ((await whole.next()).done !== true);
  const result = await interruptIn(world, "drain", (context) => finish(context, { drainSeconds: 0 }));
  expect(result).toMatchObject({ state: "retire", slot: { slot: "blue", present: { running: true } } });
  expect(texts(result)).toEqual(["  blue runs one; it was to stop, and resume begins that again"]);
});
