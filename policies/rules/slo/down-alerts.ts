import { judgeAt, type StackRule } from "../../model/rule.ts";
import { any } from "../../model/truth.ts";
import { prometheusFiles } from "../../reading/prometheus.ts";

/** Targets that are down or missing raise an alert. */
export const downAlerts: StackRule = {
  name: "slo-down-alerts",
  title: "Every scrape job has an alert for targets that are down, and one for missing targets",
  level: "mandatory",
  scope: "stack",
  onUnknown: "defer",
  documentation:
    "Each scrape job has an alert on `up == 0`, for all jobs or for this job, and one on `absent(up{job=…})`, because a target that service discovery does not find has no `up` series. Prometheus has an Alertmanager.",
  references: [{ standard: "Prometheus documentation", item: "Alerting rules; absent()" }],
  *check(context) {
    const { jobs, alerts, alertmanagers, place, unread } = prometheusFiles(context);
    yield judgeAt(
      place,
      any(jobs.length > 0 && alertmanagers, unread),
      jobs.length === 0 ? "no Prometheus has a scrape job" : "Prometheus has no Alertmanager",
      "add the monitoring component with its Alertmanager",
    );
    for (const { name } of jobs) {
      const down = alerts.some(({ expression }) => concerns(expression, /\bup(\{[^}]*\})?\)?\s*==\s*0/g, name));
      const gone = alerts.some(({ expression }) => expression.includes(`absent(up{job="${name}"})`));
      for (const [holds, message] of [
        [down, `no alert fires if a target of job ${name} is down`],
        [gone, `no alert fires if job ${name} has no target`],
      ] as const)
        yield judgeAt(place, any(holds, unread), message, "add the alert to components/monitoring/rules");
    }
  },
};

/** Whether a matching part of an expression applies to all jobs, or to this one. */
function concerns(expression: string, pattern: RegExp, job: string): boolean {
  return [...expression.matchAll(pattern)].some(([, matcher = ""]) => {
    const named = /job="([^"]*)"/.exec(matcher)?.[1];
    return named === undefined ? !matcher.includes("job=~") : named === job;
  });
}
