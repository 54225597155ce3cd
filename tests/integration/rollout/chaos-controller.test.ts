import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { sameTable } from "../../../contract/envoy/routes.ts";
import type { Journal } from "../../../operations/rollout/model/journal.ts";
import { missing } from "../../support/missing.ts";
import { Controller, readJournal } from "../../support/rollout/controller.ts";
import { QUICK_GATES, startRolloutStack, type RolloutStack } from "../../support/rollout/stack.ts";
import { runVerb } from "../../support/verbs.ts";
import { Users } from "../../support/rollout/users.ts";
import { fixSaying } from "../../support/fix-saying.ts";
import { abort, resume, rollback } from "../../support/rollout/verbs.ts";

/** The library that `faketime` preloads. */
const FAKETIME = [
  "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
  "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
].find((path) => existsSync(path));

const ROOT = process.getuid?.() === 0;

const REQUEST = { steps: [20, 100], holdSeconds: 8, bakeSeconds: 1 } as const;

let stack: RolloutStack;
const controllers: Controller[] = [];
beforeAll(async () => {
  stack = await startRolloutStack();
});
afterEach(async () => {
  for (const controller of controllers.splice(0)) {
    if (controller.running) controller.signal("SIGKILL");
    await controller.ended();
  }
  const { state } = readJournal(stack.home)?.machine ?? { state: { name: "idle" } };
  if (state.name !== "idle") await runVerb((state.name === "standby" ? rollback : abort)(stack.context(), {}));
});
afterAll(async () => {
  await stack.down();
});

function start(
  ...args: Parameters<typeof Controller.start> extends [unknown, ...infer Rest] ? Rest : never
): Controller {
  const controller = Controller.start(stack, ...args);
  controllers.push(controller);
  return controller;
}

async function atRest(): Promise<Journal> {
  const journal = readJournal(stack.home);
  if (journal === undefined) throw new Error("no journal");
  expect(["idle", "standby"]).toContain(journal.machine.state.name);
  const inForce = await stack.context().traffic.inForce();
  expect(inForce !== undefined && sameTable(inForce, journal.table), JSON.stringify({ inForce, journal })).toBe(true);
  expect(Object.values(journal.table.weights).sort((a, b) => a - b)).toEqual([0, 100]);
  const sequences = (await stack.context().journal.history()).map((entry) => entry.sequence);
  expect(sequences).toEqual(Array.from({ length: journal.sequence }, (_, index) => index + 1));
  return journal;
}

describe("the controller", () => {
  it.skipIf(!ROOT)(
    "has a full disk under its journal: nothing changes after it, and resume goes on with room",
    async () => {
      const directory = join(stack.home, "rollout");
      await mkdir(directory, { recursive: true });
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=256k,mode=0755", "tmpfs", directory]);
      try {
        const users = await Users.come(stack, "the disk under the journal is full at 20 %");
        // A lease is not renewed on a full disk either: it must not be over before the step is.
        const controller = start({ action: "cutover", request: REQUEST, leaseSeconds: 120 });
        await controller.reaches(stack, "shift 20 %");
        const before = readJournal(stack.home);
        const filler = join(directory, "filler");
        // Until it is full: the error is what is wanted.
        await writeFile(filler, Buffer.alloc(512 * 1024)).catch(() => undefined);
        const { code, error } = await controller.ended();
        expect({ code, error }).toEqual({ code: 2, error: expect.stringContaining("ENOSPC") as string });
        expect(error).toContain(join(directory, "journal.json"));
        expect(error).toMatch(/make room.*exai rollout resume/);
        // Not a byte of the journal is lost, and the router has what it says.
        expect(readJournal(stack.home)).toEqual(before);
        const inForce = await stack.context().traffic.inForce();
        expect(inForce?.weights).toEqual(before?.table.weights);
        // Without room, going on is refused in the same words.
        await expect(runVerb(resume(stack.context({ gates: QUICK_GATES })))).rejects.toMatchObject({
          exitCode: 2,
          fix: fixSaying("make room"),
        });
        await rm(filler);
        const resumed = await runVerb(resume(stack.context({ gates: QUICK_GATES })));
        const seen = await users.leave();
        expect(resumed.code).toBe(0);
        expect((await atRest()).machine.state.name).toBe("standby");
        expect(seen).toMatchObject({ failed: 0, webSocketsCut: 0, mcpFailed: 0, mcpWrongSlot: 0 });
        expect((await runVerb(rollback(stack.context(), {}))).code).toBe(0);
      } finally {
        // Its content moves to the folder beneath, so that what follows finds journal and lease.
        execFileSync("cp", ["-a", `${directory}/.`, `${stack.home}/kept`]);
        execFileSync("umount", [directory]);
        execFileSync("cp", ["-a", `${stack.home}/kept/.`, directory]);
      }
    },
    240_000,
  );

  for (const [jump, seconds] of [
    ["forwards", "+3600"],
    ["backwards", "-3600"],
  ] as const) {
    it.skipIf(missing("faketime"))(
      `has a clock that jumps an hour ${jump}: lease and gates do not care`,
      async () => {
        const clock = join(stack.home, `clock-${jump}`);
        await writeFile(clock, "+0");
        const users = await Users.come(stack, `the clock jumps an hour ${jump} at 20 %`);
        const controller = start(
          { action: "cutover", request: REQUEST },
          {
            LD_PRELOAD: FAKETIME ?? "",
            FAKETIME_TIMESTAMP_FILE: clock,
            FAKETIME_NO_CACHE: "1",
            // Setting a machine's clock moves no monotonic one.
            FAKETIME_DONT_FAKE_MONOTONIC: "1",
            DONT_FAKE_MONOTONIC: "1",
          },
        );
        await controller.reaches(stack, "shift 20 %");
        await sleep(2000); // in the middle of the step's window, not at its beginning
        await writeFile(clock, seconds);
        // The lease is still the jumper's.
        await expect(runVerb(resume(stack.context()))).rejects.toMatchObject({
          exitCode: 3,
          message: expect.stringContaining(`process ${String(controller.pid)}`) as string,
        });
        const { code, error } = await controller.ended();
        const seen = await users.leave();
        const { ending } = readJournal(stack.home)?.machine ?? {};
        expect({ code, error, ending }).toEqual({ code: 0, error: "", ending: undefined });
        const { machine, entry } = await atRest();
        expect(machine.state.name).toBe("standby");
        // The jump did reach the controller.
        const off = (Date.parse(entry?.at ?? "") - Date.now()) / 1000;
        expect(Math.sign(Number(seconds)) * off).toBeGreaterThan(3000);
        expect(seen).toMatchObject({ failed: 0, webSocketsCut: 0, mcpFailed: 0, mcpWrongSlot: 0 });
      },
      180_000,
    );
  }

  it("is one of four that start at the same time: one leads, the others are refused with its name", async () => {
    const users = await Users.come(stack, "four controllers at once");
    const four = Array.from({ length: 4 }, () => start({ action: "cutover", request: { ...REQUEST, holdSeconds: 2 } }));
    const ended = await Promise.all(four.map((controller) => controller.ended()));
    const seen = await users.leave();
    expect(ended.map(({ code }) => code).sort()).toEqual([0, 3, 3, 3]);
    const leader = four[ended.findIndex(({ code }) => code === 0)];
    for (const { error } of ended.filter(({ code }) => code === 3)) {
      expect(error).toContain(`process ${String(leader?.pid)}`);
    }
    expect((await atRest()).machine.state.name).toBe("standby");
    expect(seen).toMatchObject({ failed: 0, webSocketsCut: 0, mcpFailed: 0, mcpWrongSlot: 0 });
  });

  it("is stopped during a takeover and continues: it writes nothing more, and reports why", async () => {
    const users = await Users.come(stack, "a stopped controller wakes up after a takeover");
    const controller = start({ action: "cutover", request: REQUEST, leaseSeconds: 3 });
    await controller.reaches(stack, "shift 20 %");
    controller.signal("SIGSTOP");
    const request = { reason: "the controller sleeps", keepSessions: true };
    expect((await runVerb(abort(stack.context(), request))).code).toBe(0);
    const after = readJournal(stack.home);
    const inForce = await stack.context().traffic.inForce();
    controller.signal("SIGCONT");
    const { code, error } = await controller.ended();
    const seen = await users.leave();
    expect({ code, error }).toEqual({ code: 3, error: expect.stringMatching(/lease.*lost/) as string });
    expect(readJournal(stack.home)).toEqual(after);
    expect(await stack.context().traffic.inForce()).toEqual(inForce);
    expect((await atRest()).machine).toMatchObject({ state: { name: "idle" }, ending: { outcome: "rolled-back" } });
    expect(seen).toMatchObject({ failed: 0, webSocketsCut: 0, mcpFailed: 0, mcpWrongSlot: 0 });
  });
});
