import { stringify } from "yaml";
import { alertAnnotations, alertLabels, alertsOf, ruleGroups } from "./rules.ts";
import type { RulesArgs } from "./rules/args.ts";
import { healthyWorld } from "./rules/healthy.ts";
import type { Alert, AlertCase } from "./rules/rule.ts";

/** Default seconds between two samples, and two evaluations, of a case. */
const STEP_SECONDS = 15;

/** Default time of a case's evaluation: after a window of five minutes and a hold of five minutes. */
const AT_SECONDS = 600;

/**
 * The cases of all alerts as files for `promtool test rules`; `ruleFile` is the rendered rules, relative to them. Each
 * case runs on the healthy world with its own changes. There is a file per step, since promtool knows one evaluation
 * interval per file, and a case of eight days evaluated every 15 s takes minutes.
 */
export function renderRuleTests(args: RulesArgs, ruleFile: string): readonly string[] {
  const groups = ruleGroups(args);
  const byStep = Map.groupBy(
    alertsOf(groups).flatMap((alert) => alert.cases.map((one) => ({ alert, one }))),
    ({ one }) => one.stepSeconds ?? STEP_SECONDS,
  );
  return [...byStep].map(([stepSeconds, cases]) =>
    stringify(
      {
        rule_files: [ruleFile],
        evaluation_interval: `${stepSeconds}s`,
        group_eval_order: groups.map((group) => group.name),
        tests: cases.map(({ alert, one }) => testOf(alert, one, args)),
      },
      { lineWidth: 0, aliasDuplicateObjects: false },
    ),
  );
}

function testOf(alert: Alert, one: AlertCase, args: RulesArgs): object {
  const atSeconds = one.atSeconds ?? AT_SECONDS;
  const stepSeconds = one.stepSeconds ?? STEP_SECONDS;
  const steps = Math.ceil(atSeconds / stepSeconds) + 1;
  const kept = Object.entries(healthyWorld(args)).filter(
    ([series]) => !(one.without ?? []).some((pattern) => pattern.test(series)),
  );
  const world = { ...Object.fromEntries(kept), ...one.series };
  return {
    name: `${alert.alert}: ${one.name}`,
    interval: `${stepSeconds}s`,
    input_series: Object.entries(world).map(([series, samples]) => ({ series, values: samples(steps, stepSeconds) })),
    alert_rule_test: [
      {
        alertname: alert.alert,
        eval_time: `${atSeconds}s`,
        exp_alerts: one.fires.map((firing) => {
          const labels = { ...firing.labels, ...alertLabels(alert) };
          return { exp_labels: labels, exp_annotations: expanded(alertAnnotations(alert, args), labels, firing.value) };
        }),
      },
    ],
  };
}

/** What Prometheus makes of the few template forms that our annotations use. */
function expanded(
  annotations: Readonly<Record<string, string>>,
  labels: Readonly<Record<string, string>>,
  value = "",
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(annotations).map(([key, template]) => [
      key,
      template
        .replace(/\{\{ with \$labels\.(\w+) \}\}(.*?)\{\{ end \}\}/gu, (_, name: string, body: string) =>
          labels[name] === undefined ? "" : body.replaceAll("{{ . }}", labels[name]),
        )
        .replace(/\{\{ \$labels\.(\w+) \}\}/gu, (_, name: string) => labels[name] ?? "")
        .replace(/\{\{ \$value[^}]*\}\}/gu, value),
    ]),
  );
}
