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

/** Rolls an image out under quick gates and gives the reason for which it was taken back. */
async function reasonOf(image: string, gates: Partial<GateSettings>): Promise<string> {
  const context = stack.context({ gates: { ...QUICK_GATES, ...gates } });
  const { code } = await runVerb(cutover(context, { ...QUICK_CUTOVER, image }));
  expect(code).toBe(1);
  return (await context.journal.read())?.machine.ending?.reason ?? "";
}

describe("a release that only a gate can find", () => {
  it("is taken back for its WebSockets, which nobody but the probes uses", async () => {
    const image = "exai/reference-server:test-ws-drop";
    await buildReferenceServer({ tag: image, faults: "ws-drop=0.3" });
    expect(await reasonOf(image, {})).toMatch(/websocket-errors: .* refused or lost \(\d+ of \d+, limit 1\.00 %\)/);
  }, 180_000);

  it("is taken back for WebSockets that it refuses with 403, as if their clients were to blame", async () => {
    const image = "exai/reference-server:test-ws-forbid";
    await buildReferenceServer({ tag: image, faults: "ws-reject=0.5:403,sound-requests=20" });
    expect(await reasonOf(image, {})).toMatch(/websocket-errors: .* refused or lost \(\d+ of \d+, limit 1\.00 %\)/);
  }, 180_000);

  it("is taken back for event streams that fail", async () => {
    const image = "exai/reference-server:test-streams";
    await buildReferenceServer({ tag: image, faults: "stream-errors=0.5,sound-requests=20" });
    expect(await reasonOf(image, {})).toMatch(/errors(-compared)?: .* requests failed/);
  }, 180_000);

  it("is taken back for requests that it does not find, where the stable slot does", async () => {
    const image = "exai/reference-server:test-not-found";
    await buildReferenceServer({ tag: image, faults: "refusals=0.3:404,sound-requests=20" });
    expect(await reasonOf(image, {})).toMatch(/(refusals|probes)-compared: .* refused \(4xx\), on blue 0 of/);
  }, 180_000);

  it("is taken back for a query of the user's own, asked of a real Prometheus", async () => {
    const query = { name: "memory-limit", query: 'process_resident_memory_bytes{slot="$slot"}' } as const;
    const queries = [{ ...query, comparison: "<", limit: 1e6 }] as const;
    expect(await reasonOf(LOCAL_IMAGES.referenceServer, { queries })).toMatch(/^memory-limit: .* is not < 1000000/);
  }, 180_000);

  it("is taken back for a leak, once there is half a minute of samples", async () => {
    const image = "exai/reference-server:test-leak";
    await buildReferenceServer({ tag: image, faults: "leak=3MB/s" });
    expect(await reasonOf(image, { memoryGrowth: 30, noDataSeconds: 120 })).toMatch(/^memory: \d+ MB, growing by/);
  }, 240_000);
});
