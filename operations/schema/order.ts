import { level, type SchemaMigration, type SchemaState } from "./state.ts";

/** Migrations of the files that are not as the database has them. */
export type OrderRefusal =
  /** The files of applied migrations were changed since. */
  | { readonly reason: "migration-edited"; readonly migrations: readonly SchemaMigration[] }
  /** Pending migrations are older than the newest applied one. */
  | { readonly reason: "out-of-order"; readonly migrations: readonly SchemaMigration[]; readonly newest: string };

/**
 * Why nothing is applied: the database then would have another schema than one that gets the same files in their order, such
 * as that of a test or of a new stack. Undefined if nothing is pending.
 *
 * @param pending what would be applied. @default all of the state
 */
export function orderRefusal(
  state: SchemaState,
  pending: readonly SchemaMigration[] = state.pending,
): OrderRefusal | undefined {
  // A database that is ahead of the files is refused with the reason that it is.
  if (pending.length === 0 || state.ahead === true) return undefined;
  const { edited = [] } = state;
  if (edited.length > 0) return { reason: "migration-edited", migrations: edited };
  const newest = level(state);
  const late = pending.filter(({ version }) => version < newest);
  return late.length === 0 ? undefined : { reason: "out-of-order", migrations: late, newest };
}
