import { JOBS, RECORDS } from "../../../contract/monitoring.ts";
import { SERVER_METRICS } from "../../../contract/server.ts";
import { growing, steady } from "./samples.ts";
import { answersSeries, bucketSeries, sentSeries, serverLabels } from "./healthy.ts";
import type { Alert, RuleGroup, Samples } from "./rule.ts";

/** Objectives of the service; seeds of the numbers: p95 < 500 ms, p99 < 1000 ms, WebSocket latency < 100 ms. */
const OBJECTIVES = {
  /** Share of failed requests that pages at once. Slower burns of the 99.5 % objective are the SLO rules' work. */
  errorRatio: 0.05,
  p95Seconds: 0.5,
  p99Seconds: 1,
  webSocketSeconds: 0.1,
} as const;

/** Errors per second that are five errors in five minutes: one failed request must not page. */
const FIVE_IN_FIVE_MINUTES = "5 / 300";

/** Requests per second below which a percentile says nothing: thirty in five minutes. */
const ENOUGH_REQUESTS = 0.1;

/** What users meet: errors and latency, in total and by slot. */
export function trafficAlerts(): RuleGroup {
  return {
    name: "exai-traffic-alerts",
    rules: [errorRatioHigh(), slotErrorRatioHigh(), ...latencyHigh(), webSocketLatencyHigh()],
  };
}

const SILENT_ROUTER: Readonly<Record<string, Samples>> = Object.fromEntries(
  ["blue", "green"].flatMap((slot) => [
    [sentSeries(slot), steady(1000)],
    [answersSeries(slot, 2), steady(1000)],
    [answersSeries(slot, 5), steady(50)],
    ...["50", "500", "1000", "+Inf"].map((le) => [bucketSeries(slot, le), steady(1000)] as const),
  ]),
);
const NO_ROUTER = [/^envoy_/u];

function errorRatioHigh(): Alert {
  return {
    alert: "ErrorRatioHigh",
    severity: "critical",
    symptom: "errors",
    expr:
      `${RECORDS.userErrorRatio5m} > ${OBJECTIVES.errorRatio}` +
      ` and ${RECORDS.userErrors5m} >= ${FIVE_IN_FIVE_MINUTES}`,
    for: "2m",
    summary: "Users get errors",
    description: "{{ $value | humanizePercentage }} of all requests of the last five minutes failed with a 5xx answer.",
    runbook: "error-ratio-high",
    cases: [
      {
        name: "fires: a tenth of all requests fails",
        // The healthy world has 10 requests/s on blue and 10 on green: 300 in a step.
        series: {
          [answersSeries("blue", 2)]: growing(120),
          [answersSeries("blue", 5)]: growing(30),
        },
        fires: [{ value: "10%" }],
      },
      {
        name: "fires: little traffic to servers that cannot be reached, so that none counts as sent",
        series: { ...SILENT_ROUTER, [answersSeries("blue", 5)]: growing(1) },
        fires: [{ value: "100%" }],
      },
      { name: "quiet: healthy", fires: [] },
      {
        name: "quiet: one failed request at night",
        series: {
          ...SILENT_ROUTER,
          [answersSeries("blue", 5)]: (steps) => `50+0x${steps - 15} 51+0x14`,
        },
        fires: [],
      },
      { name: "quiet here: metric gone (MetricsAbsent says so)", without: NO_ROUTER, fires: [] },
      { name: "quiet: zero traffic after errors", series: SILENT_ROUTER, fires: [] },
    ],
  };
}

function slotErrorRatioHigh(): Alert {
  return {
    alert: "SlotErrorRatioHigh",
    severity: "warning",
    symptom: "errors",
    expr:
      `${RECORDS.errorRatio5m} > ${OBJECTIVES.errorRatio}` +
      ` and on (slot) ${RECORDS.errors5m} >= ${FIVE_IN_FIVE_MINUTES}`,
    for: "2m",
    summary: "The slot {{ $labels.slot }} answers with errors",
    description:
      "{{ $value | humanizePercentage }} of the requests that {{ $labels.slot }} got in the last five minutes failed" +
      " with a 5xx answer.",
    runbook: "slot-error-ratio-high",
    cases: [
      {
        name: "fires for the failing slot alone",
        series: { [answersSeries("green", 2)]: growing(120), [answersSeries("green", 5)]: growing(30) },
        fires: [{ labels: { slot: "green" }, value: "20%" }],
      },
      { name: "quiet: healthy, and no series of class 5 at all", without: [/class="5"/u], fires: [] },
      { name: "quiet here: metric gone", without: NO_ROUTER, fires: [] },
      { name: "quiet: zero traffic after errors", series: SILENT_ROUTER, fires: [] },
    ],
  };
}

function latencyHigh(): Alert[] {
  // Of 150 requests in a step, so many are within the bound: 95 % and 99 % stand for "just good enough".
  const slow = (within50: number, within500: number, within1000: number): Readonly<Record<string, Samples>> =>
    Object.fromEntries(
      ["blue", "green"].flatMap((slot) => [
        [bucketSeries(slot, "50"), growing(within50)],
        [bucketSeries(slot, "500"), growing(within500)],
        [bucketSeries(slot, "1000"), growing(within1000)],
        [bucketSeries(slot, "2500"), growing(150)],
        [bucketSeries(slot, "+Inf"), growing(150)],
      ]),
    );
  /** Prometheus 3 writes the bounds with a fraction. */
  const fractional = (series: Readonly<Record<string, Samples>>): Readonly<Record<string, Samples>> =>
    Object.fromEntries(
      Object.entries(series).map(([text, samples]) => [text.replace(/le="(\d+)"/u, 'le="$1.0"'), samples]),
    );
  const thin = Object.fromEntries(
    ["blue", "green"].flatMap((slot) => [
      // One request in five minutes, and it takes two seconds.
      [answersSeries(slot, 2), growing(0.05)],
      ...["50", "500", "1000"].map((le) => [bucketSeries(slot, le), growing(0)] as const),
      ...["2500", "+Inf"].map((le) => [bucketSeries(slot, le), growing(0.05)] as const),
    ]),
  );
  const guard = ` and ${RECORDS.userRequests5m} > ${ENOUGH_REQUESTS}`;
  return [
    {
      alert: "LatencyP95High",
      severity: "warning",
      symptom: "latency",
      expr: `${RECORDS.userP95Seconds5m} > ${OBJECTIVES.p95Seconds}${guard}`,
      for: "5m",
      summary: "One request in twenty takes longer than 500 ms",
      description:
        "The 95th percentile of the last five minutes is {{ $value | humanizeDuration }}; the objective is 500 ms.",
      runbook: "latency-high",
      cases: [
        // Rank 142.5 of 150 lies halfway between 135 (at 500 ms) and 150 (at 1000 ms).
        { name: "fires: a tenth is slower than 500 ms", series: slow(75, 135, 150), fires: [{ value: "750ms" }] },
        {
          name: "fires with the bounds of Prometheus 3",
          without: [/^envoy_cluster_upstream_rq_time_bucket/u],
          series: fractional(slow(75, 135, 150)),
          fires: [{ value: "750ms" }],
        },
        { name: "quiet: healthy", fires: [] },
        { name: "quiet: three in a hundred are slow", series: slow(75, 146, 150), fires: [] },
        { name: "quiet here: metric gone", without: NO_ROUTER, fires: [] },
        { name: "quiet: zero traffic", series: SILENT_ROUTER, fires: [] },
        { name: "quiet: a single slow request", series: thin, fires: [] },
      ],
    },
    {
      alert: "LatencyP99High",
      severity: "warning",
      symptom: "latency",
      expr: `${RECORDS.userP99Seconds5m} > ${OBJECTIVES.p99Seconds}${guard}`,
      for: "5m",
      summary: "One request in a hundred takes longer than 1 s",
      description:
        "The 99th percentile of the last five minutes is {{ $value | humanizeDuration }}; the objective is 1 s.",
      runbook: "latency-high",
      cases: [
        // Rank 148.5 of 150 lies halfway between 147 (at 1000 ms) and 150 (at 2500 ms).
        {
          name: "fires: two in a hundred take longer than 1 s",
          series: slow(75, 147, 147),
          fires: [{ value: "1.75s" }],
        },
        { name: "quiet: healthy", fires: [] },
        { name: "quiet here: metric gone", without: NO_ROUTER, fires: [] },
        { name: "quiet: zero traffic", series: SILENT_ROUTER, fires: [] },
      ],
    },
  ];
}

function webSocketLatencyHigh(): Alert {
  const bucket = (slot: string, le: string): string =>
    `${SERVER_METRICS.webSocketLatency}_bucket{${serverLabels(slot)},le="${le}"}`;
  return {
    alert: "WebSocketLatencyHigh",
    severity: "warning",
    symptom: "latency",
    expr:
      `${RECORDS.webSocketP95Seconds5m} > ${OBJECTIVES.webSocketSeconds}` +
      ` and on (slot) sum by (slot) (${SERVER_METRICS.webSockets}{job="${JOBS.server}"}) > 0`,
    for: "5m",
    summary: "WebSockets of {{ $labels.slot }} answer slowly",
    description:
      "The 95th percentile of a ping's round trip on {{ $labels.slot }} is {{ $value | humanizeDuration }};" +
      " the objective is 100 ms.",
    runbook: "websocket-latency-high",
    cases: [
      {
        name: "fires for the slow slot alone",
        series: {
          [bucket("green", "0.05")]: growing(0),
          [bucket("green", "0.1")]: growing(0),
          [bucket("green", "0.25")]: growing(20),
          [bucket("green", "+Inf")]: growing(20),
        },
        fires: [{ labels: { slot: "green" }, value: "242.5ms" }],
      },
      { name: "quiet: healthy", fires: [] },
      { name: "quiet here: metric gone", without: [new RegExp(`^${SERVER_METRICS.webSocketLatency}`, "u")], fires: [] },
      {
        name: "quiet: no WebSocket is open",
        series: Object.fromEntries([
          [`${SERVER_METRICS.webSockets}{${serverLabels("blue")}}`, steady(0)],
          [`${SERVER_METRICS.webSockets}{${serverLabels("green")}}`, steady(0)],
          ...["blue", "green"].flatMap((slot) =>
            ["0.05", "0.1", "0.25", "+Inf"].map((le) => [bucket(slot, le), steady(20)] as const),
          ),
        ]),
        fires: [],
      },
    ],
  };
}
