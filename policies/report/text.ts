import type { DeferredEntry, Entry, FindingEntry, StackReport } from "./model.ts";

const WORDS = { clean: "clean", violations: "VIOLATIONS", inconclusive: "COULD NOT JUDGE" } as const;

/** The report for a terminal or a log: verdict, what runs, findings, what is open, counts. */
export function renderText(reports: readonly StackReport[]): string {
  return reports.map(stackText).join("\n");
}

/** The verdict in one line, e.g. `prod: clean, 2 advisory findings`. */
export function headline(report: StackReport): string {
  const { counts } = report;
  const parts = [
    ...(counts.mandatory > 0 ? [plural(counts.mandatory, "violation")] : []),
    ...(counts.inconclusive > 0 ? [`${plural(counts.inconclusive, "rule")} without a judgement`] : []),
    ...(counts.advisory > 0 ? [plural(counts.advisory, "advisory finding")] : []),
    ...(counts.waived > 0 ? [`${counts.waived} waived`] : []),
    ...(counts.deferred > 0 ? [`${plural(counts.deferred, "place")} to be proved after apply`] : []),
  ];
  return [`${report.stack}: ${WORDS[report.decision]}`, ...parts].join(", ");
}

/** What was looked at, in one line. */
export function countsLine(report: StackReport): string {
  const { counts, database } = report;
  const engine =
    database === undefined
      ? "no database was read"
      : `${plural(database.migrations, "migration")} on ${database.server}${database.cached ? " (same files as before: result of the earlier run)" : ""}: ${plural(database.tables, "table")}, ${plural(database.policies, "row-level policy", "row-level policies")}`;
  return `${plural(counts.rules, "rule")}, ${counts.evaluated} places judged in ${plural(report.resources, "resource")}; ${counts.notApplicable} rules had rightly nothing to look at; ${engine}`;
}

/** `src/file.ts:12`, or the resource's name where the program says no place. */
export function whereOf(entry: Entry): string {
  return entry.source === undefined ? entry.subject : `${entry.source.file}:${entry.source.line}`;
}

/** Resource, then the path inside it. */
export function subjectOf(entry: Entry): string {
  return entry.path === "" ? entry.subject : `${entry.subject} ${entry.path}`;
}

/** Deferred places that have the same cause of the same rule, together. */
export function grouped(
  deferred: readonly DeferredEntry[],
): readonly (readonly [key: string, entries: readonly DeferredEntry[]])[] {
  const groups = new Map<string, DeferredEntry[]>();
  for (const entry of deferred) {
    const list = groups.get(entry.policy) ?? [];
    list.push(entry);
    groups.set(entry.policy, list);
  }
  return [...groups];
}

function stackText(report: StackReport): string {
  const lines = [headline(report), "", "What will run"];
  const rows = report.workloads.map((load) => [
    load.component,
    load.kind,
    load.name,
    `x ${load.scale}`,
    load.images.join(" "),
    load.ports.join(" "),
  ]);
  lines.push(...table(rows).map((line) => `  ${line}`), "");
  if (report.findings.length > 0) lines.push("Findings", ...report.findings.flatMap(findingLines), "");
  if (report.waived.length > 0)
    lines.push(
      "Waived",
      ...report.waived.flatMap((entry) => [
        ...findingLines(entry),
        `      waived until ${entry.waiver.expires} by ${entry.waiver.owner}: ${entry.waiver.reason}`,
      ]),
      "",
    );
  const inconclusive = report.rules.filter((rule) => rule.inconclusive !== undefined);
  if (inconclusive.length > 0)
    lines.push(
      "Without a judgement",
      ...inconclusive.map((rule) => `  ${rule.policy}: ${rule.inconclusive ?? ""}`),
      "",
    );
  if (report.deferred.length > 0) {
    lines.push("To be proved after apply (./exai audit STACK)");
    for (const [policy, entries] of grouped(report.deferred)) {
      const subjects = [...new Set(entries.map(subjectOf))];
      lines.push(
        `  ${policy}: ${subjects.slice(0, 3).join(", ")}${subjects.length > 3 ? ` and ${subjects.length - 3} more` : ""}`,
      );
    }
    lines.push("");
  }
  lines.push(countsLine(report), "");
  return lines.join("\n");
}

function findingLines(finding: FindingEntry): string[] {
  return [
    `  ${finding.level === "mandatory" ? "x" : "!"} ${whereOf(finding)}  ${finding.policy}${finding.level === "advisory" ? " (advisory)" : ""}`,
    `      ${subjectOf(finding)}: ${finding.message}`,
    `      fix: ${finding.fix}`,
  ];
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
