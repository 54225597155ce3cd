import { judgeAt, type StackRule } from "../../model/rule.ts";
import { any } from "../../model/truth.ts";
import { prometheusFiles, type Alert } from "../../reading/prometheus.ts";

/** Users' experience has thresholds. */
export const objectives: StackRule = {
  name: "slo-objectives",
  title: "Alerts hold the error ratio and the latency of what users meet against an objective",
  level: "mandatory",
  scope: "stack",
  onUnknown: "defer",
  documentation:
    "At least one alert compares a share of errors with a threshold between 0 and 1, and one a high percentile of the latency with seconds. Found by the names of the recorded series (`error_ratio`, `p95`, `p99`) or `histogram_quantile`.",
  references: [{ standard: "Google SRE workbook", item: "Alerting on SLOs" }],
  *check(context) {
    const { alerts, place, unread } = prometheusFiles(context);
    const errors = alerts.some((alert) => exceeds(alert, /error_ratio[\w:]*/, (limit) => limit > 0 && limit < 1));
    const latency = alerts.some((alert) =>
      exceeds(alert, /(histogram_quantile\(.*\)|[\w:]*p9\d[\w:]*)/, (limit) => limit > 0),
    );
    for (const [holds, message] of [
      [errors, "no alert holds the error ratio against an objective"],
      [latency, "no alert holds the latency against an objective"],
    ] as const)
      yield judgeAt(place, any(holds, unread), message, "add the alert to components/monitoring/rules");
  },
};

function exceeds({ expression }: Alert, series: RegExp, sane: (limit: number) => boolean): boolean {
  const match = new RegExp(`${series.source}\\s*>=?\\s*(\\d+(?:\\.\\d+)?)`, "s").exec(expression);
  return match !== null && sane(Number(match.at(-1)));
}
