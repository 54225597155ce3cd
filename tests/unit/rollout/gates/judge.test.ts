import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Observation } from "../../../../operations/rollout/gates/observation.ts";
import { DEFAULT_GATES } from "../../../../operations/rollout/gates/settings.ts";
import type { Bin } from "../../../../operations/rollout/gates/traffic-samples.ts";
import { together } from "../../../../operations/rollout/model/verdict.ts";
import { generator } from "../random.ts";
import { bin, observed, verdictsOf, type Seconds } from "./observed.ts";

describe("the judge", () => {
  const seconds = fc.record({
    requests: fc.integer({ min: 0, max: 200 }),
    errors: fc.integer({ min: 0, max: 20 }),
    slow: fc.integer({ min: 0, max: 20 }),
  });
  const sound = ({ requests, errors, slow }: Required<Pick<Seconds, "requests" | "errors" | "slow">>): Seconds => ({
    requests,
    errors: Math.min(errors, requests),
    slow: Math.min(slow, requests),
  });
  const anyStep = fc.array(
    fc.tuple(seconds, seconds).map(([own, stable]) => [sound(own), sound(stable)] as const),
    { minLength: 1, maxLength: 10 },
  );
  const rank = { pass: 0, "no-data": 1, fail: 2 } as const;

  it.each(["errors", "slow"] as const)("never judges a candidate with more %s as better", (key) => {
    const property = fc.property(anyStep, fc.nat(), (step, at) => {
      const observation = (more: number): Observation =>
        observed(
          step.map(([own, stable], index) => {
            const worse = { ...own, [key]: Math.min(own.requests, (own[key] ?? 0) + more) };
            return bin(index === at % step.length ? worse : own, stable, index);
          }),
        );
      const [now, then] = [verdictsOf(observation(0)), verdictsOf(observation(3))];
      for (const [index, verdict] of now.entries()) {
        const later = then[index];
        // A shared problem may become the candidate's alone, and one of the candidate alone remains so.
        if (later === undefined || verdict.verdict === "no-data") continue;
        expect(rank[later.verdict]).toBeGreaterThanOrEqual(rank[verdict.verdict]);
      }
      // A failure remains one, and more bad requests do not pass a held step.
      expect(rank[together(then)]).toBeGreaterThanOrEqual(rank[together(now)]);
    });
    fc.assert(property, { numRuns: 500 });
  });

  it("gives every verdict its numbers, all of them finite", () => {
    fc.assert(
      fc.property(anyStep, (step) => {
        for (const verdict of verdictsOf(observed(step.map(([own, stable], index) => bin(own, stable, index))))) {
          expect(verdict.sample).toBeDefined();
          expect(verdict.p).toBeGreaterThanOrEqual(0);
          expect(verdict.p).toBeLessThanOrEqual(1);
          // What is not finite would become null.
          expect(JSON.parse(JSON.stringify(verdict))).toEqual(verdict);
        }
      }),
      { numRuns: 100 },
    );
  });
});

/** A rollout of 200 requests per second through 5, 25 and 50 %, ten seconds each, longer while it is held. */
function rollout(random: () => number, own: number, stable: number): "pass" | "fail" | "held" {
  // Poisson's distribution by the product of uniform numbers (D. Knuth, The Art of Computer Programming, 3.4.1).
  const bad = (requests: number, share: number): number => {
    let [count, product] = [-1, 1];
    do {
      count += 1;
      product *= random();
    } while (product > Math.exp(-requests * share));
    return Math.min(count, requests);
  };
  const all: Bin[] = [];
  for (const weight of [5, 25, 50]) {
    const first = all.length;
    let suspicion = false;
    for (let look = 1; ; look += 1) {
      const probes = suspicion ? 100 : 30;
      const [mine, other] = [4 * weight + probes, 4 * (100 - weight) + probes];
      const seconds = { requests: mine, errors: bad(mine, own) };
      all.push(bin(seconds, { requests: other, errors: bad(other, stable) }, all.length));
      const verdicts = verdictsOf(observed(all.slice(first), {}, all));
      if (together(verdicts) === "fail") return "fail";
      suspicion = verdicts.some(({ gate, verdict }) => gate === "errors-compared" && verdict === "no-data");
      if (look >= 5 && together(verdicts) === "pass") break;
      if (look >= 35) return "held";
    }
  }
  return "pass";
}

describe("simulated rollouts", () => {
  const run = (times: number, own: number, stable: number): Record<"pass" | "fail" | "held", number> => {
    const random = generator(20_261_123);
    const ends = { pass: 0, fail: 0, held: 0 };
    for (let index = 0; index < times; index += 1) ends[rollout(random, own, stable)] += 1;
    return ends;
  };

  it.each([0.0005, 0.002, 0.005])(
    "of good releases raise at most the stated number of alarms, at an error ratio of %d",
    (share) => {
      // Two gates compare; only the last ratio is near the limit of 1 %.
      const { fail, held } = run(800, share, share);
      expect(fail / 800).toBeLessThanOrEqual(
        2 * DEFAULT_GATES.comparisonSignificance + DEFAULT_GATES.significance * share * 100,
      );
      expect((fail + held) / 800).toBeLessThan(0.005);
    },
  );

  it("of a release with 0.6 % errors against 0.05 % are stopped nine of ten times", () => {
    const { fail, held } = run(300, 0.006, 0.0005);
    expect((fail + held) / 300).toBeGreaterThan(0.9);
  });

  it.each([
    [0.02, 0.99],
    [0.2, 1],
  ])("of a release with a share of errors of %d are stopped", (share, power) => {
    const { fail, held } = run(200, share, 0.0005);
    expect((fail + held) / 200).toBeGreaterThanOrEqual(power);
  });
});
