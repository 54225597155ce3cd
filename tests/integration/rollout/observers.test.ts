import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { VerbEvent } from "../../support/verbs.ts";
import { LOCAL_IMAGES } from "../../../contract/images.ts";
import { Notifier } from "../../../operations/notify/notifier.ts";
import { FileCursorStore } from "../../../operations/notify/delivery-cursor.ts";
import { webhook } from "../../../operations/notify/webhook.ts";
import { planCutover } from "../../../operations/rollout/commands/plan.ts";
import { watchRollout, type WatchEvent, type WatchResult } from "../../../operations/rollout/commands/watch.ts";
import type { RolloutContext } from "../../../operations/rollout/ports/context.ts";
import { startReceiver, type Receiver } from "../../support/receiver.ts";
import {
  QUICK_CUTOVER,
  QUICK_GATES,
  startRolloutStack,
  until,
  type RolloutStack,
} from "../../support/rollout/stack.ts";
import { runVerb } from "../../support/verbs.ts";
import { abort, cutover, promote, resume } from "../../support/rollout/verbs.ts";

const GOOD = { ...QUICK_CUTOVER, image: LOCAL_IMAGES.referenceServer } as const;

let stack: RolloutStack;
let receiver: Receiver;
beforeAll(async () => {
  receiver = await startReceiver();
  stack = await startRolloutStack();
});
afterAll(async () => {
  await stack.down();
  await receiver.close();
});
afterEach(async () => {
  await runVerb(abort(stack.context(), {})).catch(() => undefined);
});

const announcer = () =>
  new Notifier({
    stack: "test",
    channels: [webhook(receiver.url, `whsec_${Buffer.alloc(32, 1).toString("base64")}`)],
    cursors: new FileCursorStore(join(stack.home, "rollout", "notified")),
    flushSeconds: 1,
  });
/** Watches until the rollout, or the watching, ends. */
async function watched(
  context: RolloutContext,
): Promise<{ readonly views: readonly WatchEvent["data"][]; readonly result: WatchResult }> {
  const events = watchRollout(context, { everySeconds: 0.2 });
  const views: WatchEvent["data"][] = [];
  for (;;) {
    const next = await events.next();
    if (next.done === true) return { views, result: next.value };
    if (next.value.type === "view") views.push(next.value.data);
  }
}
const heard = () => receiver.received.map(({ body }) => (JSON.parse(body) as { data: { kind: string } }).data.kind);

describe("a rollout that is watched and announced", () => {
  it("is planned, watched to its end, and announced completely after a resume to a receiver that hung", async () => {
    const before = await planCutover(stack.context(), GOOD);
    expect(before.blockers).toEqual([]);
    expect(before.stages.map(({ name }) => name)).toContain("shift");

    // The first controller is interrupted while no receiver answers its announcements.
    receiver.answer = () => undefined;
    const interruption = new AbortController();
    const watching = watched(stack.context());
    const first = cutover(stack.context({ gates: QUICK_GATES, announcer: announcer(), signal: interruption.signal }), {
      ...GOOD,
      reason: "release",
    });
    let code: number | undefined;
    const said: VerbEvent[] = [];
    while (code === undefined) {
      const next = await first.next();
      if (next.done === true) code = next.value;
      else {
        said.push(next.value);
        if (next.value.type === "step" && next.value.id === "shift-20") interruption.abort(new Error("interrupted"));
      }
    }
    expect(code).toBe(130);
    expect(said.findLast(({ type }) => type === "note")).toMatchObject({
      level: "warning",
      message: expect.stringContaining("to webhook: 2 not delivered yet") as string,
    });
    expect((await planCutover(stack.context(), GOOD)).blockers[0]?.exitCode).toBe(3);

    receiver.answer = (response) => response.end("ok");
    const tries = receiver.received.length;
    const second = await runVerb(resume(stack.context({ gates: QUICK_GATES, announcer: announcer() })));
    expect(second.code).toBe(0);
    expect(heard().slice(tries)).toEqual(["started", "step", "step", "bake", "completed"]);
    const { views, result } = await watching;
    expect(views.some(({ leader }) => leader === "none")).toBe(true);
    expect(views).toContainEqual(expect.objectContaining({ label: "shift 20 %", weights: { blue: 80, green: 20 } }));
    expect(result).toMatchObject({ outcome: "completed" });
  });

  it("can be promoted into its approval and approved at once", async () => {
    const context = () => stack.context({ gates: QUICK_GATES });
    const state = async () => (await context().journal.read())?.machine.state.name;
    const running = runVerb(cutover(context(), { ...GOOD, holdSeconds: 600, approval: true }));
    await until("on its first step", 90, async () => (await state()) === "shift");
    // A step whose gates have not begun refuses for a moment.
    const promoted = async () => (await runVerb(promote(context(), {}))).code === 0;
    await until("promoted", 60, promoted);
    expect(await state()).toBe("approve");
    await until("approved", 60, promoted);
    expect((await running).code).toBe(0);
  });

  it("does not change when Ctrl-C ends the watching", async () => {
    const stop = new AbortController();
    const watching = watched(stack.context({ signal: stop.signal }));
    const before = await stack.context().journal.read();
    stop.abort(new Error("interrupted"));
    expect((await watching).result).toEqual({ outcome: "interrupted" });
    expect(await stack.context().journal.read()).toEqual(before);
  });
});
