/**
 * The contract of a container that is deployable as the EX-AI server. The reference server implements it, the components
 * probe it, the router routes by it and the monitoring reads it; each of them takes the names from here.
 */

/** Port of HTTP and MCP inside the container. */
export const HTTP_PORT = 8080;

/** Default of EXAI_WS_PORT, the WebSocket port inside the container. */
export const DEFAULT_WS_PORT = 8079;

export const SERVER_PATHS = {
  /** 200 while the process lives. */
  health: "/health",
  /** 200 while the server takes traffic, 503 otherwise. */
  ready: "/ready",
  /** Prometheus text format. */
  metrics: "/metrics",
  /** The same numbers as JSON. */
  apiMetrics: "/api/metrics",
  /** A user's conversations, from the database; JSON. */
  conversations: "/api/conversations",
  /** Resumable uploads of users by tus 1.0; GET: their progress, JSON. */
  uploads: "/api/uploads",
  /** Dashboard page. */
  dashboard: "/",
  /** WebSocket of the dashboard, on the HTTP port. */
  dashboardWebSocket: "/ws/dashboard",
  /** MCP over Streamable HTTP (POST, GET for the event stream, DELETE). */
  mcp: "/mcp",
} as const;

/** Headers that the router and the server agree on; HTTP header names in lower case. */
export const HEADERS = {
  /** MCP session identifier; the router prefixes its value with `<slot>.` on the way out. */
  mcpSessionId: "mcp-session-id",
  /** A tester's or a probe's token (`contract/envoy/access.ts`): its slot answers, regardless of the weights. The server never gets it. */
  access: "x-exai-access",
  /** Set by the router alone, from a token that it has verified. A client's value is removed, and the server never gets it. */
  pinned: "x-exai-slot",
  /** Set by Envoy Gateway's filter for MCP sessions, likewise. */
  sessionSlot: "x-exai-session-slot",
  /** Set on every response by the router: the slot that answered. */
  servedBy: "x-exai-served-by",
  /** Set on every response by the server: its release (variable RELEASE). */
  release: "x-exai-release",
} as const;

/** WebSocket close code "service restart" (RFC 6455 registry): the client reconnects, by {@link RECONNECT}. */
export const CLOSE_SERVICE_RESTART = 1012;

/**
 * How clients come back after a lost connection or a 503 without `retry-after`: after a random time from 0 to `firstMs`,
 * doubled with every failure up to `mostMs`. Without the random part a thousand clients come back in one moment.
 */
export const RECONNECT = { firstMs: 1000, mostMs: 30_000 } as const;

/** Most seconds of the `retry-after` of a 503; each is a random number from 1. */
export const RETRY_AFTER_SECONDS = 4;

/**
 * Connections that the kernel holds for a busy server on each port: Linux's own limit (net.core.somaxconn, since 5.4), which
 * a program must ask for. Node's default is 511; what exceeds it waits for the next SYN, after 1, 3, 7, 15 seconds.
 */
export const LISTEN_BACKLOG = 4096;

/** Metrics of the server. Histograms are in seconds and have the buckets of {@link LATENCY_BUCKETS_SECONDS}. */
export const SERVER_METRICS = {
  /** Counter; labels method, route, status. */
  requests: "exai_http_requests_total",
  /** Histogram; labels method, route. */
  requestDuration: "exai_http_request_duration_seconds",
  /** Gauge: open WebSockets. */
  webSockets: "exai_websocket_connections",
  /** Histogram: round trip of a ping to the client and its pong. */
  webSocketLatency: "exai_websocket_latency_seconds",
  /** Counter of tokens by the key that their signature is of; label key (signing, previous, next, none). */
  tokens: "exai_jwt_tokens_total",
  /** Gauge: open MCP sessions. */
  mcpSessions: "exai_mcp_sessions",
  /** Counter, seconds: CPU time of the process, as every Prometheus client library names it. */
  cpu: "process_cpu_seconds_total",
  /** Gauge, bytes: the process' memory, as they name it. */
  residentMemory: "process_resident_memory_bytes",
  /** Counter; labels provider (kimi, glm), outcome (ok, error). */
  providerRequests: "exai_provider_requests_total",
  /** Histogram; label provider. */
  providerDuration: "exai_provider_request_duration_seconds",
  /** Gauge: 1 if the database answered the last request; absent without a database. */
  databaseUp: "exai_database_up",
  /** Gauge; label state (active, waiting): requests with a connection, and requests that wait for one. */
  databaseConnections: "exai_database_connections",
  /** Gauge, always 1; labels version, release. */
  buildInfo: "exai_build_info",
} as const;

/** Upper bounds of the latency histograms, in seconds: 0.1, 0.5 and 1 are thresholds of the service level objectives. */
export const LATENCY_BUCKETS_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const;

/** Directory of mounted secrets inside the server's container. `FOO_FILE` names the file that holds the value of FOO. */
export const SECRETS_DIRECTORY = "/run/secrets/exai";

/**
 * Keys for HS256 tokens (RFC 7519), each at least 32 bytes. The server accepts tokens of any of them and issues with the
 * first alone; the header `kid` (`contract/jwt.ts`) says which one to try first. It reads them at its start: a slot gets
 * other keys by a deployment, and never while it has users.
 */
export const JWT_KEY_VARIABLES = {
  /** Signs, and is accepted. */
  signing: "EXAI_JWT_TOKEN",
  /** Was the signing key, and is accepted until its tokens have expired. */
  previous: "EXAI_JWT_TOKEN_PREVIOUS",
  /** Will be the signing key, and is accepted already. */
  next: "EXAI_JWT_TOKEN_NEXT",
} as const;

/**
 * Recordings of what a server asks its database, for `branch shadow`; a server need not offer them. The program runs in the
 * server's container with two arguments: seconds, and the share of the transactions. It first writes the line `{"recording":true}`, then a
 * line for each transaction, and at its end `{"dropped":N}` with the number that its reader was too slow for. It ends when the time
 * is over or its standard input closes, so a reader that is killed leaves nothing behind.
 */
export const RECORDING = {
  program: "/app/record-workload",
  /** Where the reference server's process serves the program; its directory is in memory. */
  socket: "/tmp/exai-recording.sock",
  /** Longest recording, seconds. */
  longestSeconds: 3600,
} as const;

/** Suffix of the variables that name a secret's file. */
export const SECRET_FILE_SUFFIX = "_FILE";

/** Grace between SIGTERM and SIGKILL, in seconds; WebSockets are closed with 1012 spread over most of it. */
export const DEFAULT_GRACE_SECONDS = 30;

/** UID and GID of the server's process. */
export const SERVER_UID = 10001;
