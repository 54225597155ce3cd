import { SLOTS, type Slot } from "../../../contract/slots.ts";
import { sameTable, type RouteTable } from "../../../contract/envoy/routes.ts";
import type { RolloutContext } from "../ports/context.ts";
import type { SlotStatus } from "../ports/deployer.ts";
import { figuresNow, type Figures } from "./live-metrics.ts";
import { firstJournal, type Journal } from "../model/journal.ts";
import type { Holder } from "../ports/lease.ts";
import type { Readiness } from "../model/machine.ts";
import type { OpenConnections } from "../ports/traffic.ts";

/** All that can be seen of a rollout without taking its lease or changing anything. */
export interface Glance {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The journal, or what stands for it where no rollout has ever been. */
  readonly journal: Journal;
  readonly holder: Holder | undefined;
  /** The router's own word; undefined when it does not answer. */
  readonly router: Router | undefined;
  readonly slots: Readonly<Record<Slot, SlotStatus>>;
  /** Undefined when Prometheus does not answer. */
  readonly figures: Readonly<Record<Slot, Figures>> | undefined;
}

interface Router {
  readonly table: RouteTable | undefined;
  readonly ready: Readiness;
  readonly open: Readonly<Record<Slot, OpenConnections>>;
}

/** Looks. `slots`: what an earlier look found, where asking for it again would cost more than it tells. */
export async function glance(context: RolloutContext, slots?: Glance["slots"]): Promise<Glance> {
  const [journal, holder, router, figures, found] = await Promise.all([
    context.journal.read(),
    context.leases.holder(),
    routerNow(context),
    figuresNow(context.prometheusUrl),
    slots ?? slotsNow(context),
  ]);
  return {
    at: Date.now(),
    journal: journal ?? firstJournal(router?.table),
    holder,
    router,
    slots: found,
    figures,
  };
}

/** Whether the router has the journal's table. While somebody leads, a difference is a change under way. */
export function agrees({ router, journal }: Glance): boolean {
  return router?.table !== undefined && sameTable(router.table, journal.table);
}

/** Whether somebody leads it for sure. */
export function isLed({ holder }: Pick<Glance, "holder">): boolean {
  return holder !== undefined && holder.doubtful !== true;
}

/** What is said of a holder that may be gone. */
export function doubt(name: string): string {
  return `${name} may lead it still: its last renewal does not fit this machine's clock`;
}

async function slotsNow(context: RolloutContext): Promise<Glance["slots"]> {
  const [blue, green] = await Promise.all([context.deployer.status("blue"), context.deployer.status("green")]);
  return { blue, green };
}

async function routerNow(context: RolloutContext): Promise<Router | undefined> {
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

/** A line per slot: what it weighs, how it does, and who is on it. */
export const SLOT_COLUMNS = [
  ...[
    "slot",
    "weight",
    "router",
    "req/s",
    "errors",
    "p95",
    "WebSockets",
    "streams",
    "MCP sessions",
    "restarts",
    "image",
  ],
] as const;

/** The cells of {@link SLOT_COLUMNS}; `?`: nobody answers; `-`: there is nothing to count. */
export function slotRows({ journal, router, slots, figures }: Glance): readonly (readonly string[])[] {
  return SLOTS.map((slot) => {
    const open = router?.open[slot];
    const own = figures?.[slot];
    const unknown = figures === undefined ? "?" : "-";
    return [
      slot,
      `${String((router?.table ?? journal.table).weights[slot])} %`,
      router === undefined ? "?" : router.ready[slot] ? "ready" : "not ready",
      own?.requestRate === undefined ? unknown : own.requestRate.toFixed(own.requestRate < 10 ? 1 : 0),
      own?.errorRatio === undefined ? unknown : `${(own.errorRatio * 100).toFixed(2)} %`,
      own?.p95Milliseconds === undefined ? unknown : `${own.p95Milliseconds.toFixed(0)} ms`,
      ...(open === undefined ? ["?", "?"] : [open.webSockets, open.streams].map(String)),
      own?.mcpSessions === undefined ? unknown : String(own.mcpSessions),
      String(slots[slot].restarts),
      slots[slot].running ? (slots[slot].image ?? journal.images[slot] ?? "?") : "(stopped)",
    ];
  });
}
