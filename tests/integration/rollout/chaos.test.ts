import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { ROUTER } from "../../../components/routing/docker.ts";
import { otherSlot, type Slot } from "../../../contract/slots.ts";
import { slotHost } from "../../../contract/envoy/names.ts";
import { sameTable } from "../../../contract/envoy/routes.ts";
import { docker, tryDocker } from "../../../operations/docker/cli.ts";
import type { GateSettings } from "../../../operations/rollout/gates/settings.ts";
import type { Journal } from "../../../operations/rollout/model/journal.ts";
import { Controller, readJournal } from "../../support/rollout/controller.ts";
import { startRolloutStack, until, type RolloutStack } from "../../support/rollout/stack.ts";
import { runVerb } from "../../support/verbs.ts";
import { Users } from "../../support/rollout/users.ts";
import { abort, rollback } from "../../support/rollout/verbs.ts";

/** The candidate has 20 % long enough for something to break in the meantime. */
const REQUEST = { steps: [20, 100], holdSeconds: 12, bakeSeconds: 1 } as const;

/** For cases that may end either way: gates that cannot decide, or see both slots fail alike, end them soon. */
const BRIEF = { noDataSeconds: 15, sharedProblemSeconds: 15 } as const;

let stack: RolloutStack;
let controller: Controller | undefined;
let stable: Slot;
beforeAll(async () => {
  stack = await startRolloutStack();
});
beforeEach(() => {
  stable = readJournal(stack.home)?.machine.active ?? "blue";
});
/** Returns to rest with both slots alive, from any state. */
afterEach(async () => {
  if (controller?.running === true) controller.signal("SIGKILL");
  await controller?.ended();
  controller = undefined;
  await tryDocker(["unpause", container("prometheus")]);
  await docker(["start", container(ROUTER), container("prometheus"), ...slots()]);
  await until("both slots ready", 60, async () => {
    const ready = await stack.context().traffic.readiness();
    return ready.blue && ready.green;
  });
  const { state } = readJournal(stack.home)?.machine ?? { state: { name: "idle" } };
  if (state.name !== "idle") await runVerb((state.name === "standby" ? rollback : abort)(stack.context(), {}));
});
afterAll(async () => {
  await stack.down();
});

function container(name: string): string {
  return `${stack.name}-${name}`;
}

function slots(): string[] {
  return [container(slotHost("blue")), container(slotHost("green"))];
}

/** All processes of a container but its first, which then ends: Docker sees a crash, and restarts it as after one. */
async function crash(name: string): Promise<void> {
  const life = () => docker(["inspect", "--format", "{{.Id}} {{.RestartCount}}", container(name)]);
  const before = await life();
  // It dies with its container, and Docker may not know any more how it ended.
  const { stderr } = await tryDocker(["exec", container(name), "sh", "-c", "kill -9 -1"]);
  await until(`the crash of ${name} (${stderr.trim()})`, 30, async () => (await life()) !== before);
}

/** Users, and a controller that has moved the first of them. */
async function inMidRollout(title: string, gates: Partial<GateSettings> = {}): Promise<Users> {
  const users = await Users.come(stack, title);
  controller = Controller.start(stack, { action: "cutover", request: REQUEST, gates });
  await controller.reaches(stack, "shift 20 %");
  return users;
}

/** What must hold at the end of every case: at rest, all users on one slot, the router has the journal's table. */
async function atRest(): Promise<Journal> {
  const journal = readJournal(stack.home);
  if (journal === undefined) throw new Error("no journal");
  expect(["idle", "standby"]).toContain(journal.machine.state.name);
  expect(Object.values(journal.table.weights).sort((a, b) => a - b)).toEqual([0, 100]);
  const context = stack.context();
  const inForce = await context.traffic.inForce();
  expect(inForce !== undefined && sameTable(inForce, journal.table), JSON.stringify({ inForce, journal })).toBe(true);
  expect(await context.leases.holder()).toBeUndefined();
  return journal;
}

describe("in the middle of a rollout", () => {
  it("Envoy crashes: it comes back with the table of the step, and nothing but that moment fails", async () => {
    const users = await inMidRollout("Envoy is killed at 20 %", BRIEF);
    const before = readJournal(stack.home)?.table;
    await crash(ROUTER);
    // The first table that is seen is the step's: the router reads the file before it listens.
    let first;
    await until("the router's answer", 30, async () => {
      first = await stack.context().traffic.inForce();
      return first !== undefined;
    });
    expect(first).toMatchObject({ weights: before?.weights });
    const { code } = (await controller?.ended()) ?? {};
    const seen = await users.leave();
    const { machine } = await atRest();
    process.stdout.write(`chaos: end: exit code ${String(code)}, ${JSON.stringify(machine.ending)}\n`);
    expect([0, 1]).toContain(code);
    expect(seen.failedSeconds).toBeLessThan(10);
    expect(seen.mcpWrongSlot).toBe(0);
  });

  it("the candidate's container crashes: the rollout rolls back at once", async () => {
    const users = await inMidRollout("the candidate is killed at 20 %");
    await crash(slotHost(otherSlot(stable)));
    const { code } = (await controller?.ended()) ?? {};
    const seen = await users.leave();
    expect(code).toBe(1);
    expect((await atRest()).machine).toMatchObject({
      active: stable,
      ending: { outcome: "rolled-back", automatic: true, from: "shift" },
    });
    expect(seen.failedSeconds).toBeLessThan(8);
    // A fifth of the requests at most, and those of the moment.
    expect(seen.failed).toBeLessThan(seen.requests / 5);
  });

  it.each([
    ["crashes: the candidate carries the users until it is back", () => crash(slotHost(stable))],
    ["is gone permanently: users still get answers", () => docker(["kill", container(slotHost(stable))])],
  ])(
    "the stable slot's container %s",
    async (what, end) => {
      const users = await inMidRollout(`the stable slot ${what.replace(/:.*/, "")} at 20 %`, BRIEF);
      await end();
      const { code } = (await controller?.ended()) ?? {};
      const seen = await users.leave();
      const { machine } = await atRest();
      process.stdout.write(`chaos: end: exit code ${String(code)}, ${JSON.stringify(machine.ending)}\n`);
      expect([0, 1]).toContain(code);
      expect(seen.failedSeconds).toBeLessThan(10);
      expect((await fetch(stack.routerUrl)).status).toBe(200);
    },
    300_000,
  );

  it("Prometheus hangs and comes back: the step holds, then goes on", async () => {
    const users = await inMidRollout("Prometheus hangs for 15 s at 20 %");
    await docker(["pause", container("prometheus")]);
    const began = performance.now();
    // Longer than the hold: only the gates keep the step now.
    await until("15 s without Prometheus", 60, () => Promise.resolve(performance.now() - began > 15_000));
    expect(readJournal(stack.home)?.machine.state).toMatchObject({ name: "shift", step: 0 });
    await docker(["unpause", container("prometheus")]);
    const { code } = (await controller?.ended()) ?? {};
    const seen = await users.leave();
    expect(code).toBe(0);
    expect((await atRest()).machine.state.name).toBe("standby");
    expect(seen).toMatchObject({ failed: 0, webSocketsCut: 0, mcpFailed: 0, mcpWrongSlot: 0 });
  });

  it("Prometheus is gone: the step holds, and at its deadline the rollout rolls back", async () => {
    const users = await inMidRollout("Prometheus is killed at 20 %", { noDataSeconds: 8 });
    await docker(["kill", container("prometheus")]);
    const { code } = (await controller?.ended()) ?? {};
    const seen = await users.leave();
    expect(code).toBe(1);
    expect((await atRest()).machine).toMatchObject({
      active: stable,
      ending: { outcome: "rolled-back", automatic: true, from: "shift" },
    });
    const { failure } = (await atRest()).machine.ending ?? {};
    expect(failure?.code).toBe("gates-timeout");
    expect(JSON.stringify(failure)).toContain(stack.prometheusUrl);
    expect(seen).toMatchObject({ failed: 0, webSocketsCut: 0, mcpFailed: 0, mcpWrongSlot: 0 });
  });
});
