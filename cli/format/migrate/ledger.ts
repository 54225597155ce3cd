import { command, fix, type Fix } from "../../../contract/fix.ts";
import { migrationLabel } from "../../../contract/sql/files.ts";
import type { Disagreement } from "../../../operations/reconcile/ledger.ts";
import type { OracleVerdict } from "../../../operations/reconcile/oracles.ts";
import type { LedgerRepair } from "../../../operations/reconcile/plan.ts";
import type { ReconcileResult } from "../../../operations/reconcile/reconcile.ts";
import type { VerifyFinding, VerifyResult } from "../../../operations/reconcile/verify.ts";
import type { SchemaDifference } from "../../../operations/schema-facts/compare.ts";
import type { Block } from "../block.ts";
import { count } from "../units.ts";

const DISAGREEMENTS: Readonly<Record<Disagreement, string>> = {
  edited: "the file was changed after it was applied",
  "statements-missing": "marked as applied, and the ledger has no statements",
  "file-missing": "only the ledger has it",
  lost: "only the ledger has it, without statements",
  "not-recorded": "older than the newest applied one, and not in the ledger",
};

/** `migrate verify`. */
export function formatMigrateVerify({ findings, applied, pending, drift, oracles }: VerifyResult): readonly Block[] {
  const rows = findings.flatMap((finding) => (finding.reason === "drift" ? [] : [findingRow(finding)]));
  const [next] = findings.map(fixOf).filter((each) => each !== undefined);
  return [
    ...(rows.length === 0
      ? []
      : [{ type: "table", columns: [{ title: "MIGRATION" }, { title: "FINDING" }], rows } as const]),
    ...driftBlocks(drift),
    ...oracleBlocks(oracles),
    {
      type: "heading",
      text:
        findings.length === 0
          ? `ledger, files and database agree: ${count(applied, "migration")}${pending === 0 ? "" : `, ${pending} pending`}`
          : `ledger, files and database do not agree: ${count(findings.length, "finding")}`,
    },
    ...(next === undefined ? [] : [{ type: "fix", fix: next } as const]),
  ];
}

function findingRow(finding: Exclude<VerifyFinding, { readonly reason: "drift" }>): readonly string[] {
  const label = migrationLabel(finding);
  switch (finding.reason) {
    case "replay-failed":
      return [label, `cannot be replayed on an empty database: statement ${finding.statement}: ${finding.message}`];
    case "never-ran":
      return [label, `marked as applied, and never ran: the database lacks ${listed(finding.objects)}`];
    default:
      return [label, DISAGREEMENTS[finding.reason]];
  }
}

function fixOf(finding: VerifyFinding): Fix | undefined {
  switch (finding.reason) {
    case "never-ran":
      return fix`npx supabase migration repair --status reverted ${finding.version} --db-url <url>, then ${command("migrate apply")}`;
    case "replay-failed":
      return fix`put what is missing into the file of an earlier version, then ${command("migrate reconcile")}`;
    case "edited":
      return fix`restore the file (git log -p -- supabase/migrations); if the new text is right: ${command("migrate reconcile --dry-run")}`;
    default:
      return fix`${command("migrate reconcile --dry-run")}`;
  }
}

/** `migrate reconcile`. */
export function formatMigrateReconcile(result: ReconcileResult): readonly Block[] {
  const { outcome, drift, repairs, destructive, migration, dump, proof } = result;
  const label = migration === undefined ? "" : migrationLabel(migration);
  return [
    ...(repairs.length === 0
      ? []
      : [
          {
            type: "table",
            columns: [{ title: "MIGRATION" }, { title: "REPAIR" }],
            rows: repairs.map((repair) => [migrationLabel(repair), REPAIRS[repair.action]]),
          } as const,
        ]),
    ...driftBlocks(drift),
    ...(outcome === "planned" && migration !== undefined ? [{ type: "document", text: migration.sql } as const] : []),
    ...oracleBlocks(proof),
    ...(destructive.length === 0
      ? []
      : [{ type: "warning", text: `removes, where it is applied later: ${listed(destructive)}` } as const]),
    { type: "heading", text: HEADINGS[outcome](label) },
    ...(dump === undefined ? [] : [{ type: "lines", lines: [`dump ${dump.path} (pg_restore reads it)`] } as const]),
    ...(outcome === "destructive"
      ? [{ type: "next", commands: [command("migrate reconcile --allow-destructive")] } as const]
      : outcome === "planned"
        ? [{ type: "next", commands: [command("migrate reconcile")] } as const]
        : outcome === "reconciled" && migration !== undefined
          ? [{ type: "next", commands: [{ shell: `git add supabase/migrations/${label}.sql` }] } as const]
          : []),
  ];
}

const REPAIRS: Readonly<Record<LedgerRepair["action"], string>> = {
  "record-file": "the ledger takes the text of the file",
  "write-file": "the file is written from the ledger",
  "mark-applied": "the database has it: marked as applied",
  forget: "removed from the ledger: neither statements nor a file",
};

const HEADINGS: Readonly<Record<ReconcileResult["outcome"], (label: string) => string>> = {
  agreed: () => "ledger, files and database agree: nothing to do",
  planned: (label) => (label === "" ? "the ledger would be repaired" : `${label} would be written`),
  destructive: (label) => `nothing was done: ${label} would remove something`,
  reconciled: (label) =>
    label === "" ? "the ledger is repaired, and proved" : `${label} is written, marked and proved`,
};

/** What differs, by object; parts of a new object are left to it. */
function driftBlocks(drift: readonly SchemaDifference[] = []): readonly Block[] {
  const whole = drift.filter(({ partOf }) => partOf === undefined);
  if (whole.length === 0) return [];
  const rows = whole.map(({ object, change, attributes }) => [
    object,
    change === "added" ? "only in the database" : change === "removed" ? "only in the ledger" : "differs",
    attributes.map(({ name }) => name).join(", "),
  ]);
  return [{ type: "table", columns: [{ title: "OBJECT" }, { title: "DRIFT" }, { title: "IN", priority: 1 }], rows }];
}

function oracleBlocks(oracles: readonly OracleVerdict[] = []): readonly Block[] {
  if (oracles.length === 0) return [];
  const rows = oracles.map(({ oracle, objects, differences }) => [
    oracle,
    String(objects),
    differences.length === 0 ? "identical" : count(differences.length, "difference"),
  ]);
  return [{ type: "table", columns: [{ title: "ORACLE" }, { title: "OBJECTS" }, { title: "SCHEMAS" }], rows }];
}

function listed(objects: readonly string[]): string {
  return `${objects.slice(0, 5).join(", ")}${objects.length > 5 ? ` and ${objects.length - 5} more` : ""}`;
}
