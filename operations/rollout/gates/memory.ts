import { otherSlot, type Slot } from "../../../contract/slots.ts";
import { ENVOY_LABELS } from "../../../contract/envoy/metrics.ts";
import { SERVER_METRICS } from "../../../contract/server.ts";
import type { Verdict } from "./settings.ts";
import type { Series } from "./prometheus.ts";
import { mannKendall, theilSen, type Point } from "./trend.ts";

/** Seconds of samples, and their number, below which a trend cannot be told from a start. */
const LEAST = { seconds: 30, points: 8 } as const;

/** Most points that are looked at: all pairs of them are compared. */
const MOST_POINTS = 60;

/** Chance of a false alarm for each look, were samples independent; the two halves have to agree as well. */
const SIGNIFICANCE = 0.001;

const MEGABYTE = 1e6;

/**
 * Whether a server of the candidate takes more and more memory. A new process grows while it warms up, fast and then less
 * and less; a leak goes on. So it fails where the growth is beyond the limit and that of the stable slot over the same
 * seconds, by Mann and Kendall's test, and in both halves of the time; growth in the second half alone holds.
 *
 * @param limit MB per minute.
 * @param since seconds since 1970.
 * @returns undefined where there are too few samples yet.
 */
export function memoryGate(
  series: readonly Series[],
  candidate: Slot,
  limit: number,
  since: number,
): Verdict | undefined {
  const servers = (slot: Slot): readonly (readonly Point[])[] =>
    series
      .filter(({ labels }) => labels.__name__ === SERVER_METRICS.residentMemory && labels[ENVOY_LABELS.slot] === slot)
      .map(({ samples }) => thinned(samples.filter(([time]) => time >= since)))
      .filter(enough);
  const own = servers(candidate);
  if (own.length === 0) return undefined;
  const stable = Math.max(0, ...servers(otherSlot(candidate)).map(theilSen));
  const allowed = (limit * MEGABYTE) / 60 + stable;
  const judged = own.map((points) => judgeGrowth(points, allowed)).sort((a, b) => b.late - a.late);
  const worst = judged.find(({ outcome }) => outcome === "fail") ?? judged[0];
  if (worst === undefined) return undefined;
  const { early, late, p, megabytes } = worst;
  const figures = {
    ...{ megabytes, earlyPerMinute: perMinute(early), latePerMinute: perMinute(late), limit, p },
    ...{ stablePerMinute: perMinute(stable) },
  };
  const growth = `${perMinute(early).toFixed(1)}, then ${perMinute(late).toFixed(1)} MB per minute`;
  const detail = `${megabytes.toFixed(0)} MB, growing by ${growth} (limit ${String(limit)} beyond ${perMinute(stable).toFixed(1)} of the stable slot; Mann-Kendall, p = ${p.toPrecision(2)})`;
  return { gate: "memory", outcome: worst.outcome, detail, figures };
}

interface Growth {
  readonly outcome: Verdict["outcome"];
  /** Bytes per second in the two halves of the time. */
  readonly early: number;
  readonly late: number;
  readonly p: number;
  readonly megabytes: number;
}

function judgeGrowth(points: readonly Point[], allowed: number): Growth {
  const middle = points.length / 2;
  const [early, late] = [theilSen(points.slice(0, Math.ceil(middle))), theilSen(points.slice(Math.floor(middle)))];
  const p = mannKendall(points, allowed);
  const outcome = late <= allowed ? "pass" : early > allowed && p < SIGNIFICANCE ? "fail" : "no-data";
  return { outcome, early, late, p, megabytes: (points.at(-1)?.[1] ?? NaN) / MEGABYTE };
}

function enough(points: readonly Point[]): boolean {
  const [first, last] = [points[0], points.at(-1)];
  return (
    first !== undefined && last !== undefined && points.length >= LEAST.points && last[0] - first[0] >= LEAST.seconds
  );
}

/** Every so many points, the last one among them. */
function thinned(points: readonly Point[]): readonly Point[] {
  const step = Math.ceil(points.length / MOST_POINTS);
  return points.filter((_, index) => (points.length - 1 - index) % step === 0);
}

function perMinute(bytesPerSecond: number): number {
  return (bytesPerSecond * 60) / MEGABYTE;
}
