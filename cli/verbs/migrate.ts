import { EXIT } from "../../contract/errors.ts";
import type { ExaiEvent, Verb } from "../../contract/events.ts";
import { label, migrationStatus } from "../../operations/migrations/apply.ts";
import { runPgtap } from "../../operations/migrations/pgtap.ts";
import { applyPending, type ReleaseGuard } from "../../operations/schema/apply.ts";
import { schemaState } from "../../operations/schema/coupling.ts";
import { applySchema } from "../../operations/schema/decide.ts";

interface Options {
  readonly signal?: AbortSignal;
}

interface GuardOptions extends Options {
  /** Root of the project whose supabase/migrations are meant. @default the checkout */
  readonly root?: string;
  /** The releases that stand on the database; absent where there are none. */
  readonly guard?: ReleaseGuard | undefined;
}

/** `./exai migrate apply`. */
export interface MigrateApplyOptions extends GuardOptions {
  /** Applies what comes before the first contract migration, and leaves the rest. */
  readonly expand?: boolean;
}

/** Which migrations a database has and which it lacks, and whether the releases that run let them be applied. */
export async function* migratePlan(url: string, options: GuardOptions = {}): Verb {
  const { guard, ...where } = options;
  const status = await migrationStatus(url, where);
  const pending = status.filter((migration) => !migration.applied);
  const unknown = status.filter((migration) => !migration.file);
  yield {
    type: "table",
    columns: ["VERSION", "NAME", "KIND", "STATE"],
    rows: status.map((migration) => [
      migration.version,
      migration.name,
      migration.kind,
      !migration.file ? "only in the database" : migration.applied ? "applied" : "pending",
    ]),
  };
  if (unknown.length === 0) yield* releasesSay(url, guard, options.root);
  const title =
    unknown.length > 0
      ? `${unknown.length} migrations of the database are not among the files`
      : pending.length === 0
        ? `nothing to apply, ${status.length} migrations are in place`
        : `${pending.length} of ${status.length} migrations are to be applied`;
  yield {
    type: "result",
    title,
    data: { migrations: status, pending: pending.map(label), unknown: unknown.map(label) },
    ...(pending.length > 0 && unknown.length === 0 ? { next: ["./exai migrate apply"] } : {}),
  };
  return unknown.length > 0 ? EXIT.violations : EXIT.ok;
}

/** What `apply` would be told. */
async function* releasesSay(
  url: string,
  guard: ReleaseGuard | undefined,
  root: string | undefined,
): AsyncGenerator<ExaiEvent, void> {
  const state = await schemaState(url, root);
  const standing = state.pending.length === 0 ? undefined : await guard?.standing();
  if (guard === undefined || standing === undefined) return;
  const verdict = applySchema(state, standing, guard.unlabelled);
  const messages = verdict.allowed ? verdict.notes : [`${verdict.problem}: ${verdict.fix}`];
  for (const message of messages) yield { type: "note", level: "warning", message };
}

/** Applies what a database lacks. Exit 3 where a release still needs what a contract migration takes. */
export async function* migrateApply(url: string, options: MigrateApplyOptions = {}): Verb {
  const { expand, ...rest } = options;
  const count = yield* applyPending(url, { ...rest, contract: expand === true ? "never" : "refuse" });
  yield {
    type: "result",
    title: count === 0 ? "nothing to apply" : `${count} migrations applied`,
    data: { applied: count },
    ...(count === 0 ? {} : { next: ["./exai migrate test"] }),
  };
  return EXIT.ok;
}

/** Runs the pgTAP tests against a database; they roll back what they write. Exit 1 where one fails. */
export async function* migrateTest(url: string, options: Options = {}): Verb {
  let passed = 0;
  let failed = 0;
  const files: { file: string; passed: number; failures: readonly string[] }[] = [];
  for await (const outcome of runPgtap(url)) {
    options.signal?.throwIfAborted();
    passed += outcome.passed;
    failed += outcome.failures.length;
    files.push({
      file: outcome.file,
      passed: outcome.passed,
      failures: outcome.failures.map((failure) => failure.title),
    });
    yield {
      type: "step",
      id: outcome.file,
      title: outcome.file,
      status: outcome.failures.length === 0 ? "done" : "failed",
      detail: `${outcome.passed} of ${outcome.planned} passed`,
    };
    for (const failure of outcome.failures)
      yield {
        type: "text",
        text: [`${outcome.file}: ${failure.title}`, ...failure.diagnostics.map((line) => `    ${line}`)].join("\n"),
      };
  }
  yield {
    type: "result",
    title: failed === 0 ? `${passed} tests passed` : `${failed} tests failed, ${passed} passed`,
    data: { passed, failed, files },
  };
  return failed === 0 ? EXIT.ok : EXIT.violations;
}
