import { setTimeout as sleep } from "node:timers/promises";
import { SLOTS } from "../../../contract/slots.ts";
import { EXIT } from "../../../contract/errors.ts";
import type { Verb, ViewEvent } from "../../../contract/events.ts";
import type { RolloutContext } from "../ports/context.ts";
import { agrees, doubt, glance, isLed, SLOT_COLUMNS, slotRows, type Glance } from "./snapshot.ts";
import { summaryOf } from "./history.ts";
import { atRest } from "../model/machine.ts";
import { failureText, verdictText } from "../../notify/wording.ts";
import { span } from "./span.ts";
import { isOver, standbyUntil } from "../model/result.ts";
import { stateLabel, tableLabel } from "../model/labels.ts";

/** Seconds between two looks at the containers, which cost more than the rest together. */
const SLOTS_SECONDS = 10;

/**
 * Shows a rollout while it goes on, from wherever: it reads what the controller writes and what the router and Prometheus
 * say, takes no lease and changes nothing. It ends with the rollout that it has seen, or by Ctrl-C; where none is under
 * way it waits for one.
 *
 * @returns what the rollout ended with: 0, or 1 where it was taken back; 130 by Ctrl-C
 */
export async function* watch(context: RolloutContext, options: { readonly everySeconds?: number } = {}): Verb {
  const { signal } = context;
  const stopped = new Promise<void>((resolve) => {
    signal.addEventListener("abort", () => {
      resolve();
    });
  });
  let slots: Glance["slots"] | undefined;
  let slotsAt = -Infinity;
  let rollout: string | undefined;
  let trouble = "";
  for (;;) {
    if (performance.now() - slotsAt > SLOTS_SECONDS * 1000) slots = undefined;
    const seen = await Promise.race([look(context, slots), stopped]);
    if (seen === undefined || signal.aborted) return EXIT.interrupted;
    if ("failure" in seen) {
      // A journal or a lease that cannot be read now may be readable a moment later: nobody should lose the view.
      if (seen.failure !== trouble) yield { type: "note", level: "warning", message: seen.failure };
      trouble = seen.failure;
    } else {
      trouble = "";
      if (slots === undefined) slotsAt = performance.now();
      ({ slots } = seen);
      yield viewOf(seen);
      const { machine } = seen.journal;
      const present = atRest(machine) ? undefined : machine.plan?.id;
      if (rollout !== undefined && present !== rollout) return yield* ended(context, rollout, seen);
      rollout = present;
    }
    await sleep((options.everySeconds ?? 1) * 1000, undefined, { signal }).catch(() => undefined);
  }
}

async function look(
  context: RolloutContext,
  slots: Glance["slots"] | undefined,
): Promise<Glance | { failure: string }> {
  try {
    return await glance(context, slots);
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) };
  }
}

/** What a look comes to, for a terminal, a log and a program. */
export function viewOf(seen: Glance): ViewEvent {
  const { at, journal, holder, router, figures } = seen;
  const { machine, entry, table } = journal;
  const { plan, state } = machine;
  const label = stateLabel(machine);
  const since = entry === undefined ? undefined : (at - Date.parse(entry.at)) / 1000;
  const weights = tableLabel(router?.table ?? table);
  const leader = leaderOf(seen);
  const verdicts = (entry?.verdicts ?? []).map((verdict) => `  ${verdictText(verdict)}`);
  const details = [
    ...(plan === undefined
      ? []
      : [`${plan.image} into ${plan.candidate}, by ${plan.by}${plan.reason === "" ? "" : `: ${plan.reason}`}`]),
    ...(entry === undefined || entry.reason === "" || entry.reason === plan?.reason ? [] : [`why: ${entry.reason}`]),
    ...(leader === "" ? [] : [leader]),
    ...(state.name === "approve"
      ? ["./exai rollout promote gives it all users, ./exai rollout abort takes it back"]
      : []),
    ...(machine.pause === undefined ? [] : [`paused by ${machine.pause.by}: ./exai rollout resume lets it go on`]),
    ...(verdicts.length === 0 ? [] : [`the gates, before "${label}":`, ...verdicts]),
    ...(router === undefined ? ["the router does not answer"] : []),
    ...(figures === undefined ? ["Prometheus does not answer"] : []),
    ...(router !== undefined && !isLed(seen) && !agrees(seen)
      ? ["the router's table is not the journal's: ./exai rollout resume"]
      : []),
  ];
  const left = SLOTS.map((slot) => {
    const open = router?.open[slot];
    return open === undefined ? "" : `${slot} ${String(open.webSockets)} WebSockets, ${String(open.streams)} streams`;
  }).filter((text) => text !== "");
  const ready =
    router === undefined
      ? ["the router does not answer"]
      : SLOTS.filter((slot) => !router.ready[slot]).map((slot) => `${slot} is not ready`);
  const parts = [
    weights,
    ...ready,
    ...left,
    leader,
    ...(state.name === "rollback" ? [state.failure === undefined ? state.reason : failureText(state.failure)] : []),
  ];
  return {
    type: "view",
    title: `${label}${since === undefined ? "" : ` for ${span(since)}`}${plan === undefined ? "" : `, rollout ${plan.id}`}`,
    columns: SLOT_COLUMNS,
    rows: slotRows(seen),
    details,
    line: `${new Date(at).toISOString()} ${label}: ${parts.filter((part) => part !== "").join("; ")}`,
    change: JSON.stringify([label, weights, ready, leader, journal.sequence, plan?.id]),
    data: {
      state: label,
      secondsInState: since,
      active: machine.active,
      rollout: plan,
      weights: (router?.table ?? table).weights,
      holder,
      readiness: router?.ready,
      open: router?.open,
      figures,
      slots: seen.slots,
      verdicts: entry?.verdicts ?? [],
      inForce: agrees(seen),
    },
  };
}

function leaderOf(seen: Glance): string {
  const { journal, holder } = seen;
  const { machine, entry } = journal;
  const name = holder === undefined ? "" : `${holder.who} (${holder.verb}, process ${String(holder.pid)})`;
  if (isLed(seen)) return `led by ${name}`;
  const { plan, state } = machine;
  if (plan === undefined) return "";
  if (state.name === "standby") {
    const until = standbyUntil(entry?.at, plan);
    return isOver(until)
      ? `still warm, its time ended ${until ?? "?"}: ./exai rollout finish stops it, ./exai rollback takes it back`
      : `warm until ${until ?? "?"}: ./exai rollback takes it back`;
  }
  const leader = holder === undefined ? "nobody leads it" : doubt(name);
  return `${leader}: ./exai rollout resume, or ./exai rollout abort`;
}

async function* ended(context: RolloutContext, rollout: string, seen: Glance): Verb {
  const { table } = seen.journal;
  const summary = summaryOf((await context.journal.history()).filter((entry) => entry.rollout === rollout));
  const completed = summary.outcome === "completed";
  const how = summary.ending === "" ? "" : ` (${summary.ending})`;
  yield {
    type: "result",
    title: `rollout ${rollout}: ${summary.outcome}${how}; ${tableLabel(table)}`,
    data: { ...summary, weights: table.weights },
    next: [...(completed ? ["./exai rollback"] : []), `./exai rollout history ${rollout}`],
  };
  return completed ? EXIT.ok : EXIT.violations;
}
