import { describe, expect, it } from "vitest";
import type { Observation } from "../../../../operations/rollout/gates/observation.ts";
import type { Bin } from "../../../../operations/rollout/gates/traffic-samples.ts";
import { generator } from "../random.ts";
import { bins, bin, failing, observed, outcome, verdictOf, type Seconds } from "./observed.ts";

describe("refused requests of users", () => {
  const refusals = (observation: Observation) => verdictOf(observation, "refusals-compared");

  it("are compared with the stable slot, without a limit", () => {
    const worse = bins(6, { requests: 100, routedRefused: 10 }, { requests: 300 });
    expect(failing(observed(worse))).toEqual(["refusals-compared"]);
    const alike = bins(60, { requests: 100, routedRefused: 10 }, { requests: 300, routedRefused: 30 });
    expect(refusals(observed(alike))?.verdict).toBe("pass");
    expect(outcome(observed(alike))).toBe("pass");
  });

  it("include WebSockets, whose clients may have expired tokens", () => {
    const expired = bins(30, { requests: 100, webSocketsRefused: 30 }, { requests: 300, webSocketsRefused: 30 });
    expect(outcome(observed(expired))).toBe("pass");
    const worse = bins(6, { requests: 100, webSocketsRefused: 15 }, { requests: 300 });
    expect(failing(observed(worse))).toEqual(["refusals-compared"]);
    // Clients with the retired key must be refused.
    expect(failing(observed(worse, { retiresKey: true }))).toEqual([]);
  });

  it("include the answers to probes", () => {
    const probes = (own: number, stable: number): Observation["probes"] =>
      Array.from({ length: 6 }, () => ({
        green: { answered: 40, refused: own },
        blue: { answered: 40, refused: stable },
      }));
    const sound = bins(6, { requests: 80 }, { requests: 300 });
    expect(failing(observed(sound, { probes: probes(8, 0) }))).toEqual(["probes-compared"]);
    expect(outcome(observed(sound, { probes: probes(8, 8) }))).toBe("pass");
    expect(outcome(observed(sound, { probes: probes(0, 0) }))).toBe("pass");
  });
});

describe("simulated refusals", () => {
  interface Site {
    readonly weights: readonly number[];
    /** Users' requests in the two seconds of a scrape. */
    readonly users: number;
    /** Requests in the same time of an outsider, who only sends what any release refuses. */
    readonly outsider?: number;
  }

  /** Checks each step thirty times, for any verdicts. */
  const ends = (times: number, { weights, users, outsider = 0 }: Site, own: number, stable: number) => {
    const random = generator(20_261_124);
    const of = (count: number, share: number): number => {
      let hits = 0;
      for (let index = 0; index < count; index += 1) if (random() < share) hits += 1;
      return hits;
    };
    let failed = 0;
    for (let index = 0; index < times; index += 1) {
      const all: Bin[] = [];
      const looks = weights.flatMap((weight) => Array.from({ length: 30 }, () => weight / 100));
      const bad = looks.some((weight) => {
        const [mine, his] = [of(users, weight), of(outsider, weight)];
        const seconds = (count: number, share: number, flood: number): Seconds => ({
          requests: count + flood,
          routedRefused: of(count, share) + flood,
        });
        all.push(bin(seconds(mine, own, his), seconds(users - mine, stable, outsider - his), all.length));
        return failing(observed([], {}, all)).includes("refusals-compared");
      });
      if (bad) failed += 1;
    }
    return failed / times;
  };

  const BUSY: Site = { weights: [5, 25, 50], users: 400 };
  const QUIET: Site = { weights: [5, 25, 50], users: 10 };
  const LATE: Site = { weights: [50, 80, 95], users: 20 };

  it.each([
    ["a busy site", BUSY],
    ["a quiet site", QUIET],
    ["large weights", LATE],
    ["an outsider with half of the requests", { ...BUSY, outsider: 400 }],
    ["an outsider with nearly all requests", { ...QUIET, outsider: 1000 }],
    ["an outsider with nearly all requests, large weights", { ...LATE, outsider: 1000 }],
  ])("of good releases raise no alarm: %s", (_, site) => {
    expect(ends(100, site, 0.05, 0.05)).toBeLessThanOrEqual(0.01);
  });

  it.each([
    [0.05, 0],
    [0.1, 0.01],
    [0.2, 0.05],
  ])("of a release that refuses %d of the requests are found if the stable one refuses %d", (own, stable) => {
    expect(ends(30, BUSY, own, stable)).toBe(1);
  });

  it("of a release that refuses a tenth are found although an outsider floods both slots", () => {
    expect(ends(30, { ...BUSY, outsider: 20 }, 0.1, 0.01)).toBe(1);
  });
});
