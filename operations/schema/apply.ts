import { UserError } from "../../contract/errors.ts";
import type { ExaiEvent } from "../../contract/events.ts";
import { applyMigrations } from "../migrations/apply.ts";
import { applyExpand, checkExpands, schemaState } from "./coupling.ts";
import { applySchema, type Standing, type Unlabelled } from "./decide.ts";
import { expandable, migrationLabel } from "./state.ts";

/** The releases that stand on a database, and how to keep them from changing. */
export interface ReleaseGuard {
  readonly unlabelled: Unlabelled;
  /** Undefined where no release runs. */
  standing(): Promise<Standing | undefined>;
  /** Keeps every rollout out until it is called. @throws UserError with exit code 3 where one is under way */
  exclude(): Promise<() => Promise<void>>;
}

export interface ApplyPendingOptions {
  readonly root?: string;
  readonly signal?: AbortSignal;
  /** Absent: nothing is known of any release, as on a database of its own. */
  readonly guard?: ReleaseGuard | undefined;
  /**
   * What becomes of contract migrations that a release stands against: refused with what to do, or left for later with a
   * note. `never`: they are left in any case.
   */
  readonly contract: "refuse" | "leave" | "never";
}

/**
 * Applies what a database lacks, in the order of the files, and returns how many there were. What runs survives it: expand
 * migrations only add, and contract ones come when no release needs what they take.
 *
 * @throws UserError with exit code 3 before anything is applied
 */
export async function* applyPending(
  url: string,
  options: ApplyPendingOptions,
): AsyncGenerator<ExaiEvent, number, void> {
  const { guard, contract, root, signal } = options;
  const where = { ...(root === undefined ? {} : { root }), ...(signal === undefined ? {} : { signal }) };
  const state = await schemaState(url, root);
  checkExpands(state, root);
  const takes = expandable(state).length < state.pending.length;
  if (contract === "never" && takes) {
    yield* left(
      state.pending.slice(expandable(state).length).map(migrationLabel),
      "only expand migrations were asked for",
    );
    return (yield* applyExpand(url, where)).length;
  }
  // Nothing has run on an empty database, and what only adds needs nobody to wait.
  if (!takes || guard === undefined || state.applied.length === 0) return yield* applyMigrations(url, where);

  let release: (() => Promise<void>) | undefined;
  try {
    release = await guard.exclude();
  } catch (error) {
    if (contract === "refuse" || !(error instanceof UserError)) throw error;
    yield* left(state.pending.slice(expandable(state).length).map(migrationLabel), error.message);
    return (yield* applyExpand(url, where)).length;
  }
  try {
    const standing = await guard.standing();
    if (standing === undefined) return yield* applyMigrations(url, where);
    const verdict = applySchema(state, standing, guard.unlabelled);
    if (verdict.allowed) {
      for (const message of verdict.notes) yield { type: "note", level: "warning", message };
      return yield* applyMigrations(url, where);
    }
    if (contract === "refuse") throw new UserError("state-conflict", "schema", verdict.problem, verdict.fix);
    yield* left(
      state.pending.slice(expandable(state).length).map(migrationLabel),
      `${verdict.problem}: ${verdict.fix}`,
    );
  } finally {
    await release();
  }
  return (yield* applyExpand(url, where)).length;
}

function* left(migrations: readonly string[], reason: string): Generator<ExaiEvent, void, void> {
  yield { type: "note", level: "warning", message: `not applied: ${migrations.join(", ")}; ${reason}` };
}
