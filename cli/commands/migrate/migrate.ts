import type { Command } from "commander";
import { EXIT } from "../../../contract/errors.ts";
import type { LockWait } from "../../../operations/migrations/locks.ts";
import { runPgtap } from "../../../operations/migrations/pgtap.ts";
import { applyPending, type ReleaseGuard } from "../../../operations/schema/apply.ts";
import { planMigrations } from "../../../operations/schema/plan.ts";
import { openStack } from "../../../platforms/stack.ts";
import { resultOf, type Verb } from "../../events.ts";
import { audited } from "../../audited.ts";
import { withLedgerVerbs } from "./ledger.ts";
import { onStack, withReason, type ReasonFlag, type Register, type SetFlags } from "../command.ts";

interface DatabaseFlags extends SetFlags {
  readonly url?: string;
}

/** migrate: the migrations of the database. */
export const registerMigrate: Register = (program, run) => {
  const migrate = program
    .command("migrate")
    .description("plan, lint, apply, test, verify and reconcile the migrations of the database");
  const withDatabase = (name: string, description: string): Command =>
    onStack(migrate.command(name).description(description)).option(
      "--url <url>",
      "connection string, instead of the stack's (or EXAI_DATABASE_URL)",
    );

  withDatabase("plan", "list the migrations that are applied and those that are pending")
    .addHelpText(
      "after",
      "\nExit codes: 0 done, 1 a migration is only in the database or was changed after it was applied, 2 failed.",
    )
    .action(async (stack: string, flags: DatabaseFlags) => {
      await run(async function* (signal) {
        const { url, guard } = await openStack(stack, flags.set).database({ url: flags.url, signal });
        return yield* migratePlan(url, { signal, guard });
      });
    });

  withReason(withDatabase("apply", "apply the pending migrations that no running release forbids"))
    .option("--expand", "apply only what comes before the first contract migration", false)
    .option("--out-of-order", "also apply migrations that are older than the newest applied one", false)
    .addHelpText(
      "after",
      `
Migrations are applied in the order of their files. One that gets no lock in exai:migrationLockTimeoutSeconds is rolled
back and tried again for exai:migrationLockDeadlineSeconds; each session that blocks it is named. Nothing is applied if a file was changed after it was applied, or if a
pending one is older than the newest applied one.

Exit codes: 0 done, 2 failed, 3 the order is not kept, a running release needs what a contract migration removes, or
another session held a lock too long.`,
    )
    .action(async (stack: string, flags: DatabaseFlags & ReasonFlag & { expand: boolean; outOfOrder: boolean }) => {
      const { expand, outOfOrder, reason } = flags;
      await run((signal) => {
        const opened = openStack(stack, flags.set);
        const work = async function* (): Verb {
          const { url, guard, locks, prelude, exclusively } = await opened.database({ url: flags.url, signal });
          return yield* exclusively("migrate apply", async function* () {
            if (prelude !== undefined) yield* prelude();
            return yield* migrateApply(url, { signal, guard, locks, expand, outOfOrder });
          });
        };
        return audited(opened.audit, { verb: "migrate apply", reason }, work(), signal);
      });
    });

  withDatabase("test", "run the pgTAP tests of supabase/tests, which roll back what they write")
    .addHelpText("after", "\nExit codes: 0 all passed, 1 a test failed, 2 failed.")
    .action(async (stack: string, flags: DatabaseFlags) => {
      await run(async function* (signal) {
        return yield* migrateTest((await openStack(stack, flags.set).database({ url: flags.url, signal })).url, {
          signal,
        });
      });
    });

  withLedgerVerbs(withDatabase, run);
};

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
  /** How the migrations wait for locks. @default LOCK_WAIT */
  readonly locks?: LockWait;
  /** Applies only what comes before the first contract migration. */
  readonly expand?: boolean;
  /** Also applies what is older than the newest applied migration. */
  readonly outOfOrder?: boolean;
}

/** `migrate plan`. */
export function migratePlan(url: string, options: GuardOptions = {}): Verb {
  return resultOf("migrate plan", planMigrations(url, options), ({ migrations }) =>
    migrations.every(({ file, edited }) => file && !edited) ? EXIT.ok : EXIT.violations,
  );
}

/** `migrate apply`. @throws UserError `state-conflict` if a release still needs what a contract migration removes */
export function migrateApply(url: string, { expand, ...options }: MigrateApplyOptions = {}): Verb {
  const contract = expand === true ? "never" : "refuse";
  return resultOf("migrate apply", applyPending(url, { ...options, contract }), () => EXIT.ok);
}

/** `migrate test`. */
export function migrateTest(url: string, options: Options = {}): Verb {
  return resultOf("migrate test", runPgtap(url, options), ({ failed }) => (failed === 0 ? EXIT.ok : EXIT.violations));
}
