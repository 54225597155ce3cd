import type { Sample, StatisticalTest, Trials, Verdict } from "../../contract/verdict.ts";
import { amount } from "../../operations/notify/wording.ts";
import type { Column, Text, Tone } from "./block.ts";

/** Columns of a table of verdicts. */
export const VERDICT_COLUMNS: readonly Column[] = [
  { title: "gate" },
  { title: "verdict" },
  { title: "figure", align: "right" },
  { title: "limit", align: "right" },
  { title: "bad candidate", align: "right", priority: 3 },
  { title: "bad stable", align: "right", priority: 4 },
  { title: "test", priority: 2 },
  { title: "why", priority: 1 },
];

/** The cells of {@link VERDICT_COLUMNS}. */
export function verdictCells(verdict: Verdict): readonly Text[] {
  const { gate, figure, limit, unit, sample } = verdict;
  return [
    gate,
    { text: verdict.verdict, tone: TONES[verdict.verdict] },
    figure === undefined ? "" : amount(figure, unit),
    limit === undefined ? "" : amount(limit, unit),
    sample === undefined ? "" : counts(sample.candidate),
    sample === undefined ? "" : counts(sample.stable),
    testText(verdict),
    whyText(verdict),
  ];
}

const TONES: Readonly<Record<Verdict["verdict"], Tone>> = { pass: "good", fail: "bad", "no-data": "warning" };

/** Gates from the one that says most about users; custom queries and the rest follow. */
const PRIORITY: readonly string[] = [
  ...["errors", "p95", "p99", "websocket", "websocket-errors"],
  ...["errors-compared", "slow-compared", "refusals-compared", "probes-compared"],
];

/** Orders verdicts: failures, then "no data", then passes near their limit, then other passes; within each by {@link PRIORITY}. */
export function byImportance(verdicts: readonly Verdict[]): readonly Verdict[] {
  const order: Readonly<Record<Verdict["verdict"], number>> = { fail: 0, "no-data": 1, pass: 3 };
  const rank = (verdict: Verdict): number => (isNear(verdict) ? 2 : order[verdict.verdict]);
  const priority = ({ gate }: Verdict): number => (PRIORITY.includes(gate) ? PRIORITY.indexOf(gate) : PRIORITY.length);
  return verdicts.toSorted((a, b) => rank(a) - rank(b) || priority(a) - priority(b));
}

/** Whether a gate passes with more than half of its limit. A ratio to the other slot is mostly chance, and never near. */
function isNear({ verdict, gate, figure, limit, comparison = "<" }: Verdict): boolean {
  if (verdict !== "pass" || gate.endsWith("-compared") || figure === undefined || limit === undefined) return false;
  const [part, whole] = comparison.startsWith("<") ? [figure, limit] : [limit, figure];
  return part > whole / 2;
}

/** The verdicts of a step in a few words: `pass, p95 312 ms of 500 ms`. */
export function verdictsLine(verdicts: readonly Verdict[]): string {
  const [worst] = byImportance(verdicts);
  return worst === undefined ? "" : `${worst.verdict}, ${verdictLine(worst)}`;
}

/** A gate with its figure and limit, and why it does not pass: `p95 712 ms of 500 ms: may be chance`. */
export function verdictLine(verdict: Verdict): string {
  const { gate, figure, limit, unit } = verdict;
  const why = whyText(verdict);
  if (figure === undefined) return why === "" ? gate : `${gate}: ${why}`;
  const measured = `${gate} ${amount(figure, unit)}${limit === undefined ? "" : ` of ${amount(limit, unit)}`}`;
  return why === "" ? measured : `${measured}: ${why}`;
}

/** The same with the counts and the test: `errors 20 % of 1 %: above the limit; 80 of 400 requests failed, …`. */
export function verdictDetail(verdict: Verdict): string {
  const { gate, sample } = verdict;
  const counted =
    sample === undefined ? "" : `${sampleText(gate, sample)}, ${counts(sample.stable)} on the stable slot`;
  return [verdictLine(verdict), counted, testText(verdict)].filter((part) => part !== "").join("; ");
}

/** `80 of 400 requests failed`. */
function sampleText(gate: string, { candidate, thresholdMilliseconds }: Sample): string {
  const [noun, bad] = COUNTED[gate] ?? ["samples", "are bad"];
  const slow = thresholdMilliseconds === undefined ? bad : `took more than ${String(thresholdMilliseconds)} ms`;
  return `${counts(candidate)} ${noun} ${slow}`;
}

/** What a gate counts, and what makes one bad. */
const COUNTED: Readonly<Partial<Record<string, readonly [noun: string, bad: string]>>> = {
  errors: ["requests", "failed"],
  p95: ["requests", "are slow"],
  p99: ["requests", "are slow"],
  websocket: ["round trips", "are slow"],
  "websocket-errors": ["WebSockets and round trips", "were refused or lost"],
  "errors-compared": ["requests", "failed"],
  "slow-compared": ["requests", "are slow"],
  "refusals-compared": ["requests and WebSockets", "were refused (4xx)"],
  "probes-compared": ["probes", "were refused (4xx)"],
};

function counts({ trials, bad }: Trials): string {
  return `${String(bad)} of ${String(trials)}`;
}

const TESTS: Readonly<Record<Exclude<StatisticalTest, "none">, readonly [name: string, relation: string]>> = {
  "binomial-e-process": ["e-process", "≤"],
  "stratified-binomial-e-process": ["e-process", "≤"],
  "mann-kendall": ["Mann-Kendall", "="],
};

/** `e-process p ≤ 0.0012 (level 0.005)`; empty without a test. */
function testText({ test, p, alpha }: Verdict): string {
  if (test === "none") return "";
  const [name, relation] = TESTS[test];
  const value = p === undefined ? "" : ` p ${relation} ${probability(p)}`;
  return `${name}${value}${alpha === undefined ? "" : ` (level ${probability(alpha)})`}`;
}

function probability(p: number): string {
  return p !== 0 && p < 1e-3 ? p.toExponential(0) : String(Number(p.toPrecision(2)));
}

/** Why a gate does not pass, with the facts; empty for a pass. */
function whyText(verdict: Verdict): string {
  const { why, gate, sample, context = {} } = verdict;
  const { before, slower, healthChecks, message = "no reason given", url = "Prometheus" } = context;
  switch (why) {
    case "within-limit":
    case "not-worse-than-stable":
      return "";
    case "above-limit":
      return "above the limit";
    case "below-limit":
      return "below the limit";
    case "worse-than-stable":
      return "worse than the stable slot";
    case "restarted":
      return "the container restarted";
    case "replaced":
      return "the container was replaced";
    case "not-running":
      return "the container does not run";
    case "not-proven":
    case "suspicion":
      return "may be chance";
    case "not-repeated":
      return `in ${String(context.checks)} of ${String(context.failingChecks)} checks in a row`;
    case "few-samples":
      return fewSamples(verdict);
    case "shared-with-stable":
      return `the stable slot is as bad: ${sample === undefined ? String(context.stableFigure) : counts(sample.stable)}`;
    case "stable-was-slow":
      return `the stable slot was as slow with all users${before === undefined ? "" : `: ${counts(before)}`}`;
    case "stable-is-slower": {
      const facts = slower && `${counts(slower)} above ${String(context.slowerThanMilliseconds)} ms`;
      return `the stable slot is slower than before${facts === undefined ? "" : `: ${facts}`}`;
    }
    case "cpu-contention":
      return `the candidate lacks CPU time${healthChecks === undefined ? "" : `: ${counts(healthChecks)} health checks late`}`;
    case "probes-refused-by-both":
      return `both slots refuse the probes${context.status === undefined ? "" : ` with HTTP ${String(context.status)}`}: check their token`;
    case "not-scraped":
      return "Prometheus has no recent scrapes of the router";
    case "no-value":
      return "the query yields nothing";
    case "no-stable-value":
      return "the query yields nothing for the stable slot";
    case "prometheus-unavailable":
      return `${url} does not answer: ${message}`;
    case "query-refused":
      return `${url} refuses the query: ${message}`;
    case "history-unavailable":
      return `the history cannot be read: ${message}`;
    case "status-unavailable":
      return gate === "readiness" ? message : `unknown: ${message}`;
  }
}

function fewSamples({ gate, sample, context }: Verdict): string {
  if (sample === undefined) return `needs ${String(context?.neededSeconds ?? 0)} s of samples`;
  const { candidate, stable, needed = 0 } = sample;
  const compared = gate.endsWith("-compared");
  const trials = compared ? Math.min(candidate.trials, stable.trials) : candidate.trials;
  return `${String(trials)} of ${String(needed)} samples`;
}
