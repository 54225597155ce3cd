import type { ProjectComparison } from "../../contract/supabase/project.ts";
import type { FindingEntry, PlanReport, StackReport } from "./model.ts";
import {
  coverage,
  declarationText,
  exceptionText,
  headline,
  placeOf,
  plural,
  projectLine,
  projectRows,
  whereOf,
} from "./summary.ts";

/** Marks the comment, so that a workflow edits its previous one. */
export const MARKER = "<!-- exai-plan -->";

/** GitHub rejects comments of more than 65,536 characters. */
const LIMIT = 60_000;
const TITLES = {
  clean: "Plan: allowed",
  violations: "Plan: not allowed",
  inconclusive: "Plan: inconclusive",
} as const;

/** The comment on a pull request: the decision, then for each stack the findings with file and line, and the workloads. */
export function renderMarkdown({ decision, stacks }: PlanReport): string {
  const text = [
    MARKER,
    `## ${TITLES[decision]}`,
    "",
    ...stacks.map((report) => `- ${escape(headline(report))}`),
    "",
    ...stacks.flatMap(section),
  ].join("\n");
  return text.length <= LIMIT
    ? `${text}\n`
    : `${text.slice(0, LIMIT)}\n\n… The report is too long for a comment and was truncated.\n`;
}

function section(report: StackReport): string[] {
  const lines = [`### ${escape(report.stack)}`, ""];
  if (report.findings.length > 0) {
    lines.push("| | where | what | policy |", "|---|---|---|---|", ...report.findings.map(findingRow), "");
    const fixes = [
      ...new Map(report.findings.map((finding) => [`${finding.policy}\0${finding.fix}`, finding])).values(),
    ];
    lines.push(
      "<details><summary>How to fix</summary>",
      "",
      ...fixes.map((finding) => `- \`${finding.policy}\`: ${escape(finding.fix)}`),
      "",
      "</details>",
      "",
    );
  } else {
    lines.push("No findings.", "");
  }
  const inconclusive = report.rules.filter((rule) => rule.inconclusive !== undefined);
  if (inconclusive.length > 0)
    lines.push(
      "**Inconclusive**",
      "",
      ...inconclusive.map((rule) => `- \`${rule.policy}\`: ${escape(rule.inconclusive ?? "")}`),
      "",
    );
  if (report.waived.length > 0)
    lines.push(
      "**Waived**",
      "",
      ...report.waived.map(
        (entry) => `- \`${entry.policy}\` on ${escape(placeOf(entry))} ${escape(exceptionText(entry.waiver))}`,
      ),
      "",
    );
  if (report.declarations.length > 0)
    lines.push(
      "**Declared access**",
      "",
      ...report.declarations.map((declared) => `- ${escape(declarationText(declared))}`),
      "",
    );
  if (report.project !== undefined) lines.push(...project(report.project));
  lines.push(
    `<details><summary>${plural(report.workloads.length, "workload")}, ${plural(report.resources, "resource")}</summary>`,
    "",
    "| component | kind | name | scale | image | ports |",
    "|---|---|---|---|---|---|",
    ...report.workloads.map(
      (load) =>
        `| ${[load.component, load.kind, load.name, load.scale, load.images.map((image) => `\`${image}\``).join("<br>"), load.ports.join(" ")].map(escape).join(" | ")} |`,
    ),
    "",
    "</details>",
    "",
  );
  if (report.deferred.length > 0)
    lines.push(
      `<details><summary>${plural(report.deferred.length, "place")} to check after apply</summary>`,
      "",
      ...Array.from(Map.groupBy(report.deferred, ({ policy }) => policy)).map(
        ([policy, entries]) => `- \`${policy}\`: ${[...new Set(entries.map(placeOf))].map(escape).join(", ")}`,
      ),
      "",
      "</details>",
      "",
    );
  lines.push(...coverage(report).map((line) => `- ${escape(line)}`), "");
  return lines;
}

function project(comparison: ProjectComparison): string[] {
  const rows = projectRows(comparison);
  const failures = comparison.outcome === "compared" ? comparison.failures : [];
  return [
    `**${escape(projectLine(comparison))}**`,
    "",
    ...(rows.length === 0
      ? []
      : [
          "| setting | declared | actual | set by |",
          "|---|---|---|---|",
          ...rows.map((row) => `| ${row.map(code).join(" | ")} |`),
          "",
        ]),
    ...failures.map(({ call, problem, fix }) => `- ${code(call)} ${escape(problem)}; fix: ${escape(fix)}`),
    ...(failures.length === 0 ? [] : [""]),
  ];
}

function findingRow(finding: FindingEntry): string {
  const mark = finding.level === "mandatory" ? "**violation**" : "advisory";
  return `| ${mark} | ${code(whereOf(finding))} | ${escape(`${placeOf(finding)}: ${finding.message}`)} | \`${finding.policy}\` |`;
}

function code(text: string): string {
  return `\`${text.replaceAll("`", "'").replaceAll("|", "\\|")}\``;
}

/** Escapes markup: names and messages come from the program under review. */
function escape(text: string): string {
  return text
    .replaceAll(/[\\*_[\]<>|#@~]/g, (sign) => (sign === "<" ? "&lt;" : sign === "@" ? "&#64;" : `\\${sign}`))
    .replaceAll(/\s+/g, " ");
}
