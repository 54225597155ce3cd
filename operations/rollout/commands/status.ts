import type { Slot, Weights } from "../../../contract/slots.ts";
import type { HookRun } from "../../../contract/hooks.ts";
import type { Verdict } from "../../../contract/verdict.ts";
import type { RouteTable } from "../../../contract/envoy/routes.ts";
import type { RolloutContext } from "../ports/context.ts";
import { agrees, isLed, slotSnapshots, takeSnapshot, weightsOf, type SlotSnapshot, type Snapshot } from "./snapshot.ts";
import { stateLabel } from "../model/labels.ts";
import type { Ending, Pause, StateName } from "../model/machine.ts";
import type { HistoryEntry } from "../model/journal.ts";
import type { RolloutPlan } from "../model/plan.ts";
import { isOver, standbyUntil } from "../model/result.ts";
import type { Holder } from "../ports/lease.ts";

/** The state of the rollout, from the journal, the router, the slots and Prometheus. */
export interface RolloutStatus {
  /** ISO 8601. */
  readonly at: string;
  /** Name of the state, e.g. `shift`. */
  readonly state: StateName;
  /** The state with its weight or pause, e.g. `shift 25 %, paused`. */
  readonly label: string;
  /** Since the state began; absent before the first rollout. */
  readonly secondsInState?: number;
  /** The slot that has all users at rest. */
  readonly active: Slot;
  readonly weights: Weights;
  readonly slots: readonly SlotSnapshot[];
  /** The plan of the rollout that is under way or in standby. */
  readonly rollout?: RolloutPlan;
  readonly pause?: Pause;
  /** The runs of hooks of the present or last rollout, oldest first; absent if there were none. */
  readonly hooks?: readonly HookRun[];
  readonly leader: Leader;
  /** The process that holds the lease, or held it last if it is doubtful. */
  readonly holder?: Holder;
  readonly router: RouterState;
  /** Whether Prometheus answers. */
  readonly prometheus: "available" | "unavailable";
  /** The table of the journal. */
  readonly table: RouteTable;
  /** The table of the router. */
  readonly tableInForce?: RouteTable;
  readonly standby?: {
    /** ISO 8601; absent if its start is unknown. */
    readonly until?: string;
    /** Whether its time has passed; the slot stays warm until a person or a cutover ends the standby. */
    readonly over: boolean;
  };
  /** Verdicts of the gates at the last check in the present state; absent if they are not known. */
  readonly gates?: readonly Verdict[];
  readonly lastEnding?: Ending;
  /** The last transition, with the verdicts of the gates that led to it. */
  readonly transition?: Transition;
}

type Transition = Pick<HistoryEntry, "at" | "who" | "reason" | "failure" | "verdicts">;

/**
 * Who leads the rollout:
 * - `process`: the holder of the lease.
 * - `doubtful`: the holder of the lease may be gone; its last renewal does not fit this machine's clock.
 * - `none`: no process leads it, although it is under way.
 * - `not-needed`: no rollout is under way.
 */
export type Leader = "process" | "doubtful" | "none" | "not-needed";

/**
 * The router:
 * - `in-force`: has the journal's table.
 * - `changing`: has another table, while a process leads the rollout.
 * - `differs`: has another table, although no process leads the rollout.
 * - `unavailable`: does not answer.
 */
export type RouterState = "in-force" | "changing" | "differs" | "unavailable";

/** Reads the state of the rollout. Takes no lease and changes nothing. */
export async function rolloutStatus(context: RolloutContext): Promise<RolloutStatus> {
  return statusOf(await takeSnapshot(context));
}

/** The status at the time of a snapshot. */
export function statusOf(snapshot: Snapshot): RolloutStatus {
  const { at, journal, holder, router, metrics } = snapshot;
  const { machine, table, entry, since } = journal;
  const { plan, state, pause, ending } = machine;
  const until = plan === undefined ? undefined : standbyUntil(since, plan);
  const standby = { ...(until === undefined ? {} : { until }), over: isOver(until) };
  return {
    at: new Date(at).toISOString(),
    state: state.name,
    label: stateLabel(machine),
    ...(since === undefined ? {} : { secondsInState: (at - Date.parse(since)) / 1000 }),
    ...{ active: machine.active, weights: weightsOf(snapshot), slots: slotSnapshots(snapshot) },
    ...(plan === undefined ? {} : { rollout: plan }),
    ...(pause === undefined ? {} : { pause }),
    ...(machine.hooks === undefined ? {} : { hooks: machine.hooks }),
    leader: leaderOf(snapshot),
    ...(holder === undefined ? {} : { holder }),
    router:
      router === undefined ? "unavailable" : agrees(snapshot) ? "in-force" : isLed(snapshot) ? "changing" : "differs",
    prometheus: metrics === undefined ? "unavailable" : "available",
    table,
    ...(router?.table === undefined ? {} : { tableInForce: router.table }),
    ...(state.name === "standby" && plan !== undefined ? { standby } : {}),
    ...(snapshot.check === undefined ? {} : { gates: snapshot.check.verdicts }),
    ...(ending === undefined ? {} : { lastEnding: ending }),
    ...(entry === undefined ? {} : { transition: transitionOf(entry) }),
  };
}

function transitionOf({ at, who, reason, failure, verdicts }: HistoryEntry): Transition {
  return { at, who, reason, ...(failure === undefined ? {} : { failure }), verdicts };
}

function leaderOf(snapshot: Snapshot): Leader {
  if (isLed(snapshot)) return "process";
  if (snapshot.holder !== undefined) return "doubtful";
  const { plan, state } = snapshot.journal.machine;
  return plan === undefined || state.name === "standby" ? "not-needed" : "none";
}
