import { SLOTS, type Slot } from "../../../contract/slots.ts";
import { ENVOY_LABELS, ENVOY_METRICS, ENVOY_SCRAPE_INTERVAL_SECONDS } from "../../../contract/envoy/metrics.ts";
import { SERVER_METRICS } from "../../../contract/server.ts";
import { JUDGED_KINDS } from "../../../contract/envoy/names.ts";
import type { Series } from "./prometheus.ts";
import type { Trials } from "../../../contract/verdict.ts";

/** A histogram's counts by upper bound, cumulative, rising; the last bound is Infinity. */
export type Histogram = readonly (readonly [bound: number, count: number])[];

/** Traffic of one slot in a few seconds. */
export interface Counts {
  /** Answered plain requests: those of users that the weights distribute, and probes. */
  readonly requests: number;
  /** Those of them with a status of 500 and above, or without an answer. */
  readonly errors: number;
  /** Time of plain requests, bounds in milliseconds. */
  readonly latency: Histogram;
  /** Users' event streams and dashboard WebSockets. How long they last depends on their clients. */
  readonly streams: number;
  /** Failed ones among them, as {@link errors}. */
  readonly streamErrors: number;
  /** Requested WebSockets, without the {@link webSocketsRefused} ones. */
  readonly webSockets: number;
  /** Those of them that were refused with 500 and above, or not answered. */
  readonly webSocketErrors: number;
  /** WebSockets refused with 400 to 499, which may be their clients' fault. */
  readonly webSocketsRefused: number;
  /** Users' plain requests. The weights distribute each of them, so that no client chooses a slot. */
  readonly routed: number;
  /** Those of them answered with 400 to 499. */
  readonly routedRefused: number;
  /** Answered requests of all kinds. */
  readonly handled: number;
  /** CPU time of the server's processes, which they all need. */
  readonly cpuSeconds: number;
}

/** Both slots in the same few seconds, which end at `at` (seconds since 1970). */
export interface Bin {
  readonly at: number;
  readonly of: Readonly<Record<Slot, Counts>>;
}

/** Traffic of both slots over time. */
export interface Traffic {
  readonly bins: readonly Bin[];
  /** Slots with at least two scrapes of the router, the last one recent. Nothing is known of others. */
  readonly known: readonly Slot[];
}

const REQUEST_TIME = `${ENVOY_METRICS.requestTime}_bucket`;

/** The router's requests that gates count, of both slots: every gate needs them. */
export const WINDOW_SELECTOR = `{__name__=~"${[ENVOY_METRICS.requestsTotal, ENVOY_METRICS.requests, REQUEST_TIME].join("|")}",${ENVOY_LABELS.slot}=~"blue|green",${ENVOY_LABELS.kind}=~"${JUDGED_KINDS.join("|")}"}`;

/** Selector of all series that {@link trafficOf} reads: one answer covers the same seconds of both slots. */
export const TRAFFIC_SELECTOR = `{__name__=~"${[
  ENVOY_METRICS.requestsTotal,
  ENVOY_METRICS.requests,
  REQUEST_TIME,
  SERVER_METRICS.cpu,
  SERVER_METRICS.residentMemory,
].join("|")}",${ENVOY_LABELS.slot}=~"blue|green"}`;

/** Seconds of a bin: one scrape of the router. */
const BIN_SECONDS = ENVOY_SCRAPE_INTERVAL_SECONDS;

/** Seconds after which the last scrape is stale. */
const STALE_SECONDS = 4 * ENVOY_SCRAPE_INTERVAL_SECONDS;

/**
 * Traffic of both slots from the first scrape at or after `since` until `now` (seconds since 1970), from raw samples.
 *
 * A series that begins in between counts from 0, since Envoy creates a counter when it first counts. A counter that falls was
 * reset, and counts from 0 as well.
 */
export function trafficOf(series: readonly Series[], since: number, now: number): Traffic {
  const scrapes = scrapesOf(series, since);
  const drafts = new Map<number, Record<Slot, Draft>>();
  for (const each of series) {
    const slot = SLOTS.find((candidate) => candidate === each.labels[ENVOY_LABELS.slot]);
    const first = scrapes.get(target(each))?.first;
    const count = counterOf(each);
    if (slot === undefined || first === undefined || count === undefined) continue;
    let before = 0;
    for (const [time, value] of each.samples) {
      if (time > first && time <= now) {
        const grown = value >= before ? value - before : value;
        const index = Math.floor((time - since) / BIN_SECONDS);
        count(draftOf(drafts, index)[slot], grown);
      }
      if (time >= first) before = value;
    }
  }
  const known = SLOTS.filter((slot) =>
    [...scrapes.values()].some(
      (scrape) =>
        scrape.router && scrape.slots.has(slot) && scrape.last > scrape.first && now - scrape.last <= STALE_SECONDS,
    ),
  );
  const bins = [...drafts].sort(([a], [b]) => a - b);
  return {
    bins: bins.map(([index, of]) => ({
      at: since + (index + 1) * BIN_SECONDS,
      of: { blue: finished(of.blue), green: finished(of.green) },
    })),
    known,
  };
}

interface Scrape {
  first: number;
  last: number;
  router: boolean;
  readonly slots: Set<string>;
}

/** The scrapes of each target, by a series that it has from its start. */
function scrapesOf(series: readonly Series[], since: number): ReadonlyMap<string, Scrape> {
  const scrapes = new Map<string, Scrape>();
  for (const each of series) {
    const router = each.labels.__name__ === ENVOY_METRICS.requestsTotal;
    const server = each.labels.__name__ === SERVER_METRICS.cpu;
    if (!router && !server) continue;
    const times = each.samples.map(([time]) => time).filter((time) => time >= since);
    const [first, last] = [times[0], times.at(-1)];
    if (first === undefined || last === undefined) continue;
    const scrape = scrapes.get(target(each)) ?? { first, last, router, slots: new Set() };
    scrape.first = Math.min(scrape.first, first);
    scrape.last = Math.max(scrape.last, last);
    if (isJudged(each)) scrape.slots.add(each.labels[ENVOY_LABELS.slot] ?? "");
    scrapes.set(target(each), scrape);
  }
  return scrapes;
}

function isJudged({ labels }: Series): boolean {
  return JUDGED_KINDS.some((kind) => kind === labels[ENVOY_LABELS.kind]);
}

function target(series: Series): string {
  return `${series.labels.job ?? ""} ${series.labels.instance ?? ""}`;
}

/** The numbers of {@link Counts}. */
type Counter = Exclude<keyof Counts, "latency">;

interface Draft extends Record<Counter, number> {
  readonly latency: Map<number, number>;
}

function draftOf(drafts: Map<number, Record<Slot, Draft>>, index: number): Record<Slot, Draft> {
  const empty = (): Draft => ({
    ...{ requests: 0, errors: 0, streams: 0, streamErrors: 0, webSockets: 0, webSocketErrors: 0, webSocketsRefused: 0 },
    ...{ routed: 0, routedRefused: 0, handled: 0, cpuSeconds: 0 },
    ...{ latency: new Map<number, number>() },
  });
  const draft = drafts.get(index) ?? { blue: empty(), green: empty() };
  drafts.set(index, draft);
  return draft;
}

type Counting = (draft: Draft, grown: number) => void;

/** How the growth of a series is counted; undefined if it is not counted. */
function counterOf(series: Series): Counting | undefined {
  const { labels } = series;
  const kind = labels[ENVOY_LABELS.kind];
  switch (labels.__name__) {
    case ENVOY_METRICS.requests:
      return counting(["handled", ...answered(kind, labels[ENVOY_LABELS.responseClass])]);
    case REQUEST_TIME: {
      // The time of a stream or WebSocket is how long it stayed open.
      if (!isJudged(series)) return undefined;
      const bound = labels.le === "+Inf" ? Infinity : Number(labels.le);
      return ({ latency }, grown) => latency.set(bound, (latency.get(bound) ?? 0) + grown);
    }
    case SERVER_METRICS.cpu:
      return counting(["cpuSeconds"]);
    default:
      return undefined;
  }
}

/** The counters that an answer of the router increments. */
function answered(kind: string | undefined, responseClass: string | undefined): readonly Counter[] {
  const failed = responseClass === "5";
  const refused = responseClass === "4";
  switch (kind) {
    case "websocket":
      if (refused) return ["webSocketsRefused"];
      return failed ? ["webSockets", "webSocketErrors"] : ["webSockets"];
    case "stream":
      return failed ? ["streams", "streamErrors"] : ["streams"];
    case "probe-websocket":
      return failed ? ["webSockets", "webSocketErrors"] : refused ? [] : ["webSockets"];
    case "probe":
      return failed ? ["requests", "errors"] : ["requests"];
    case "plain":
      return ["requests", "routed", ...(failed ? (["errors"] as const) : refused ? (["routedRefused"] as const) : [])];
    default:
      // A client chooses the slot of a session, and a tester that of a token.
      return [];
  }
}

function counting(keys: readonly Counter[]): Counting {
  return (draft, grown) => {
    for (const key of keys) draft[key] += grown;
  };
}

function finished({ latency, ...counts }: Draft): Counts {
  return { ...counts, latency: sorted(latency) };
}

function sorted(histogram: ReadonlyMap<number, number>): Histogram {
  return [...histogram].sort(([a], [b]) => a - b);
}

/** The sum of histograms. */
export function added(histograms: readonly Histogram[]): Histogram {
  const sum = new Map<number, number>();
  for (const [bound, count] of histograms.flat()) sum.set(bound, (sum.get(bound) ?? 0) + count);
  return sorted(sum);
}

/** Observations above `limit`, which must be a bound of the histogram. */
export function above(histogram: Histogram, limit: number): Trials {
  const trials = histogram.at(-1)?.[1] ?? 0;
  const within = histogram.findLast(([bound]) => bound <= limit)?.[1] ?? 0;
  return { trials, bad: Math.max(0, trials - within) };
}

/** A quantile, interpolated linearly in its bucket as Prometheus does; NaN of an empty histogram. */
export function quantile(histogram: Histogram, q: number): number {
  const rank = q * (histogram.at(-1)?.[1] ?? 0);
  let [lower, below] = [0, 0];
  for (const [bound, count] of histogram) {
    if (count >= rank && count > below) {
      return bound === Infinity ? lower : lower + ((bound - lower) * (rank - below)) / (count - below);
    }
    [lower, below] = [bound, count];
  }
  return NaN;
}
