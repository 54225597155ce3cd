import { z } from "zod";
import { DEFAULT_GRACE_SECONDS, DEFAULT_WS_PORT } from "../../contract/server.ts";
import { CLUSTER_IMAGES } from "../../contract/cluster-images.ts";
import { LOCAL_IMAGES } from "../../contract/images.ts";
import * as check from "./checks.ts";

/** The three environments. A stack's name is its environment, unless `exai:environment` says otherwise. */
export const ENVIRONMENTS = ["local", "staging", "prod"] as const;
export type Environment = (typeof ENVIRONMENTS)[number];

/** One key of the configuration. */
export interface Setting<Parsed = unknown> {
  /** Turns the raw string into the value. */
  readonly check: z.ZodType<Parsed, string>;
  /** What it is, with its unit; one line. */
  readonly about: string;
  readonly secret?: true;
  /** Raw default, the same everywhere or per environment; without one the setting may be absent. */
  readonly fallback?: string | Partial<Record<Environment, string>>;
  /** Environments that refuse to run without a value. */
  readonly required?: readonly Environment[];
  /** Whether a plan without credentials may run before the deployment has supplied it. */
  readonly deferrable?: true;
  /** A value that a user could set, for the mending command. */
  readonly example: string;
}

/** Keeps the precise type of a setting, so that what has a default everywhere is never undefined after parsing. */
const define = <const Precise extends Setting>(setting: Precise): Precise => setting;
const timeout = (about: string, fallback: string) =>
  define({ check: check.integer(1, 3600, "seconds"), about: `${about}, seconds`, fallback, example: fallback });
const localPort = (about: string, fallback: string) =>
  define({ check: check.port, about: `${about}; local only`, fallback, example: fallback });
const retention = (about: string, fallback: string) =>
  define({ check: check.integer(7, 90, "days"), about: `${about}, days (7-90)`, fallback, example: fallback });

const clusterImage = (name: string, fallback: string) =>
  define({
    check: check.imageReference,
    about: `Image of ${name}, by digest; clusters only`,
    fallback: { staging: fallback, prod: fallback },
    example: fallback,
  });

/** Clusters, as opposed to this machine. */
const CLUSTERS = ["staging", "prod"] as const;

/** Every key under `exai:`. Pulumi.yaml declares the same ones; a test compares the two. */
export const SETTINGS = {
  environment: define({
    check: check.oneOf(...ENVIRONMENTS),
    about: "Environment, where the stack's name is not one",
    example: "staging",
  }),
  instance: define({
    check: check.dnsLabel,
    about: "Prefix of all names: containers and volumes, or the namespace",
    fallback: { local: "exai", staging: "exai-staging", prod: "exai-prod" },
    example: "exai",
  }),

  image: define({
    check: check.imageReference,
    about: "Image of the server in both slots",
    deferrable: true,
    fallback: { local: LOCAL_IMAGES.referenceServer },
    example: "ghcr.io/your-org/exai-mcp-server@sha256:<64 hex digits>",
  }),
  blueImage: define({
    check: check.imageReference,
    about: "Image of the blue slot alone",
    example: "ghcr.io/your-org/exai-mcp-server@sha256:<64 hex digits>",
  }),
  greenImage: define({
    check: check.imageReference,
    about: "Image of the green slot alone",
    example: "ghcr.io/your-org/exai-mcp-server@sha256:<64 hex digits>",
  }),
  buildContext: define({
    check: check.text,
    about: "Folder with the server's Dockerfile: the stack then builds and pushes the image itself",
    example: "../ex-ai-mcp-server",
  }),
  buildRepository: define({
    check: check.text,
    about: "Registry and name that a built image is pushed to, without tag",
    example: "ghcr.io/your-org/exai-mcp-server",
  }),
  healthCommand: define({
    check: check.text,
    about: "Command in the server's image that exits 0 while /ready answers 200; local only",
    fallback: "node /app/healthcheck.mjs",
    example: "node /app/healthcheck.mjs",
  }),
  replicas: define({
    check: check.integer(1, 50),
    about: "Replicas of each slot; clusters only",
    fallback: { local: "1", staging: "2", prod: "3" },
    example: "3",
  }),
  serverMemory: define({
    check: check.integer(64, 65536, "MiB"),
    about: "Memory limit of one server, MiB",
    fallback: "512",
    example: "512",
  }),
  serverCpus: define({
    check: check.decimal(0.1, 64),
    about: "CPU limit of one server, cores",
    fallback: { local: "1", staging: "1", prod: "2" },
    example: "1",
  }),

  wsHost: define({
    check: check.text,
    about: "EXAI_WS_HOST: address that the server listens on inside its container",
    fallback: "0.0.0.0",
    example: "0.0.0.0",
  }),
  wsPort: define({
    check: check.port,
    about: "EXAI_WS_PORT: WebSocket port inside the container, and the published one",
    fallback: String(DEFAULT_WS_PORT),
    example: String(DEFAULT_WS_PORT),
  }),
  productionUrl: define({
    check: check.url("https", "http"),
    about: "EXAI_PRODUCTION_URL: origin that browsers come from (https in prod)",
    fallback: { local: "http://127.0.0.1:8080" },
    required: CLUSTERS,
    example: "https://exai.example.com",
  }),
  browserSecurity: define({
    check: check.boolean,
    about: "BROWSER_SECURITY_ENABLED: check the Origin of browser WebSockets",
    fallback: { local: "false", staging: "true", prod: "true" },
    example: "true",
  }),
  monitoringEnabled: define({ check: check.boolean, about: "MONITORING_ENABLED", fallback: "true", example: "true" }),
  logLevel: define({
    check: check.oneOf("debug", "info", "warning", "error"),
    about: "LOG_LEVEL: debug, info, warning or error",
    fallback: "info",
    example: "info",
  }),
  simpleToolTimeout: timeout("SIMPLE_TOOL_TIMEOUT_SECS: time-out of a simple tool", "60"),
  workflowToolTimeout: timeout("WORKFLOW_TOOL_TIMEOUT_SECS: time-out of a workflow tool", "120"),
  expertAnalysisTimeout: timeout("EXPERT_ANALYSIS_TIMEOUT_SECS: time-out of an expert analysis", "90"),
  kimiTimeout: timeout("KIMI_TIMEOUT_SECS: time-out of a Kimi request", "120"),
  glmTimeout: timeout("GLM_TIMEOUT_SECS: time-out of a GLM request", "90"),
  kimiUrl: define({
    check: check.url("https", "http"),
    about: "KIMI_API_URL",
    fallback: "https://api.moonshot.ai/v1",
    example: "https://api.moonshot.ai/v1",
  }),
  glmUrl: define({
    check: check.url("https", "http"),
    about: "GLM_API_URL",
    fallback: "https://api.z.ai/api/paas/v4",
    example: "https://api.z.ai/api/paas/v4",
  }),
  graceSeconds: define({
    check: check.integer(5, 300, "seconds"),
    about: "Grace between SIGTERM and SIGKILL of a server, seconds (5-300)",
    fallback: String(DEFAULT_GRACE_SECONDS),
    example: String(DEFAULT_GRACE_SECONDS),
  }),

  jwtSecret: define({
    check: check.hmacKey,
    about: "EXAI_JWT_TOKEN: current signing key, at least 32 bytes; generated where absent",
    secret: true,
    example: "$(openssl rand -base64 48)",
  }),
  jwtSecretPrevious: define({
    check: check.hmacKey,
    about: "EXAI_JWT_TOKEN_PREVIOUS: key that is still accepted while clients move to the current one",
    secret: true,
    example: "$(openssl rand -base64 48)",
  }),
  kimiApiKey: define({ check: check.text, about: "KIMI_API_KEY", secret: true, required: CLUSTERS, example: "<key>" }),
  glmApiKey: define({ check: check.text, about: "GLM_API_KEY", secret: true, required: CLUSTERS, example: "<key>" }),

  httpPort: localPort("Router: HTTP, MCP and dashboard", "8080"),
  observePort: localPort("Router: read-only statistics", "9901"),
  prometheusPort: localPort("Prometheus", "9090"),
  alertmanagerPort: localPort("Alertmanager", "9093"),
  grafanaPort: localPort("Grafana", "3000"),
  postgresPort: localPort("PostgreSQL", "5432"),
  grafana: define({
    check: check.boolean,
    about: "Whether Grafana runs; local leaves it out by itself where its image cannot be had",
    fallback: "true",
    example: "false",
  }),
  homeDirectory: define({
    check: check.text,
    about: "Folder of the local stack's own state, relative to the project; local only",
    fallback: { local: ".exai/local" },
    example: ".exai/local",
  }),

  protectData: define({
    check: check.boolean,
    about: "Whether the engine refuses to delete what holds data",
    fallback: { local: "true", staging: "true", prod: "true" },
    example: "false",
  }),
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
  prometheusImage: clusterImage("Prometheus", CLUSTER_IMAGES.prometheus),
  alertmanagerImage: clusterImage("Alertmanager", CLUSTER_IMAGES.alertmanager),
  grafanaImage: clusterImage("Grafana", CLUSTER_IMAGES.grafana),
  postgresExporterImage: clusterImage("the Postgres exporter", CLUSTER_IMAGES.postgresExporter),
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
    about: "restic repository of the dumps, e.g. s3:https://…; a volume in the cluster where absent; clusters only",
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
  standbyMinutes: define({
    check: check.integer(1, 2880, "minutes"),
    about: "How long the old colour stays warm after a cutover, minutes",
    fallback: "60",
    example: "60",
  }),

  kubeContext: define({
    check: check.text,
    about: "Context of the kubeconfig; clusters only",
    required: CLUSTERS,
    example: "prod-eu-1",
  }),
  kubeconfig: define({
    check: check.text,
    about: "Path of the kubeconfig; KUBECONFIG or ~/.kube/config where absent; clusters only",
    example: "~/.kube/prod.yaml",
  }),
  kubeApiCidrs: define({
    check: check.cidrs,
    about: "Address ranges of the API server, to which Prometheus may speak; any where absent; clusters only",
    example: "198.51.100.7/32",
  }),
  gatewayClass: define({
    check: check.dnsLabel,
    about: "GatewayClass of Envoy Gateway; clusters only",
    fallback: "envoy",
    example: "envoy",
  }),
  gatewayNamespace: define({
    check: check.dnsLabel,
    about: "Namespace that Envoy Gateway runs its proxies in; clusters only",
    fallback: "envoy-gateway-system",
    example: "envoy-gateway-system",
  }),
  gatewayReplicas: define({
    check: check.integer(1, 50),
    about: "Replicas of the gateway's proxy; clusters only",
    fallback: { local: "1", staging: "1", prod: "2" },
    example: "2",
  }),
  gatewayService: define({
    check: check.oneOf("LoadBalancer", "ClusterIP", "NodePort"),
    about: "Type of the Service before the gateway's proxy; clusters only",
    fallback: "LoadBalancer",
    example: "LoadBalancer",
  }),
  gatewayImage: define({
    check: check.imageReference,
    about: "Image of the gateway's proxy; the controller's own choice where absent; clusters only",
    example: "docker.io/envoyproxy/envoy@sha256:<64 hex digits>",
  }),
  mcpSessionTags: define({
    check: check.boolean,
    about: "Keep MCP sessions on their colour; needs Envoy Gateway with extensionApis.enableLua; clusters only",
    fallback: "true",
    example: "true",
  }),
  hostname: define({
    check: check.hostname,
    about: "Host name that the gateway answers; clusters only",
    required: CLUSTERS,
    example: "exai.example.com",
  }),
  tlsSecret: define({
    check: check.dnsLabel,
    about: "Secret with the gateway's certificate, in the stack's namespace; clusters only",
    fallback: { staging: "exai-tls", prod: "exai-tls" },
    example: "exai-tls",
  }),
  storageClass: define({
    check: check.dnsLabel,
    about: "StorageClass of the volumes; the cluster's default where absent; clusters only",
    example: "standard",
  }),
  supabaseOrganization: define({
    check: check.text,
    about: "Supabase organization that a new project is made in; clusters only",
    example: "<organization id>",
  }),
  supabaseProjectRef: define({
    check: z.string().regex(/^[a-z]{20}$/, { error: "is not a project reference (20 lower-case letters)" }),
    about: "Existing Supabase project; a new one is made where absent; clusters only",
    example: "abcdefghijklmnopqrst",
  }),
  supabaseDatabasePassword: define({
    check: check.text,
    about: "Password of an existing project's database, for backups; a new project's is generated; clusters only",
    secret: true,
    example: "<password>",
  }),
  supabaseAllowedCidrs: define({
    check: check.cidrs,
    about: "Address ranges that may connect to the database, separated by commas; all where absent; clusters only",
    example: "203.0.113.0/24,2001:db8::/32",
  }),
  supabaseRegion: define({
    check: check.text,
    about: "Supabase region of a new project or branch; clusters only",
    fallback: { staging: "eu-central-1", prod: "eu-central-1" },
    example: "eu-central-1",
  }),
  supabaseInstanceSize: define({
    check: check.oneOf(
      "micro",
      "small",
      "medium",
      "large",
      "xlarge",
      "2xlarge",
      "4xlarge",
      "8xlarge",
      "12xlarge",
      "16xlarge",
    ),
    about: "Supabase compute size of a new project; clusters only",
    fallback: { staging: "micro", prod: "small" },
    example: "small",
  }),
  supabaseBranch: define({
    check: check.text,
    about: "Git branch of the Supabase branch that staging runs on",
    fallback: { staging: "staging" },
    example: "staging",
  }),
  supabaseEndpoint: define({
    check: check.url("https", "http"),
    about: "Supabase's Management API, where it is not the public one; clusters only",
    example: "https://api.supabase.com",
  }),
  supabaseAccessToken: define({
    check: check.text,
    about: "Access token of Supabase's Management API; clusters only",
    secret: true,
    required: CLUSTERS,
    example: "sbp_<40 hex digits>",
  }),
} satisfies Record<string, Setting>;

/** A key of {@link SETTINGS}. */
export type SettingKey = keyof typeof SETTINGS;

/** The raw default of a setting in an environment. */
export function fallbackOf(setting: Setting, environment: Environment): string | undefined {
  return typeof setting.fallback === "string" ? setting.fallback : setting.fallback?.[environment];
}
