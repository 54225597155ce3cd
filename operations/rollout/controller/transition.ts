import { SLOTS, type Slot, type Weights } from "../../../contract/slots.ts";
import { sameTable, type RouteTable } from "../../../contract/envoy/routes.ts";
import type { Verdict } from "../../../contract/verdict.ts";
import type { BootTime, HistoryEntry, Journal } from "../model/journal.ts";
import { stateLabel } from "../model/labels.ts";
import {
  emptySlots,
  evictedSlots,
  stableIsStopping,
  weightsOf,
  type Machine,
  type Readiness,
  type RolloutEvent,
  type RolloutState,
} from "../model/machine.ts";
import type { RolloutPlan } from "../model/plan.ts";
import { reduce } from "../model/reduce.ts";
import type { SlotStatus } from "../ports/deployer.ts";

/** An event without the readiness of the slots, which the store adds. */
export type EventInput = RolloutEvent extends infer Event
  ? Event extends RolloutEvent
    ? Omit<Event, "ready">
    : never
  : never;

/** What the journal records with an event. */
export interface Facts {
  readonly verdicts?: readonly Verdict[];
  /** The new server of the candidate: restarts are counted from it. */
  readonly deployed?: SlotStatus;
  /** Who requested the event. @default the leader */
  readonly who?: string;
  readonly why?: string;
  /** The state that the event belongs to: the event is dropped if the machine has left it. */
  readonly during?: RolloutState;
  /** Readiness that was just read; `ready` is undefined if the router did not answer. @default it is read now */
  readonly observed?: { readonly ready: Readiness | undefined };
}

/** A journal with the entry for the history. */
export interface Transition {
  readonly journal: Journal;
  readonly entry: HistoryEntry;
  /** Whether the machine changes; otherwise only the table does. */
  readonly moves: boolean;
}

/** What the holder adds to a transition. */
interface Stamp {
  readonly now: BootTime;
  /** Fencing token of the lease. */
  readonly token: number;
  /** user@host */
  readonly who: string;
}

/** The next journal after an event, with the table of the next state; undefined if nothing changes. */
export function transition(
  present: Journal,
  event: EventInput,
  ready: Readiness,
  { verdicts = [], deployed, who, why }: Facts,
  stamp: Stamp,
): Transition | undefined {
  const before = present.machine;
  const after = reduce(before, { ...event, ready });
  const weights = weightsOf(after, ready);
  const table = tableFor(present.table, weights, after, stamp.token);
  if (after === before && table === present.table) return undefined;
  // At rest after a rollback, a hook belongs to the rollout that has ended.
  const plan = after.plan ?? before.plan ?? (event.type === "hook" ? before.unreported?.plan : undefined);
  const at = new Date().toISOString();
  const entry: HistoryEntry = {
    sequence: present.sequence + 1,
    at,
    who: who ?? stamp.who,
    rollout: plan?.id ?? "",
    from: before.state.name,
    to: after.state.name,
    label: stateLabel(after),
    reason: why ?? reasonOf(event),
    ...failureOf(event, before, after),
    images: { ...present.images, ...imagesOf(plan) },
    weights,
    verdicts,
    ...(event.type === "hook" ? { hook: event.run } : {}),
  };
  const baseline =
    deployed === undefined
      ? present.deployed
      : { restarts: deployed.restarts, ...(deployed.id === undefined ? {} : { id: deployed.id }) };
  const journal: Journal = {
    schema: 1,
    sequence: entry.sequence,
    token: stamp.token,
    machine: after,
    table,
    images: after.state.name === "deploy" ? entry.images : present.images,
    ...(baseline === undefined ? {} : { deployed: baseline }),
    left: leftWith(present, weights, after, stamp.now, deployed === undefined ? undefined : plan?.candidate),
    since: after.state === before.state ? (present.since ?? at) : at,
    entry,
  };
  return { journal, entry, moves: after !== before };
}

/** Readiness to assume if the router does not answer: the slot that had the users before, unless it was emptied. */
export function assumedReadiness(machine: Machine): Readiness {
  const { stable, candidate } = machine.plan ?? machine.previous ?? {};
  const gone = stable !== undefined && (stableIsStopping(machine) || machine.emptied.includes(stable));
  const ready = gone ? candidate : stable;
  return { blue: ready === "blue", green: ready === "green" };
}

function tableFor(present: RouteTable, weights: Weights, machine: Machine, token: number): RouteTable {
  const evicted = evictedSlots(machine, weights);
  const next = { generation: present.generation + 1, token, weights, evicted, emptied: emptySlots(machine) };
  return sameTable({ ...next, generation: present.generation, token: present.token }, present) ? present : next;
}

/**
 * A slot's drain deadline counts from the write that removes its last users, or from the start of the wait for it.
 *
 * @param deployed slot that has just got a new server, which had no users yet
 */
function leftWith(
  { left = {}, table }: Journal,
  weights: Weights,
  { state, plan }: Machine,
  now: BootTime,
  deployed: Slot | undefined,
): NonNullable<Journal["left"]> {
  const awaited = state.name === "drain" ? plan?.candidate : state.name === "retire" ? plan?.stable : undefined;
  return Object.fromEntries(
    SLOTS.flatMap((slot) => {
      if (weights[slot] > 0) return [];
      const hadUsers = table.weights[slot] > 0;
      const since = left[slot] ?? (hadUsers ? { ...now, users: true } : slot === awaited ? now : undefined);
      if (since === undefined) return [];
      const { at, boot, uptime } = since;
      return [[slot, slot === deployed ? { at, boot, uptime } : since]];
    }),
  );
}

function imagesOf(plan: RolloutPlan | undefined): Journal["images"] {
  if (plan === undefined) return {};
  const { stable, stableImage, candidate, image } = plan;
  return { [candidate]: image, ...(stableImage === undefined ? {} : { [stable]: stableImage }) };
}

function reasonOf(event: EventInput): string {
  if (event.type === "start") return event.plan.reason;
  if (event.type === "pause") return event.pause.reason;
  return event.type === "rollback" ? event.reason : "";
}

function failureOf(event: EventInput, before: Machine, after: Machine): Pick<HistoryEntry, "failure"> {
  if (event.type === "fail") return { failure: event.failure };
  const begins = after.state.name === "rollback" && before.state.name !== "rollback";
  return begins && after.state.failure !== undefined ? { failure: after.state.failure } : {};
}
