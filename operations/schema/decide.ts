import type { Slot } from "../../contract/slots.ts";
import { orderRefusal, type OrderRefusal } from "./order.ts";
import type { SchemaRange } from "./range.ts";
import { expandable, expanded, floor, level, NO_SCHEMA, type SchemaMigration, type SchemaState } from "./state.ts";

/** What happens with a release that does not declare the schema that it works with. */
export type Unlabelled = "warn" | "refuse";

/** A release in a slot. */
export interface Release {
  readonly slot: Slot;
  readonly image: string;
  /** Undefined if it declares nothing. */
  readonly range: SchemaRange | undefined;
}

/** Why something may not be done to the schema, or with it. Each reason has the data that a message needs. */
export type SchemaRefusal =
  /** Cutover, apply. */
  | OrderRefusal
  /** The release does not declare the schema that it works with, and the settings require it. */
  | { readonly reason: "range-undeclared"; readonly release: Release }
  /** Cutover: no file holds a migration that the release requires. */
  | { readonly reason: "migration-missing"; readonly release: Release; readonly needs: string; readonly level: string }
  /** Cutover: a migration that the release requires comes after a contract migration that is not applied. */
  | {
      readonly reason: "contract-pending";
      readonly release: Release;
      readonly needs: string;
      readonly level: string;
      readonly contract: SchemaMigration;
    }
  /** Cutover: a contract migration is newer than the newest migration that the release supports. */
  | { readonly reason: "contract-applied"; readonly release: Release; readonly contract: SchemaMigration }
  /** Rollback: the old release requires a migration that the database lacks. */
  | {
      readonly reason: "rollback-schema-behind";
      readonly release: Release;
      readonly needs: string;
      readonly level: string;
      readonly users?: Slot;
    }
  /** Rollback: a contract migration is newer than the newest migration that the old release supports. */
  | {
      readonly reason: "rollback-contract-applied";
      readonly release: Release;
      readonly contract: SchemaMigration;
      readonly users?: Slot;
    }
  /** Apply: a rollback may still bring back the release in the standby slot. */
  | ({ readonly reason: "standby-warm"; readonly release: Release } & PendingContract)
  /** Apply: a rollout is under way; `release` is the one it started from. */
  | ({ readonly reason: "rollout-under-way"; readonly state: string; readonly release?: Release } & PendingContract)
  /** Apply: the release that serves users does not support the schema after the migration. */
  | ({ readonly reason: "contract-unsupported"; readonly release: Release; readonly needs: string } & PendingContract);

/** A contract migration that would be applied. */
interface PendingContract {
  readonly contract: SchemaMigration;
  /** Whether expand migrations come before it, which can be applied without it. */
  readonly expandable: boolean;
}

/** What is unknown about a release without leading to a refusal. */
export type SchemaNote =
  /** The files of applied migrations were changed since; nothing is pending. */
  | { readonly reason: "migration-edited"; readonly migrations: readonly SchemaMigration[] }
  /** The release does not declare the schema that it works with, so nothing is compared. */
  | { readonly reason: "range-undeclared"; readonly release: Release }
  /** The same for a rollback, with the newest contract migration. */
  | {
      readonly reason: "rollback-range-undeclared";
      readonly release: Release;
      readonly contract: SchemaMigration;
    };

/** Whether something may be done to the schema, or with it. */
export type SchemaVerdict =
  | { readonly allowed: true; readonly notes: readonly SchemaNote[] }
  | { readonly allowed: false; readonly refusal: SchemaRefusal };

/** What a cutover would do to the schema. */
export interface CutoverSchema {
  readonly verdict: SchemaVerdict;
  /** What the cutover applies before it shifts traffic. */
  readonly expand: readonly SchemaMigration[];
  /** What is left for `migrate apply`. */
  readonly later: readonly SchemaMigration[];
}

/**
 * Whether a release can serve users once the pending expand migrations are applied. Changes nothing: `rollout plan`
 * shows it, and `cutover` checks it before its first write.
 */
export function cutoverSchema(state: SchemaState, candidate: Release, unlabelled: Unlabelled): CutoverSchema {
  const after = expanded(state);
  const expand = expandable(state);
  const later = after.pending;
  const answer = (verdict: SchemaVerdict): CutoverSchema => ({ verdict, expand, later });
  const disorder = orderRefusal(state, expand);
  if (disorder !== undefined) return answer(refused(disorder));
  const unknown = undeclared(candidate, unlabelled);
  if (unknown !== undefined) return answer(unknown);
  const { min = NO_SCHEMA, max } = candidate.range ?? {};
  if (min > level(after)) {
    const contract = later.find(({ kind }) => kind === "contract");
    const known = later.some(({ version }) => version >= min);
    const facts = { release: candidate, needs: min, level: level(after) };
    return answer(
      known && contract !== undefined
        ? refused({ reason: "contract-pending", ...facts, contract })
        : refused({ reason: "migration-missing", ...facts }),
    );
  }
  const contract = beyond(after, max);
  return answer(
    contract === undefined ? ALLOWED : refused({ reason: "contract-applied", release: candidate, contract }),
  );
}

/** Whether users can return to a release: no contract migration may be newer than what it supports. */
export function rollbackSchema(
  state: SchemaState,
  target: Release,
  current: Release | undefined,
  unlabelled: Unlabelled,
): SchemaVerdict {
  const { min = NO_SCHEMA, max } = target.range ?? {};
  const users = current === undefined ? {} : { users: current.slot };
  // A release without a range has served users on this schema; only a contract migration can have changed that.
  const lost = target.range === undefined ? undefined : beyond(state, max);
  if (lost !== undefined)
    return refused({ reason: "rollback-contract-applied", release: target, contract: lost, ...users });
  if (min > level(state))
    return refused({ reason: "rollback-schema-behind", release: target, needs: min, level: level(state), ...users });
  const contract = state.applied.findLast(({ kind }) => kind === "contract");
  if (target.range !== undefined || contract === undefined || unlabelled === "refuse") return ALLOWED;
  return { allowed: true, notes: [{ reason: "rollback-range-undeclared", release: target, contract }] };
}

/** Which releases may get users, and what a rollout is doing. */
export interface ActiveReleases {
  /** The slot that serves users, or the one that a rollout moves them to. */
  readonly active: Release;
  /** The slot that a rollout started from and can return to; absent if no rollout is under way or in standby. */
  readonly other?: Release;
  /** E.g. `shift 25 %`; `standby` if the rollout is complete and its old slot warm; `idle` otherwise. */
  readonly state: string;
}

/** Whether `migrate apply` may apply what is pending, contract migrations included. */
export function applySchema(state: SchemaState, releases: ActiveReleases, unlabelled: Unlabelled): SchemaVerdict {
  const first = state.pending.find(({ kind }) => kind === "contract");
  if (first === undefined) return ALLOWED;
  // Nothing has run on an empty database.
  if (state.applied.length === 0) return ALLOWED;
  const { active, other } = releases;
  const pending = { contract: first, expandable: expandable(state).length > 0 };
  if (other !== undefined && releases.state === "standby")
    return refused({ reason: "standby-warm", release: other, ...pending });
  if (releases.state !== "idle")
    return refused({
      reason: "rollout-under-way",
      state: releases.state,
      ...(other === undefined ? {} : { release: other }),
      ...pending,
    });
  const unknown = undeclared(active, unlabelled);
  if (unknown?.allowed === false) return unknown;
  const last = state.pending.findLast(({ kind }) => kind === "contract") ?? first;
  const { max } = active.range ?? {};
  if (max !== undefined && max < last.version) {
    const contract = state.pending.find(({ kind, version }) => kind === "contract" && version > max) ?? last;
    return refused({
      reason: "contract-unsupported",
      release: active,
      needs: last.version,
      ...{ ...pending, contract },
    });
  }
  return unknown ?? ALLOWED;
}

const ALLOWED: SchemaVerdict = { allowed: true, notes: [] };

function refused(refusal: SchemaRefusal): SchemaVerdict {
  return { allowed: false, refusal };
}

/** The newest contract migration that is applied and that a release does not support. */
function beyond(state: SchemaState, max: string | undefined): SchemaMigration | undefined {
  if (max === undefined || floor(state) <= max) return undefined;
  return state.applied.findLast(({ kind }) => kind === "contract");
}

function undeclared(release: Release, unlabelled: Unlabelled): SchemaVerdict | undefined {
  if (release.range !== undefined) return undefined;
  return unlabelled === "warn"
    ? { allowed: true, notes: [{ reason: "range-undeclared", release }] }
    : refused({ reason: "range-undeclared", release });
}
