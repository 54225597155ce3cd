import { migrationLabel } from "../../../contract/sql/files.ts";
import type { LintFinding, LintResult, MigrationLint } from "../../../operations/reconcile/lint.ts";
import type { Block } from "../block.ts";
import { count, size } from "../units.ts";

/** `migrate lint`: the locks of each statement, and what was found. */
export function formatMigrateLint({ migrations, bytes, limitMs }: LintResult): readonly Block[] {
  const findings = migrations.flatMap(({ findings: found }) => found).length;
  const statements = migrations.flatMap(({ statements: ran }) => ran).length;
  return [
    ...migrations.flatMap(migrationBlocks),
    {
      type: "heading",
      text:
        migrations.length === 0
          ? "no migration is pending"
          : findings === 0
            ? `${count(statements, "statement")} on a copy of ${size(bytes)}: no lock stopped users for over ${limitMs} ms`
            : `${count(findings, "finding")} on a copy of ${size(bytes)}`,
    },
  ];
}

function migrationBlocks(migration: MigrationLint): readonly Block[] {
  const rows = migration.statements.flatMap(({ line, sql, locks }) =>
    locks.map(({ table, mode, blocks, heldMs }) => [String(line), sql, table, mode, blocks, `${heldMs.toFixed(0)} ms`]),
  );
  const label = migrationLabel(migration);
  return [
    {
      type: "table",
      title: label,
      columns: [
        { title: "LINE", align: "right" },
        { title: "STATEMENT", priority: 2, minimum: 20 },
        { title: "TABLE" },
        { title: "LOCK", priority: 1 },
        { title: "STOPS" },
        { title: "HELD", align: "right" },
      ],
      rows,
    },
    ...migration.findings.map((finding): Block => {
      return { type: "warning", text: `supabase/migrations/${label}.sql:${finding.line}: ${findingText(finding)}` };
    }),
  ];
}

function findingText(finding: LintFinding): string {
  switch (finding.reason) {
    case "held-long":
      return `stops ${finding.blocks} of ${finding.table} for ${finding.heldMs.toFixed(0)} ms (${finding.mode})`;
    case "rewrite":
      return `rewrites ${finding.table}, ${size(finding.bytes)}`;
    case "refused":
      return `PostgreSQL refuses it: ${finding.message}`;
    case "breaks-releases":
      return `${finding.what}, which a running release may need`;
  }
}
