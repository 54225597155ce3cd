import { command } from "../../../contract/fix.ts";
import type { MigrationState } from "../../../operations/migrations/apply.ts";
import { migrationLabel } from "../../../contract/sql/files.ts";
import type { PgtapResult } from "../../../operations/migrations/pgtap.ts";
import type { ApplyPendingResult, LeftReason } from "../../../operations/schema/apply.ts";
import type { MigrationPlan } from "../../../operations/schema/plan.ts";
import { schemaError, schemaNoteText } from "../../../operations/schema/refusal.ts";
import { typed, type Block } from "../block.ts";
import { count } from "../units.ts";

/** `migrate plan`: each migration with its state. */
export function formatMigratePlan({ migrations, refusal, notes }: MigrationPlan): readonly Block[] {
  const pending = migrations.filter((migration) => !migration.applied);
  const newest = migrations.findLast(({ applied }) => applied)?.version ?? "";
  const unknown = migrations.filter((migration) => !migration.file);
  const heading =
    unknown.length > 0
      ? `the database has ${count(unknown.length, "migration")} that supabase/migrations lacks`
      : pending.length === 0
        ? `nothing to apply, ${count(migrations.length, "migration")} applied`
        : `${String(pending.length)} of ${count(migrations.length, "migration")} pending`;
  return [
    {
      type: "table",
      columns: [{ title: "VERSION" }, { title: "NAME" }, { title: "KIND", priority: 1 }, { title: "STATE" }],
      rows: migrations.map((migration) => [
        migration.version,
        migration.name,
        migration.kind,
        stateOf(migration, newest),
      ]),
    },
    ...notes.map((note): Block => ({ type: "warning", text: schemaNoteText(note) })),
    ...(refusal === undefined ? [] : [{ type: "warning", text: leftText(refusal) } as const]),
    { type: "heading", text: heading },
    ...(pending.length > 0 && unknown.length === 0 && !ofOrder(refusal)
      ? [{ type: "next", commands: [command("migrate apply")] } as const]
      : []),
  ];
}

function ofOrder(refusal: MigrationPlan["refusal"]): boolean {
  return refusal?.reason === "migration-edited" || refusal?.reason === "out-of-order";
}

function stateOf({ file, applied, edited, version }: MigrationState, newest: string): string {
  if (!file) return "only in the database";
  if (applied) return edited ? "applied, changed since" : "applied";
  return version < newest ? "pending, out of order" : "pending";
}

/** `migrate apply`. */
export function formatMigrateApply(result: ApplyPendingResult): readonly Block[] {
  const { length } = result.applied;
  return [
    ...migrationWarnings(result).map((text): Block => ({ type: "warning", text })),
    { type: "heading", text: length === 0 ? "nothing to apply" : `${count(length, "migration")} applied` },
    ...(length === 0 ? [] : [{ type: "next", commands: [command("migrate test")] } as const]),
  ];
}

/** What a person should know after migrations were applied, also as a part of `up`. */
export function migrationWarnings({ left, notes }: Pick<ApplyPendingResult, "left" | "notes">): readonly string[] {
  return [
    ...notes.map(schemaNoteText),
    ...(left === undefined
      ? []
      : [`not applied: ${left.migrations.map(migrationLabel).join(", ")}; ${leftText(left.why)}`]),
  ];
}

/** Why migrations stay pending. */
export function leftText(why: LeftReason): string {
  switch (why.reason) {
    case "expand-only":
      return "only expand migrations were requested";
    case "lock-held":
      return why.detail;
    default: {
      const error = schemaError(why);
      return `${error.message}: ${error.fix.render(typed)}`;
    }
  }
}

/** `migrate test`: what failed. The steps have shown each file. */
export function formatMigrateTest({ passed, failed, files }: PgtapResult): readonly Block[] {
  const lines = files.flatMap(({ file, failures }) =>
    failures.flatMap(({ title, diagnostics }) => [`${file}: ${title}`, ...diagnostics.map((line) => `    ${line}`)]),
  );
  const text =
    failed === 0 ? `${count(passed, "test")} passed` : `${count(failed, "test")} failed, ${String(passed)} passed`;
  return [...(lines.length === 0 ? [] : [{ type: "lines", lines } as const]), { type: "heading", text }];
}
