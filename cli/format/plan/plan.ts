import { command } from "../../../contract/fix.ts";
import type { ProjectComparison } from "../../../contract/supabase/project.ts";
import type { DeferredEntry, FindingEntry, StackReport } from "../../../policies/report/model.ts";
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
} from "../../../policies/report/summary.ts";
import type { PlanResult } from "../../results.ts";
import { heading, lines, next, type Block, type Text, type Tone } from "../block.ts";

const TONES: Readonly<Record<StackReport["decision"], Tone>> = {
  clean: "good",
  violations: "bad",
  inconclusive: "warning",
};

/** `plan`. */
export function formatPlan(result: PlanResult): readonly Block[] {
  const deferring = result.stacks.filter(({ deferred }) => deferred.length > 0);
  return [
    ...formatAudit(result),
    ...(result.report === undefined && deferring.length > 0
      ? [
          next(
            ...deferring.map(({ stack }) => ({
              ...command(`audit ${stack}`),
              comment: "after a deployment, checks the deferred places",
            })),
          ),
        ]
      : []),
  ];
}

/** `audit`. */
export function formatAudit({ stacks, report }: PlanResult): readonly Block[] {
  if (report === undefined) return reportBlocks(stacks);
  return report.text === undefined ? stacks.map(decision) : [{ type: "document", text: report.text }];
}

/** The whole report of stacks. */
export function reportBlocks(stacks: readonly StackReport[]): readonly Block[] {
  return stacks.flatMap((stack) => stackBlocks(stack));
}

function decision(stack: StackReport): Block {
  return heading(headline(stack), TONES[stack.decision]);
}

function stackBlocks(stack: StackReport): readonly Block[] {
  const inconclusive = stack.rules.filter((rule) => rule.inconclusive !== undefined);
  return [
    decision(stack),
    lines(""),
    workloads(stack),
    ...section("Findings", stack.findings.flatMap(findingLines)),
    ...section(
      "Waived",
      stack.waived.flatMap((entry) => [...findingLines(entry), `    ${exceptionText(entry.waiver)}`]),
    ),
    ...section(
      "Inconclusive",
      inconclusive.map(({ policy, inconclusive: why = "" }) => `  ${policy}: ${why}`),
    ),
    ...section(
      "Declared access",
      stack.declarations.map((declared) => `  ${declarationText(declared)}`),
    ),
    ...(stack.project === undefined ? [] : project(stack.project)),
    ...(stack.deferred.length > 0 ? [lines(""), deferred(stack.deferred)] : []),
    lines("", ...coverage(stack).map((text): Text => ({ text, tone: "quiet" })), ""),
  ];
}

/** The settings of the Supabase project that are not as declared, and the calls that failed. */
function project(comparison: ProjectComparison): readonly Block[] {
  const rows = projectRows(comparison);
  const failures = comparison.outcome === "compared" ? comparison.failures : [];
  return [
    lines("", { text: projectLine(comparison), tone: failures.length + rows.length > 0 ? "warning" : "quiet" }),
    ...(rows.length === 0
      ? []
      : [
          {
            type: "table" as const,
            columns: [
              { title: "SETTING" },
              { title: "DECLARED", minimum: 16 },
              { title: "ACTUAL", minimum: 16 },
              { title: "SET BY" },
            ],
            rows,
          },
        ]),
    ...failures.map(({ call, problem, fix }) =>
      lines({ text: `  x ${call} ${problem}`, tone: "bad" }, `    fix: ${fix}`),
    ),
  ];
}

function section(title: string, texts: readonly Text[]): readonly Block[] {
  return texts.length === 0 ? [] : [lines("", title, ...texts)];
}

function workloads(stack: StackReport): Block {
  return {
    type: "table",
    columns: [
      { title: "WORKLOAD" },
      { title: "KIND", priority: 2 },
      { title: "SCALE", priority: 1 },
      { title: "IMAGE", minimum: 24 },
      { title: "PORTS", minimum: 24 },
      { title: "COMPONENT", priority: 3 },
    ],
    rows: stack.workloads.map(({ component, kind, name, scale, images, ports }) => [
      name,
      kind,
      scale,
      images.map(shortImage).join(" "),
      shortPorts(ports),
      component,
    ]),
  };
}

/** An image without Docker Hub's registry, and with 12 digits of its digest. */
function shortImage(image: string): string {
  return image.replace(/^docker\.io\//, "").replace(/(@sha256:[0-9a-f]{12})[0-9a-f]+$/, "$1");
}

/** Ports by address: `127.0.0.1:8080,8079` for `127.0.0.1:8080->8080 127.0.0.1:8079->8079`. */
function shortPorts(ports: readonly string[]): string {
  const byAddress = Map.groupBy(ports, (port) => port.slice(0, port.lastIndexOf(":") + 1));
  return Array.from(byAddress, ([address, own]) => {
    const numbers = own.map((port) => port.slice(address.length).replace(/^(\w+)->\1$/, "$1"));
    return address + numbers.join(address === "" ? " " : ",");
  }).join(" ");
}

function findingLines(finding: FindingEntry): readonly Text[] {
  const mandatory = finding.level === "mandatory";
  return [
    {
      text: `  ${mandatory ? "x" : "!"} ${whereOf(finding)}: ${finding.policy}${mandatory ? "" : " (advisory)"}`,
      tone: mandatory ? "bad" : "warning",
    },
    `    ${placeOf(finding)}: ${finding.message}`,
    `    fix: ${finding.fix}`,
  ];
}

/** The places to check after apply, by rule. */
function deferred(entries: readonly DeferredEntry[]): Block {
  return {
    type: "table",
    columns: [{ title: "DEFERRED UNTIL APPLY" }, { title: "PLACES", align: "right" }, { title: "RESOURCES" }],
    rows: Array.from(Map.groupBy(entries, ({ policy }) => policy)).map(([policy, places]) => {
      const [first = "", ...more] = new Set(places.map(({ subject }) => subject));
      return [
        policy,
        String(places.length),
        more.length === 0 ? first : `${first} and ${plural(more.length, "other")}`,
      ];
    }),
  };
}
