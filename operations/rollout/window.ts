import type { Colour } from "../../contract/colours.ts";
import { ENVOY_LABELS, ENVOY_METRICS } from "../../contract/envoy/metrics.ts";
import type { Series } from "./prometheus.ts";

/** What one colour did between two scrapes. */
export interface ColourWindow {
  /** Between the first and the last scrape. */
  readonly seconds: number;
  /** Answered plain requests. */
  readonly requests: number;
  /** Those of them with a status of 500 and above, or with no answer at all. */
  readonly errors: number;
  /** Requests in the latency histogram by upper bound in milliseconds, cumulative, rising; the last bound is Infinity. */
  readonly buckets: readonly (readonly [bound: number, count: number])[];
}

/** Selector of all that {@link colourWindow} reads, for both colours, so that one answer holds the same seconds of both. */
export const WINDOW_SELECTOR = `{__name__=~"${[
  ENVOY_METRICS.requestsTotal,
  ENVOY_METRICS.requests,
  `${ENVOY_METRICS.requestTime}_bucket`,
].join("|")}",${ENVOY_LABELS.colour}=~"blue|green",${ENVOY_LABELS.kind}="plain"}`;

/**
 * A colour's window from raw samples, beginning with the first scrape at or after `since` (seconds since 1970).
 *
 * A series that is born inside the window counts from 0: Envoy makes a counter when it first counts. A counter that
 * falls was reset and counts from 0 as well.
 *
 * @returns undefined when there are no two scrapes, or the last is older than `staleSeconds`.
 */
export function colourWindow(
  series: readonly Series[],
  colour: Colour,
  since: number,
  now: number,
  staleSeconds: number,
): ColourWindow | undefined {
  const own = series.filter((each) => each.labels[ENVOY_LABELS.colour] === colour);
  // Present from the start of the process: its scrapes are the scrapes of the target.
  const scrapes = new Map<string, { first: number; last: number }>();
  for (const each of own.filter((candidate) => candidate.labels.__name__ === ENVOY_METRICS.requestsTotal)) {
    const times = each.samples.map(([time]) => time).filter((time) => time >= since);
    const [first, last] = [times[0], times.at(-1)];
    if (first !== undefined && last !== undefined && last > first && now - last <= staleSeconds) {
      scrapes.set(target(each), { first, last });
    }
  }
  if (scrapes.size === 0) return undefined;

  const grown = (each: Series): number => {
    const scrape = scrapes.get(target(each));
    if (scrape === undefined) return 0;
    let [before, sum] = [0, 0];
    for (const [time, value] of each.samples) {
      if (time < scrape.first) continue;
      if (time > scrape.first) sum += value >= before ? value - before : value;
      before = value;
    }
    return sum;
  };
  const total = (metric: string, keep: (series: Series) => boolean = () => true): number =>
    own.filter((each) => each.labels.__name__ === metric && keep(each)).reduce((sum, each) => sum + grown(each), 0);

  const bounds = new Map<number, number>();
  for (const each of own.filter((candidate) => candidate.labels.__name__ === `${ENVOY_METRICS.requestTime}_bucket`)) {
    const bound = each.labels.le === "+Inf" ? Infinity : Number(each.labels.le);
    bounds.set(bound, (bounds.get(bound) ?? 0) + grown(each));
  }
  return {
    seconds: Math.max(...[...scrapes.values()].map(({ first, last }) => last - first)),
    requests: total(ENVOY_METRICS.requests),
    errors: total(ENVOY_METRICS.requests, (each) => each.labels[ENVOY_LABELS.responseClass] === "5"),
    buckets: [...bounds].sort(([a], [b]) => a - b),
  };
}

function target(series: Series): string {
  return `${series.labels.job ?? ""} ${series.labels.instance ?? ""}`;
}

/** Requests of the histogram. */
export function timed(window: ColourWindow): number {
  return window.buckets.at(-1)?.[1] ?? 0;
}

/** Requests that took longer than `milliseconds`, which must be a bound of the histogram. */
export function slowerThan(window: ColourWindow, milliseconds: number): number {
  const within = window.buckets.find(([bound]) => bound >= milliseconds)?.[1] ?? 0;
  return Math.max(0, timed(window) - within);
}

/** A quantile in milliseconds, straight inside its bucket as Prometheus does it; NaN without requests. */
export function quantile(window: ColourWindow, q: number): number {
  const rank = q * timed(window);
  let [lower, below] = [0, 0];
  for (const [bound, count] of window.buckets) {
    if (count >= rank && count > below) {
      return bound === Infinity ? lower : lower + ((bound - lower) * (rank - below)) / (count - below);
    }
    [lower, below] = [bound, count];
  }
  return NaN;
}
