import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import { LATENCY_BUCKETS_SECONDS, SERVER_METRICS } from "../../../contract/server.ts";
import type { Provider } from "./environment.ts";
import { KEY_ROLES, type KeyRole } from "./jwt.ts";

/** Numbers of the dashboard and of `/api/metrics`. Durations in seconds. */
export interface MetricsSummary {
  readonly release: string;
  readonly slot: string | null;
  readonly uptimeSeconds: number;
  readonly memoryBytes: number;
  readonly requests: { readonly total: number; readonly errors: number; readonly byRoute: Record<string, number> };
  readonly latency: { readonly p50: number | null; readonly p95: number | null; readonly p99: number | null };
  readonly webSockets: number;
  readonly webSocketLatency: { readonly p50: number | null; readonly p99: number | null };
  readonly mcpSessions: number;
  readonly providers: Record<string, { readonly ok: number; readonly error: number }>;
}

/** The server's metrics under the names of the contract. */
export interface Metrics {
  readonly registry: Registry;
  /** Counts a finished HTTP request. `seconds` is undefined for streams, whose length is the client's choice. */
  request(method: string, route: string, status: number, seconds: number | undefined): void;
  readonly webSockets: Gauge;
  readonly mcpSessions: Gauge;
  /** Counts a checked token by the key of its signature. */
  token(key: KeyRole | "none"): void;
  webSocketPing(seconds: number): void;
  provider(provider: Provider, outcome: "ok" | "error", seconds: number): void;
  /** Shows the state of the database and its pool at each scrape. */
  database(now: () => { readonly state: string; readonly active: number; readonly waiting: number }): void;
  summary(): Promise<MetricsSummary>;
}

/** Bounds and cumulative counts of one histogram, all label sets added up. */
async function addUp(histogram: Histogram): Promise<Map<number, number>> {
  const counts = new Map<number, number>();
  for (const { metricName, labels, value } of (await histogram.get()).values) {
    if (!metricName?.endsWith("_bucket")) continue;
    const bound = labels.le === "+Inf" ? Infinity : Number(labels.le);
    counts.set(bound, (counts.get(bound) ?? 0) + value);
  }
  return counts;
}

/**
 * Quantile of a histogram in the way of PromQL's `histogram_quantile`: linear inside the bucket; the highest finite
 * bound when it falls beyond; null when nothing was observed.
 */
export function quantile(share: number, cumulative: ReadonlyMap<number, number>): number | null {
  const total = cumulative.get(Infinity) ?? 0;
  if (total === 0) return null;
  const rank = share * total;
  let lowerBound = 0;
  let below = 0;
  for (const [bound, count] of [...cumulative].sort(([a], [b]) => a - b)) {
    if (count >= rank && count > below)
      return bound === Infinity ? lowerBound : lowerBound + ((bound - lowerBound) * (rank - below)) / (count - below);
    if (bound !== Infinity) lowerBound = bound;
    below = count;
  }
  return lowerBound;
}

/** Creates the registry. `version` and `release` stand on the build info. */
export function createMetrics(about: { version: string; release: string; slot: string | undefined }): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const buckets = [...LATENCY_BUCKETS_SECONDS];
  const requests = new Counter({
    name: SERVER_METRICS.requests,
    help: "HTTP requests answered.",
    labelNames: ["method", "route", "status"],
    registers,
  });
  const durations = new Histogram({
    name: SERVER_METRICS.requestDuration,
    help: "Time from a request to the end of its answer; event streams opened with GET are not counted.",
    labelNames: ["method", "route"],
    buckets,
    registers,
  });
  const webSockets = new Gauge({ name: SERVER_METRICS.webSockets, help: "Open WebSockets.", registers });
  const webSocketLatency = new Histogram({
    name: SERVER_METRICS.webSocketLatency,
    help: "Round trip of a ping to a WebSocket's client and its pong.",
    buckets,
    registers,
  });
  const mcpSessions = new Gauge({ name: SERVER_METRICS.mcpSessions, help: "Open MCP sessions.", registers });
  const providerRequests = new Counter({
    name: SERVER_METRICS.providerRequests,
    help: "Requests to LLM providers.",
    labelNames: ["provider", "outcome"],
    registers,
  });
  const providerDurations = new Histogram({
    name: SERVER_METRICS.providerDuration,
    help: "Time of a request to an LLM provider.",
    labelNames: ["provider"],
    buckets,
    registers,
  });
  const tokens = new Counter({
    name: SERVER_METRICS.tokens,
    help: "Tokens looked at, by the key that their signature is of.",
    labelNames: ["key"],
    registers,
  });
  for (const key of [...KEY_ROLES, "none"]) tokens.inc({ key }, 0);
  new Gauge({
    name: SERVER_METRICS.buildInfo,
    help: "Always 1; its labels say what runs.",
    labelNames: ["version", "release"],
    registers,
  }).set({ version: about.version, release: about.release }, 1);
  // Series that exist from the start: a rate over a series that appears with its first error misses that error.
  for (const provider of ["kimi", "glm"] as const)
    for (const outcome of ["ok", "error"] as const) providerRequests.inc({ provider, outcome }, 0);

  const summary = async (): Promise<MetricsSummary> => {
    let total = 0;
    let errors = 0;
    const byRoute: Record<string, number> = {};
    for (const { labels, value } of (await requests.get()).values) {
      total += value;
      if (Number(labels.status) >= 500) errors += value;
      const route = String(labels.route);
      byRoute[route] = (byRoute[route] ?? 0) + value;
    }
    const providers: Record<string, { ok: number; error: number }> = {};
    for (const { labels, value } of (await providerRequests.get()).values)
      (providers[String(labels.provider)] ??= { ok: 0, error: 0 })[labels.outcome as "ok" | "error"] = value;
    const latency = await addUp(durations);
    const pings = await addUp(webSocketLatency);
    const gauge = async (metric: Gauge) => (await metric.get()).values[0]?.value ?? 0;
    return {
      release: about.release,
      slot: about.slot ?? null,
      uptimeSeconds: Math.round(process.uptime() * 10) / 10,
      memoryBytes: process.memoryUsage.rss(),
      requests: { total, errors, byRoute },
      latency: { p50: quantile(0.5, latency), p95: quantile(0.95, latency), p99: quantile(0.99, latency) },
      webSockets: await gauge(webSockets),
      webSocketLatency: { p50: quantile(0.5, pings), p99: quantile(0.99, pings) },
      mcpSessions: await gauge(mcpSessions),
      providers,
    };
  };

  return {
    registry,
    request(method, route, status, seconds) {
      requests.inc({ method, route, status });
      if (seconds !== undefined) durations.observe({ method, route }, seconds);
    },
    webSockets,
    mcpSessions,
    token(key) {
      tokens.inc({ key });
    },
    webSocketPing(seconds) {
      webSocketLatency.observe(seconds);
    },
    provider(provider, outcome, seconds) {
      providerRequests.inc({ provider, outcome });
      providerDurations.observe({ provider }, seconds);
    },
    database(now) {
      new Gauge({
        name: SERVER_METRICS.databaseUp,
        help: "1 if the database answered the last request, 0 otherwise.",
        registers,
        collect() {
          this.set(now().state === "up" ? 1 : 0);
        },
      });
      new Gauge({
        name: SERVER_METRICS.databaseConnections,
        help: "Requests that hold a connection to the database, and requests that wait for one.",
        labelNames: ["state"],
        registers,
        collect() {
          const { active, waiting } = now();
          this.set({ state: "active" }, active);
          this.set({ state: "waiting" }, waiting);
        },
      });
    },
    summary,
  };
}
