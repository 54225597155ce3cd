import type { FindingEntry, StackReport } from "./model.ts";
import { decisionOf } from "./model.ts";
import { countsLine, grouped, headline, subjectOf, whereOf } from "./text.ts";

/** Marks the comment, so that a workflow edits the one it wrote before. */
export const MARKER = "<!-- exai-plan -->";

/** GitHub refuses longer comments than 65,536 characters. */
const LIMIT = 60_000;
const TITLES = {
  clean: "Plan: allowed",
  violations: "Plan: not allowed",
  inconclusive: "Plan: could not be judged",
} as const;

/** The comment on a pull request: the verdict first, then what runs, then the findings with file and line. */
export function renderMarkdown(reports: readonly StackReport[]): string {
  const decision = decisionOf(reports);
  const text = [
    MARKER,
    `## ${TITLES[decision]}`,
    "",
    ...reports.map((report) => `- ${escape(headline(report))}`),
    "",
    ...reports.flatMap(section),
  ].join("\n");
  return text.length <= LIMIT
    ? `${text}\n`
    : `${text.slice(0, LIMIT)}\n\n… cut off here; \`./exai plan\` prints everything.\n`;
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
      "**Without a judgement**",
      "",
      ...inconclusive.map((rule) => `- \`${rule.policy}\`: ${escape(rule.inconclusive ?? "")}`),
      "",
    );
  if (report.waived.length > 0)
    lines.push(
      "**Waived**",
      "",
      ...report.waived.map(
        (entry) =>
          `- \`${entry.policy}\` on ${escape(subjectOf(entry))} until ${entry.waiver.expires} (${escape(entry.waiver.owner)}): ${escape(entry.waiver.reason)}`,
      ),
      "",
    );
  lines.push(
    `<details><summary>What will run: ${report.workloads.length} workloads of ${report.resources} resources</summary>`,
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
      `<details><summary>To be proved after apply: ${report.deferred.length} places</summary>`,
      "",
      ...grouped(report.deferred).map(
        ([policy, entries]) => `- \`${policy}\`: ${[...new Set(entries.map(subjectOf))].map(escape).join(", ")}`,
      ),
      "",
      "</details>",
      "",
    );
  lines.push(escape(countsLine(report)), "");
  return lines;
}

function findingRow(finding: FindingEntry): string {
  const mark = finding.level === "mandatory" ? "**violation**" : "advisory";
  return `| ${mark} | ${code(whereOf(finding))} | ${escape(`${subjectOf(finding)}: ${finding.message}`)} | \`${finding.policy}\` |`;
}

function code(text: string): string {
  return `\`${text.replaceAll("`", "'").replaceAll("|", "\\|")}\``;
}

/** Keeps text from becoming markup: names and messages come from the program under review. */
function escape(text: string): string {
  return text
    .replaceAll(/[\\*_[\]<>|#@~]/g, (sign) => (sign === "<" ? "&lt;" : sign === "@" ? "&#64;" : `\\${sign}`))
    .replaceAll(/\s+/g, " ");
}
