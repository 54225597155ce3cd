import { setTimeout as timer } from "node:timers/promises";
import { DEFAULT_GRACE_SECONDS } from "../../../contract/server.ts";
import type { SlotAccess } from "./access.ts";
import type { Prefetch } from "./prefetch.ts";
import type { ControlStore } from "./control.ts";
import type { Announcer } from "./announcer.ts";
import type { HookRunner } from "./hooks.ts";
import type { SlotDeployer } from "./deployer.ts";
import type { GateSettings } from "../gates/settings.ts";
import type { JournalStore } from "./journal.ts";
import type { LeaseStore } from "./lease.ts";
import type { PlanDefaults, RolloutPlan } from "../model/plan.ts";
import type { RolloutState } from "../model/machine.ts";
import type { Operation } from "../../../contract/events.ts";
import type { TrafficDriver } from "./traffic.ts";
import type { RolloutSchema } from "../../schema/coupling.ts";

/** All dependencies of a rollout. The CLI builds it from a stack's settings, tests from their containers. */
export interface RolloutContext {
  readonly traffic: TrafficDriver;
  readonly journal: JournalStore;
  readonly leases: LeaseStore;
  /** Carries requests from other processes to a running controller. */
  readonly control: ControlStore;
  readonly deployer: SlotDeployer;
  /** Signs the tokens of probes and testers. */
  readonly access: SlotAccess;
  /** Address of the router for users, e.g. `http://127.0.0.1:8080`. */
  readonly routerUrl: string;
  /** EXAI_WS_PORT through the router, e.g. `ws://127.0.0.1:8079`. */
  readonly webSocketUrl: string;
  readonly prometheusUrl: string;
  readonly gates: GateSettings;
  readonly deadlines: RolloutDeadlines;
  /** Defaults of this stack's plans. */
  readonly defaults: PlanDefaults;
  /** Token for the smoke test's WebSocket, if the server requires one. */
  readonly webSocketToken?: () => string | Promise<string>;
  /** The database schema of the releases. Absent: the stack has no database. */
  readonly schema?: RolloutSchema;
  /** Queries that started before the context was built. Absent: they start with the verb. */
  readonly prefetch?: Prefetch;
  /** Sends notifications. Absent: none are sent. */
  readonly announcer?: Announcer;
  /** Runs the stack's hooks. Absent: it has none. */
  readonly hooks?: HookRunner;
  /** Aborted by Ctrl-C: the rollout stops and can be resumed. */
  readonly signal: AbortSignal;
  /** user@host, for the history. */
  readonly who: string;
  /** Replaces the waits in tests. */
  readonly sleep?: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  /** Replaces the states' handlers in tests: a `StateHandler` of the controller, whose types the ports do not know. */
  readonly handler?: (run: never, state: RolloutState, plan: RolloutPlan) => Operation<unknown>;
}

/** Waits by the context's clock. @throws the signal's reason */
export async function wait({ sleep }: RolloutContext, milliseconds: number, signal: AbortSignal): Promise<void> {
  await (sleep === undefined ? timer(milliseconds, undefined, { signal }) : sleep(milliseconds, signal));
}

/** Seconds. */
export interface RolloutDeadlines {
  /** From the start of the candidate's container until the router reports it ready. @default 120 */
  readonly readySeconds: number;
  /** For each smoke check. @default 10 */
  readonly smokeSeconds: number;
  /** Between SIGTERM and SIGKILL of a slot that is drained: the server's grace period. @default 30 */
  readonly graceSeconds: number;
}

export const DEFAULT_DEADLINES: RolloutDeadlines = {
  readySeconds: 120,
  smokeSeconds: 10,
  graceSeconds: DEFAULT_GRACE_SECONDS,
};

/** What a context is built from on every platform. */
export interface RolloutOptions {
  readonly deployer: SlotDeployer;
  readonly access: SlotAccess;
  readonly gates?: Partial<GateSettings>;
  readonly deadlines?: Partial<RolloutDeadlines>;
  readonly defaults?: PlanDefaults;
  readonly leaseSeconds?: number;
  readonly webSocketToken?: () => string | Promise<string>;
  readonly schema?: RolloutSchema;
  readonly prefetch?: Prefetch;
  readonly announcer?: Announcer;
  readonly hooks?: HookRunner;
  readonly signal?: AbortSignal;
}
