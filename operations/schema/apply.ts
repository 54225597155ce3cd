import { UserError } from "../../contract/errors.ts";
import type { Operation } from "../../contract/events.ts";
import { applyMigrations } from "../migrations/apply.ts";
import type { LockWait } from "../migrations/locks.ts";
import { applyExpand, checkExpands, schemaState } from "./coupling.ts";
import { applySchema, type ActiveReleases, type SchemaNote, type SchemaRefusal, type Unlabelled } from "./decide.ts";
import { orderRefusal } from "./order.ts";
import { schemaError } from "./refusal.ts";
import { expandable, type SchemaMigration, type SchemaState } from "./state.ts";

/** The releases that use a database, and how to keep rollouts from changing them. */
export interface ReleaseGuard {
  readonly unlabelled: Unlabelled;
  /** Undefined if no release runs. */
  releases(): Promise<ActiveReleases | undefined>;
  /** Keeps rollouts from starting until the returned function is called. @throws UserError `lock-held` during one */
  exclude(): Promise<() => Promise<void>>;
}

export interface ApplyPendingOptions {
  readonly root?: string;
  readonly signal?: AbortSignal;
  /** How the migrations wait for locks. @default LOCK_WAIT */
  readonly locks?: LockWait | undefined;
  /** Absent: nothing is known about releases, as with a database outside a stack. */
  readonly guard?: ReleaseGuard | undefined;
  /**
   * What happens to contract migrations that a release does not allow: `refuse` throws, `leave` keeps them for later.
   * `never` keeps them for later in any case.
   */
  readonly contract: "refuse" | "leave" | "never";
  /** Also applies pending migrations that are older than the newest applied one. @default false */
  readonly outOfOrder?: boolean;
}

export interface ApplyPendingResult {
  /** The migrations that were applied, by version, rising. */
  readonly applied: readonly SchemaMigration[];
  /** What stays pending, and why; absent if nothing does. */
  readonly left?: { readonly migrations: readonly SchemaMigration[]; readonly why: LeftReason };
  readonly notes: readonly SchemaNote[];
}

/** Why migrations stay pending. */
export type LeftReason =
  /** Only expand migrations were requested. */
  | { readonly reason: "expand-only" }
  /** A rollout, or another migration, holds the lock; `detail` is the error's message. */
  | { readonly reason: "lock-held"; readonly detail: string }
  | SchemaRefusal;

/**
 * Applies the pending migrations of a database in the order of the files. Running releases survive it: expand migrations
 * only add, and contract migrations are applied once no release needs what they remove.
 *
 * @throws UserError `state-conflict` or `lock-held`, before anything is applied
 */
export async function* applyPending(url: string, options: ApplyPendingOptions): Operation<ApplyPendingResult> {
  const { guard, contract, root, signal, locks } = options;
  const where = { ...(root === undefined ? {} : { root }), ...(signal === undefined ? {} : { signal }), locks };
  const all = async function* (notes: readonly SchemaNote[] = []): Operation<ApplyPendingResult> {
    return { applied: yield* applyMigrations(url, where), notes };
  };
  const expandAlone = async function* (state: SchemaState, why: LeftReason): Operation<ApplyPendingResult> {
    const migrations = state.pending.slice(expandable(state).length);
    return { applied: yield* applyExpand(url, where), left: { migrations, why }, notes: [] };
  };
  const state = await schemaState(url, root);
  const { edited = [] } = state;
  if (state.pending.length === 0 && edited.length > 0)
    return { applied: [], notes: [{ reason: "migration-edited", migrations: edited }] };
  const disorder = orderRefusal(state);
  if (disorder !== undefined && !(disorder.reason === "out-of-order" && options.outOfOrder === true)) {
    if (contract !== "leave") throw schemaError(disorder);
    return { applied: [], left: { migrations: state.pending, why: disorder }, notes: [] };
  }
  await checkExpands(state, root);
  const contracts = expandable(state).length < state.pending.length;
  if (contract === "never" && contracts) return yield* expandAlone(state, { reason: "expand-only" });
  // Nothing has run on an empty database, and expand migrations do not have to wait for a release.
  if (!contracts || guard === undefined || state.applied.length === 0) return yield* all();

  let release: (() => Promise<void>) | undefined;
  try {
    release = await guard.exclude();
  } catch (error) {
    if (contract === "refuse" || !(error instanceof UserError)) throw error;
    return yield* expandAlone(state, { reason: "lock-held", detail: error.message });
  }
  let why: SchemaRefusal;
  try {
    const releases = await guard.releases();
    if (releases === undefined) return yield* all();
    const verdict = applySchema(state, releases, guard.unlabelled);
    if (verdict.allowed) return yield* all(verdict.notes);
    if (contract === "refuse") throw schemaError(verdict.refusal);
    why = verdict.refusal;
  } finally {
    await release();
  }
  return yield* expandAlone(state, why);
}
