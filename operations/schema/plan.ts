import { migrationStatus, type MigrationState } from "../migrations/apply.ts";
import type { ReleaseGuard } from "./apply.ts";
import { stateOf } from "./coupling.ts";
import { applySchema, type SchemaNote, type SchemaRefusal } from "./decide.ts";
import { orderRefusal } from "./order.ts";

/** What `migrate apply` would do now. */
export interface MigrationPlan {
  /** By version, rising; `applied` and `file` say which are pending and which the files lack. */
  readonly migrations: readonly MigrationState[];
  /** Why `migrate apply` would refuse; absent if it would not, or if nothing is known of releases. */
  readonly refusal?: SchemaRefusal;
  readonly notes: readonly SchemaNote[];
}

/** Compares a database with the files and with the running releases. Changes nothing. */
export async function planMigrations(
  url: string,
  { guard, root }: { readonly guard?: ReleaseGuard | undefined; readonly root?: string },
): Promise<MigrationPlan> {
  const where = root === undefined ? {} : { root };
  const migrations = await migrationStatus(url, where);
  const state = stateOf(migrations);
  const { edited = [] } = state;
  // A changed file is reported although nothing is pending.
  if (edited.length > 0 && state.ahead !== true)
    return { migrations, refusal: { reason: "migration-edited", migrations: edited }, notes: [] };
  const disorder = orderRefusal(state);
  if (disorder !== undefined) return { migrations, refusal: disorder, notes: [] };
  // `migrate apply` refuses a database that has migrations of other files before it asks for the releases.
  const releases =
    migrations.every(({ file }) => file) && migrations.some(({ applied }) => !applied)
      ? await guard?.releases()
      : undefined;
  if (guard === undefined || releases === undefined) return { migrations, notes: [] };
  const verdict = applySchema(state, releases, guard.unlabelled);
  return verdict.allowed ? { migrations, notes: verdict.notes } : { migrations, refusal: verdict.refusal, notes: [] };
}
