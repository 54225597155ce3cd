import { SLOTS, type Slot } from "../../../contract/slots.ts";
import { ENVOY_LABELS, ENVOY_METRICS } from "../../../contract/envoy/metrics.ts";
import { SERVER_METRICS } from "../../../contract/server.ts";

/** Present metrics of a slot, for display only: the gates decide on a rollout. Absent: no data. */
export interface LiveMetrics {
  /** Plain requests per second. */
  readonly requestRate?: number;
  /** Share of them with a status of 500 and above, 0 to 1. */
  readonly errorRatio?: number;
  readonly p95Milliseconds?: number;
  /** Open MCP sessions, from the servers' metrics. */
  readonly mcpSessions?: number;
}

/** Window of the rates: several scrapes of the router. */
const WINDOW = "20s";

const PLAIN = `${ENVOY_LABELS.slot}=~"${SLOTS.join("|")}",${ENVOY_LABELS.kind}=~"plain|session"`;
const rate = (metric: string, by: string, more = "") => `sum by (${by}) (rate(${metric}{${PLAIN}${more}}[${WINDOW}]))`;
const SLOT = ENVOY_LABELS.slot;
const REQUESTS = rate(ENVOY_METRICS.requests, SLOT);
const FAILED = rate(ENVOY_METRICS.requests, SLOT, `,${ENVOY_LABELS.responseClass}="5"`);

const QUERIES: Readonly<Record<keyof LiveMetrics, string>> = {
  requestRate: REQUESTS,
  // Envoy creates the series of class 5 with the first failure.
  errorRatio: `(${FAILED} or ${REQUESTS} * 0) / ${REQUESTS}`,
  p95Milliseconds: `histogram_quantile(0.95, ${rate(`${ENVOY_METRICS.requestTime}_bucket`, `le, ${SLOT}`)})`,
  mcpSessions: `sum by (${SLOT}) (${SERVER_METRICS.mcpSessions}{${SLOT}=~"${SLOTS.join("|")}"})`,
};

/** Label that distinguishes the results of the one query. */
const METRIC = "metric";

const QUERY = Object.entries(QUERIES)
  .map(([name, query]) => `label_replace(${query}, "${METRIC}", "${name}", "", "")`)
  .join(" or ");

/** Queries Prometheus once for all metrics; undefined if it does not answer. */
export async function liveMetrics(prometheusUrl: string): Promise<Readonly<Record<Slot, LiveMetrics>> | undefined> {
  const url = new URL("/api/v1/query", prometheusUrl);
  url.searchParams.set("query", QUERY);
  let answer: QueryAnswer;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(3000) });
    answer = (await response.json()) as QueryAnswer;
  } catch {
    return undefined;
  }
  if (answer.status !== "success" || answer.data?.resultType !== "vector") return undefined;
  const found: Record<Slot, Partial<Record<string, number>>> = { blue: {}, green: {} };
  for (const { metric, value } of answer.data.result) {
    const slot = SLOTS.find((each) => each === metric[SLOT]);
    const number = Number(value[1]);
    // A ratio or a quantile without samples is NaN.
    if (slot !== undefined && Number.isFinite(number)) found[slot][metric[METRIC] ?? ""] = number;
  }
  return found;
}

interface QueryAnswer {
  readonly status: string;
  readonly data?: {
    readonly resultType: string;
    readonly result: readonly {
      readonly metric: Readonly<Record<string, string>>;
      readonly value: readonly [number, string];
    }[];
  };
}
