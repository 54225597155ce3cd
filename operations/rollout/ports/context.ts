import { setTimeout as timer } from "node:timers/promises";
import { DEFAULT_GRACE_SECONDS } from "../../../contract/server.ts";
import type { Ahead } from "./prefetch.ts";
import type { ControlStore } from "./control.ts";
import type { Announcer } from "./announcer.ts";
import type { SlotDeployer } from "./deployer.ts";
import type { GateSettings } from "../gates/settings.ts";
import type { JournalStore } from "./journal.ts";
import type { LeaseStore } from "./lease.ts";
import type { PlanDefaults } from "../model/plan.ts";
import type { TrafficDriver } from "./traffic.ts";
import type { WorkOf } from "../controller/step-result.ts";
import type { RolloutSchema } from "../../schema/coupling.ts";

/** All that a rollout touches. The CLI builds it from a stack's settings; tests build it around containers of theirs. */
export interface RolloutContext {
  readonly traffic: TrafficDriver;
  readonly journal: JournalStore;
  readonly leases: LeaseStore;
  /** Where a running controller is reached from another terminal. */
  readonly control: ControlStore;
  readonly deployer: SlotDeployer;
  /** The router as users reach it, e.g. `http://127.0.0.1:8080`. */
  readonly routerUrl: string;
  /** EXAI_WS_PORT through the router, e.g. `ws://127.0.0.1:8079`. */
  readonly webSocketUrl: string;
  readonly prometheusUrl: string;
  readonly gates: GateSettings;
  readonly deadlines: RolloutDeadlines;
  /** Of the plans of this stack. */
  readonly defaults: PlanDefaults;
  /** Token for the smoke test's WebSocket, where the server wants one. */
  readonly webSocketToken?: () => string | Promise<string>;
  /** The schema that releases are coupled to. Absent: the stack has no database. */
  readonly schema?: RolloutSchema;
  /** What was asked before this was put together. Absent: it is asked when the verb begins. */
  readonly ahead?: Ahead;
  /** Tells others what happens. Absent: nobody is told. */
  readonly announcer?: Announcer;
  /** Aborted by Ctrl-C: the rollout stops between two steps and can be resumed. */
  readonly signal: AbortSignal;
  /** user@host, for the history. */
  readonly who: string;
  /** Waits between two looks, and does what a state is for: a model of the world puts its own in their place. */
  readonly sleep?: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  readonly work?: WorkOf;
}

/** Waits as the context does it. @throws the signal's reason */
export async function wait({ sleep }: RolloutContext, milliseconds: number, signal: AbortSignal): Promise<void> {
  await (sleep === undefined ? timer(milliseconds, undefined, { signal }) : sleep(milliseconds, signal));
}

/** Seconds. */
export interface RolloutDeadlines {
  /** From the start of the candidate's container until the router sees it ready. @default 120 */
  readonly readySeconds: number;
  /** For each smoke check. @default 10 */
  readonly smokeSeconds: number;
  /** Between SIGTERM and SIGKILL of a slot that is drained: the server's own grace. @default 30 */
  readonly graceSeconds: number;
}

export const DEFAULT_DEADLINES: RolloutDeadlines = {
  readySeconds: 120,
  smokeSeconds: 10,
  graceSeconds: DEFAULT_GRACE_SECONDS,
};

/** What the CLI knows of a stack on either platform. */
export interface RolloutOptions {
  readonly deployer: SlotDeployer;
  readonly gates?: Partial<GateSettings>;
  readonly deadlines?: Partial<RolloutDeadlines>;
  readonly defaults?: PlanDefaults;
  readonly leaseSeconds?: number;
  readonly webSocketToken?: () => string | Promise<string>;
  readonly schema?: RolloutSchema;
  readonly ahead?: Ahead;
  readonly announcer?: Announcer;
  readonly signal?: AbortSignal;
}
