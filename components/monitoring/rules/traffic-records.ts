import { ENVOY_METRICS } from "../../../contract/envoy/metrics.ts";
import { RECORDS } from "../../../contract/monitoring.ts";
import { SERVER_METRICS } from "../../../contract/server.ts";
import { atBound } from "../promql.ts";
import { answerClass, plainRequests, REQUEST_TIME_BUCKET } from "../router-series.ts";
import type { RecordingRule, RuleGroup } from "./rule.ts";

/** What a request may last before it counts as slow, in milliseconds; a bound of Envoy's histogram. */
const SLOW_MILLISECONDS = 500;

/**
 * The traffic as the router saw it, by slot and in total. Every later series builds on the same three sums (requests,
 * errors, duration buckets), so a gate, a panel and an alert cannot disagree.
 */
export function trafficRecords(): RuleGroup {
  return {
    name: "exai-traffic",
    intervalSeconds: 5,
    rules: [
      ...sums("1m", { requests: RECORDS.requests1m, errors: RECORDS.errors1m, buckets: RECORDS.durationBuckets1m }),
      ...sums("5m", { requests: RECORDS.requests5m, errors: RECORDS.errors5m, buckets: RECORDS.durationBuckets5m }),
      {
        record: RECORDS.requestShare1m,
        expr: `${RECORDS.requests1m} / on () group_left () (sum(${RECORDS.requests1m}) > 0)`,
      },
      { record: RECORDS.errorRatio1m, expr: ratio(RECORDS.errors1m, RECORDS.requests1m) },
      { record: RECORDS.errorRatio5m, expr: ratio(RECORDS.errors5m, RECORDS.requests5m) },
      { record: RECORDS.p95Seconds1m, expr: seconds(0.95, RECORDS.durationBuckets1m) },
      { record: RECORDS.p95Seconds5m, expr: seconds(0.95, RECORDS.durationBuckets5m) },
      { record: RECORDS.p99Seconds1m, expr: seconds(0.99, RECORDS.durationBuckets1m) },
      { record: RECORDS.p99Seconds5m, expr: seconds(0.99, RECORDS.durationBuckets5m) },
      { record: RECORDS.userRequests5m, expr: `sum(${RECORDS.requests5m})` },
      { record: RECORDS.userErrors5m, expr: `sum(${RECORDS.errors5m})` },
      { record: RECORDS.userErrorRatio5m, expr: ratio(RECORDS.userErrors5m, RECORDS.userRequests5m) },
      { record: RECORDS.userP95Seconds5m, expr: seconds(0.95, `sum by (le) (${RECORDS.durationBuckets5m})`) },
      { record: RECORDS.userP99Seconds5m, expr: seconds(0.99, `sum by (le) (${RECORDS.durationBuckets5m})`) },
      {
        record: RECORDS.userSlowRatio5m,
        expr:
          `1 - sum(${RECORDS.durationBuckets5m}{${atBound(SLOW_MILLISECONDS)}})` +
          ` / (sum(${RECORDS.durationBuckets5m}{le="+Inf"}) > 0)`,
      },
      {
        record: RECORDS.webSocketP95Seconds5m,
        expr: `histogram_quantile(0.95, sum by (slot, le) (rate(${SERVER_METRICS.webSocketLatency}_bucket[5m])))`,
      },
    ],
  };
}

function sums(window: string, names: { requests: string; errors: string; buckets: string }): RecordingRule[] {
  const answers = plainRequests(ENVOY_METRICS.requests);
  const failed = plainRequests(ENVOY_METRICS.requests, answerClass("5"));
  return [
    {
      record: names.requests,
      // Counted by their answers: a request to a slot that cannot be reached has an answer (503), but never counts as
      // sent. A class appears with its first answer, so a slot that got none is 0 as long as the router knows it.
      expr:
        `sum by (slot) (rate(${answers}[${window}]))` +
        ` or sum by (slot) (rate(${plainRequests(ENVOY_METRICS.requestsTotal)}[${window}])) * 0`,
    },
    {
      record: names.errors,
      // A slot that never failed has no series of class 5: that means no errors, not missing data.
      expr: `sum by (slot) (rate(${failed}[${window}])) or ${names.requests} * 0`,
    },
    {
      record: names.buckets,
      expr: `sum by (slot, le) (rate(${plainRequests(REQUEST_TIME_BUCKET)}[${window}]))`,
    },
  ];
}

/** Without requests there is no ratio: a ratio of 0 would look healthy. */
function ratio(errors: string, requests: string): string {
  return `${errors} / (${requests} > 0)`;
}

/** Envoy measures in milliseconds. */
function seconds(quantile: number, buckets: string): string {
  return `histogram_quantile(${quantile}, ${buckets}) / 1000`;
}
