import type { Command } from "commander";
import { EXIT } from "../../../contract/errors.ts";
import { lintMigrations, type LintOptions } from "../../../operations/reconcile/lint.ts";
import { reconcile, type ReconcileRunOptions } from "../../../operations/reconcile/reconcile.ts";
import { verifyMigrations, type ReconcileOptions } from "../../../operations/reconcile/verify.ts";
import { openStack } from "../../../platforms/stack.ts";
import { audited } from "../../audited.ts";
import { resultOf, type Verb } from "../../events.ts";
import { countOf, withReason, type ReasonFlag, type Run, type SetFlags } from "../command.ts";

interface DatabaseFlags extends SetFlags {
  readonly url?: string;
}

interface ReconcileFlags extends DatabaseFlags, ReasonFlag {
  readonly allowDestructive: boolean;
  readonly dryRun: boolean;
  readonly dump?: string;
}

/** migrate verify, reconcile, lint: what compares migrations and a database on a scratch server. */
export function withLedgerVerbs(withDatabase: (name: string, description: string) => Command, run: Run): void {
  withDatabase("verify", "say whether ledger, files and database agree, by a replay of the ledger")
    .addHelpText(
      "after",
      `
The ledger, supabase_migrations.schema_migrations, is replayed on a scratch server of this machine (Docker), and the result is
compared with the database. The database is only read.

Exit codes: 0 they agree, 1 they do not, 2 failed.`,
    )
    .action(async (stack: string, flags: DatabaseFlags) => {
      await run(async function* (signal) {
        const { url } = await openStack(stack, flags.set).database({ url: flags.url, signal });
        return yield* migrateVerify(url, { signal });
      });
    });

  withDatabase("lint", "run the pending migrations on a copy with data, and report locks and rewrites")
    .option("--limit <milliseconds>", "for how long a lock may stop users (default: 500)")
    .addHelpText(
      "after",
      `
The database is dumped and restored on a scratch server of this machine (Docker). It is only read.

Exit codes: 0 no finding, 1 findings, 2 failed.`,
    )
    .action(async (stack: string, flags: DatabaseFlags & { readonly limit?: string }) => {
      const limitMs = countOf(flags.limit, 500, "migrate lint --limit 500");
      await run(async function* (signal) {
        const { url } = await openStack(stack, flags.set).database({ url: flags.url, signal });
        return yield* migrateLint(url, { signal, limitMs });
      });
    });

  withReason(withDatabase("reconcile", "adopt what a database has and its migrations lack, as one migration"))
    .option("--dry-run", "show what would be done", false)
    .option("--allow-destructive", "also write what removes objects or data where it is applied later", false)
    .option("--dump <file>", "file of the dump that is made first (default: exai-<stack>-<time>.dump)")
    .addHelpText(
      "after",
      `
Dumps the database, makes ledger and files agree, writes one migration, marks it as applied, and proves that a replay of the
ledger on an empty server is the database. Objects and rows of the database are only read. If the proof fails, ledger and files
are as before.

Exit codes: 0 done, or they agreed before; 1 with --dry-run, if there is something to do; 2 failed; 3 the migration would remove
something, or the ledger cannot be replayed.`,
    )
    .action(async (stack: string, flags: ReconcileFlags) => {
      const { allowDestructive, dryRun, reason } = flags;
      const time = new Date().toISOString().replaceAll(/\D/g, "").slice(0, 14);
      const dump = flags.dump ?? `exai-${stack}-${time}.dump`;
      await run((signal) => {
        const opened = openStack(stack, flags.set);
        const work = async function* (): Verb {
          const { url, exclusively } = await opened.database({ url: flags.url, signal });
          const options = { signal, allowDestructive, dryRun, dump };
          if (dryRun) return yield* migrateReconcile(url, options);
          return yield* exclusively("migrate reconcile", () => migrateReconcile(url, options));
        };
        return dryRun ? work() : audited(opened.audit, { verb: "migrate reconcile", reason }, work(), signal);
      });
    });
}

/** `migrate lint`. */
export function migrateLint(url: string, options: LintOptions = {}): Verb {
  return resultOf("migrate lint", lintMigrations(url, options), ({ migrations }) =>
    migrations.every(({ findings }) => findings.length === 0) ? EXIT.ok : EXIT.violations,
  );
}

/** `migrate verify`. */
export function migrateVerify(url: string, options: ReconcileOptions = {}): Verb {
  return resultOf("migrate verify", verifyMigrations(url, options), ({ findings }) =>
    findings.length === 0 ? EXIT.ok : EXIT.violations,
  );
}

/** `migrate reconcile`. */
export function migrateReconcile(url: string, options: ReconcileRunOptions): Verb {
  return resultOf("migrate reconcile", reconcile(url, options), ({ outcome }) => {
    if (outcome === "destructive") return EXIT.refused;
    return outcome === "planned" ? EXIT.violations : EXIT.ok;
  });
}
