import { MONITORING_PORTS } from "./docker-jobs.ts";

/** Paths inside the containers of Prometheus and Alertmanager. */
export const CONFIG_PATHS = {
  prometheus: "/etc/prometheus/prometheus.yml",
  rules: "/etc/prometheus/rules.yml",
  prometheusData: "/prometheus",
  alertmanager: "/etc/alertmanager/alertmanager.yml",
  alertmanagerData: "/alertmanager",
  grafanaData: "/var/lib/grafana",
} as const;

/** How long and how much Prometheus keeps; the first that is reached counts. */
export interface Retention {
  readonly days: number;
  /** Gigabytes on the disk. */
  readonly gigabytes: number;
}

/** Arguments of Prometheus. A new configuration is a new container, so reload and shutdown over HTTP are disabled. */
export function prometheusArguments(retention: Retention, externalUrl?: string): readonly string[] {
  return [
    `--config.file=${CONFIG_PATHS.prometheus}`,
    `--storage.tsdb.path=${CONFIG_PATHS.prometheusData}`,
    `--storage.tsdb.retention.time=${retention.days}d`,
    `--storage.tsdb.retention.size=${retention.gigabytes}GB`,
    `--web.listen-address=0.0.0.0:${MONITORING_PORTS.prometheus}`,
    ...(externalUrl === undefined ? [] : [`--web.external-url=${externalUrl}`]),
  ];
}

/** Arguments of a lone Alertmanager. */
export function alertmanagerArguments(externalUrl?: string): readonly string[] {
  return [
    `--config.file=${CONFIG_PATHS.alertmanager}`,
    `--storage.path=${CONFIG_PATHS.alertmanagerData}`,
    `--web.listen-address=0.0.0.0:${MONITORING_PORTS.alertmanager}`,
    // One instance has no peers to gossip with.
    "--cluster.listen-address=",
    ...(externalUrl === undefined ? [] : [`--web.external-url=${externalUrl}`]),
  ];
}

/** File that holds the password of Grafana's administrator. */
export const GRAFANA_PASSWORD_FILE = "/run/secrets/exai/grafana-admin";

/** Environment of Grafana: everything is provisioned, sign-up and telemetry are off. */
export const GRAFANA_ENVIRONMENT: Readonly<Record<string, string>> = {
  GF_SECURITY_ADMIN_USER: "admin",
  GF_SECURITY_ADMIN_PASSWORD__FILE: GRAFANA_PASSWORD_FILE,
  GF_USERS_ALLOW_SIGN_UP: "false",
  GF_AUTH_ANONYMOUS_ENABLED: "false",
  GF_ANALYTICS_REPORTING_ENABLED: "false",
  GF_ANALYTICS_CHECK_FOR_UPDATES: "false",
  GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES: "false",
  GF_NEWS_NEWS_FEED_ENABLED: "false",
  GF_PLUGINS_PREINSTALL_DISABLED: "true",
  GF_PATHS_DATA: CONFIG_PATHS.grafanaData,
  GF_PATHS_PLUGINS: `${CONFIG_PATHS.grafanaData}/plugins`,
  GF_LOG_MODE: "console",
  GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH: "/etc/exai/dashboards/exai-overview.json",
};
