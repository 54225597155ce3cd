import { headline, renderText } from "../../policies/report/text.ts";
import type { PlanResult } from "../results.ts";
import { lines, type Block } from "./block.ts";

/** `plan` and `audit`. */
export function formatPlan({ stacks, report }: PlanResult): readonly Block[] {
  if (report?.text !== undefined) return [{ type: "document", text: report.text }];
  if (report !== undefined) return [lines(...stacks.map(headline))];
  return [{ type: "document", text: renderText(stacks) }];
}
