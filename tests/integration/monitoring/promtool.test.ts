import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { renderAlertmanager, type Receivers } from "../../../components/monitoring/alertmanager.ts";
import { kubernetesJobs } from "../../../components/monitoring/kubernetes-jobs.ts";
import { dockerJobs } from "../../../components/monitoring/docker-jobs.ts";
import { renderPrometheus, type ScrapeJob } from "../../../components/monitoring/prometheus.ts";
import { renderRuleTests } from "../../../components/monitoring/promtool.ts";
import { alertsOf, renderRules, ruleGroups } from "../../../components/monitoring/rules.ts";
import { runProgram, type Ran } from "../../../operations/docker/process.ts";
import { missing } from "../../support/missing.ts";
import { RULES } from "../../unit/monitoring/stack.ts";

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "exai-monitoring-"));
});

afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

async function file(name: string, content: string): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, content);
  return path;
}

/** The part of a file for `promtool test rules` that is read here. */
interface RuleTest {
  readonly alert_rule_test: readonly { readonly alertname: string; readonly exp_alerts: readonly unknown[] }[];
}

const said = (ran: Ran): string => `${ran.stdout}${ran.stderr}`;

describe.skipIf(missing("promtool"))("promtool", () => {
  it.each<[string, readonly ScrapeJob[]]>([
    ["local", dockerJobs()],
    [
      "cluster",
      kubernetesJobs({ instance: "exai-prod", namespace: "exai-prod", webSocketPort: 8079, gateway: { name: "exai" } }),
    ],
  ])("accepts the configuration of %s with its rules", async (name, jobs) => {
    await file("rules.yml", renderRules(RULES));
    const check = async (checked: readonly ScrapeJob[]): Promise<Ran> => {
      const content = renderPrometheus({
        externalLabels: { stack: name },
        jobs: checked,
        alertmanagers: ["alertmanager:9093"],
        ruleFiles: [join(directory, "rules.yml")],
      });
      return runProgram("promtool", ["check", "config", "--syntax-only", await file(`${name}.yml`, content)]);
    };
    let ran = await check(jobs);
    // Debian builds Prometheus without the discovery of Kubernetes: there everything around it is checked.
    if (said(ran).includes("field kubernetes_sd_configs not found"))
      ran = await check(jobs.map((job) => ({ ...job, discovery: { static: [{ targets: ["found:1"] }] } })));
    expect(said(ran)).toContain("SUCCESS");
    expect(ran.code).toBe(0);
  });

  it("accepts the rules with all its lints", async () => {
    const ran = await runProgram("promtool", [
      "check",
      "rules",
      "--lint-fatal",
      await file("lint.yml", renderRules(RULES)),
    ]);
    expect({ code: ran.code, said: said(ran) }).toMatchObject({ code: 0 });
  });

  it("every alert fires and stays quiet as its cases say", async () => {
    await file("judged.yml", renderRules(RULES));
    const files = await Promise.all(
      renderRuleTests(RULES, "judged.yml").map((content, index) => file(`cases-${index}.yml`, content)),
    );
    const ran = await runProgram("promtool", ["test", "rules", ...files]);
    expect({ code: ran.code, said: said(ran) }).toMatchObject({ code: 0 });
  });

  it("detects every alert that cannot fire", async () => {
    // Each alert's expression is replaced by one that is never true: a case in which it fires must fail, and name it.
    const dead = parse(renderRules(RULES)) as { groups: { name: string; rules: { alert?: string; expr: string }[] }[] };
    for (const group of dead.groups) {
      // No expression is left that reads a record.
      group.rules = group.rules.flatMap((rule) =>
        rule.alert === undefined ? [] : [{ ...rule, expr: "vector(0) > 1" }],
      );
    }
    const alerts = dead.groups.flatMap(({ rules }) => rules.map(({ alert }) => alert));
    expect(alerts).toHaveLength(alertsOf(ruleGroups(RULES)).length);
    await file("dead.yml", stringify(dead));
    const tried = new Set<string>();
    const firing = ({ alert_rule_test: [test] }: RuleTest): boolean => {
      if (test === undefined || test.exp_alerts.length === 0 || tried.has(test.alertname)) return false;
      tried.add(test.alertname);
      return true;
    };
    const files = await Promise.all(
      renderRuleTests(RULES, "dead.yml").map((content, index) => {
        const parsed = parse(content) as { tests: readonly RuleTest[] };
        return file(`dead-${index}.yml`, stringify({ ...parsed, tests: parsed.tests.filter(firing) }));
      }),
    );
    const ran = await runProgram("promtool", ["test", "rules", ...files]);
    expect(ran.code).not.toBe(0);
    for (const { alert } of alertsOf(ruleGroups(RULES))) expect(said(ran)).toContain(`alertname: ${alert}`);
  });
});

const ALL_RECEIVERS: Receivers = {
  slack: { webhookFile: "/run/secrets/exai/slack-webhook", channel: "#alerts" },
  pagerduty: { routingKeyFile: "/run/secrets/exai/pagerduty-key" },
  webhook: { url: "https://hooks.example.org/alerts", tokenFile: "/run/secrets/exai/webhook-token" },
  heartbeat: { url: "https://heartbeat.example.org/ping" },
};

describe.skipIf(missing("amtool"))("amtool", () => {
  it.each<[string, Receivers]>([
    ["no receivers", {}],
    ["slack", { slack: ALL_RECEIVERS.slack ?? { webhookFile: "", channel: "" } }],
    ["all receivers", ALL_RECEIVERS],
  ])("accepts the configuration with %s", async (name, receivers) => {
    const config = await file(`alertmanager-${name}.yml`, renderAlertmanager(receivers));
    const ran = await runProgram("amtool", ["check-config", config]);
    expect({ code: ran.code, said: said(ran) }).toMatchObject({ code: 0 });
  });

  it.each([
    [["severity=critical", "alertname=ErrorRatioHigh"], "pagerduty,slack,webhook"],
    [["severity=warning", "alertname=SlotDown"], "slack,webhook"],
    [["severity=none", "alertname=Watchdog"], "heartbeat"],
    [["severity=none", "alertname=Other"], "page-only"],
  ])("routes %j to %s", async (labels, receivers) => {
    const config = await file("routes.yml", renderAlertmanager(ALL_RECEIVERS));
    const ran = await runProgram("amtool", ["config", "routes", "test", `--config.file=${config}`, ...labels]);
    expect(ran.stdout.trim()).toBe(receivers);
  });

  it.each([["severity=critical"], ["severity=none"]])(
    "keeps %s on the page if there are no receivers",
    async (label) => {
      const config = await file("no-receivers.yml", renderAlertmanager());
      const args = ["config", "routes", "test", `--config.file=${config}`, label, "alertname=Watchdog"];
      expect((await runProgram("amtool", args)).stdout.trim()).toBe("page-only");
    },
  );
});
