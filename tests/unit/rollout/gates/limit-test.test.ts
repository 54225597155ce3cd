import { describe, expect, it } from "vitest";

import { together } from "../../../../operations/rollout/model/verdict.ts";
import { bin, bins, failing, NO_TRAFFIC, observed, outcome, verdictOf, verdictsOf } from "./observed.ts";

describe("the gates", () => {
  it("pass, fail or have no data", () => {
    expect(outcome(observed(bins(5, { requests: 80 }, { requests: 300 })))).toBe("pass");
    expect(outcome(observed(bins(5, { requests: 80, errors: 16 }, { requests: 300 })))).toBe("fail");
    expect(outcome(observed(bins(5, { requests: 59 }, { requests: 300 })))).toBe("no-data");
    expect(outcome(observed([]))).toBe("no-data");
    expect(together([])).toBe("no-data");
    const unknown = observed(bins(5, { requests: 80 }, { requests: 300 }));
    const { step } = unknown;
    expect(outcome({ ...unknown, step: { ...step, traffic: { ...step.traffic, known: ["blue"] } } })).toBe("no-data");
  });

  it("fail a clearly bad release before it has the least number of samples", () => {
    expect(failing(observed(bins(1, { requests: 20, errors: 4 }, { requests: 380 })))).toEqual(["errors"]);
    expect(failing(observed(bins(3, { requests: 20, slow: 4 }, { requests: 380 })))).toContain("p95");
  });

  it("hold if an exceeded limit may be chance, and do not fail on one bad request", () => {
    expect(outcome(observed(bins(5, { requests: 80, errors: 1 }, NO_TRAFFIC)))).toBe("no-data");
    expect(outcome(observed([bin({ requests: 10, errors: 1 }, { requests: 190 })]))).toBe("no-data");
  });

  it("do not fail on one scrape, since slow requests come in bursts", () => {
    const quiet = bins(4, { requests: 20 }, { requests: 380 });
    expect(failing(observed([bin({ requests: 20, slow: 20 }, { requests: 380 }), ...quiet]))).toEqual([]);
  });

  it("pass errors that both slots share, if enough requests are sound, and hold while none is", () => {
    // An outsider's requests that fail on any release.
    const shared = bins(6, { requests: 80, errors: 8 }, { requests: 300, errors: 30 });
    expect(outcome(observed(shared))).toBe("pass");
    expect(verdictOf(observed(shared), "errors")).toMatchObject({ verdict: "pass", why: "shared-with-stable" });
    const own = bins(6, { requests: 80, errors: 24 }, { requests: 300, errors: 30 });
    expect(failing(observed(own))).toContain("errors-compared");
    const outage = bins(6, { requests: 80, errors: 80 }, { requests: 300, errors: 300 });
    expect(verdictOf(observed(outage), "errors")).toMatchObject({ verdict: "no-data", shared: true });
  });

  it("give the figure, its limit, the counts, and the test with its p-value", () => {
    const failed = observed(bins(5, { requests: 80, errors: 16 }, { requests: 300 }));
    expect(verdictOf(failed, "errors")).toMatchObject({
      verdict: "fail",
      why: "above-limit",
      figure: 0.2,
      limit: 0.01,
      unit: "share",
      sample: { candidate: { trials: 400, bad: 80 }, stable: { trials: 1500, bad: 0 }, allowed: 0.01, needed: 300 },
      test: "binomial-e-process",
      alpha: 0.005,
    });
    expect(verdictOf(failed, "errors")?.p).toBeLessThan(1e-9);
    expect(verdictOf(failed, "p95")).toMatchObject({
      verdict: "pass",
      why: "within-limit",
      limit: 500,
      unit: "ms",
      sample: { thresholdMilliseconds: 500, allowed: 0.05 },
      p: 1,
    });
    expect(verdictOf(failed, "errors-compared")).toMatchObject({
      verdict: "fail",
      why: "worse-than-stable",
      limit: 2,
      unit: "ratio",
      test: "stratified-binomial-e-process",
      alpha: 0.0005,
    });
    // An infinite ratio is not a figure.
    expect(verdictOf(failed, "errors-compared")).not.toHaveProperty("figure");
    const few = observed(bins(5, { requests: 59 }, { requests: 300 }));
    expect(verdictOf(few, "errors")).toMatchObject({ verdict: "no-data", why: "few-samples" });
  });
});

describe("a comparison with the stable slot", () => {
  it("fails a candidate within the limits that is worse than the stable slot in the same seconds", () => {
    const worse = bins(25, { requests: 200, errors: 1 }, { requests: 200 });
    expect(failing(observed(worse))).toEqual(["errors-compared"]);
    expect(failing(observed(bins(25, { requests: 200, errors: 1 }, { requests: 200, errors: 1 })))).toEqual([]);
    // A risk ratio of 1.5 is significant here, but too small for a rollback.
    const [own, stable] = [
      { requests: 2000, slow: 60 },
      { requests: 2000, slow: 40 },
    ];
    expect(failing(observed(bins(60, own, stable)))).toEqual([]);
  });

  it("holds the step until a suspicion is clear", () => {
    const suspicious = [
      ...bins(20, { requests: 100 }, { requests: 300 }),
      ...bins(5, { requests: 100, errors: 1 }, { requests: 300 }),
    ];
    expect(verdictOf(observed(suspicious), "errors-compared")).toMatchObject({ verdict: "no-data" });
    const proven = [...suspicious, ...bins(5, { requests: 100, errors: 1 }, { requests: 300 })];
    expect(failing(observed(proven))).toEqual(["errors-compared"]);
    const cleared = [...suspicious, ...bins(60, { requests: 100 }, { requests: 300, errors: 1 })];
    expect(verdictOf(observed(cleared), "errors-compared")).toMatchObject({ verdict: "pass" });
  });

  it("is not made with a slot that has only probes", () => {
    const verdicts = verdictsOf(observed(bins(25, { requests: 200, errors: 1 }, { requests: 200 }), {}, []));
    expect(verdicts.map((verdict) => verdict.gate)).toEqual(["errors", "p95", "p99", "websocket", "websocket-errors"]);
    expect(together(verdicts)).toBe("pass");
  });
});

describe("event streams", () => {
  it("count as errors, but not as latency", () => {
    const failed = bins(6, { requests: 80, streams: 10, streamErrors: 5 }, { requests: 300, streams: 40 });
    expect(failing(observed(failed))).toEqual(["errors", "errors-compared"]);
    const open = verdictOf(observed(bins(6, { requests: 80, streams: 10 }, { requests: 300 })), "p95");
    expect(open?.sample?.candidate.trials).toBe(480);
  });

  it("fail the comparison if they are few and all fail", () => {
    const few = bins(10, { requests: 300, streams: 1, streamErrors: 1 }, { requests: 900, streams: 3 });
    expect(failing(observed(few))).toEqual(["errors-compared"]);
  });
});
