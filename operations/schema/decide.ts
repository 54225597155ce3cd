import type { Slot } from "../../contract/slots.ts";
import type { SchemaRange } from "./range.ts";
import {
  expandable,
  expanded,
  floor,
  level,
  migrationLabel,
  NO_SCHEMA,
  type SchemaMigration,
  type SchemaState,
} from "./state.ts";

/** What is done about a release that does not say which schema it works with. */
export type Unlabelled = "warn" | "refuse";

/** A release in a slot. */
export interface Release {
  readonly slot: Slot;
  readonly image: string;
  /** Undefined where it declares nothing. */
  readonly range: SchemaRange | undefined;
}

/** Whether something may be done to the schema, or with it. */
export type SchemaVerdict =
  | { readonly allowed: true; readonly notes: readonly string[] }
  | { readonly allowed: false; readonly problem: string; readonly fix: string };

/** What a cutover would do to the schema. */
export interface CutoverSchema {
  readonly verdict: SchemaVerdict;
  /** What is applied before traffic. */
  readonly expand: readonly SchemaMigration[];
  /** What is left for `./exai migrate apply`. */
  readonly later: readonly SchemaMigration[];
}

/**
 * Whether a release can have users once the pending expand migrations are in place. Changes nothing: `rollout plan`
 * shows it, `cutover` asks it before its first write.
 */
export function cutoverSchema(state: SchemaState, candidate: Release, unlabelled: Unlabelled): CutoverSchema {
  const after = expanded(state);
  const expand = expandable(state);
  const later = after.pending;
  const answer = (verdict: SchemaVerdict): CutoverSchema => ({ verdict, expand, later });
  const unknown = undeclared(candidate, unlabelled);
  if (unknown !== undefined) return answer(unknown);
  const { min = NO_SCHEMA, max } = candidate.range ?? {};
  if (min > level(after)) {
    const blocking = later.find(({ kind }) => kind === "contract");
    const known = later.some(({ version }) => version >= min);
    return answer({
      allowed: false,
      problem: `${candidate.image} needs the schema from ${min} on, and it would be ${level(after)}`,
      fix:
        known && blocking !== undefined
          ? `./exai migrate apply   # applies the contract migration ${migrationLabel(blocking)}, which stands before it; then cut over`
          : `git pull   # supabase/migrations has no migration ${min}; or release an image that needs no more than ${level(after)}`,
    });
  }
  const lost = beyond(after, max);
  if (lost !== undefined)
    return answer({
      allowed: false,
      problem: `${candidate.image} knows the schema up to ${max ?? ""}, and ${migrationLabel(lost)} has taken away what it may need`,
      fix: `./exai cutover --image <an image whose exai.schema.max is at least ${lost.version}>`,
    });
  return answer({ allowed: true, notes: [] });
}

/** Whether the users can go back to a release: the schema must not have moved past what it knows. */
export function rollbackSchema(
  state: SchemaState,
  target: Release,
  current: Release | undefined,
  unlabelled: Unlabelled,
): SchemaVerdict {
  const { min = NO_SCHEMA, max } = target.range ?? {};
  // A release that says nothing has served users on this schema; only a contract migration can have changed that.
  const lost = target.range === undefined ? undefined : beyond(state, max);
  const missing = min > level(state);
  if (lost === undefined && !missing) {
    const contract = state.applied.findLast(({ kind }) => kind === "contract");
    if (target.range !== undefined || contract === undefined || unlabelled === "refuse")
      return { allowed: true, notes: [] };
    return {
      allowed: true,
      notes: [
        `${target.image} does not say which schema it works with; the last contract migration is ${migrationLabel(contract)}`,
      ],
    };
  }
  const stays = current === undefined ? "" : `; ${current.slot} keeps the users`;
  return {
    allowed: false,
    problem:
      lost === undefined
        ? `${target.image} in ${target.slot} needs the schema from ${min} on, and it is ${level(state)}${stays}`
        : `the schema has moved past ${target.image} in ${target.slot}, which knows it up to ${max ?? ""}: ${migrationLabel(lost)} has taken away what it may need${stays}`,
    fix:
      lost === undefined
        ? "./exai migrate apply, then ./exai rollback"
        : `./exai cutover --image <an image whose exai.schema.max is at least ${lost.version}>; if you know that the old one works: ./exai rollback --accept-schema`,
  };
}

/** Which releases may get users, and what a rollout is doing. */
export interface Standing {
  /** The slot with the users, or the one that a rollout moves them to. */
  readonly active: Release;
  /** The slot that a rollout came from and can go back to; absent when no rollout runs or is warm. */
  readonly other?: Release;
  /** E.g. `shift 25 %`; `standby` when the rollout is done and its old slot warm; `idle` otherwise. */
  readonly state: string;
}

/** Whether `migrate apply` may apply what is pending, contract migrations included. */
export function applySchema(state: SchemaState, standing: Standing, unlabelled: Unlabelled): SchemaVerdict {
  const first = state.pending.find(({ kind }) => kind === "contract");
  if (first === undefined) return { allowed: true, notes: [] };
  // Nothing has run on an empty database.
  if (state.applied.length === 0) return { allowed: true, notes: [] };
  const which = migrationLabel(first);
  const alone = expandable(state).length > 0 ? "; what comes before it: ./exai migrate apply --expand" : "";
  const { active, other } = standing;
  if (other !== undefined && standing.state === "standby")
    return {
      allowed: false,
      problem: `${which} is a contract migration, and ${other.image} in ${other.slot} is warm and may still need the old schema`,
      fix: `./exai rollout finish   # gives up the way back to ${other.slot}; then ./exai migrate apply${alone}`,
    };
  if (standing.state !== "idle")
    return {
      allowed: false,
      problem: `${which} is a contract migration, and a rollout is in "${standing.state}"${other === undefined ? "" : `: ${other.image} in ${other.slot} may still need the old schema`}`,
      fix: `./exai rollout status; when it is over: ./exai rollout finish, then ./exai migrate apply${alone}`,
    };
  const unknown = undeclared(active, unlabelled);
  if (unknown !== undefined && !unknown.allowed) return unknown;
  const last = state.pending.findLast(({ kind }) => kind === "contract") ?? first;
  const { max } = active.range ?? {};
  if (max !== undefined && max < last.version) {
    const past = state.pending.find(({ kind, version }) => kind === "contract" && version > max) ?? last;
    return {
      allowed: false,
      problem: `${migrationLabel(past)} is a contract migration, and ${active.image} in ${active.slot}, which has the users, knows the schema up to ${max}`,
      fix: `./exai cutover --image <an image whose exai.schema.max is at least ${last.version}>, ./exai rollout finish, then ./exai migrate apply${alone}`,
    };
  }
  return { allowed: true, notes: unknown?.allowed === true ? unknown.notes : [] };
}

/** The newest contract migration that is in place and that a release does not know. */
function beyond(state: SchemaState, max: string | undefined): SchemaMigration | undefined {
  if (max === undefined || floor(state) <= max) return undefined;
  return state.applied.findLast(({ kind }) => kind === "contract");
}

function undeclared({ image, range }: Release, unlabelled: Unlabelled): SchemaVerdict | undefined {
  if (range !== undefined) return undefined;
  const problem = `${image} does not say which schema it works with (labels exai.schema.min and exai.schema.max)`;
  return unlabelled === "warn"
    ? { allowed: true, notes: [`${problem}, so nothing is compared`] }
    : {
        allowed: false,
        problem,
        fix: "build the image with the labels; or exai:blueSchema, exai:greenSchema; or exai:unlabelledReleases warn",
      };
}
