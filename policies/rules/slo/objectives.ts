import { judgeAt, type StackRule } from "../../model/rule.ts";
import { any } from "../../model/truth.ts";
import { prometheusFiles, type Alert } from "../../reading/prometheus.ts";

/** Alerts watch the service-level objectives. */
export const objectives: StackRule = {
  name: "slo-objectives",
  title: "Alerts compare the error ratio and the latency with an objective",
  level: "mandatory",
  scope: "stack",
  onUnknown: "defer",
  documentation:
    "At least one alert compares an error ratio with a threshold between 0 and 1, and at least one compares a high percentile of the latency with a threshold in seconds. The rule finds them by the names of the recorded series (`error_ratio`, `p95`, `p99`) or by `histogram_quantile`.",
  references: [{ standard: "Google SRE workbook", item: "Alerting on SLOs" }],
  *check(context) {
    const { alerts, place, unread } = prometheusFiles(context);
    const errors = alerts.some((alert) => exceeds(alert, /error_ratio[\w:]*/, (limit) => limit > 0 && limit < 1));
    const latency = alerts.some((alert) =>
      exceeds(alert, /(histogram_quantile\(.*\)|[\w:]*p9\d[\w:]*)/, (limit) => limit > 0),
    );
    for (const [holds, message] of [
      [errors, "no alert compares the error ratio with an objective"],
      [latency, "no alert compares the latency with an objective"],
    ] as const)
      yield judgeAt(place, any(holds, unread), message, "add the alert to components/monitoring/rules");
  },
};

function exceeds({ expression }: Alert, series: RegExp, sane: (limit: number) => boolean): boolean {
  const match = new RegExp(`${series.source}\\s*>=?\\s*(\\d+(?:\\.\\d+)?)`, "s").exec(expression);
  return match !== null && sane(Number(match.at(-1)));
}
