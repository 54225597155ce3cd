import { LOCAL_IMAGES } from "../../../contract/images.ts";
import { JWT_KEY_SETS } from "../../../contract/jwt.ts";
import { DEFAULT_GRACE_SECONDS, DEFAULT_WS_PORT } from "../../../contract/server.ts";
import * as check from "../checks.ts";
import { CLUSTERS, define, ENVIRONMENTS, type Setting } from "../setting.ts";

const timeout = (about: string, fallback: string) =>
  define({ check: check.integer(1, 3600, "seconds"), about: `${about}, seconds`, fallback, example: fallback });

/** The releases and the settings of the server. */
export const SERVER_SETTINGS = {
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
    about: "EXAI_JWT_TOKEN: current signing key, at least 32 bytes; generated if absent",
    secret: true,
    example: "$(openssl rand -base64 48)",
  }),
  jwtSecretPrevious: define({
    check: check.hmacKey,
    about: "EXAI_JWT_TOKEN_PREVIOUS: key that is still accepted while clients move to the current one",
    secret: true,
    example: "$(openssl rand -base64 48)",
  }),
  jwtSecretNext: define({
    check: check.hmacKey,
    about: "EXAI_JWT_TOKEN_NEXT: key that `secrets rotate jwt` puts in the place of jwtSecret; accepted already",
    secret: true,
    example: "$(openssl rand -base64 48)",
  }),
  blueJwtKeys: define({
    check: check.oneOf(...JWT_KEY_SETS),
    about: "Keys that the blue slot accepts, the first signs; written by `secrets rotate jwt`",
    fallback: "current",
    example: "current",
  }),
  greenJwtKeys: define({
    check: check.oneOf(...JWT_KEY_SETS),
    about: "Keys that the green slot accepts, the first signs; written by `secrets rotate jwt`",
    fallback: "current",
    example: "current",
  }),
  jwtRotation: define({
    check: check.text,
    about: "Where the rotation of the key for tokens stands, JSON; written by `secrets rotate jwt`; clusters only",
    example: '{"schema":1}',
  }),
  jwtLifetimeMinutes: define({
    check: check.integer(1, 43_200, "minutes"),
    about: "Longest life of a token, minutes: so long is a key accepted after it has stopped signing",
    fallback: "60",
    example: "60",
  }),
  accessGeneration: define({
    check: check.integer(1, 1_000_000, "generations"),
    about: "Number of the key for testers' links and probes: a higher one, and `up`, revoke all links",
    fallback: "1",
    example: "2",
  }),
  kimiApiKey: define({ check: check.text, about: "KIMI_API_KEY", secret: true, required: CLUSTERS, example: "<key>" }),
  glmApiKey: define({ check: check.text, about: "GLM_API_KEY", secret: true, required: CLUSTERS, example: "<key>" }),
} satisfies Record<string, Setting>;
