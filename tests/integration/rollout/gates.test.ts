import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LOCAL_IMAGES } from "../../../contract/images.ts";
import type { Verdict } from "../../../contract/verdict.ts";
import { buildReferenceServer } from "../../../operations/images/reference.ts";
import type { GateSettings } from "../../../operations/rollout/gates/settings.ts";
import { QUICK_CUTOVER, QUICK_GATES, startRolloutStack, type RolloutStack } from "../../support/rollout/stack.ts";
import { runVerb } from "../../support/verbs.ts";
import { cutover } from "../../support/rollout/verbs.ts";

let stack: RolloutStack;
beforeAll(async () => {
  stack = await startRolloutStack();
});
afterAll(async () => {
  await stack.down();
});

/** Rolls an image out under quick gates and returns the gates for which it was rolled back. */
async function failingOf(image: string, gates: Partial<GateSettings>): Promise<readonly Verdict[]> {
  const context = stack.context({ gates: { ...QUICK_GATES, ...gates } });
  const { code } = await runVerb(cutover(context, { ...QUICK_CUTOVER, image }));
  expect(code).toBe(1);
  const failure = (await context.journal.read())?.machine.ending?.failure;
  return failure?.code === "gate-failed" ? failure.verdicts : [];
}

describe("a release that only a gate detects", () => {
  it("is rolled back for its WebSockets, which only the probes use", async () => {
    const image = "exai/reference-server:test-ws-drop";
    await buildReferenceServer({ tag: image, faults: "ws-drop=0.3" });
    expect(await failingOf(image, {})).toContainEqual(
      expect.objectContaining({ gate: "websocket-errors", why: "above-limit", limit: 0.01 }),
    );
  });

  it("is rolled back for WebSockets that it refuses with 403", async () => {
    const image = "exai/reference-server:test-ws-forbid";
    await buildReferenceServer({ tag: image, faults: "ws-reject=0.5:403,sound-requests=20" });
    expect(await failingOf(image, {})).toContainEqual(
      expect.objectContaining({ gate: "websocket-errors", why: "above-limit", limit: 0.01 }),
    );
  });

  it("is rolled back for event streams that fail", async () => {
    const image = "exai/reference-server:test-streams";
    await buildReferenceServer({ tag: image, faults: "stream-errors=0.5,sound-requests=20" });
    expect((await failingOf(image, {})).map(({ gate }) => gate).join()).toMatch(/\berrors(-compared)?\b/);
  });

  it("is rolled back for requests that it answers with 404 and the stable slot does not", async () => {
    const image = "exai/reference-server:test-not-found";
    await buildReferenceServer({ tag: image, faults: "refusals=0.3:404,sound-requests=20" });
    expect(await failingOf(image, {})).toContainEqual(
      expect.objectContaining({
        gate: expect.stringMatching(/^(refusals|probes)-compared$/) as string,
        sample: expect.objectContaining({ stable: expect.objectContaining({ bad: 0 }) as unknown }) as unknown,
      }),
    );
  });

  it("is rolled back for a custom query to a real Prometheus", async () => {
    const query = { name: "memory-limit", query: 'process_resident_memory_bytes{slot="$slot"}' } as const;
    const queries = [{ ...query, comparison: "<", limit: 1e6 }] as const;
    const failing = await failingOf(LOCAL_IMAGES.referenceServer, { queries });
    expect(failing[0]).toMatchObject({ gate: "memory-limit", why: "above-limit", limit: 1e6 });
  });

  it("is rolled back for a leak, after half a minute of samples", async () => {
    const image = "exai/reference-server:test-leak";
    await buildReferenceServer({ tag: image, faults: "leak=3MB/s" });
    const failing = await failingOf(image, { memoryGrowth: 30, noDataSeconds: 120 });
    expect(failing[0]).toMatchObject({ gate: "memory", why: "above-limit", test: "mann-kendall", unit: "MB/min" });
  });
});
