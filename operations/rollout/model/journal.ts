import type { Slot, Weights } from "../../../contract/slots.ts";
import { FIRST_TABLE, type RouteTable } from "../../../contract/envoy/routes.ts";
import { UserError } from "../../../contract/errors.ts";
import type { Failure } from "../../../contract/failure.ts";
import type { HookRun } from "../../../contract/hooks.ts";
import type { Verdict } from "../../../contract/verdict.ts";
import { restingMachine, type Machine, type StateName } from "./machine.ts";

/** A transition in the history. */
export interface HistoryEntry {
  /** Number of the journal's write. */
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
  /** The run of a hook that has begun or ended; the state stays. */
  readonly hook?: HookRun;
}

/** A point in time that survives a crash of the process and, until the next boot, changes of the wall clock. */
export interface BootTime {
  /** ISO 8601, by the wall clock. */
  readonly at: string;
  /** The machine's boot; empty if it is unknown. */
  readonly boot: string;
  /** Seconds since that boot. */
  readonly uptime: number;
}

/** When a slot lost its users, or the wait for its connections began. */
export interface Left extends BootTime {
  /** Whether its present server has had users; otherwise only testers have used it. */
  readonly users?: true;
}

/** What a controller needs to continue after a crash. Written before a state begins. */
export interface Journal {
  readonly schema: 1;
  /** Grows by one with each write. */
  readonly sequence: number;
  /** Fencing token of the writer. */
  readonly token: number;
  readonly machine: Machine;
  /** The route table that must be in force. */
  readonly table: RouteTable;
  /** The image that a rollout last deployed into each slot. */
  readonly images: Readonly<Partial<Record<Slot, string>>>;
  /** The candidate's container after its deployment: restarts are counted from it. */
  readonly deployed?: { readonly id?: string; readonly restarts: number };
  /** Since when each slot has no users: its drain deadline is counted from then. */
  readonly left?: Readonly<Partial<Record<Slot, Left>>>;
  /** When the present state began, ISO 8601; absent in the first journal. */
  readonly since?: string;
  /** The transition of this write; absent in the first journal. */
  readonly entry?: HistoryEntry;
}

/** The journal before the first rollout. */
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

/** @throws UserError (invalid-file) if the text is not a journal of schema 1 */
export function parseJournal(text: string, path: string): Journal {
  const restore = "restore it from a backup, or move it away: the router keeps its table";
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new UserError("invalid-file", path, "is not valid JSON", restore);
  }
  const journal = value as Partial<Journal> | null;
  if (journal?.schema !== 1) {
    throw new UserError(
      "invalid-file",
      path,
      `has schema ${String(journal?.schema)}; this version reads schema 1`,
      "use the version of exai that wrote it",
    );
  }
  if (journal.machine === undefined || journal.table === undefined || typeof journal.sequence !== "number")
    throw new UserError("invalid-file", path, "is not a complete journal", restore);
  return journal as Journal;
}
