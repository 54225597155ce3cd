import { SLOTS } from "../../../contract/slots.ts";
import type { RouteTable } from "../../../contract/envoy/routes.ts";
import { EXIT } from "../../../contract/errors.ts";
import type { Verb } from "../../../contract/events.ts";
import type { RolloutContext } from "../ports/context.ts";
import { agrees, doubt, glance, isLed, SLOT_COLUMNS, slotRows } from "./snapshot.ts";
import { isOver, standbyUntil } from "../model/result.ts";
import { stateLabel, tableLabel } from "../model/labels.ts";

/**
 * Says where the rollout stands: the journal's word beside the router's, the slots' and Prometheus's own. Takes no lease
 * and changes nothing.
 *
 * @returns 2 when the router does not answer or its table is not the journal's.
 */
export async function* status(context: RolloutContext): Verb {
  const seen = await glance(context);
  const { journal, holder, router, slots, figures } = seen;
  const { machine, table, entry } = journal;
  yield { type: "table", columns: SLOT_COLUMNS, rows: slotRows(seen) };
  if (router === undefined) {
    yield { type: "note", level: "warning", message: "the router does not answer: ./exai up" };
  } else if (!agrees(seen) && !isLed(seen)) {
    const message = `the router has ${describeTable(router.table)}, the journal says ${describeTable(table)}: ./exai rollout resume`;
    yield { type: "note", level: "warning", message };
  }
  const { plan } = machine;
  const standby = machine.state.name === "standby" && plan !== undefined ? standbyUntil(entry?.at, plan) : undefined;
  const name = holder === undefined ? "" : `${holder.who} (\`${holder.verb}\`, process ${String(holder.pid)})`;
  const held = holder === undefined ? "" : isLed(seen) ? `, led by ${name}` : `, ${doubt(name)}`;
  const unled = plan !== undefined && machine.state.name !== "standby" && !isLed(seen);
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
      figures,
      slots: Object.fromEntries(SLOTS.map((slot) => [slot, slots[slot]])),
    },
    next: unled
      ? ["./exai rollout resume", "./exai rollout abort"]
      : machine.state.name === "standby"
        ? ["./exai rollback", ...(isOver(standby) ? ["./exai rollout finish"] : [])]
        : [],
  };
  return router === undefined || (!agrees(seen) && !isLed(seen)) ? EXIT.failed : EXIT.ok;
}

function describeTable(table: RouteTable | undefined): string {
  return table === undefined ? "no table" : `generation ${String(table.generation)} (${tableLabel(table)})`;
}
