/**
 * A controller in a separate process, to be killed, stopped or given another clock: `node child.ts <job as JSON>`.
 * Prints its events, and an error that ends it, as lines of JSON.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { HookDefinition } from "../../../contract/hooks.ts";
import { UserError } from "../../../contract/errors.ts";
import type { Verb } from "../../../cli/events.ts";
import { LOCAL_IMAGES } from "../../../contract/images.ts";
import { type RolloutContext } from "../../../operations/rollout/ports/context.ts";
import type { CutoverRequest } from "../../../operations/rollout/commands/cutover.ts";
import type { GateSettings } from "../../../operations/rollout/gates/settings.ts";
import { TEST_ACCESS } from "./access.ts";
import { PlainDeployer, QUICK_CUTOVER, QUICK_GATES, type StackFacts } from "./stack.ts";
import { localRollout } from "../../../operations/rollout/local/context.ts";
import { testHooks } from "./hooks.ts";
import { abort, cutover, resume } from "./verbs.ts";

/** What a controller is to do. */
export interface Job {
  readonly facts: StackFacts;
  readonly action: "cutover" | "abort" | "resume";
  readonly request?: Partial<CutoverRequest>;
  readonly gates?: Partial<GateSettings>;
  readonly leaseSeconds?: number;
  readonly hooks?: readonly HookDefinition[];
  /** A step whose state it stays in, alive, from the moment that it says that it has begun it. */
  readonly haltAt?: string;
}

/** Longer than any test waits for it, milliseconds. */
const HALT_MS = 3_600_000;

/** What it prints of an error that ended it. */
export interface PrintedError {
  readonly error: string;
  readonly exitCode: number;
}

const { facts, action, request, gates, leaseSeconds, hooks, haltAt } = JSON.parse(process.argv[2] ?? "") as Job;
const context = localRollout({
  ...facts,
  access: TEST_ACCESS,
  deployer: new PlainDeployer(facts.name),
  gates: { ...QUICK_GATES, ...gates },
  ...(leaseSeconds === undefined ? {} : { leaseSeconds }),
  ...(hooks === undefined ? {} : { hooks: testHooks(hooks) }),
});
const verbs: Readonly<Record<Job["action"], (context: RolloutContext) => Verb>> = {
  cutover: (own) => cutover(own, { ...QUICK_CUTOVER, image: LOCAL_IMAGES.referenceServer, reason: "test", ...request }),
  abort: (own) => abort(own, {}),
  resume,
};
try {
  const verb = verbs[action](context);
  for (;;) {
    const next = await verb.next();
    if (next.done === true) process.exit(next.value);
    const event = next.value;
    process.stdout.write(`${JSON.stringify(event)}\n`);
    if (event.type === "step" && event.status === "started" && event.id === haltAt) await sleep(HALT_MS);
  }
} catch (error) {
  const known = error instanceof UserError;
  const printed: PrintedError = {
    error: known ? error.render() : error instanceof Error ? (error.stack ?? error.message) : String(error),
    exitCode: known ? error.exitCode : 70,
  };
  process.stdout.write(`${JSON.stringify(printed)}\n`);
  process.exit(printed.exitCode);
}
