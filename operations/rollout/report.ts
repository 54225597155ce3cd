import { COLOURS } from "../../contract/colours.ts";
import { sameTable, type RouteTable } from "../../contract/envoy/routes.ts";
import { EXIT } from "../../contract/errors.ts";
import type { Verb } from "../../contract/events.ts";
import type { RolloutContext } from "./context.ts";
import { firstJournal, type HistoryEntry } from "./journal.ts";
import { stateLabel } from "./machine.ts";
import { tableLabel } from "./traffic/envoy.ts";
import { standbyUntil } from "./turn.ts";

/**
 * Says where the rollout stands: the journal's word beside the router's and the slots' own. Takes no lease and changes
 * nothing.
 *
 * @returns 2 when the router does not answer or its table is not the journal's.
 */
export async function* status(context: RolloutContext): Verb {
  const [journal, holder, router, slots] = await Promise.all([
    context.journal.read(),
    context.leases.holder(),
    routerState(context),
    Promise.all(COLOURS.map((colour) => context.deployer.status(colour))),
  ]);
  const { machine, table, images, entry } = journal ?? firstJournal(router?.table);
  const agrees = router?.table !== undefined && sameTable(router.table, table);
  yield {
    type: "table",
    columns: ["slot", "weight", "router", "image", "container", "restarts", "requests", "streams", "WebSockets"],
    rows: COLOURS.map((colour, index) => {
      const slot = slots[index];
      const open = router?.open[colour];
      return [
        colour,
        `${String((router?.table ?? table).weights[colour])} %`,
        router === undefined ? "?" : router.ready[colour] ? "ready" : "not ready",
        images[colour] ?? slot?.image ?? "-",
        slot?.running === true ? "running" : "stopped",
        String(slot?.restarts ?? 0),
        ...(open === undefined ? ["?", "?", "?"] : [open.requests, open.streams, open.webSockets].map(String)),
      ];
    }),
  };
  if (router === undefined) {
    yield { type: "note", level: "warning", message: "the router does not answer: ./exai up" };
  } else if (!agrees && holder === undefined) {
    const message = `the router has ${describeTable(router.table)}, the journal says ${describeTable(table)}: ./exai rollout resume`;
    yield { type: "note", level: "warning", message };
  }
  const { plan } = machine;
  const standby = machine.state.name === "standby" && plan !== undefined ? standbyUntil(entry?.at, plan) : undefined;
  const held = holder === undefined ? "" : `, led by ${holder.who} (\`${holder.verb}\`, process ${String(holder.pid)})`;
  const unled = plan !== undefined && machine.state.name !== "standby" && holder === undefined;
  yield {
    type: "result",
    title: `${stateLabel(machine)}: ${tableLabel(router?.table ?? table)}${held}`,
    data: {
      state: stateLabel(machine),
      active: machine.active,
      rollout: plan,
      standbyUntil: standby,
      holder,
      lastEnding: machine.ending,
      table,
      tableInForce: router?.table,
      readiness: router?.ready,
      open: router?.open,
      slots: Object.fromEntries(COLOURS.map((colour, index) => [colour, slots[index]])),
    },
    next: unled
      ? ["./exai rollout resume", "./exai rollout abort"]
      : machine.state.name === "standby"
        ? ["./exai rollback"]
        : [],
  };
  return router === undefined || (!agrees && holder === undefined) ? EXIT.failed : EXIT.ok;
}

async function routerState(context: RolloutContext) {
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

function describeTable(table: RouteTable | undefined): string {
  return table === undefined ? "no table" : `generation ${String(table.generation)} (${tableLabel(table)})`;
}

/** Lists the transitions of the last rollouts: who, when, why, images, weights, and what the gates said. */
export async function* history(context: RolloutContext, options: { readonly rollouts?: number } = {}): Verb {
  const entries = await context.journal.history();
  const identifiers = [...new Set(entries.map((entry) => entry.rollout))].slice(-(options.rollouts ?? 10));
  const shown = entries.filter((entry) => identifiers.includes(entry.rollout));
  if (shown.length === 0) {
    yield { type: "note", level: "info", message: "no rollout yet" };
    return EXIT.ok;
  }
  yield {
    type: "table",
    columns: ["time", "rollout", "who", "transition", "weights", "why, and the gates"],
    rows: shown.map((entry) => [
      entry.at,
      entry.rollout,
      entry.who,
      `${entry.from} -> ${entry.label}`,
      tableLabel(entry),
      [entry.reason, gatesOf(entry)].filter((text) => text !== "").join(" | "),
    ]),
  };
  yield { type: "result", title: `${String(identifiers.length)} rollouts`, data: shown };
  return EXIT.ok;
}

function gatesOf(entry: HistoryEntry): string {
  return entry.verdicts.map((verdict) => `${verdict.gate} ${verdict.outcome}: ${verdict.detail}`).join("; ");
}
