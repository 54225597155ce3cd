import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { SLOTS, type Slot } from "../../../contract/slots.ts";
import { ENVOY_METRICS, LATENCY_BUCKETS_MILLISECONDS } from "../../../contract/envoy/metrics.ts";
import { CLUSTERS, clusterName, OBSERVE_PATHS, slotMetricsPath } from "../../../contract/envoy/names.ts";
import { BACKUP_METRICS, USE_METRICS } from "../../../contract/monitoring.ts";
import { LATENCY_BUCKETS_SECONDS, SERVER_METRICS } from "../../../contract/server.ts";

/** How a histogram's bounds are written: by exporters and Prometheus 2, or by Prometheus 3 (`1.0`). */
export type BoundSpelling = "plain" | "fractional";

/** Requests per second of each slot, and the share that fails or takes 750 ms instead of 20 ms. */
export const TRAFFIC: Readonly<Record<Slot, { rate: number; failing: number; slow: number }>> = {
  blue: { rate: 90, failing: 0.02, slow: 0.1 },
  green: { rate: 10, failing: 0, slow: 0.1 },
};

/** Where the parts of the pretended stack answer, `host:port`. */
export interface PretendedStack {
  readonly router: string;
  readonly postgresExporter: string;
  close(): Promise<void>;
}

/** Serves what a router with two servers and the Postgres exporter would, growing with time. */
export async function pretendStack(spelling: BoundSpelling): Promise<PretendedStack> {
  const started = Date.now();
  const seconds = (): number => (Date.now() - started) / 1000;
  const servers: Server[] = [];
  const serve = async (pages: Readonly<Record<string, () => string>>): Promise<string> => {
    const server = createServer((request, response) => {
      const body = pages[request.url ?? ""];
      if (body === undefined) {
        response.writeHead(404).end();
        return;
      }
      response.writeHead(200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" }).end(body());
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  return {
    router: await serve({
      [OBSERVE_PATHS.metrics]: () => routerPage(seconds(), spelling),
      ...Object.fromEntries(
        SLOTS.map((slot) => [slotMetricsPath(slot), () => serverPage(slot, seconds(), spelling)] as const),
      ),
    }),
    postgresExporter: await serve({ "/metrics": () => postgresPage(seconds()) }),
    close: async () => {
      await Promise.all(
        servers.map(
          (server) =>
            new Promise((resolve) => {
              server.close(resolve);
              server.closeAllConnections();
            }),
        ),
      );
    },
  };
}

const labelled = (labels: Readonly<Record<string, string>>): string =>
  Object.entries(labels)
    .map(([name, value]) => `${name}="${value}"`)
    .join(",");

function histogram(
  name: string,
  labels: Readonly<Record<string, string>>,
  bounds: readonly number[],
  count: number,
  within: (bound: number) => number,
  spelling: BoundSpelling,
): string[] {
  const bucket = (le: string, value: number): string => `${name}_bucket{${labelled({ ...labels, le })}} ${value}`;
  const text = (bound: number): string =>
    spelling === "fractional" && Number.isInteger(bound) ? `${bound}.0` : String(bound);
  return [
    `# TYPE ${name} histogram`,
    ...bounds.map((bound) => bucket(text(bound), count * within(bound))),
    bucket("+Inf", count),
    `${name}_sum{${labelled(labels)}} ${count * 0.05}`,
    `${name}_count{${labelled(labels)}} ${count}`,
  ];
}

function routerPage(seconds: number, spelling: BoundSpelling): string {
  const lines: string[] = [];
  for (const { slot, kind } of CLUSTERS) {
    const labels = { envoy_cluster_name: clusterName(slot, kind) };
    const { rate, failing, slow } = TRAFFIC[slot];
    const count = Math.floor(rate * seconds) + 100;
    const answers = (responseClass: string, value: number): string =>
      `${ENVOY_METRICS.requests}{${labelled({ ...labels, envoy_response_code_class: responseClass })}} ${value}`;
    lines.push(
      `${ENVOY_METRICS.requestsTotal}{${labelled(labels)}} ${count}`,
      `${ENVOY_METRICS.active}{${labelled(labels)}} ${kind === "plain" ? 2 : 20}`,
      `${ENVOY_METRICS.healthyHosts}{${labelled(labels)}} 1`,
    );
    if (kind !== "plain") continue;
    lines.push(answers("2", count * (1 - failing)));
    // A class appears with its first answer.
    if (failing > 0) lines.push(answers("5", count * failing));
    lines.push(
      ...histogram(
        ENVOY_METRICS.requestTime,
        labels,
        LATENCY_BUCKETS_MILLISECONDS,
        count,
        (bound) => (bound < 20 ? 0 : bound < 750 ? 1 - slow : 1),
        spelling,
      ),
    );
  }
  return `${lines.join("\n")}\n`;
}

function serverPage(slot: Slot, seconds: number, spelling: BoundSpelling): string {
  const { rate } = TRAFFIC[slot];
  const count = Math.floor(rate * seconds) + 100;
  const route = { method: "POST", route: "/mcp" };
  const metrics = SERVER_METRICS;
  const lines = [
    `${metrics.requests}{${labelled({ ...route, status: "200" })}} ${count}`,
    ...histogram(metrics.requestDuration, route, LATENCY_BUCKETS_SECONDS, count, (b) => (b < 0.02 ? 0 : 1), spelling),
    `${metrics.webSockets} 20`,
    ...histogram(metrics.webSocketLatency, {}, LATENCY_BUCKETS_SECONDS, count, (b) => (b < 0.05 ? 0 : 1), spelling),
    `${metrics.mcpSessions} 7`,
    ...["kimi", "glm"].flatMap((provider) => [
      `${metrics.providerRequests}{${labelled({ provider, outcome: "ok" })}} ${count}`,
      ...histogram(
        metrics.providerDuration,
        { provider },
        LATENCY_BUCKETS_SECONDS,
        count,
        (b) => (b < 2 ? 0 : 1),
        spelling,
      ),
    ]),
    `${metrics.providerRequests}{${labelled({ provider: "kimi", outcome: "error" })}} ${count / 10}`,
    `${metrics.databaseUp} 1`,
    `${metrics.databaseConnections}{state="active"} 2`,
    `${metrics.databaseConnections}{state="waiting"} 0`,
    `${metrics.buildInfo}{${labelled({ version: "1.0.0", release: `r-${slot}` })}} 1`,
  ];
  return `${lines.join("\n")}\n`;
}

function postgresPage(seconds: number): string {
  const database = labelled({ datid: "5", datname: "postgres" });
  const now = Date.now() / 1000;
  const schedules = [
    { schedule: "daily", kind: "full" },
    { schedule: "hourly", kind: "incremental" },
    { schedule: "weekly", kind: "differential" },
  ];
  const activity = labelled({ datname: "postgres", state: "active", usename: "app" });
  return `${[
    "pg_up 1",
    `pg_stat_activity_count{${activity}} 5`,
    `pg_stat_activity_max_tx_duration{${activity}} 0.2`,
    'pg_settings_max_connections{server="postgres:5432"} 100',
    'pg_database_size_bytes{datname="postgres"} 8000000',
    ...["xact_commit", "xact_rollback", "blks_hit", "blks_read", "deadlocks"].map(
      (name) => `pg_stat_database_${name}{${database}} ${Math.floor(seconds * 10)}`,
    ),
    'pg_locks_count{datname="postgres",mode="accesssharelock"} 1',
    ...schedules.flatMap((labels) => [
      `${BACKUP_METRICS.lastSuccess}{${labelled(labels)}} ${now - 600}`,
      `${BACKUP_METRICS.failures}{${labelled(labels)}} 0`,
    ]),
    `${BACKUP_METRICS.walLastArchived} ${now - 5}`,
    `${BACKUP_METRICS.damaged} 0`,
    `${BACKUP_METRICS.lastDrill}{schedule="monthly"} ${now - 600}`,
    `${BACKUP_METRICS.drillRto}{schedule="monthly"} 120`,
    `${BACKUP_METRICS.drillRpo}{schedule="monthly"} 5`,
    ...usePage(),
  ].join("\n")}\n`;
}

/** What users do, by the database. */
function usePage(): readonly string[] {
  const provider = labelled({ provider: "kimi", operation: "chat" });
  const session = labelled({ slot: "blue", transport: "http" });
  const table = labelled({ table: "messages" });
  const use = USE_METRICS;
  return [
    `${use.providerRequests}{${provider}} 40`,
    `${use.providerErrors}{${provider}} 2`,
    `${use.providerTokens}{${provider}} 9000`,
    `${use.providerP95}{${provider}} 1.5`,
    `${use.toolCalls}{tool="chat"} 40`,
    `${use.toolErrors}{tool="chat"} 0`,
    `${use.toolP95}{tool="chat"} 1.7`,
    `${use.openUploads} 2`,
    `${use.expiredUploads} 0`,
    `${use.completedUploads} 5`,
    `${use.missingBytes} 1000`,
    `${use.openSessions}{${session}} 7`,
    `${use.openIncidents}{severity="critical"} 1`,
    `${use.processes}{${labelled({ slot: "blue", release: "r-blue" })}} 1`,
    `${use.tableBytes}{${table}} 80000`,
    `${use.tableLiveRows}{${table}} 900`,
    `${use.tableDeadRows}{${table}} 100`,
  ];
}

/** Share of all pretended requests that fail. */
export function failingShare(): number {
  const total = SLOTS.reduce((sum, slot) => sum + TRAFFIC[slot].rate, 0);
  return SLOTS.reduce((sum, slot) => sum + TRAFFIC[slot].rate * TRAFFIC[slot].failing, 0) / total;
}
