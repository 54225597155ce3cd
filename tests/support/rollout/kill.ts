import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { sameTable } from "../../../contract/envoy/routes.ts";
import type { Journal } from "../../../operations/rollout/model/journal.ts";
import type { StateName } from "../../../operations/rollout/model/machine.ts";
import { readJournal, type Controller } from "./controller.ts";
import type { RolloutStack } from "./stack.ts";

/** Kills the controller with SIGKILL as soon as its journal shows the state. */
export async function killIn(stack: RolloutStack, controller: Controller, state: StateName): Promise<void> {
  const deadline = performance.now() + 90_000;
  while (readJournal(stack.home)?.machine.state.name !== state) {
    if (!controller.running || performance.now() > deadline) {
      controller.signal("SIGKILL");
      const { code, error } = await controller.ended();
      throw new Error(`the controller ended with ${String(code)} before it was in "${state}": ${error}`);
    }
    await sleep(1);
  }
  controller.signal("SIGKILL");
  await controller.ended();
}

/** What must hold after every end: at rest, the router has the journal's table, the lease is free, the history is complete. */
export async function expectSound(stack: RolloutStack): Promise<Journal> {
  const context = stack.context();
  const present = readJournal(stack.home);
  const inForce = await context.traffic.inForce();
  expect(await context.leases.holder()).toBeUndefined();
  if (present === undefined || inForce === undefined) throw new Error("no journal, or no table");
  expect(["idle", "standby"]).toContain(present.machine.state.name);
  expect(sameTable(present.table, inForce), JSON.stringify({ journal: present.table, inForce })).toBe(true);
  expect(Object.values(present.table.weights).sort((a, b) => a - b)).toEqual([0, 100]);
  const sequences = (await context.journal.history()).map((entry) => entry.sequence);
  expect(sequences).toEqual(Array.from({ length: present.sequence }, (_, index) => index + 1));
  const answer = await fetch(stack.routerUrl);
  await answer.arrayBuffer();
  expect(answer.status).toBe(200);
  return present;
}
