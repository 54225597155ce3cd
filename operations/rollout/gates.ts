import { LATENCY_BUCKETS_MILLISECONDS, ENVOY_SCRAPE_INTERVAL_SECONDS } from "../../contract/envoy/metrics.ts";
import { otherColour, type Colour } from "../../contract/colours.ts";
import { UserError } from "../../contract/errors.ts";
import type { Prometheus } from "./prometheus.ts";
import { binomialTail, fisherTail, type Share } from "./statistics.ts";
import { colourWindow, quantile, slowerThan, timed, WINDOW_SELECTOR, type ColourWindow } from "./window.ts";

/** What a candidate must keep to. */
export interface GateSettings {
  /** Share of requests answered with 500 or above, below which the gate passes. @default 0.01 */
  readonly errorRatio: number;
  /** Bounds of the router's histogram, in milliseconds. @default 500 */
  readonly p95Milliseconds: number;
  /** @default 1000 */
  readonly p99Milliseconds: number;
  /**
   * Requests of the candidate within a step, below which there is no data. With none bad among 300, the true share is
   * below 1 % with 95 % confidence ("rule of three": J. Hanley, A. Lippman-Hand, JAMA 249, 1983). @default 300
   */
  readonly minimumSamples: number;
  /** Seconds beyond a step's hold in which the gates must have passed; then the rollout rolls back. @default 60 */
  readonly noDataSeconds: number;
  /** Seconds between two looks. @default 2 */
  readonly lookSeconds: number;
  /** Chance of failing on one look a candidate that sits exactly on a limit. @default 0.01 */
  readonly significance: number;
  /** Chance, per step over all its looks, of failing a candidate that is as good as the stable colour. @default 0.001 */
  readonly comparisonSignificance: number;
  /** Most probes per second that top up thin traffic; 0 switches them off. @default 50 */
  readonly probesPerSecond: number;
  /** Restarts of the candidate's container that are forgiven. @default 0 */
  readonly restarts: number;
}

export const DEFAULT_GATES: GateSettings = {
  errorRatio: 0.01,
  p95Milliseconds: 500,
  p99Milliseconds: 1000,
  minimumSamples: 300,
  noDataSeconds: 60,
  lookSeconds: 2,
  significance: 0.01,
  comparisonSignificance: 0.001,
  probesPerSecond: 50,
  restarts: 0,
};

/** A gate's answer. `no-data` holds the step; it never passes by waiting. */
export interface Verdict {
  /** `errors`, `p95`, `p99`, `errors-compared`, `p95-compared`, `restarts` */
  readonly gate: string;
  readonly outcome: "pass" | "fail" | "no-data";
  /** A sentence with the numbers. */
  readonly detail: string;
  readonly figures: Readonly<Record<string, number>>;
}

/**
 * Refuses settings that the router's histogram cannot answer.
 *
 * @throws UserError
 */
export function checkGates(settings: GateSettings): void {
  const bounds: readonly number[] = LATENCY_BUCKETS_MILLISECONDS;
  for (const key of ["p95Milliseconds", "p99Milliseconds"] as const) {
    if (bounds.includes(settings[key])) continue;
    throw new UserError(
      `gates.${key}`,
      `${String(settings[key])} ms is no bound of the router's histogram`,
      `use one of ${bounds.join(", ")}`,
    );
  }
  if (!(settings.errorRatio > 0 && settings.errorRatio < 1)) {
    throw new UserError("gates.errorRatio", `${String(settings.errorRatio)} is no share`, "use 0.01 for 1 %");
  }
}

/** What the judge must know of a step. */
export interface StepFacts {
  /** How often it will be looked at in all: the comparison's chance of a false alarm is shared by the looks. */
  readonly looks: number;
  /** Whether users are on both colours, so that their requests are alike and may be compared. */
  readonly usersOnBoth: boolean;
}

/** Requests of the stable colour with which it can stand as a control. */
const CONTROL_SAMPLES = 20;

/**
 * Asks Prometheus for both colours since the step began and judges the candidate.
 *
 * @param since milliseconds since 1970.
 * @throws PrometheusError when Prometheus does not answer.
 */
export async function askGates(
  prometheus: Prometheus,
  settings: GateSettings,
  candidate: Colour,
  since: number,
  step: StepFacts,
): Promise<readonly Verdict[]> {
  const now = Date.now();
  const series = await prometheus.samples(WINDOW_SELECTOR, (now - since) / 1000 + 1);
  const stale = 4 * ENVOY_SCRAPE_INTERVAL_SECONDS;
  const window = (colour: Colour): ColourWindow | undefined =>
    colourWindow(series, colour, since / 1000, now / 1000, stale);
  return judge(settings, candidate, window(candidate), window(otherColour(candidate)), step);
}

/** The verdicts on two windows of the same seconds; pure. */
export function judge(
  settings: GateSettings,
  candidate: Colour,
  own: ColourWindow | undefined,
  stable: ColourWindow | undefined,
  step: StepFacts,
): readonly Verdict[] {
  if (own === undefined) return [noData("the router has not been scraped twice yet")];
  const counted = (window: ColourWindow): Share => ({ hits: window.errors, trials: window.requests });
  const slow = (window: ColourWindow, limit: number): Share => ({
    hits: slowerThan(window, limit),
    trials: timed(window),
  });
  const of = (share: (window: ColourWindow) => Share): Shares => ({
    own: share(own),
    stable: stable === undefined ? NOTHING : share(stable),
  });
  const other = otherColour(candidate);
  const errors = of(counted);
  const verdicts = [
    againstLimit(
      "errors",
      settings,
      errors,
      settings.errorRatio,
      other,
      (share) => `${percent(share)} of requests failed`,
    ),
    ...(
      [
        ["p95", 0.95, settings.p95Milliseconds],
        ["p99", 0.99, settings.p99Milliseconds],
      ] as const
    ).map(([gate, q, limit]) => {
      const value = quantile(own, q);
      const text = (share: number): string =>
        `${gate} ${value.toFixed(0)} ms, ${percent(share)} of requests above ${String(limit)} ms`;
      const shares = of((window) => slow(window, limit));
      return againstLimit(gate, settings, shares, 1 - q, other, text, { milliseconds: value });
    }),
  ];
  // On the last step the stable colour has probes alone, which are no match for users' requests: the limits judge.
  if (!step.usersOnBoth || errors.stable.trials < settings.minimumSamples) return verdicts;
  const alpha = settings.comparisonSignificance / step.looks;
  const p95 = settings.p95Milliseconds;
  const slowShares = of((window) => slow(window, p95));
  return [
    ...verdicts,
    compared("errors-compared", "requests failed", other, errors, alpha, settings),
    compared("p95-compared", `requests took over ${String(p95)} ms`, other, slowShares, alpha, settings),
  ];
}

/** A share on both colours over the same seconds. */
interface Shares {
  readonly own: Share;
  readonly stable: Share;
}

const NOTHING: Share = { hits: 0, trials: 0 };

function noData(detail: string): Verdict {
  return { gate: "data", outcome: "no-data", detail, figures: {} };
}

/**
 * A quantile below a limit is a share above the limit that is small enough, so latency is judged as errors are: failed
 * when an exact binomial test says that the true share is above the limit, passed when the measured share is below it.
 * In between the step holds. It holds as well while the stable colour is over the limit too and the candidate is no
 * worse: then something that both share is at fault, and a rollback would mend nothing.
 */
function againstLimit(
  gate: string,
  settings: GateSettings,
  { own, stable }: Shares,
  limit: number,
  other: Colour,
  text: (share: number) => string,
  more: Readonly<Record<string, number>> = {},
): Verdict {
  const share = own.trials === 0 ? 0 : own.hits / own.trials;
  const p = binomialTail(own.hits, own.trials, limit);
  const control = { stableRequests: stable.trials, stableBad: stable.hits };
  const figures = { requests: own.trials, bad: own.hits, share, limit, p, ...control, ...more };
  const sentence = `${text(share)} (${counts(own)}, limit ${percent(limit)})`;
  if (own.trials > 0 && share >= limit && p < settings.significance && own.hits > 1) {
    const alike = stable.hits >= limit * stable.trials && !worse({ own, stable }, settings.significance);
    if (stable.trials < CONTROL_SAMPLES || !alike) {
      const beside = stable.trials > 0 ? `, on ${other} ${counts(stable)}` : "";
      return { gate, outcome: "fail", detail: `${sentence}${beside}`, figures };
    }
    return { gate, outcome: "no-data", detail: `${sentence}, and ${other} is no better: ${counts(stable)}`, figures };
  }
  if (own.trials < settings.minimumSamples) {
    const detail = `${String(own.trials)} of ${String(settings.minimumSamples)} requests needed`;
    return { gate, outcome: "no-data", detail, figures };
  }
  return { gate, outcome: share < limit ? "pass" : "no-data", detail: sentence, figures };
}

/** Candidate against stable by Fisher's exact test, the chance of a false alarm shared by all looks. */
function compared(
  gate: string,
  what: string,
  other: Colour,
  { own, stable }: Shares,
  alpha: number,
  settings: GateSettings,
): Verdict {
  const p = fisherTail(own, stable);
  const figures = {
    ...{ requests: own.trials, bad: own.hits },
    ...{ stableRequests: stable.trials, stableBad: stable.hits, p, alpha },
  };
  const detail = `${counts(own)} ${what}, on ${other} ${counts(stable)} in the same seconds (Fisher, p = ${p.toPrecision(2)})`;
  if (own.hits > 2 && worse({ own, stable }, alpha)) return { gate, outcome: "fail", detail, figures };
  return { gate, outcome: own.trials < settings.minimumSamples ? "no-data" : "pass", detail, figures };
}

/**
 * Worse is what chance explains badly and what is at least twice as bad: slow requests come in bursts when a machine
 * stalls, and a test that takes them for independent sees too much in small differences.
 */
function worse({ own, stable }: Shares, alpha: number): boolean {
  return own.hits * stable.trials >= 2 * stable.hits * own.trials && fisherTail(own, stable) < alpha;
}

function counts(share: Share): string {
  return `${String(share.hits)} of ${String(share.trials)}`;
}

/** What all verdicts of a look say together: any failure fails, all must pass. */
export function together(verdicts: readonly Verdict[]): Verdict["outcome"] {
  if (verdicts.some((verdict) => verdict.outcome === "fail")) return "fail";
  return verdicts.length > 0 && verdicts.every((verdict) => verdict.outcome === "pass") ? "pass" : "no-data";
}

function percent(share: number): string {
  return `${(share * 100).toFixed(share < 0.1 ? 2 : 1)} %`;
}
