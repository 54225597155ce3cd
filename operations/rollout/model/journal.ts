import type { Slot, Weights } from "../../../contract/slots.ts";
import { FIRST_TABLE, type RouteTable } from "../../../contract/envoy/routes.ts";
import { UserError } from "../../../contract/errors.ts";
import type { BootTime } from "../host/boot-clock.ts";
import type { Failure } from "../../../contract/failure.ts";
import type { Verdict } from "../../../contract/verdict.ts";
import { restingMachine, type Machine, type StateName } from "./machine.ts";

/** One transition, as history keeps it. */
export interface HistoryEntry {
  /** Number of the journal's write that made it. */
  readonly sequence: number;
  /** ISO 8601. */
  readonly at: string;
  /** user@host. */
  readonly who: string;
  /** Identifier of the rollout. */
  readonly rollout: string;
  readonly from: StateName;
  readonly to: StateName;
  /** `shift 25 %` and the like. */
  readonly label: string;
  /** Reason that a person gave; empty if none. */
  readonly reason: string;
  /** What failed, if a failure led to this transition. */
  readonly failure?: Failure;
  readonly images: Readonly<Partial<Record<Slot, string>>>;
  readonly weights: Weights;
  /** What the gates said with their numbers; empty where none was asked. */
  readonly verdicts: readonly Verdict[];
}

/** When a slot lost its users. */
export interface Left extends BootTime {
  /** Whether its present server has had users; otherwise nobody but testers has met it. */
  readonly users?: true;
}

/** What a controller needs to go on after a crash. Written before a transition's work is done. */
export interface Journal {
  readonly schema: 1;
  /** Grows by one with each write. */
  readonly sequence: number;
  /** Fencing token of the writer. */
  readonly token: number;
  readonly machine: Machine;
  /** The last route table that was to be in force. */
  readonly table: RouteTable;
  /** The image that each slot was given last by a rollout. */
  readonly images: Readonly<Partial<Record<Slot, string>>>;
  /** The candidate's container right after its deployment: what restarts are counted from. */
  readonly deployed?: { readonly id?: string; readonly restarts: number };
  /** Since when each slot has had no users: its drain deadline is counted from here. */
  readonly left?: Readonly<Partial<Record<Slot, Left>>>;
  /** The transition that this write is; absent in the first journal. */
  readonly entry?: HistoryEntry;
}

/** The journal of a stack that has never seen a rollout. */
export function firstJournal(table: RouteTable = FIRST_TABLE): Journal {
  const active: Slot = table.weights.green > table.weights.blue ? "green" : "blue";
  return {
    schema: 1,
    sequence: 0,
    token: 0,
    machine: { ...restingMachine(active), evicted: table.evicted, emptied: table.emptied },
    table,
    images: {},
  };
}

/** @throws UserError when the text is no journal of a schema that this version knows. */
export function parseJournal(text: string, path: string): Journal {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new UserError(
      "failed",
      path,
      "is no JSON",
      "restore it from a backup, or move it away: the router's table stays in force",
    );
  }
  const journal = value as Partial<Journal> | null;
  if (journal?.schema !== 1) {
    throw new UserError(
      "failed",
      path,
      `has schema ${String(journal?.schema)}, and this version knows schema 1`,
      "use the version of exai that wrote it",
    );
  }
  if (journal.machine === undefined || journal.table === undefined || typeof journal.sequence !== "number") {
    throw new UserError("failed", path, "is no complete journal", "restore it from a backup, or move it away");
  }
  return journal as Journal;
}
