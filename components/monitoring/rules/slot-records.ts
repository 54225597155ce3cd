import { SLOTS } from "../../../contract/slots.ts";
import { ENVOY_METRICS } from "../../../contract/envoy/metrics.ts";
import { JOBS, RECORDS } from "../../../contract/monitoring.ts";
import type { RecordingRule, RuleGroup } from "./rule.ts";

/**
 * Targets of each slot that answer their scrape: a slot without a target counts as 0 instead of having no series. And the
 * state of the slot in the router's table.
 */
export function slotRecords(): RuleGroup {
  const missing = SLOTS.map((slot) => ` or absent(up{job="${JOBS.server}",slot="${slot}"}) * 0`).join("");
  return {
    name: "exai-slots",
    intervalSeconds: 5,
    rules: [
      {
        record: RECORDS.slotTargetsUp,
        expr: `sum by (slot) (up{job="${JOBS.server}",slot=~".+"}${missing})`,
      },
      evictionRecord(RECORDS.slotEvicted, `slot=~".+"`),
      evictionRecord(RECORDS.slotEmptied, `eviction="emptied"`),
    ],
  };
}

function evictionRecord(record: string, matcher: string): RecordingRule {
  const router = `job="${JOBS.router}"`;
  const said = `group by (slot, instance) (${ENVOY_METRICS.eviction}{${router},${matcher}})`;
  const answering = SLOTS.map((slot) => `label_replace(up{${router}} == 1, "slot", "${slot}", "", "") * 0`);
  // If routers have different tables for a moment, one without the series is enough. Without a router, no source knows
  // more than this record.
  return {
    record,
    expr: `min by (slot) (${said} or on (slot, instance) (${answering.join(" or ")})) or ${record}`,
  };
}
