import { describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { Unknown, type Resource, type Value } from "../../contract/graph.ts";
import { RULES } from "../../policies/rules/index.ts";
import { DOCKER, outcome, resource, soundDocker, soundPodSpec } from "./support.ts";

const judged = (name: string, ...resources: readonly Resource[]) => {
  const rule = RULES.find((candidate) => candidate.name === name);
  if (rule === undefined) throw new Error(`no rule ${name}`);
  return outcome(rule, "prod", ...resources);
};
const messages = (name: string, ...resources: readonly Resource[]) =>
  judged(name, ...resources).findings.map((finding) => finding.message);

const AGE = "exai_backup_last_success_timestamp_seconds";
const ALERTS: readonly (readonly [string, string])[] = [
  ["TargetDown", "up == 0"],
  ["TargetMissing", 'absent(up{job="server"}) or absent(up{job="cache"})'],
  ["ErrorRatioHigh", "exai:error_ratio:rate5m > 0.05"],
  ["LatencyHigh", "exai:request_duration_seconds:p99_rate5m > 1 and exai:requests:rate5m > 0.1"],
  ["BackupStale", `time() - max(${AGE}{schedule="hourly"}) > 7200 or absent(${AGE}{schedule="hourly"})`],
];
const JOBS = [
  {
    job_name: "server",
    kubernetes_sd_configs: [{ role: "pod", selectors: [{ role: "pod", label: "exai.component=server" }] }],
  },
  { job_name: "cache", static_configs: [{ targets: ["cache:9121"] }] },
];

const files = (
  alerts = ALERTS,
  jobs: readonly unknown[] = JOBS,
  alerting: unknown = { alertmanagers: [{ static_configs: [{ targets: ["alertmanager:9093"] }] }] },
): Record<string, string> => ({
  "prometheus.yml": stringify({ alerting, scrape_configs: jobs }),
  "rules.yml": stringify({ groups: [{ name: "all", rules: alerts.map(([alert, expr]) => ({ alert, expr })) }] }),
});
const map = (data: Value = files()) => resource("kubernetes:core/v1:ConfigMap", { data }, { name: "prometheus" });
const without = (name: string) => map(files(ALERTS.filter(([alert]) => alert !== name)));
const replaced = (name: string, expression: string) =>
  map(files(ALERTS.map(([alert, expr]) => [alert, alert === name ? expression : expr] as const)));

describe("slo-scraped", () => {
  const workload = (component: string, kind = "Deployment") =>
    resource(`kubernetes:apps/v1:${kind}`, {
      metadata: { name: component },
      spec: { template: { metadata: { labels: { "exai.component": component } }, spec: soundPodSpec() } },
    });

  it("reports services that no job scrapes", () => {
    expect(messages("slo-scraped", map(), workload("server"), workload("cache", "StatefulSet"))).toEqual([]);
    expect(messages("slo-scraped", map(), workload("queue"))).toEqual(["no scrape job covers this service"]);
    expect(messages("slo-scraped", workload("server")), "no configuration at all").toHaveLength(1);
    expect(
      messages("slo-scraped", map(), workload("queue"), resource("exai:x:Y", { withoutScrape: ["queue"] })),
    ).toEqual([]);
    const empty = map(files(ALERTS, [{ job_name: "queue" }]));
    expect(messages("slo-scraped", empty, workload("queue")), "a job without a target").toHaveLength(1);
  });

  it("reads the files of Docker containers", () => {
    const container = (component: string, more: Record<string, Value> = {}) =>
      resource(DOCKER, { ...soundDocker(), labels: [{ label: "exai.component", value: component }], ...more });
    const carrier = container("prometheus-files", {
      start: false,
      uploads: Object.entries(files()).map(([file, content]) => ({ file: `/etc/prometheus/${file}`, content })),
    });
    expect(messages("slo-scraped", carrier, container("cache"), container("backup-runner"))).toEqual([]);
    expect(messages("slo-scraped", carrier, container("queue"))).toHaveLength(1);
  });

  it("defers an unknown configuration", () => {
    const open = judged("slo-scraped", map(new Unknown("data")), workload("server"));
    expect([open.findings.length, open.deferred.length]).toEqual([0, 1]);
  });

  it("treats a malformed configuration as empty", () => {
    const broken = map({ "prometheus.yml": "scrape_configs: [\n  a: {" });
    expect(messages("slo-scraped", broken, workload("server"))).toHaveLength(1);
  });
});

it("slo-down-alerts requires alerts for targets that are down or missing, and an Alertmanager", () => {
  expect(messages("slo-down-alerts", map())).toEqual([]);
  expect(messages("slo-down-alerts", without("TargetDown"))).toHaveLength(2);
  expect(messages("slo-down-alerts", without("TargetMissing"))).toHaveLength(2);
  expect(messages("slo-down-alerts", replaced("TargetDown", 'up{job="server"} == 0'))).toEqual([
    "no alert fires if a target of job cache is down",
  ]);
  expect(messages("slo-down-alerts", map(files(ALERTS, JOBS, {})))).toEqual(["Prometheus has no Alertmanager"]);
  expect(messages("slo-down-alerts")).toEqual(["no Prometheus has a scrape job"]);
});

it("slo-objectives requires alerts on an error ratio below 1 and on a latency", () => {
  expect(messages("slo-objectives", map())).toEqual([]);
  expect(messages("slo-objectives", without("ErrorRatioHigh"))).toHaveLength(1);
  expect(messages("slo-objectives", replaced("ErrorRatioHigh", "exai:error_ratio:rate5m > 5"))).toHaveLength(1);
  expect(messages("slo-objectives", without("LatencyHigh"))).toHaveLength(1);
  expect(messages("slo-objectives")).toHaveLength(2);
});

it("slo-backup-age requires alerts for old backups and for a missing metric", () => {
  const schedule = resource("exai:backups:BackupSchedule", { name: "hourly", schedule: "0 * * * *" });
  expect(messages("slo-backup-age", map(), schedule)).toEqual([]);
  expect(messages("slo-backup-age", without("BackupStale"), schedule)).toHaveLength(2);
  expect(
    messages("slo-backup-age", replaced("BackupStale", `time() - max(${AGE}{schedule="hourly"}) > 7201`), schedule),
  ).toEqual([
    "no alert fires if the last successful backup is older than 7200 s",
    "no alert fires if the metric of its backups is missing",
  ]);
  expect(
    messages(
      "slo-backup-age",
      replaced("BackupStale", `time() - ${AGE}{schedule="daily"} > 7200 or absent(${AGE}{schedule="daily"})`),
      schedule,
    ),
  ).toHaveLength(2);
  expect(messages("slo-backup-age", map())).toEqual(["no backup schedule is declared"]);
});
