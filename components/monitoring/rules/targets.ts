import { SLOTS } from "../../../contract/slots.ts";
import { ENVOY_METRICS } from "../../../contract/envoy/metrics.ts";
import { JOBS, RECORDS, type Job } from "../../../contract/monitoring.ts";
import { HTTP_PORT, SERVER_METRICS } from "../../../contract/server.ts";
import type { RulesArgs } from "./args.ts";
import { answersSeries, evictionSeries, sentSeries, upSeries } from "./healthy.ts";
import type { Alert, RuleGroup, Samples } from "./rule.ts";
import { ending, steady, turning } from "./samples.ts";

/** Targets that must answer, and metrics that must exist. */
export function targetAlerts(args: RulesArgs): RuleGroup {
  return {
    name: "exai-targets",
    rules: [
      watchdog(),
      targetDown(),
      targetMissing(args.jobs),
      metricsAbsent(),
      routerDown(),
      slotDown(),
      servingSlotDown(),
    ],
  };
}

function watchdog(): Alert {
  return {
    alert: "Watchdog",
    severity: "none",
    expr: "vector(1)",
    summary: "The chain of alerts works",
    description: "Always firing. The external receiver must raise the alarm when it stops arriving.",
    runbook: "watchdog",
    cases: [
      { name: "fires always", fires: [{}] },
      { name: "fires without any metric", without: [/./u], series: { nothing_else: steady(1) }, fires: [{}] },
    ],
  };
}

function targetDown(): Alert {
  return {
    alert: "TargetDown",
    severity: "warning",
    symptom: "availability",
    expr: `up == 0 unless on (job, slot) label_replace(${EMPTIED}, "job", "${JOBS.server}", "", "")`,
    for: "2m",
    summary: "{{ $labels.instance }} does not answer its scrape",
    description: "Prometheus could not read {{ $labels.instance }} of the job {{ $labels.job }} for two minutes.",
    runbook: "target-down",
    cases: [
      {
        name: "fires",
        series: { [upSeries(JOBS.alertmanager)]: steady(0) },
        fires: [{ labels: { job: JOBS.alertmanager, instance: `${JOBS.alertmanager}:1` } }],
      },
      { name: "quiet: healthy", fires: [] },
      {
        name: "quiet: one missed scrape",
        series: { [upSeries(JOBS.alertmanager)]: (steps) => `1+0x${steps - 5} 0 1 1 1 1` },
        fires: [],
      },
      { name: "quiet: the server of a slot that was emptied intentionally", series: GREEN_EMPTIED, fires: [] },
      {
        name: "fires: another server than that of the emptied slot",
        series: { ...GREEN_EMPTIED, [upSeries(JOBS.server, "blue")]: steady(0) },
        fires: [{ labels: { job: JOBS.server, instance: `server-blue:${HTTP_PORT}`, slot: "blue" } }],
      },
      { name: "quiet here: target gone (TargetMissing says so)", without: [/^up\{job="alertmanager"/u], fires: [] },
    ],
  };
}

function targetMissing(jobs: readonly Job[]): Alert {
  return {
    alert: "TargetMissing",
    severity: "warning",
    symptom: "availability",
    expr: jobs.map((job) => `absent(up{job="${job}"})`).join(" or "),
    for: "5m",
    summary: "The job {{ $labels.job }} has no targets",
    description: "The job {{ $labels.job }} has no target at all: alerts on its series cannot fire.",
    runbook: "target-missing",
    cases: jobs
      .map((job) => ({
        name: `fires: ${job} has no target`,
        without: [new RegExp(`^up\\{job="${job}"`, "u")],
        fires: [{ labels: { job } }],
      }))
      .concat([{ name: "quiet: healthy", without: [], fires: [] }]),
  };
}

function metricsAbsent(): Alert {
  const sources: readonly (readonly [metric: string, job: Job, slot?: string])[] = [
    [SERVER_METRICS.buildInfo, JOBS.server],
    // The one counter that Envoy has from the start; the others are born with their first answer.
    ...SLOTS.map((slot) => [ENVOY_METRICS.requestsTotal, JOBS.router, slot] as const),
  ];
  const absent = sources.map(([metric, job, slot]) => {
    const of = slot === undefined ? "" : `,slot="${slot}"`;
    return `label_replace(absent(${metric}{job="${job}"${of}}), "metric", "${metric}", "", "")`;
  });
  return {
    alert: "MetricsAbsent",
    severity: "warning",
    symptom: "availability",
    // A gateway may forget a slot that has no server.
    expr: `(${absent.join(" or ")}) unless on (slot) ${EMPTIED}`,
    for: "5m",
    summary: "{{ $labels.metric }} is not measured",
    description:
      "The job {{ $labels.job }} gives no {{ $labels.metric }}{{ with $labels.slot }} of {{ . }}{{ end }}: gates get no data" +
      " and alerts on it stay silent.",
    runbook: "metrics-absent",
    cases: [
      {
        name: "fires: the server's own metrics are gone",
        without: [new RegExp(`^${SERVER_METRICS.buildInfo}`, "u")],
        fires: [{ labels: { job: JOBS.server, metric: SERVER_METRICS.buildInfo } }],
      },
      {
        name: "fires: the router does not know green",
        without: [/^envoy_.*slot="green"/u],
        fires: [{ labels: { job: JOBS.router, slot: "green", metric: ENVOY_METRICS.requestsTotal } }],
      },
      { name: "quiet: healthy", fires: [] },
      {
        name: "quiet: the router does not know a slot that was emptied intentionally",
        without: [/^envoy_cluster_.*slot="green"/u],
        series: GREEN_EMPTIED,
        fires: [],
      },
      {
        name: "quiet: zero traffic is not absence",
        without: [/^envoy_cluster_upstream_rq_(?:xx|time)/u],
        series: Object.fromEntries(SLOTS.map((slot) => [sentSeries(slot), steady(0)])),
        fires: [],
      },
    ],
  };
}

function routerDown(): Alert {
  return {
    alert: "RouterDown",
    severity: "critical",
    symptom: "availability",
    expr: `max(up{job="${JOBS.router}"}) == 0 or absent(up{job="${JOBS.router}"})`,
    for: "1m",
    summary: "No router answers: users reach nothing",
    description: "No Envoy answered its scrape for a minute. All traffic passes through it.",
    runbook: "router-down",
    cases: [
      { name: "fires: down", series: { [upSeries(JOBS.router)]: steady(0) }, fires: [{}] },
      { name: "fires: gone", without: [/^up\{job="router"/u], fires: [{ labels: { job: JOBS.router } }] },
      { name: "quiet: healthy", fires: [] },
      {
        name: "quiet: one of two routers still answers",
        series: { [upSeries(JOBS.router)]: steady(0), [`up{job="${JOBS.router}",instance="other:1"}`]: steady(1) },
        fires: [],
      },
    ],
  };
}

/** The slots that a rollout has emptied, or is emptying. */
const EMPTIED = `${RECORDS.slotEmptied} == 1`;

const GREEN_DOWN: Readonly<Record<string, Samples>> = { [upSeries(JOBS.server, "green")]: steady(0) };

const GREEN_EMPTIED: Readonly<Record<string, Samples>> = {
  ...GREEN_DOWN,
  [evictionSeries("emptied", "green")]: steady(0),
};

/** Steps of 15 s: what ends after so many is seen for more than the two minutes of the alert at the end. */
const LONG_AGO = 20;

function slotDown(): Alert {
  return {
    alert: "SlotDown",
    severity: "warning",
    symptom: "availability",
    expr: `${RECORDS.slotTargetsUp} == 0 unless on (slot) ${EMPTIED}`,
    for: "2m",
    summary: "The slot {{ $labels.slot }} has no server that answers",
    description:
      "No server of {{ $labels.slot }} answers its scrape, and no rollout has emptied the slot: there is nothing to roll" +
      " back to, or what was deployed there did not come up.",
    runbook: "slot-down",
    cases: [
      { name: "fires: down", series: GREEN_DOWN, fires: [{ labels: { slot: "green" } }] },
      { name: "fires: gone", without: [/^up\{job="server".*"green"/u], fires: [{ labels: { slot: "green" } }] },
      {
        name: "fires for both where nothing is left",
        without: [/^up\{job="server"/u],
        fires: SLOTS.map((slot) => ({ labels: { slot } })),
      },
      { name: "quiet: healthy", fires: [] },
      { name: "quiet: emptied intentionally", series: GREEN_EMPTIED, fires: [] },
      {
        name: "quiet: emptied intentionally, without remaining targets",
        series: { [evictionSeries("emptied", "green")]: steady(0) },
        without: [/^up\{job="server".*"green"/u],
        fires: [],
      },
      {
        name: "fires: it died, and the other slot was emptied",
        series: { ...GREEN_DOWN, [evictionSeries("emptied", "blue")]: steady(0) },
        fires: [{ labels: { slot: "green" } }],
      },
      {
        name: "fires: what was deployed into the emptied slot does not come up",
        series: {
          ...GREEN_DOWN,
          [evictionSeries("emptied", "green")]: ending(LONG_AGO),
          [evictionSeries("evicted", "green")]: steady(0),
        },
        fires: [{ labels: { slot: "green" } }],
      },
      {
        name: "quiet: emptied just now, from a slot that was down before",
        series: { ...GREEN_DOWN, [evictionSeries("emptied", "green")]: (steps) => `_x${steps - 4} 0 0 0 0` },
        fires: [],
      },
      {
        name: "fires: one of two routers has another table",
        series: { ...GREEN_EMPTIED, [`up{job="${JOBS.router}",instance="other:1"}`]: steady(1) },
        fires: [{ labels: { slot: "green" } }],
      },
      {
        name: "quiet: the router is gone since, with what it said",
        series: {
          ...GREEN_DOWN,
          [evictionSeries("emptied", "green")]: ending(LONG_AGO),
          [upSeries(JOBS.router)]: turning(LONG_AGO, 1, 0),
        },
        fires: [],
      },
      {
        name: "fires: the router was gone before it said anything",
        series: GREEN_DOWN,
        without: [/^up\{job="router"/u],
        fires: [{ labels: { slot: "green" } }],
      },
    ],
  };
}

function servingSlotDown(): Alert {
  return {
    alert: "ServingSlotDown",
    severity: "critical",
    symptom: "availability",
    // The last users of an evicted slot remain in the rate for a minute.
    expr:
      `${RECORDS.slotTargetsUp} == 0 and on (slot) ${RECORDS.requests1m} > 0` +
      ` unless on (slot) ${RECORDS.slotEvicted} == 1`,
    for: "30s",
    summary: "The slot {{ $labels.slot }} is down and users are sent to it",
    description: "No server of {{ $labels.slot }} answers its scrape, and the router still gives it requests.",
    runbook: "serving-slot-down",
    cases: [
      { name: "fires: down under traffic", series: GREEN_DOWN, fires: [{ labels: { slot: "green" } }] },
      {
        name: "fires: gone under traffic",
        without: [/^up\{job="server".*"green"/u],
        fires: [{ labels: { slot: "green" } }],
      },
      { name: "quiet: healthy", fires: [] },
      { name: "quiet: emptied a moment ago, with its last users in the rate", series: GREEN_EMPTIED, fires: [] },
      {
        name: "quiet: testers ask what was deployed there, and it does not come up",
        series: { ...GREEN_DOWN, [evictionSeries("evicted", "green")]: steady(0) },
        fires: [],
      },
      {
        name: "fires: down under traffic, and the other one is evicted",
        series: { ...GREEN_DOWN, [evictionSeries("evicted", "blue")]: steady(0) },
        fires: [{ labels: { slot: "green" } }],
      },
      {
        name: "quiet: down at zero traffic",
        series: { ...GREEN_DOWN, [sentSeries("green")]: steady(5000), [answersSeries("green", 2)]: steady(5000) },
        fires: [],
      },
      {
        name: "quiet here: the router's metric is gone (RouterDown or MetricsAbsent)",
        series: GREEN_DOWN,
        without: [/^envoy_/u],
        fires: [],
      },
    ],
  };
}
