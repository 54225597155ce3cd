import { stringify } from "yaml";
import { backupAlerts } from "./rules/backups.ts";
import type { RulesArgs } from "./rules/args.ts";
import { databaseAlerts } from "./rules/database.ts";
import { isAlert, type Alert, type RuleGroup } from "./rules/rule.ts";
import { slotRecords } from "./rules/slot-records.ts";
import { targetAlerts } from "./rules/targets.ts";
import { trafficRecords } from "./rules/traffic-records.ts";
import { trafficAlerts } from "./rules/traffic.ts";

/** All rules of a stack. Records come before the alerts that read them. */
export function ruleGroups(args: RulesArgs): readonly RuleGroup[] {
  return [trafficRecords(), slotRecords(), targetAlerts(args), trafficAlerts(), databaseAlerts(), backupAlerts(args)];
}

/** The alerts among the rules. */
export function alertsOf(groups: readonly RuleGroup[]): readonly Alert[] {
  return groups.flatMap((group) => group.rules.filter(isAlert));
}

/** Labels that an alert carries in addition to those of its expression. */
export function alertLabels(alert: Alert): Record<string, string> {
  return {
    severity: alert.severity,
    ...(alert.symptom === undefined ? {} : { symptom: alert.symptom }),
    ...alert.labels,
  };
}

/** Annotations of an alert, their templates unexpanded. */
export function alertAnnotations(alert: Alert, args: RulesArgs): Record<string, string> {
  return {
    summary: alert.summary,
    description: alert.description,
    runbook_url: `${args.runbooks ?? "docs/runbooks"}/${alert.runbook}.md`,
  };
}

/** The rules as one file for Prometheus. */
export function renderRules(args: RulesArgs): string {
  const groups = ruleGroups(args).map((group) => ({
    name: group.name,
    ...(group.intervalSeconds === undefined ? {} : { interval: `${group.intervalSeconds}s` }),
    rules: group.rules.map((rule) =>
      isAlert(rule)
        ? {
            alert: rule.alert,
            expr: rule.expr,
            ...(rule.for === undefined ? {} : { for: rule.for }),
            labels: alertLabels(rule),
            annotations: alertAnnotations(rule, args),
          }
        : { record: rule.record, expr: rule.expr, ...(rule.labels === undefined ? {} : { labels: rule.labels }) },
    ),
  }));
  return stringify({ groups }, { lineWidth: 0 });
}
