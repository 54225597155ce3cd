import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { alone, notBeingChanged, type Place } from "../../../platforms/compose/stack-lock.ts";
import { EXIT } from "../../../contract/errors.ts";
import type { ExaiEvent, Verb } from "../../../contract/events.ts";
import { firstJournal } from "../../../operations/rollout/model/journal.ts";
import { rolloutDirectory } from "../../../operations/rollout/local/context.ts";
import { FileLeaseStore } from "../../../operations/rollout/local/file-lease.ts";

describe("what changes a local stack as a whole", () => {
  let place: Place;
  beforeEach(() => {
    place = { stack: "local", home: mkdtempSync(join(tmpdir(), "exai-alone-")) };
  });
  afterEach(() => {
    rmSync(place.home, { recursive: true, force: true });
  });

  const events = async (verb: Verb): Promise<ExaiEvent[]> => {
    const seen: ExaiEvent[] = [];
    for await (const event of verb) seen.push(event);
    return seen;
  };
  const nothing = async function* (): Verb {
    return Promise.resolve(EXIT.ok);
  };
  const telling = async function* (): Verb {
    yield { type: "note", level: "info", message: "at work" };
    return Promise.resolve(EXIT.ok);
  };
  const refusedBy = (verb: string) => ({
    exitCode: EXIT.refused,
    message: expect.stringContaining(`\`${verb}\`, process ${process.pid}`) as string,
  });
  const leaveRolloutIn = (name: "bake" | "standby") => {
    const journal = firstJournal();
    const state = { ...journal, machine: { ...journal.machine, state: { name } } };
    mkdirSync(rolloutDirectory(place.home), { recursive: true });
    writeFileSync(join(rolloutDirectory(place.home), "journal.json"), JSON.stringify(state));
  };

  it("refuses a second one while the first is at it, and no longer", async () => {
    const first = alone(place, "up", telling);
    await first.next();
    await expect(events(alone(place, "down", nothing))).rejects.toMatchObject(refusedBy("up"));
    await expect(notBeingChanged(place)).rejects.toMatchObject(refusedBy("up"));
    await first.next();
    expect(await events(alone(place, "down", nothing))).toEqual([]);
    await notBeingChanged(place);
  });

  it("gives the stack free when the work fails", async () => {
    const failing = alone(place, "up", (): Verb => {
      throw new Error("broken");
    });
    await expect(events(failing)).rejects.toThrow("broken");
    await notBeingChanged(place);
  });

  it("refuses while somebody leads a rollout, and holds up no rollback", async () => {
    const rollouts = new FileLeaseStore(join(rolloutDirectory(place.home), "leases"));
    const lease = await rollouts.acquire("cutover");
    await expect(events(alone(place, "up", nothing))).rejects.toMatchObject(refusedBy("cutover"));
    await lease.release();
    const up = alone(place, "up", telling);
    await up.next();
    await (await rollouts.acquire("rollback")).release();
    await up.next();
  });

  it("goes on under a rollout that was left in the middle, and names what fixes it", async () => {
    leaveRolloutIn("bake");
    expect(await events(alone(place, "up", nothing))).toEqual([
      {
        type: "note",
        level: "warning",
        message: expect.stringMatching(/"bake".*rollout resume.*rollout abort/) as string,
      },
    ]);
    leaveRolloutIn("standby");
    expect(await events(alone(place, "up", nothing))).toEqual([]);
  });

  it("goes on under a journal that nobody can read, and says so", async () => {
    mkdirSync(rolloutDirectory(place.home), { recursive: true });
    writeFileSync(join(rolloutDirectory(place.home), "journal.json"), "{broken");
    expect(await events(alone(place, "up", nothing))).toMatchObject([{ level: "warning", message: /is no JSON/ }]);
  });
});
