import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  notBeingChanged,
  unfinishedRestore,
  withStackLock,
  type Place,
} from "../../../platforms/compose/stack-lock.ts";
import { EXIT } from "../../../contract/errors.ts";
import type { Operation, ProgressEvent } from "../../../contract/events.ts";
import { rolloutDirectory } from "../../../operations/rollout/local/context.ts";
import { claimHome } from "../../../contract/machine/stack-home.ts";
import { fixSaying } from "../../support/fix-saying.ts";
import { firstJournal } from "../../../operations/rollout/model/journal.ts";
import { FileLeaseStore } from "../../../operations/rollout/local/file-lease.ts";

describe("the lock of a local stack", () => {
  let place: Place;
  beforeEach(() => {
    place = { stack: "local", instance: "exai", home: mkdtempSync(join(tmpdir(), "exai-alone-")) };
    claimHome(place.home, place.instance);
  });
  afterEach(() => {
    rmSync(place.home, { recursive: true, force: true });
  });

  const events = async (work: Operation<unknown>): Promise<ProgressEvent[]> => {
    const seen: ProgressEvent[] = [];
    for await (const event of work) seen.push(event);
    return seen;
  };
  const nothing = async function* (): Operation<unknown> {
    return Promise.resolve();
  };
  const reporting = async function* (): Operation<unknown> {
    yield { type: "note", level: "info", message: "working" };
    return Promise.resolve();
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

  it("refuses a second change until the first one ends", async () => {
    const first = withStackLock(place, "up", reporting);
    await first.next();
    await expect(events(withStackLock(place, "down", nothing))).rejects.toMatchObject(refusedBy("up"));
    await expect(notBeingChanged(place)).rejects.toMatchObject(refusedBy("up"));
    await first.next();
    expect(await events(withStackLock(place, "down", nothing))).toEqual([]);
    await notBeingChanged(place);
  });

  it("is released when the work fails", async () => {
    const failing = withStackLock(place, "up", (): Operation<unknown> => {
      throw new Error("broken");
    });
    await expect(events(failing)).rejects.toThrow("broken");
    await notBeingChanged(place);
  });

  it("refuses a change during a rollout, and does not block a rollback", async () => {
    const rollouts = new FileLeaseStore(join(rolloutDirectory(place.home), "leases"));
    const lease = await rollouts.acquire("cutover");
    await expect(events(withStackLock(place, "up", nothing))).rejects.toMatchObject(refusedBy("cutover"));
    await lease.release();
    const up = withStackLock(place, "up", reporting);
    await up.next();
    await (await rollouts.acquire("rollback")).release();
    await up.next();
  });

  it("allows a change during an unfinished rollout, and names the commands that end it", async () => {
    leaveRolloutIn("bake");
    expect(await events(withStackLock(place, "up", nothing))).toEqual([
      {
        type: "note",
        level: "warning",
        message: expect.stringContaining('"bake"') as string,
        fix: fixSaying(/rollout resume.*rollout abort/),
      },
    ]);
    leaveRolloutIn("standby");
    expect(await events(withStackLock(place, "up", nothing))).toEqual([]);
  });

  it.each([
    ["closed", 3],
    ["swap", 3],
    ["backup", undefined],
  ] as const)("refuses changes and deployments while a restore in place is unfinished: %s", async (phase, exitCode) => {
    const restore = unfinishedRestore(place.home);
    const startedAt = new Date("2026-11-29T14:30:00Z");
    const target = { kind: "time", at: startedAt } as const;
    const known = { id: "1", safety: null, archived: true, replaces: true, startedAt };
    restore.write({ schema: 1, phase, target, ...known });
    expect(restore.read()).toEqual({ schema: 1, phase, target, ...known });
    const allowed = ["down", "restore resume"];
    for (const verb of allowed) expect(await events(withStackLock(place, verb, nothing))).toEqual([]);
    const refusal = { exitCode, fix: fixSaying(/restore resume.*restore abort/) };
    for (const attempt of [() => events(withStackLock(place, "up", nothing)), () => notBeingChanged(place)])
      if (exitCode === undefined) await attempt();
      else await expect(attempt()).rejects.toMatchObject(refusal);
    restore.remove();
    expect(restore.read()).toBeUndefined();
  });

  it("allows a change if the journal is damaged, and reports it", async () => {
    mkdirSync(rolloutDirectory(place.home), { recursive: true });
    writeFileSync(join(rolloutDirectory(place.home), "journal.json"), "{broken");
    expect(await events(withStackLock(place, "up", nothing))).toMatchObject([
      { level: "warning", message: /is not valid JSON/ },
    ]);
  });

  it("allows a change after a damaged lease was watched, and says so", async () => {
    for (const folder of ["changes", "rollout/leases"]) {
      mkdirSync(join(place.home, folder), { recursive: true });
      const mark = { boot: "", processNamespace: "", processStart: "", renewedUptime: 0, released: false };
      const holder = { who: "ann@elsewhere", pid: 1, verb: "up" };
      const ahead = { schema: 1, holder, token: 1, seconds: 1, renewedAt: Date.now() + 86_400_000, ...mark };
      writeFileSync(join(place.home, folder, "00000001.json"), JSON.stringify(ahead));
    }
    const doubt = { level: "warning", message: /lease of ann@elsewhere is damaged or dated ahead/ };
    expect(await events(withStackLock(place, "up", nothing))).toMatchObject([doubt, doubt]);
    expect(await events(withStackLock(place, "up", nothing))).toEqual([]);
  });
});
