import { KUBERNETES_IMAGES } from "../../../contract/kubernetes-images.ts";
import * as check from "../checks.ts";
import { CLUSTERS, define, type Setting } from "../setting.ts";

const retention = (about: string, fallback: string) =>
  define({ check: check.integer(7, 90, "days"), about: `${about}, days (7-90)`, fallback, example: fallback });
const kubernetesImage = (name: string, fallback: string) =>
  define({
    check: check.imageReference,
    about: `Image of ${name}, by digest; clusters only`,
    fallback: { staging: fallback, prod: fallback },
    example: fallback,
  });

/** Monitoring, backups and the gates of a rollout. */
export const OPERATIONS_SETTINGS = {
  metricsRetentionDays: define({
    check: check.integer(1, 365, "days"),
    about: "How long Prometheus keeps its data, days",
    fallback: { local: "7", staging: "15", prod: "30" },
    example: "15",
  }),
  metricsGigabytes: define({
    check: check.integer(1, 10_000, "GB"),
    about: "Disk of Prometheus, GB; clusters only",
    fallback: { local: "5", staging: "10", prod: "50" },
    example: "50",
  }),
  metricsStorage: define({
    check: check.oneOf("volume", "ephemeral"),
    about: "Where Prometheus keeps its data: a volume, or a directory that goes with the pod (trials); clusters only",
    fallback: "volume",
    example: "volume",
  }),
  prometheusImage: kubernetesImage("Prometheus", KUBERNETES_IMAGES.prometheus),
  alertmanagerImage: kubernetesImage("Alertmanager", KUBERNETES_IMAGES.alertmanager),
  grafanaImage: kubernetesImage("Grafana", KUBERNETES_IMAGES.grafana),
  postgresExporterImage: kubernetesImage("the Postgres exporter", KUBERNETES_IMAGES.postgresExporter),
  slackWebhook: define({
    check: check.url("https"),
    about: "Slack's incoming webhook for alerts",
    secret: true,
    example: "https://hooks.slack.com/services/…",
  }),
  slackChannel: define({
    check: check.text,
    about: "Slack channel for alerts, with the leading #",
    fallback: "#exai-alerts",
    example: "#exai-alerts",
  }),
  pagerdutyKey: define({
    check: check.text,
    about: "PagerDuty's Events API v2 integration key for pages",
    secret: true,
    example: "<key>",
  }),
  alertWebhook: define({
    check: check.url("https", "http"),
    about: "Any webhook that takes Alertmanager's JSON",
    example: "https://alerts.example.com/hook",
  }),
  heartbeatUrl: define({
    check: check.url("https", "http"),
    about: "Dead man's switch that the monitoring calls every minute while it works",
    example: "https://hc-ping.com/<uuid>",
  }),
  runbooksUrl: define({
    check: check.url("https", "http"),
    about: "Folder of the runbooks that alerts link to; docs/runbooks if absent; clusters only",
    example: "https://github.com/your-org/exai-stack/blob/main/docs/runbooks",
  }),
  rolloutSlackWebhook: define({
    check: check.secretUrl,
    about: "Slack's incoming webhook for rollouts",
    secret: true,
    example: "https://hooks.slack.com/services/…",
  }),
  rolloutPagerdutyKey: define({
    check: check.changeEventKey,
    about: "PagerDuty's Events API v2 integration key for the change events of rollouts",
    secret: true,
    example: "<32 characters>",
  }),
  rolloutPagerdutyUrl: define({
    check: check.secretUrl,
    about: "PagerDuty's Events API for the change events of rollouts; the EU's is https://events.eu.pagerduty.com",
    fallback: "https://events.pagerduty.com",
    example: "https://events.eu.pagerduty.com",
  }),
  rolloutWebhook: define({
    check: check.secretUrl,
    about: "Any webhook that takes the signed JSON of rollouts",
    secret: true,
    example: "https://ci.example.com/rollouts",
  }),
  rolloutWebhookSecret: define({
    check: check.webhookSecret,
    about: "Key that the webhook of rollouts is signed with (Standard Webhooks)",
    secret: true,
    example: "whsec_$(openssl rand -base64 32)",
  }),
  dailyRetentionDays: retention("How long daily full backups are kept", "30"),
  hourlyRetentionDays: retention("How long hourly incremental backups are kept", "7"),
  weeklyRetentionDays: retention("How long weekly backups are kept", "90"),
  backupTimeZone: define({
    check: check.timeZone,
    about: "Time zone of the backup schedules (IANA)",
    fallback: "UTC",
    example: "Europe/Berlin",
  }),
  backupRepository: define({
    check: check.text,
    about: "restic repository of the dumps, e.g. s3:https://…; a volume in the cluster if absent; clusters only",
    example: "s3:https://s3.example.com/exai-backups",
  }),
  backupCredentials: define({
    check: check.text,
    about: "AWS credentials file for an s3: repository of the dumps; clusters only",
    secret: true,
    example: "$(cat ~/.aws/exai-backups)",
  }),
  backupImage: define({
    check: check.imageReference,
    about: "Image with pg_dump and restic (images/postgres); clusters only",
    deferrable: true,
    required: CLUSTERS,
    example: "ghcr.io/your-org/exai-postgres@sha256:<64 hex digits>",
  }),
  gateErrorRatio: define({
    check: check.decimal(0.0001, 1),
    about: "Rollout gate: highest share of failed requests",
    fallback: "0.01",
    example: "0.01",
  }),
  gateP95: define({
    check: check.integer(1, 60_000, "milliseconds"),
    about: "Rollout gate: highest p95 latency, milliseconds",
    fallback: "500",
    example: "500",
  }),
  gateP99: define({
    check: check.integer(1, 60_000, "milliseconds"),
    about: "Rollout gate: highest p99 latency, milliseconds",
    fallback: "1000",
    example: "1000",
  }),
  gateWebSocket: define({
    check: check.integer(5, 30_000, "milliseconds"),
    about: "Rollout gate: highest p95 of WebSocket round trips, milliseconds",
    fallback: "100",
    example: "100",
  }),
  gateWebSocketMessage: define({
    check: check.text,
    about: "Message that the gates' probes send on WebSockets besides a ping frame",
    fallback: '{"type":"ping"}',
    example: '{"type":"ping"}',
  }),
  gateMinimumSamples: define({
    check: check.integer(20, 100_000, "requests"),
    about: "Rollout gate: requests of the new slot on a step, below which the gate reports no data",
    fallback: "300",
    example: "300",
  }),
  gateNoDataSeconds: define({
    check: check.integer(5, 86_400, "seconds"),
    about: "Seconds that a rollout waits for gates to pass before it rolls back",
    fallback: "60",
    example: "60",
  }),
  gateProbes: define({
    check: check.integer(0, 500, "probes per second"),
    about: "Most probes per second and slot that top up thin traffic; 0: none",
    fallback: "50",
    example: "50",
  }),
  gateRestarts: define({
    check: check.integer(0, 100, "restarts"),
    about: "Rollout gate: restarts of the new slot's containers that are forgiven",
    fallback: "0",
    example: "0",
  }),
  gateMemoryGrowth: define({
    check: check.integer(0, 100_000, "MB per minute"),
    about: "Rollout gate: highest steady growth of a server's memory beyond the stable slot's, MB per minute; 0: none",
    fallback: "30",
    example: "30",
  }),
  gateQueries: define({
    check: check.gateQueries,
    about: "Custom rollout gates, as JSON: name, query in PromQL with $slot, comparison, limit, stableRatio",
    fallback: "[]",
    example:
      '[{"name":"providers","query":"sum(rate(exai_provider_requests_total{slot=\\"$slot\\",outcome=\\"error\\"}[1m]))","comparison":"<","limit":0.5,"stableRatio":2}]',
  }),
  rolloutHooks: define({
    check: check.rolloutHooks,
    about: "Hooks of a rollout, as JSON: name, when, url or command, timeoutSeconds, onFailure",
    fallback: "[]",
    example: '[{"name":"acceptance","when":"before-users","url":"https://ci.example.com/acceptance"}]',
  }),
  rolloutHookSecret: define({
    check: check.webhookSecret,
    about: "Key that requests to hooks are signed with (Standard Webhooks)",
    secret: true,
    example: "whsec_$(openssl rand -base64 32)",
  }),
  blueSchema: define({
    check: check.migrationRange,
    about: "Migrations between which the blue slot's release works, instead of what its image's labels say",
    example: "20261101090000..20261101090600",
  }),
  greenSchema: define({
    check: check.migrationRange,
    about: "Migrations between which the green slot's release works, instead of what its image's labels say",
    example: "20261101090000..20261101090600",
  }),
  unlabelledReleases: define({
    check: check.oneOf("warn", "refuse"),
    about: "What a cutover does about a release that does not say which schema it works with: warn or refuse",
    fallback: { local: "warn", staging: "warn", prod: "refuse" },
    example: "refuse",
  }),
  migrationLockTimeoutSeconds: define({
    check: check.integer(1, 60, "seconds"),
    about: "The longest that a migration waits for a lock, with all later queries on the table behind it, seconds",
    fallback: "3",
    example: "3",
  }),
  migrationLockDeadlineSeconds: define({
    check: check.integer(0, 86_400, "seconds"),
    about: "How long a migration that got no lock is tried again, seconds; 0: once",
    fallback: "60",
    example: "60",
  }),
  drainSeconds: define({
    check: check.integer(0, 86_400, "seconds"),
    about: "How long a slot's WebSockets, event streams and requests may go on after it lost its users, seconds",
    fallback: "300",
    example: "300",
  }),
  rolloutApproval: define({
    check: check.boolean,
    about: "Whether a release needs an approval before it gets all users",
    fallback: "false",
    example: "true",
  }),
  standbyMinutes: define({
    check: check.integer(1, 2880, "minutes"),
    about: "How long the old slot stays warm after a cutover, minutes",
    fallback: "60",
    example: "60",
  }),
} satisfies Record<string, Setting>;
