import { stringify } from "yaml";

/** The receivers of alerts. Secrets are files that Alertmanager reads; without a receiver, alerts appear only on its page. */
export interface Receivers {
  /** Slack gets critical alerts and warnings. */
  readonly slack?: {
    /** File with the webhook's URL. */
    readonly webhookFile: string;
    readonly channel: string;
  };
  /** PagerDuty gets critical alerts. */
  readonly pagerduty?: {
    /** File with the routing key of an Events API v2 integration. */
    readonly routingKeyFile: string;
  };
  /** Any receiver of Alertmanager's webhook format; gets critical alerts and warnings. */
  readonly webhook?: WebhookReceiver;
  /** Receives the Watchdog every minute and must raise the alarm when it stops (a dead man's switch). */
  readonly heartbeat?: WebhookReceiver;
}

export interface WebhookReceiver {
  readonly url: string;
  /** File with a bearer token. */
  readonly tokenFile?: string;
}

interface Route {
  readonly receiver: string;
  readonly matchers: readonly string[];
  readonly continue?: true;
  readonly group_wait?: string;
  readonly group_interval?: string;
  readonly repeat_interval?: string;
}

/** Receives the alerts that no other receiver takes; always present. */
const PAGE_ONLY = "page-only";

/**
 * Annotations and labels in which the alerts of a group differ are not among the common ones: two targets that are down are two
 * summaries. The first is shown, with the number of others.
 */
const SUMMARIES =
  "{{ with .CommonAnnotations.summary }}{{ . }}{{ else }}{{ (index .Alerts 0).Annotations.summary }}" +
  "{{ if gt (len .Alerts) 1 }} ({{ len .Alerts }} alerts){{ end }}{{ end }}";
const SEVERITY = "{{ with .CommonLabels.severity }}{{ . }}{{ else }}critical{{ end }}";
const FIRST_RUNBOOK = "{{ (index .Alerts 0).Annotations.runbook_url }}";

/** The configuration of Alertmanager as data, for version 0.25 and later. */
export function alertmanagerConfig(receivers: Receivers = {}): Record<string, unknown> {
  const { slack, pagerduty, webhook, heartbeat } = receivers;
  const critical = 'severity="critical"';
  const human = 'severity=~"critical|warning"';
  // Each route continues with the next one, so that an alert reaches all its receivers.
  const routes: Route[] = [
    ...(heartbeat === undefined
      ? []
      : [
          {
            receiver: "heartbeat",
            matchers: ['alertname="Watchdog"'],
            group_wait: "0s",
            group_interval: "1m",
            // Shorter than the interval: a group is evaluated each minute, and a repetition that is due a moment
            // later would wait another minute.
            repeat_interval: "30s",
          },
        ]),
    // Without a heartbeat the Watchdog must not reach people.
    ...(heartbeat === undefined ? [{ receiver: PAGE_ONLY, matchers: ['alertname="Watchdog"'] }] : []),
    ...(pagerduty === undefined ? [] : [{ receiver: "pagerduty", matchers: [critical], continue: true as const }]),
    ...(slack === undefined ? [] : [{ receiver: "slack", matchers: [human], continue: true as const }]),
    ...(webhook === undefined ? [] : [{ receiver: "webhook", matchers: [human], continue: true as const }]),
  ];
  return {
    global: { resolve_timeout: "5m" },
    route: {
      receiver: PAGE_ONLY,
      group_by: ["alertname", "slot", "schedule"],
      group_wait: "10s",
      group_interval: "1m",
      repeat_interval: "4h",
      routes,
    },
    inhibit_rules: inhibitions(),
    receivers: [
      { name: PAGE_ONLY },
      ...(heartbeat === undefined
        ? []
        : [{ name: "heartbeat", webhook_configs: [{ ...webhookConfig(heartbeat), send_resolved: false }] }]),
      ...(pagerduty === undefined
        ? []
        : [
            {
              name: "pagerduty",
              pagerduty_configs: [
                {
                  routing_key_file: pagerduty.routingKeyFile,
                  severity: SEVERITY,
                  description: SUMMARIES,
                  details: { runbook: FIRST_RUNBOOK },
                  send_resolved: true,
                },
              ],
            },
          ]),
      ...(slack === undefined
        ? []
        : [
            {
              name: "slack",
              slack_configs: [
                {
                  api_url_file: slack.webhookFile,
                  channel: slack.channel,
                  title: `[{{ .Status }}] ${SEVERITY}: ${SUMMARIES}`,
                  text: "{{ range .Alerts }}{{ .Annotations.description }}\n{{ .Annotations.runbook_url }}\n{{ end }}",
                  send_resolved: true,
                },
              ],
            },
          ]),
      ...(webhook === undefined ? [] : [{ name: "webhook", webhook_configs: [webhookConfig(webhook)] }]),
    ],
  };
}

/** The configuration as `alertmanager.yml`. */
export function renderAlertmanager(receivers: Receivers = {}): string {
  return stringify(alertmanagerConfig(receivers), { lineWidth: 0, aliasDuplicateObjects: false });
}

/**
 * Inhibition: a cause silences its consequences. Labels in `equal` that both sides lack count as equal, so the matchers
 * require them if needed.
 */
function inhibitions(): readonly Record<string, unknown>[] {
  const hasSlot = 'slot=~".+"';
  return [
    {
      // If the slot with the users is down, alerts on its missing server and targets are redundant.
      source_matchers: ['severity="critical"', 'symptom="availability"', hasSlot],
      target_matchers: ['severity="warning"', hasSlot],
      equal: ["slot"],
    },
    {
      source_matchers: ['alertname="SlotDown"', hasSlot],
      target_matchers: ['alertname=~"TargetDown|MetricsAbsent"', hasSlot],
      equal: ["slot"],
    },
    {
      source_matchers: ['alertname="ErrorRatioHigh"'],
      target_matchers: ['alertname="SlotErrorRatioHigh"'],
    },
    {
      // Without a router there is no traffic to measure.
      source_matchers: ['alertname="RouterDown"'],
      target_matchers: ['alertname=~"TargetDown|TargetMissing|MetricsAbsent"', 'job="router"'],
    },
    {
      // The state of the backups is read from the database.
      source_matchers: ['alertname="PostgresDown"'],
      target_matchers: ['alertname=~"BackupStale|BackupFailed|WalArchiveStale|RepositoryDamaged|RestoreDrillStale"'],
    },
    {
      source_matchers: ['alertname="PostgresDown"'],
      target_matchers: ['alertname=~"TargetDown|TargetMissing"', 'job="postgres"'],
    },
  ];
}

function webhookConfig(webhook: WebhookReceiver): Record<string, unknown> {
  return {
    url: webhook.url,
    send_resolved: true,
    ...(webhook.tokenFile === undefined
      ? {}
      : { http_config: { authorization: { type: "Bearer", credentials_file: webhook.tokenFile } } }),
  };
}
