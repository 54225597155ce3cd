/** A value at a time in seconds. */
export type Point = readonly [seconds: number, value: number];

/**
 * Slope per second as the median of all pairs' slopes (H. Theil, 1950; P. K. Sen, "Estimates of the regression coefficient
 * based on Kendall's tau", JASA 63, 1968): single outliers, such as a garbage collection, do not move it. NaN of fewer than
 * two points.
 */
export function theilSen(points: readonly Point[]): number {
  const slopes = pairs(points)
    .map(([[t, x], [u, y]]) => (y - x) / (u - t))
    .sort((a, b) => a - b);
  const middle = slopes.length / 2;
  return ((slopes[Math.ceil(middle) - 1] ?? NaN) + (slopes[Math.floor(middle)] ?? NaN)) / 2;
}

/**
 * One-sided test of a trend steeper than `slope` per second (H. B. Mann, "Nonparametric tests against trend",
 * Econometrica 13, 1945; M. G. Kendall, "Rank correlation methods", 1975): the normal approximation with a correction for
 * continuity, for eight points or more.
 *
 * @returns the probability of as many rising pairs without such a trend.
 */
export function mannKendall(points: readonly Point[], slope: number): number {
  const n = points.length;
  const score = pairs(points).reduce((sum, [[t, x], [u, y]]) => sum + Math.sign(y - x - slope * (u - t)), 0);
  if (score <= 0) return 1;
  return upperTail((score - 1) / Math.sqrt((n * (n - 1) * (2 * n + 5)) / 18));
}

function pairs(points: readonly Point[]): readonly (readonly [Point, Point])[] {
  return points.flatMap((later, index) => points.slice(0, index).map((earlier) => [earlier, later] as const));
}

/** Upper tail of the standard normal distribution, within 1e-7 (M. Abramowitz, I. Stegun, 1964, formula 7.1.26). */
function upperTail(z: number): number {
  const t = 1 / (1 + (0.3275911 * z) / Math.SQRT2);
  const series = [1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592];
  return 0.5 * series.reduce((sum, coefficient) => (sum + coefficient) * t, 0) * Math.exp(-(z * z) / 2);
}
