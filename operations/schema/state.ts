import type { MigrationKind } from "../../contract/sql/migration.ts";

/** One migration as the files and the database know it. */
export interface SchemaMigration {
  /** Fourteen digits. */
  readonly version: string;
  readonly name: string;
  readonly kind: MigrationKind;
}

/** A database's schema, as far as releases depend on it. */
export interface SchemaState {
  /** By version, rising. */
  readonly applied: readonly SchemaMigration[];
  /** Migrations of the files that the database lacks, by version, rising. */
  readonly pending: readonly SchemaMigration[];
}

/** Version of a database without any migration. */
export const NO_SCHEMA = "0";

/** The newest migration that is in place: a release needs it to be at least its `schemaMin`. */
export function level(state: SchemaState): string {
  return state.applied.at(-1)?.version ?? NO_SCHEMA;
}

/**
 * The newest contract migration that is in place: a release needs it to be at most its `schemaMax`. Expand migrations
 * above a release's `schemaMax` do not count, for they take nothing from it.
 */
export function floor(state: SchemaState): string {
  return state.applied.findLast(({ kind }) => kind === "contract")?.version ?? NO_SCHEMA;
}

/**
 * The pending migrations that a rollout applies before traffic: the expand ones up to the first contract one. What comes
 * after that may build on what it leaves, so the order of the files is kept.
 */
export function expandable(state: SchemaState): readonly SchemaMigration[] {
  const first = state.pending.findIndex(({ kind }) => kind === "contract");
  return first === -1 ? state.pending : state.pending.slice(0, first);
}

/** The schema after {@link expandable} has been applied. */
export function expanded(state: SchemaState): SchemaState {
  const next = expandable(state);
  const applied = [...state.applied, ...next].sort((a, b) => (a.version < b.version ? -1 : 1));
  return { applied, pending: state.pending.slice(next.length) };
}

/** A migration as messages name it. */
export function migrationLabel({ version, name }: Pick<SchemaMigration, "version" | "name">): string {
  return name === "" ? version : `${version}_${name}`;
}
