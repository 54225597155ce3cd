import { COLOURS } from "../../../contract/colours.ts";
import { JOBS, RECORDS } from "../../../contract/monitoring.ts";
import type { RuleGroup } from "./rule.ts";

/** Targets of each slot that answer their scrape. A slot without any target counts as 0, instead of vanishing. */
export function slotRecords(): RuleGroup {
  const missing = COLOURS.map((colour) => ` or absent(up{job="${JOBS.server}",colour="${colour}"}) * 0`).join("");
  return {
    name: "exai-slots",
    intervalSeconds: 5,
    rules: [
      {
        record: RECORDS.slotTargetsUp,
        expr: `sum by (colour) (up{job="${JOBS.server}",colour=~".+"}${missing})`,
      },
    ],
  };
}
