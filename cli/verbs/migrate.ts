import { EXIT } from "../../contract/errors.ts";
import type { Verb } from "../../contract/events.ts";
import { runPgtap } from "../../operations/migrations/pgtap.ts";
import { applyPending, type ReleaseGuard } from "../../operations/schema/apply.ts";
import { planMigrations } from "../../operations/schema/plan.ts";
import { formatMigrateApply, formatMigratePlan, formatMigrateTest } from "../format/migrate.ts";
import { shown } from "../format/shown.ts";

interface Options {
  readonly signal?: AbortSignal;
}

interface GuardOptions extends Options {
  /** Root of the project that holds supabase/migrations. @default the checkout */
  readonly root?: string;
  /** The releases that use the database; absent if there are none. */
  readonly guard?: ReleaseGuard | undefined;
}

/** `migrate apply`. */
export interface MigrateApplyOptions extends GuardOptions {
  /** Applies only what comes before the first contract migration. */
  readonly expand?: boolean;
}

/** Applied and pending migrations. Exit code 1 if the database has some that the files lack. */
export async function* migratePlan(url: string, options: GuardOptions = {}): Verb {
  const plan = await planMigrations(url, options);
  yield* shown(plan, formatMigratePlan(plan));
  return plan.migrations.every((migration) => migration.file) ? EXIT.ok : EXIT.violations;
}

/** Applies the pending migrations. Exit code 3 if a release still needs what a contract migration removes. */
export async function* migrateApply(url: string, options: MigrateApplyOptions = {}): Verb {
  const { expand, ...rest } = options;
  const result = yield* applyPending(url, { ...rest, contract: expand === true ? "never" : "refuse" });
  yield* shown(result, formatMigrateApply(result));
  return EXIT.ok;
}

/** Runs the pgTAP tests, which roll back what they write. Exit code 1 if one fails. */
export async function* migrateTest(url: string, options: Options = {}): Verb {
  const result = yield* runPgtap(url, options);
  yield* shown(result, formatMigrateTest(result));
  return result.failed === 0 ? EXIT.ok : EXIT.violations;
}
