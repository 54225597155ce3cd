import type { MigrationKind } from "../../contract/sql/migration.ts";

/** One migration of the files, or of the database. */
export interface SchemaMigration {
  /** Fourteen digits. */
  readonly version: string;
  readonly name: string;
  readonly kind: MigrationKind;
}

/** The migrations of a database that releases depend on. */
export interface SchemaState {
  /** By version, rising. */
  readonly applied: readonly SchemaMigration[];
  /** Migrations of the files that the database lacks, by version, rising. */
  readonly pending: readonly SchemaMigration[];
  /** Applied migrations whose files were changed since. */
  readonly edited?: readonly SchemaMigration[];
  /** Whether a migration is applied that the files lack. */
  readonly ahead?: boolean;
}

/** Version of a database without any migration. */
export const NO_SCHEMA = "0";

/** The newest applied migration: a release requires it to be at least its `schemaMin`. */
export function level(state: SchemaState): string {
  return state.applied.at(-1)?.version ?? NO_SCHEMA;
}

/**
 * The newest applied contract migration: a release requires it to be at most its `schemaMax`. Expand migrations above a
 * release's `schemaMax` do not count, because they remove nothing.
 */
export function floor(state: SchemaState): string {
  return state.applied.findLast(({ kind }) => kind === "contract")?.version ?? NO_SCHEMA;
}

/**
 * The pending migrations that a rollout applies before it shifts traffic: the expand migrations up to the first contract
 * migration. A later file may depend on it, so the order of the files is kept.
 */
export function expandable(state: SchemaState): readonly SchemaMigration[] {
  const first = state.pending.findIndex(({ kind }) => kind === "contract");
  return first === -1 ? state.pending : state.pending.slice(0, first);
}

/** The schema after {@link expandable} has been applied. */
export function expanded(state: SchemaState): SchemaState {
  const next = expandable(state);
  const applied = [...state.applied, ...next].sort((a, b) => (a.version < b.version ? -1 : 1));
  return { ...state, applied, pending: state.pending.slice(next.length) };
}
