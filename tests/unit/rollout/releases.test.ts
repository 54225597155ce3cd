import { beforeEach, describe, expect, it } from "vitest";
import { otherSlot } from "../../../contract/slots.ts";
import { findRelease, listReleases } from "../../../operations/rollout/commands/releases.ts";
import { RolloutStore } from "../../../operations/rollout/controller/store.ts";
import { drive } from "../../../operations/rollout/controller/controller.ts";
import type { RolloutContext } from "../../../operations/rollout/ports/context.ts";
import { rollback } from "../../support/rollout/verbs.ts";
import { runOperation, runVerb } from "../../support/verbs.ts";
import { advance, passes, rolloutPlan } from "./plans.ts";
import { Process, World } from "./world.ts";

let context: RolloutContext;
beforeEach(() => {
  context = new World().context(new Process("ann@host"), "http://127.0.0.1:9", passes);
});

/** Brings a rollout of an image to a state. */
async function roll(image: string, state: "shift" | "standby"): Promise<void> {
  const store = await RolloutStore.open(context, "cutover");
  await store.dispatch({ type: "finish" });
  await runOperation(drive(store));
  const stable = store.machine.active;
  const { image: stableImage } = await context.deployer.status(stable);
  const plan = rolloutPlan({
    ...{ id: `20261123T115955Z-${image}`, stable, candidate: otherSlot(stable), image, drainSeconds: 0 },
    ...(stableImage === undefined ? {} : { stableImage }),
  });
  await advance(store, plan, state);
  await store.close();
}
const states = async () => (await listReleases(context)).releases.map(({ image, state }) => `${image}: ${state}`);

describe("the releases of a stack", () => {
  it("are the image that has the users, before the first rollout", async () => {
    expect(await states()).toEqual(["one: serving"]);
  });

  it("are listed with the newest first, the warm one among them", async () => {
    await roll("two", "standby");
    expect(await states()).toEqual(["two: serving", "one: warm"]);
    await roll("three", "standby");
    expect(await states()).toEqual(["three: serving", "two: warm", "one: earlier"]);
    expect((await listReleases(context)).releases[0]).toMatchObject({
      rollout: "20261123T115955Z-three",
      who: "ann@host",
    });
  });

  it("do not include an image that had some of the users only", async () => {
    await roll("two", "shift");
    expect(await states()).toEqual(["one: warm"]);
    await runVerb(rollback(context, {}));
    expect(await states()).toEqual(["one: serving"]);
  });

  it("show which one was rolled back after it had the users", async () => {
    await roll("two", "standby");
    await runVerb(rollback(context, {}));
    expect((await listReleases(context)).releases).toMatchObject([
      { image: "two", state: "earlier", rolledBack: true },
      { image: "one", state: "serving" },
    ]);
  });
});

describe("the name of a release", () => {
  const DIGEST = `registry/exai@sha256:${"ab".repeat(32)}`;
  beforeEach(async () => {
    await roll("registry/exai:1.0.0", "standby");
    await roll(DIGEST, "standby");
    await roll("registry/exai:1.1.0", "standby");
  });

  it.each([
    ["registry/exai:1.0.0", "registry/exai:1.0.0"],
    ["1.0.0", "registry/exai:1.0.0"],
    ["abab", DIGEST],
    ["20261123T115955Z-registry/exai:1.0.0", "registry/exai:1.0.0"],
  ])("may be %s", async (name, image) => {
    expect((await findRelease(context, name)).image).toBe(image);
  });

  it.each([
    ["9.9.9", /is not a release of this stack/],
    ["1.1.0", /is the release that the users have/],
    ["", /is the name of 4 releases/],
  ])("cannot be %j", async (name, message) => {
    await expect(findRelease(context, name)).rejects.toThrow(message);
  });
});
