import { otherSlot, type Slot } from "../../../contract/slots.ts";
import { ENVOY_LABELS } from "../../../contract/envoy/metrics.ts";
import { SERVER_METRICS } from "../../../contract/server.ts";
import type { Verdict } from "../../../contract/verdict.ts";
import type { Series } from "./prometheus.ts";
import { mannKendall, theilSen, type Point } from "./trend.ts";

/** Least seconds and number of samples with which a trend differs from a start. */
const LEAST = { seconds: 30, points: 8 } as const;

/** Most points that are used: all pairs of them are compared. */
const MOST_POINTS = 60;

/** Chance of a false alarm for each check, if samples were independent; the two halves have to agree as well. */
const SIGNIFICANCE = 0.001;

const MEGABYTE = 1e6;

const COMMON = { gate: "memory", test: "mann-kendall", alpha: SIGNIFICANCE } as const;

/** The verdict as long as {@link memoryGate} has too few samples. */
export const MEMORY_WITHOUT_SAMPLES: Verdict = {
  ...COMMON,
  verdict: "no-data",
  why: "few-samples",
  context: { neededSeconds: LEAST.seconds },
};

/**
 * Whether a server of the candidate uses more and more memory. A new process grows fast while it warms up, then less and less;
 * a leak goes on. So the gate fails if the growth is beyond the limit and that of the stable slot over the same seconds, by a
 * Mann-Kendall test and in both halves of the time. Growth in the second half alone holds the step.
 *
 * @param limit MB per minute.
 * @param since seconds since 1970.
 * @returns undefined if there are too few samples yet.
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
  const worst = judged.find(({ why }) => why === "above-limit") ?? judged[0];
  if (worst === undefined) return undefined;
  const { why, early, late, p, megabytes } = worst;
  return {
    ...COMMON,
    verdict: VERDICTS[why],
    why,
    p,
    figure: perMinute(late),
    limit: limit + perMinute(stable),
    unit: "MB/min",
    context: { megabytes, earlyGrowth: perMinute(early), stableGrowth: perMinute(stable) },
  };
}

const VERDICTS = { "within-limit": "pass", "above-limit": "fail", "not-proven": "no-data" } as const;

interface Growth {
  readonly why: keyof typeof VERDICTS;
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
  const why = late <= allowed ? "within-limit" : early > allowed && p < SIGNIFICANCE ? "above-limit" : "not-proven";
  return { why, early, late, p, megabytes: (points.at(-1)?.[1] ?? NaN) / MEGABYTE };
}

function enough(points: readonly Point[]): boolean {
  const [first, last] = [points[0], points.at(-1)];
  return (
    first !== undefined && last !== undefined && points.length >= LEAST.points && last[0] - first[0] >= LEAST.seconds
  );
}

/** At most {@link MOST_POINTS} points at equal distances, the last one included. */
function thinned(points: readonly Point[]): readonly Point[] {
  const step = Math.ceil(points.length / MOST_POINTS);
  return points.filter((_, index) => (points.length - 1 - index) % step === 0);
}

function perMinute(bytesPerSecond: number): number {
  return (bytesPerSecond * 60) / MEGABYTE;
}
