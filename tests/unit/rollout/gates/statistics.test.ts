import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Trials } from "../../../../contract/verdict.ts";
import {
  binomialTail,
  epochLevel,
  logEAbove,
  logEWorse,
  pOf,
  riskRatio,
  type Stratum,
} from "../../../../operations/rollout/gates/statistics.ts";
import { mannKendall, theilSen, type Point } from "../../../../operations/rollout/gates/trend.ts";
import { generator } from "../random.ts";

describe("the exact binomial test", () => {
  it("gives textbook values", () => {
    expect(binomialTail({ trials: 10, bad: 3 }, 0.5)).toBeCloseTo(1 - 56 / 1024, 12);
    expect(binomialTail({ trials: 300, bad: 1 }, 0.01)).toBeCloseTo(1 - 0.99 ** 300, 12);
  });

  it("is a probability that falls with more bad trials, for large counts as well", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20_000 }), fc.double({ min: 0.001, max: 0.5, noNaN: true }), (n, share) => {
        const expected = Math.round(n * share);
        const tail = (bad: number): number => binomialTail({ trials: n, bad }, share);
        const [at, above] = [tail(expected), tail(expected + 1)];
        expect(at).toBeGreaterThanOrEqual(above);
        expect(at).toBeLessThanOrEqual(1);
        // The median of a binomial is within one of its mean.
        expect(tail(Math.max(0, expected - 1))).toBeGreaterThan(0.45);
      }),
      { numRuns: 200 },
    );
  });
});

const counted = fc
  .tuple(fc.integer({ min: 1, max: 200 }), fc.double({ min: 0, max: 1, noNaN: true }))
  .map(([trials, share]): Trials => ({ bad: Math.round(trials * share), trials }));
const stratum = fc.record({ candidate: counted, stable: counted });

describe("the e-process", () => {
  it("is a likelihood ratio", () => {
    // One alternative is 2: twice the odds of 1 in 11 are 2 in 12. With one observation the average is easy to compute.
    const ratios = [1.5, 2, 3, 5, 10, 30, 100];
    const expected = ratios.reduce((sum, ratio) => sum + ratio / (1 + (ratio - 1) / 11), 0) / ratios.length;
    expect(Math.exp(logEAbove([{ trials: 1, bad: 1 }], 1 / 11))).toBeCloseTo(expected, 9);
    const half: Stratum = { candidate: { trials: 10, bad: 1 }, stable: { trials: 10, bad: 0 } };
    const fallen = ratios.reduce((sum, ratio) => sum + ratio / ((1 + ratio) / 2), 0) / ratios.length;
    expect(Math.exp(logEWorse([half]))).toBeCloseTo(fallen, 9);
  });

  it("has a mean of at most 1 under the null hypothesis", () => {
    // All outcomes of a hypergeometric draw: 6 bad requests among 40 of the candidate and 60 of the stable slot.
    const choose = (n: number, k: number): number => (k === 0 ? 1 : (choose(n - 1, k - 1) * n) / k);
    let mean = 0;
    for (let bad = 0; bad <= 6; bad += 1) {
      const chance = (choose(40, bad) * choose(60, 6 - bad)) / choose(100, 6);
      const one: Stratum = { candidate: { bad, trials: 40 }, stable: { bad: 6 - bad, trials: 60 } };
      mean += chance * Math.exp(logEWorse([one]));
    }
    expect(mean).toBeLessThanOrEqual(1);
    expect(mean).toBeGreaterThan(0.5);
    let above = 0;
    for (let bad = 0; bad <= 50; bad += 1) {
      above += choose(50, bad) * 0.02 ** bad * 0.98 ** (50 - bad) * Math.exp(logEAbove([{ bad, trials: 50 }], 0.02));
    }
    expect(above).toBeCloseTo(1, 9);
  });

  it("never falls with one more bad request of the candidate, never rises with one more of the stable slot", () => {
    const property = fc.property(fc.array(stratum, { minLength: 1, maxLength: 8 }), fc.nat(), (strata, at) => {
      const index = at % strata.length;
      const more = (key: keyof Stratum): readonly Stratum[] =>
        strata.map((each, place) => {
          const { bad, trials } = each[key];
          return place === index ? { ...each, [key]: { bad: Math.min(bad + 1, trials), trials } } : each;
        });
      for (const bound of [Infinity, Math.log(10)]) {
        const before = logEWorse(strata, bound);
        expect(logEWorse(more("candidate"), bound)).toBeGreaterThanOrEqual(before - 1e-9);
        expect(logEWorse(more("stable"), bound)).toBeLessThanOrEqual(before + 1e-9);
        const shares = (all: readonly Stratum[]): readonly Trials[] => all.map(({ candidate }) => candidate);
        expect(logEAbove(shares(more("candidate")), 0.01, bound)).toBeGreaterThanOrEqual(
          logEAbove(shares(strata), 0.01, bound) - 1e-9,
        );
      }
      expect(riskRatio(more("candidate"))).toBeGreaterThanOrEqual(riskRatio(strata) - 1e-9);
    });
    fc.assert(property, { numRuns: 300 });
  });

  it("is bounded for each stratum, so that one burst is not significant", () => {
    const burst: Stratum = { candidate: { trials: 50, bad: 50 }, stable: { trials: 50, bad: 0 } };
    expect(pOf(logEWorse([burst]))).toBeLessThan(epochLevel(0.001, 1));
    expect(logEWorse([burst], Math.log(10))).toBeCloseTo(Math.log(10), 9);
    expect(logEAbove([burst.candidate], 0.05, Math.log(10))).toBeCloseTo(Math.log(10), 9);
  });

  it("spends at most alpha over all epochs", () => {
    const spent = Array.from({ length: 10_000 }, (_, index) => epochLevel(0.001, index + 1));
    const sum = spent.reduce((total, each) => total + each, 0);
    expect(sum).toBeLessThanOrEqual(0.001);
    expect(sum).toBeGreaterThan(0.00099);
  });

  it("compares within the same seconds, so weights that change with the load do not mislead it", () => {
    // First many bad requests and few users on the candidate, then none and many: pooled, it looks five times better.
    const strata: Stratum[] = [
      { candidate: { trials: 50, bad: 10 }, stable: { trials: 950, bad: 190 } },
      { candidate: { trials: 950, bad: 0 }, stable: { trials: 50, bad: 0 } },
    ];
    expect(riskRatio(strata)).toBeCloseTo(1, 9);
    expect(logEWorse(strata)).toBeLessThan(0);
    expect(riskRatio([])).toBe(1);
    expect(riskRatio([{ candidate: { trials: 5, bad: 1 }, stable: { trials: 5, bad: 0 } }])).toBe(Infinity);
  });
});

describe("the p-value", () => {
  it("is 1/E, and at most 1", () => {
    expect(pOf(Math.log(2000))).toBeCloseTo(1 / 2000, 12);
    expect(pOf(-3)).toBe(1);
    expect(pOf(1e9)).toBe(0);
  });
});

describe("trends", () => {
  const line = (slope: number, noise = 0, count = 20): readonly Point[] => {
    const random = generator(7);
    return Array.from({ length: count }, (_, index) => [index * 2, 100 + slope * index * 2 + noise * (random() - 0.5)]);
  };

  it("are the median of all slopes, and an outlier does not move them", () => {
    expect(theilSen(line(3))).toBeCloseTo(3, 9);
    const points = line(3).map(([time, value], index): Point => [time, index === 5 ? value + 1e6 : value]);
    expect(theilSen(points)).toBeCloseTo(3, 1);
    expect(theilSen([[0, 1]])).toBeNaN();
  });

  it("are tested against a slope by Mann and Kendall", () => {
    // All 45 pairs rise: z = 44 / sqrt(10 * 9 * 25 / 18) = 3.935.
    expect(mannKendall(line(1, 0, 10), 0)).toBeCloseTo(0.5 * 0.0000831, 6);
    expect(mannKendall(line(1, 20), 0)).toBeLessThan(0.001);
    expect(mannKendall(line(1, 20), 1.5)).toBeGreaterThan(0.9);
    expect(mannKendall(line(0), 0)).toBe(1);
  });

  it("raise few false alarms on noise", () => {
    const random = generator(11);
    let alarms = 0;
    for (let run = 0; run < 2000; run += 1) {
      const noise = Array.from({ length: 20 }, (_, index): Point => [index, random()]);
      if (mannKendall(noise, 0) < 0.01) alarms += 1;
    }
    expect(alarms).toBeLessThan(40);
    expect(alarms).toBeGreaterThan(2);
  });
});
