import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LOCAL_IMAGES } from "../../../contract/images.ts";
import { buildReferenceServer } from "../../../operations/images/reference.ts";
import { cutover } from "../../../operations/rollout/commands/cutover.ts";
import type { GateSettings } from "../../../operations/rollout/gates/settings.ts";
import { QUICK_CUTOVER, QUICK_GATES, startRolloutStack, type RolloutStack } from "../../support/rollout-stack.ts";
import { runVerb } from "../../support/verbs.ts";

let stack: RolloutStack;
beforeAll(async () => {
  stack = await startRolloutStack();
}, 120_000);
afterAll(async () => {
  await stack.down();
}, 60_000);

/** Rolls out an image under quick gates and returns the reason of the rollback. */
async function reasonOf(image: string, gates: Partial<GateSettings>): Promise<string> {
  const context = stack.context({ gates: { ...QUICK_GATES, ...gates } });
  const { code } = await runVerb(cutover(context, { ...QUICK_CUTOVER, image }));
  expect(code).toBe(1);
  return (await context.journal.read())?.machine.ending?.reason ?? "";
}

describe("a release that only a gate can find", () => {
  it("is rolled back for its WebSockets, which only the probes use", async () => {
    const image = "exai/reference-server:test-ws-drop";
    await buildReferenceServer({ tag: image, faults: "ws-drop=0.3" });
    expect(await reasonOf(image, {})).toMatch(/websocket-errors: .* refused or lost \(\d+ of \d+, limit 1\.00 %\)/);
  }, 180_000);

  it("is rolled back for WebSockets that it refuses with 403", async () => {
    const image = "exai/reference-server:test-ws-forbid";
    await buildReferenceServer({ tag: image, faults: "ws-reject=0.5:403,sound-requests=20" });
    expect(await reasonOf(image, {})).toMatch(/websocket-errors: .* refused or lost \(\d+ of \d+, limit 1\.00 %\)/);
  }, 180_000);

  it("is rolled back for event streams that fail", async () => {
    const image = "exai/reference-server:test-streams";
    await buildReferenceServer({ tag: image, faults: "stream-errors=0.5,sound-requests=20" });
    expect(await reasonOf(image, {})).toMatch(/errors(-compared)?: .* requests failed/);
  }, 180_000);

  it("is rolled back for requests that it answers with 404 and the stable slot with 200", async () => {
    const image = "exai/reference-server:test-not-found";
    await buildReferenceServer({ tag: image, faults: "refusals=0.3:404,sound-requests=20" });
    expect(await reasonOf(image, {})).toMatch(/(refusals|probes)-compared: .* refused \(4xx\), on blue 0 of/);
  }, 180_000);

  it("is rolled back for a custom query to a real Prometheus", async () => {
    const query = { name: "memory-limit", query: 'process_resident_memory_bytes{slot="$slot"}' } as const;
    const queries = [{ ...query, comparison: "<", limit: 1e6 }] as const;
    expect(await reasonOf(LOCAL_IMAGES.referenceServer, { queries })).toMatch(/^memory-limit: .* is not < 1000000/);
  }, 180_000);

  it("is rolled back for a memory leak after half a minute of samples", async () => {
    const image = "exai/reference-server:test-leak";
    await buildReferenceServer({ tag: image, faults: "leak=3MB/s" });
    expect(await reasonOf(image, { memoryGrowth: 30, noDataSeconds: 120 })).toMatch(/^memory: \d+ MB, growing by/);
  }, 240_000);
});
