import type { Rule } from "../model/rule.ts";
import type { FindingEntry, StackReport, WaivedEntry } from "./model.ts";
import { exceptionText, placeOf } from "./summary.ts";

/** Of the specification's errata 01. */
const SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/** The report as SARIF 2.1.0, for code scanning. A waiver is a suppression. */
export function renderSarif(reports: readonly StackReport[], rules: readonly Rule[]): string {
  const log = {
    $schema: SCHEMA,
    version: "2.1.0",
    runs: reports.map((report) => ({
      tool: {
        driver: {
          name: "exai plan",
          informationUri: "https://www.pulumi.com/docs/iac/crossguard/",
          rules: rules.map((rule) => ({
            id: rule.name,
            shortDescription: { text: rule.title },
            fullDescription: { text: rule.documentation },
            defaultConfiguration: { level: levelOf(rule.level) },
            properties: { tags: rule.references.map((reference) => `${reference.standard}: ${reference.item}`) },
          })),
        },
      },
      automationDetails: { id: `exai-plan/${report.stack}/` },
      invocations: [
        {
          executionSuccessful: report.decision !== "inconclusive",
          toolExecutionNotifications: report.rules
            .filter((rule) => rule.inconclusive !== undefined)
            .map((rule) => ({
              level: "error",
              message: { text: `${rule.policy}: ${rule.inconclusive ?? ""}` },
              associatedRule: { id: rule.policy },
            })),
        },
      ],
      originalUriBaseIds: { PROJECT: { description: { text: "Root of the project" } } },
      results: [...report.findings, ...report.waived].map((finding) => result(finding, rules)),
    })),
  };
  return `${JSON.stringify(log, undefined, 2)}\n`;
}

function result(finding: FindingEntry | WaivedEntry, rules: readonly Rule[]): unknown {
  const ruleIndex = rules.findIndex((rule) => rule.name === finding.policy);
  return {
    ruleId: finding.policy,
    ...(ruleIndex === -1 ? {} : { ruleIndex }),
    level: levelOf(finding.level),
    message: { text: `${placeOf(finding)}: ${finding.message}. Fix: ${finding.fix}` },
    locations: [
      {
        ...(finding.source === undefined
          ? {}
          : {
              physicalLocation: {
                artifactLocation: { uri: encodeURI(finding.source.file), uriBaseId: "PROJECT" },
                region: { startLine: Math.max(1, finding.source.line) },
              },
            }),
        logicalLocations: [
          { name: finding.subject, fullyQualifiedName: finding.urn ?? finding.subject, kind: "resource" },
        ],
      },
    ],
    partialFingerprints: { "exai/v1": `${finding.policy}/${finding.urn ?? finding.subject}/${finding.path}` },
    ...("waiver" in finding
      ? {
          suppressions: [
            {
              kind: "external",
              status: "accepted",
              justification: exceptionText(finding.waiver),
            },
          ],
        }
      : {}),
  };
}

function levelOf(level: "mandatory" | "advisory"): "error" | "warning" {
  return level === "mandatory" ? "error" : "warning";
}
