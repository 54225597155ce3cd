import { SLOTS, type Slot, type Weights } from "../../../contract/slots.ts";
import { sameTable, type RouteTable } from "../../../contract/envoy/routes.ts";
import type { RolloutContext } from "../ports/context.ts";
import type { SlotStatus } from "../ports/deployer.ts";
import { liveMetrics, type LiveMetrics } from "../gates/live-metrics.ts";
import { firstJournal, type Journal } from "../model/journal.ts";
import type { GateCheck } from "../ports/journal.ts";
import type { Holder } from "../ports/lease.ts";
import type { Readiness } from "../model/machine.ts";
import type { OpenConnections } from "../ports/traffic.ts";

/** What can be read about a rollout without its lease. */
export interface Snapshot {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The journal; the first journal of the table in force if there has never been a rollout. */
  readonly journal: Journal;
  /** The gates' last check in the present state; undefined if there is none. */
  readonly check?: GateCheck | undefined;
  readonly holder: Holder | undefined;
  /** Undefined if the router does not answer. */
  readonly router: Router | undefined;
  readonly slots: Readonly<Record<Slot, SlotStatus>>;
  /** Undefined if Prometheus does not answer. */
  readonly metrics: Readonly<Record<Slot, LiveMetrics>> | undefined;
}

interface Router {
  readonly table: RouteTable | undefined;
  readonly ready: Readiness;
  readonly open: Readonly<Record<Slot, OpenConnections>>;
}

/** A slot as a table shows it. */
export interface SlotSnapshot {
  readonly slot: Slot;
  /** Percent of the users: of the router, or of the journal if the router does not answer. */
  readonly weight: number;
  /** Absent if the router does not answer. */
  readonly ready?: boolean;
  readonly open?: OpenConnections;
  /** Absent if Prometheus does not answer. */
  readonly metrics?: LiveMetrics;
  readonly running: boolean;
  readonly restarts: number;
  /** Absent if it is not known. */
  readonly image?: string;
  /** The image that the last rollout deployed, if the slot has another one: an `up` or a person has changed it since. */
  readonly rolloutImage?: string;
}

/** Reads all parts at once. `slots`: what an earlier snapshot read, to save the query, which is the slowest part. */
export async function takeSnapshot(context: RolloutContext, slots?: Snapshot["slots"]): Promise<Snapshot> {
  const [journal, check, holder, router, metrics, found] = await Promise.all([
    context.journal.read(),
    context.journal.lastCheck().catch(() => undefined),
    context.leases.holder(),
    readRouter(context),
    liveMetrics(context.prometheusUrl),
    slots ?? readSlots(context),
  ]);
  return {
    at: Date.now(),
    journal: journal ?? firstJournal(router?.table),
    check: check?.sequence === journal?.sequence ? check : undefined,
    holder,
    router,
    slots: found,
    metrics,
  };
}

/** Whether the router has the journal's table. While a rollout is led, a difference is a change under way. */
export function agrees({ router, journal }: Snapshot): boolean {
  return router?.table !== undefined && sameTable(router.table, journal.table);
}

/** Whether a process certainly leads the rollout. */
export function isLed({ holder }: Pick<Snapshot, "holder">): boolean {
  return holder !== undefined && holder.doubtful !== true;
}

export function weightsOf({ router, journal }: Snapshot): Weights {
  return (router?.table ?? journal.table).weights;
}

/** Both slots. */
export function slotSnapshots(snapshot: Snapshot): readonly SlotSnapshot[] {
  const { journal, router, slots, metrics } = snapshot;
  return SLOTS.map((slot) => {
    const deployed = journal.images[slot];
    const { running, restarts, image = deployed } = slots[slot];
    // While a rollout is led, a difference is a deployment under way.
    const differs = deployed !== undefined && image !== deployed && !isLed(snapshot);
    return {
      ...{ slot, weight: weightsOf(snapshot)[slot], running, restarts },
      ...(router === undefined ? {} : { ready: router.ready[slot], open: router.open[slot] }),
      ...(metrics === undefined ? {} : { metrics: metrics[slot] }),
      ...(image === undefined ? {} : { image }),
      ...(differs ? { rolloutImage: deployed } : {}),
    };
  });
}

async function readSlots(context: RolloutContext): Promise<Snapshot["slots"]> {
  const [blue, green] = await Promise.all([context.deployer.status("blue"), context.deployer.status("green")]);
  return { blue, green };
}

async function readRouter(context: RolloutContext): Promise<Router | undefined> {
  try {
    const [table, ready, open] = await Promise.all([
      context.traffic.inForce(),
      context.traffic.readiness(),
      context.traffic.open(),
    ]);
    return { table, ready, open };
  } catch {
    return undefined;
  }
}
