import { judgeAt, type StackRule } from "../../model/rule.ts";
import { any } from "../../model/truth.ts";
import { prometheusFiles } from "../../reading/prometheus.ts";

/** What is down is told, also when it is gone. */
export const downAlerts: StackRule = {
  name: "slo-down-alerts",
  title: "Every scrape job has an alert for targets that are down and one for none at all",
  level: "mandatory",
  scope: "stack",
  onUnknown: "defer",
  documentation:
    "For each scrape job there is an alert on `up == 0`, for all jobs or for it, and one on `absent(up{job=…})`: a target that discovery lost is not down, it is nowhere. And Prometheus has an Alertmanager to send them to.",
  references: [{ standard: "Prometheus documentation", item: "Alerting rules; absent()" }],
  *check(context) {
    const { jobs, alerts, alertmanagers, place, unread } = prometheusFiles(context);
    yield judgeAt(
      place,
      any(jobs.length > 0 && alertmanagers, unread),
      jobs.length === 0 ? "no Prometheus has a scrape job" : "the alerts are sent nowhere",
      "add the monitoring component, with its Alertmanager",
    );
    for (const { name } of jobs) {
      const down = alerts.some(({ expression }) => concerns(expression, /\bup(\{[^}]*\})?\)?\s*==\s*0/g, name));
      const gone = alerts.some(({ expression }) => expression.includes(`absent(up{job="${name}"})`));
      for (const [holds, message] of [
        [down, `no alert tells that a target of job ${name} is down`],
        [gone, `no alert tells that job ${name} has no target`],
      ] as const)
        yield judgeAt(place, any(holds, unread), message, "add the alert to components/monitoring/rules");
    }
  },
};

/** Whether an expression asks a thing of all jobs, or of this one. */
function concerns(expression: string, pattern: RegExp, job: string): boolean {
  return [...expression.matchAll(pattern)].some(([, matcher = ""]) => {
    const named = /job="([^"]*)"/.exec(matcher)?.[1];
    return named === undefined ? !matcher.includes("job=~") : named === job;
  });
}
