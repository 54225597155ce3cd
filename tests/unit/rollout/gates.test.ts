import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ENVOY_METRICS, LATENCY_BUCKETS_MILLISECONDS } from "../../../contract/envoy/metrics.ts";
import { checkGates, DEFAULT_GATES, judge, together } from "../../../operations/rollout/gates.ts";
import type { Series } from "../../../operations/rollout/prometheus.ts";
import { binomialTail, fisherTail } from "../../../operations/rollout/statistics.ts";
import { colourWindow, quantile, slowerThan, type ColourWindow } from "../../../operations/rollout/window.ts";

describe("the exact tests", () => {
  it("give the textbook's values", () => {
    expect(binomialTail(3, 10, 0.5)).toBeCloseTo(1 - 56 / 1024, 12);
    expect(binomialTail(1, 300, 0.01)).toBeCloseTo(1 - 0.99 ** 300, 12);
    // Fisher's lady tasting tea: 4 of 4 right is 1/70, at least 3 right is 17/70.
    expect(fisherTail({ hits: 4, trials: 4 }, { hits: 0, trials: 4 })).toBeCloseTo(1 / 70, 12);
    expect(fisherTail({ hits: 3, trials: 4 }, { hits: 1, trials: 4 })).toBeCloseTo(17 / 70, 12);
  });

  it("are probabilities that fall with the hits, for large counts as well", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20_000 }),
        fc.double({ min: 0.001, max: 0.5, noNaN: true }),
        (trials, share) => {
          const expected = Math.round(trials * share);
          const [at, above] = [binomialTail(expected, trials, share), binomialTail(expected + 1, trials, share)];
          expect(at).toBeGreaterThanOrEqual(above);
          expect(at).toBeLessThanOrEqual(1);
          // The median of a binomial is within one of its mean.
          expect(binomialTail(Math.max(0, expected - 1), trials, share)).toBeGreaterThan(0.45);
        },
      ),
      { numRuns: 200 },
    );
  });
});

/** A window with `slow` of `requests` in the bucket of 2.5 s, the rest at 50 ms. */
function windowOf(requests: number, errors: number, slow = 0): ColourWindow {
  const fast = requests - slow;
  const buckets = [...LATENCY_BUCKETS_MILLISECONDS, Infinity].map(
    (bound) => [bound, bound < 50 ? 0 : bound < 2500 ? fast : requests] as const,
  );
  return { seconds: 10, requests, errors, buckets };
}

const STEP = { looks: 35, usersOnBoth: true } as const;

describe("the gates", () => {
  const outcome = (own: ColourWindow | undefined, stable?: ColourWindow): string =>
    together(judge(DEFAULT_GATES, "green", own, stable, STEP));
  const failing = (own: ColourWindow, stable?: ColourWindow): string[] =>
    judge(DEFAULT_GATES, "green", own, stable, STEP)
      .filter((verdict) => verdict.outcome === "fail")
      .map((verdict) => verdict.gate);

  it("have three outcomes", () => {
    expect(outcome(windowOf(400, 0))).toBe("pass");
    expect(outcome(windowOf(400, 80))).toBe("fail");
    expect(outcome(windowOf(299, 0))).toBe("no-data");
    expect(outcome(windowOf(0, 0))).toBe("no-data");
    expect(outcome(undefined)).toBe("no-data");
    expect(together([])).toBe("no-data");
  });

  it("fail a release that is clearly bad before the minimum of samples, so that fewer users meet it", () => {
    expect(failing(windowOf(40, 8))).toEqual(["errors"]);
    expect(failing(windowOf(60, 0, 12))).toEqual(["p95", "p99"]);
  });

  it("hold where the measured share is over the limit by chance perhaps, and do not fail on one bad request", () => {
    expect(outcome(windowOf(400, 5))).toBe("no-data");
    expect(outcome(windowOf(10, 1))).toBe("no-data");
    expect(outcome(windowOf(400, 0, 5))).toBe("no-data");
  });

  it("fail a candidate that keeps to the limits but is worse than the stable colour in the same seconds", () => {
    expect(failing(windowOf(5000, 40), windowOf(5000, 2))).toEqual(["errors-compared"]);
    expect(failing(windowOf(5000, 40), windowOf(5000, 38))).toEqual([]);
    expect(failing(windowOf(5000, 40), windowOf(20, 0))).toEqual([]);
    // A burst that hit one colour harder: significant to a test that believes in independence, but not twice as bad.
    expect(failing(windowOf(2000, 0, 84), windowOf(2400, 0, 60))).not.toContain("p95-compared");
  });

  it("do not compare users with the probes of a colour that has none", () => {
    const verdicts = judge(DEFAULT_GATES, "green", windowOf(5000, 40), windowOf(5000, 2), {
      ...STEP,
      usersOnBoth: false,
    });
    expect(verdicts.map((verdict) => verdict.gate)).toEqual(["errors", "p95", "p99"]);
    expect(together(verdicts)).toBe("pass");
  });

  it("hold while both colours are over a limit and the candidate is no worse: a rollback would mend nothing", () => {
    const [own, stable] = [windowOf(250, 0, 46), windowOf(250, 0, 50)];
    expect(failing(own, stable)).toEqual([]);
    expect(outcome(own, stable)).toBe("no-data");
    expect(failing(own, windowOf(250, 0, 5))).toContain("p95");
    expect(failing(own, windowOf(19, 0, 4))).toContain("p95");
    expect(failing(windowOf(250, 0, 200), stable)).toContain("p95");
  });

  it("raise no alarm over a thousand looks at releases that are as good as the stable one", () => {
    let alarms = 0;
    // A fixed generator: the test must give the same answer every time.
    let state = 1;
    const random = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
    const draw = (trials: number, share: number): number =>
      Array.from({ length: trials }, random).filter((x) => x < share).length;
    for (let look = 0; look < 1000; look += 1) {
      if (failing(windowOf(500, draw(500, 0.002)), windowOf(1500, draw(1500, 0.002))).length > 0) alarms += 1;
    }
    expect(alarms).toBe(0);
  });

  it("are refused where the router's histogram has no such bound", () => {
    expect(() => {
      checkGates({ ...DEFAULT_GATES, p95Milliseconds: 400 });
    }).toThrow("400 ms is no bound");
    expect(() => {
      checkGates({ ...DEFAULT_GATES, errorRatio: 1 });
    }).toThrow("no share");
    checkGates(DEFAULT_GATES);
  });
});

describe("a colour's window", () => {
  const series = (name: string, samples: [number, number][], labels: Record<string, string> = {}): Series => ({
    labels: { __name__: name, job: "router", instance: "router:9901", colour: "green", kind: "plain", ...labels },
    samples,
  });
  const total = (...times: number[]): Series =>
    series(
      ENVOY_METRICS.requestsTotal,
      times.map((time) => [time, 0]),
    );
  const of = (code: string, samples: [number, number][]): Series =>
    series(ENVOY_METRICS.requests, samples, { envoy_response_code_class: code });

  it("counts what a counter had counted before its first scrape", () => {
    const window = colourWindow(
      [
        total(100, 102, 104),
        of("2", [
          [100, 50],
          [102, 60],
          [104, 80],
        ]),
        of("5", [[104, 7]]),
      ],
      "green",
      100,
      105,
      8,
    );
    expect(window).toMatchObject({ requests: 37, errors: 7, seconds: 4 });
  });

  it("begins at the step and not before", () => {
    const window = colourWindow(
      [
        total(98, 100, 102),
        of("5", [
          [98, 0],
          [100, 30],
          [102, 31],
        ]),
      ],
      "green",
      99,
      103,
      8,
    );
    expect(window).toMatchObject({ requests: 1, errors: 1 });
  });

  it("counts on after the router was restarted", () => {
    const window = colourWindow(
      [
        total(100, 102, 104),
        of("2", [
          [100, 500],
          [102, 510],
          [104, 20],
        ]),
      ],
      "green",
      100,
      105,
      8,
    );
    expect(window?.requests).toBe(30);
  });

  it("is no data with one scrape, with stale scrapes, or for another colour", () => {
    expect(colourWindow([total(100), of("2", [[100, 5]])], "green", 99, 101, 8)).toBeUndefined();
    expect(
      colourWindow(
        [
          total(100, 102),
          of("2", [
            [100, 5],
            [102, 9],
          ]),
        ],
        "green",
        99,
        120,
        8,
      ),
    ).toBeUndefined();
    expect(
      colourWindow(
        [
          total(100, 102),
          of("2", [
            [100, 5],
            [102, 9],
          ]),
        ],
        "blue",
        99,
        103,
        8,
      ),
    ).toBeUndefined();
  });

  it("reads quantiles and shares from the buckets", () => {
    const window = windowOf(1000, 0, 100);
    expect(slowerThan(window, 500)).toBe(100);
    expect(quantile(window, 0.5)).toBeGreaterThan(25);
    expect(quantile(window, 0.5)).toBeLessThan(50);
    expect(quantile(window, 0.95)).toBe(1750);
    expect(quantile(windowOf(0, 0), 0.95)).toBeNaN();
  });
});
