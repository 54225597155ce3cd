import { decisionOf, type StackReport } from "./model.ts";

/** Version of the JSON report; `policies/report/plan.schema.json` describes it. */
export const JSON_VERSION = 1;

/** The report as JSON; its shape is {@link StackReport}, documented in `policies/report/plan.schema.json`. */
export function renderJson(reports: readonly StackReport[]): string {
  return `${JSON.stringify({ version: JSON_VERSION, decision: decisionOf(reports), stacks: reports }, undefined, 2)}\n`;
}
