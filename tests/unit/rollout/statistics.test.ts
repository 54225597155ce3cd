import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  binomialTail,
  evidenceAbove,
  evidenceNeeded,
  evidenceWorse,
  riskRatio,
  type Share,
  type Stratum,
} from "../../../operations/rollout/gates/statistics.ts";
import { mannKendall, theilSen, type Point } from "../../../operations/rollout/gates/trend.ts";
import { generator } from "./random.ts";

describe("the exact binomial test", () => {
  it("gives the textbook's values", () => {
    expect(binomialTail(3, 10, 0.5)).toBeCloseTo(1 - 56 / 1024, 12);
    expect(binomialTail(1, 300, 0.01)).toBeCloseTo(1 - 0.99 ** 300, 12);
  });

  it("is a probability that falls with the hits, for large counts as well", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20_000 }), fc.double({ min: 0.001, max: 0.5, noNaN: true }), (n, share) => {
        const expected = Math.round(n * share);
        const [at, above] = [binomialTail(expected, n, share), binomialTail(expected + 1, n, share)];
        expect(at).toBeGreaterThanOrEqual(above);
        expect(at).toBeLessThanOrEqual(1);
        // The median of a binomial is within one of its mean.
        expect(binomialTail(Math.max(0, expected - 1), n, share)).toBeGreaterThan(0.45);
      }),
      { numRuns: 200 },
    );
  });
});

const counted = fc
  .tuple(fc.integer({ min: 1, max: 200 }), fc.double({ min: 0, max: 1, noNaN: true }))
  .map(([trials, share]): Share => ({ hits: Math.round(trials * share), trials }));
const stratum = fc.record({ own: counted, stable: counted });

describe("the evidence", () => {
  it("is that of a likelihood ratio", () => {
    // One alternative is 2: twice the odds of 1 in 11 are 2 in 12. With one observation the average can be told by hand.
    const ratios = [1.5, 2, 3, 5, 10, 30, 100];
    const expected = ratios.reduce((sum, ratio) => sum + ratio / (1 + (ratio - 1) / 11), 0) / ratios.length;
    expect(Math.exp(evidenceAbove([{ hits: 1, trials: 1 }], 1 / 11))).toBeCloseTo(expected, 9);
    const half: Stratum = { own: { hits: 1, trials: 10 }, stable: { hits: 0, trials: 10 } };
    const fallen = ratios.reduce((sum, ratio) => sum + ratio / ((1 + ratio) / 2), 0) / ratios.length;
    expect(Math.exp(evidenceWorse([half]))).toBeCloseTo(fallen, 9);
  });

  it("is expected not to grow where nothing is wrong: its mean under the null hypothesis is at most 1", () => {
    // All outcomes of a hypergeometric draw: 6 bad requests among 40 of the candidate and 60 of the stable slot.
    const choose = (n: number, k: number): number => (k === 0 ? 1 : (choose(n - 1, k - 1) * n) / k);
    let mean = 0;
    for (let hits = 0; hits <= 6; hits += 1) {
      const chance = (choose(40, hits) * choose(60, 6 - hits)) / choose(100, 6);
      const one: Stratum = { own: { hits, trials: 40 }, stable: { hits: 6 - hits, trials: 60 } };
      mean += chance * Math.exp(evidenceWorse([one]));
    }
    expect(mean).toBeLessThanOrEqual(1);
    expect(mean).toBeGreaterThan(0.5);
    let above = 0;
    for (let hits = 0; hits <= 50; hits += 1) {
      above +=
        choose(50, hits) * 0.02 ** hits * 0.98 ** (50 - hits) * Math.exp(evidenceAbove([{ hits, trials: 50 }], 0.02));
    }
    expect(above).toBeCloseTo(1, 9);
  });

  it("never falls with one more bad request of the candidate, never rises with one more of the stable slot", () => {
    const property = fc.property(fc.array(stratum, { minLength: 1, maxLength: 8 }), fc.nat(), (strata, at) => {
      const index = at % strata.length;
      const more = (key: keyof Stratum): readonly Stratum[] =>
        strata.map((each, place) => {
          const { hits, trials } = each[key];
          return place === index ? { ...each, [key]: { hits: Math.min(hits + 1, trials), trials } } : each;
        });
      for (const bound of [Infinity, Math.log(10)]) {
        const before = evidenceWorse(strata, bound);
        expect(evidenceWorse(more("own"), bound)).toBeGreaterThanOrEqual(before - 1e-9);
        expect(evidenceWorse(more("stable"), bound)).toBeLessThanOrEqual(before + 1e-9);
        const shares = (all: readonly Stratum[]): readonly Share[] => all.map(({ own }) => own);
        expect(evidenceAbove(shares(more("own")), 0.01, bound)).toBeGreaterThanOrEqual(
          evidenceAbove(shares(strata), 0.01, bound) - 1e-9,
        );
      }
      expect(riskRatio(more("own"))).toBeGreaterThanOrEqual(riskRatio(strata) - 1e-9);
    });
    fc.assert(property, { numRuns: 300 });
  });

  it("is bounded for each stratum, so that one burst proves nothing", () => {
    const burst: Stratum = { own: { hits: 50, trials: 50 }, stable: { hits: 0, trials: 50 } };
    expect(evidenceWorse([burst])).toBeGreaterThan(evidenceNeeded(0.001, 1));
    expect(evidenceWorse([burst], Math.log(10))).toBeCloseTo(Math.log(10), 9);
    expect(evidenceAbove([burst.own], 0.05, Math.log(10))).toBeCloseTo(Math.log(10), 9);
  });

  it("spends no more than its alpha over all epochs", () => {
    const spent = Array.from({ length: 10_000 }, (_, index) => Math.exp(-evidenceNeeded(0.001, index + 1)));
    const sum = spent.reduce((total, each) => total + each, 0);
    expect(sum).toBeLessThanOrEqual(0.001);
    expect(sum).toBeGreaterThan(0.00099);
  });

  it("weighs seconds against seconds: weights that change with the trouble fool it not", () => {
    // First much trouble and few users on the candidate, then none and many: together it looks five times better.
    const strata: Stratum[] = [
      { own: { hits: 10, trials: 50 }, stable: { hits: 190, trials: 950 } },
      { own: { hits: 0, trials: 950 }, stable: { hits: 0, trials: 50 } },
    ];
    expect(riskRatio(strata)).toBeCloseTo(1, 9);
    expect(evidenceWorse(strata)).toBeLessThan(0);
    expect(riskRatio([])).toBe(1);
    expect(riskRatio([{ own: { hits: 1, trials: 5 }, stable: { hits: 0, trials: 5 } }])).toBe(Infinity);
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
