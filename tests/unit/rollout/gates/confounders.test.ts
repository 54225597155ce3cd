import { describe, expect, it } from "vitest";
import { LATENCY_BUCKETS_MILLISECONDS } from "../../../../contract/envoy/metrics.ts";
import type { Observation } from "../../../../operations/rollout/gates/observation.ts";
import type { Bin, Counts } from "../../../../operations/rollout/gates/traffic-samples.ts";
import { bins, counts, failing, histogram, NO_TRAFFIC, observed, verdictOf } from "./observed.ts";

describe("a problem of both slots", () => {
  const slow = { requests: 50, slow: 10 } as const;

  it("holds and is marked as shared, since a rollback would not help", () => {
    const shared = observed(bins(6, slow, { requests: 150, slow: 30 }));
    expect(failing(shared)).toEqual([]);
    expect(verdictOf(shared, "p95")).toMatchObject({
      ...{ verdict: "no-data", why: "shared-with-stable", shared: true },
    });
    expect(failing(observed(bins(6, slow, { requests: 150, slow: 1 })))).toContain("p95");
    // All over the limit, but the candidate four times as much.
    expect(failing(observed(bins(6, { requests: 50, slow: 40 }, { requests: 150, slow: 30 })))).toContain("p95");
  });

  it("does not excuse the candidate if the control has too few requests", () => {
    expect(failing(observed(bins(6, slow, { requests: 3, slow: 1 }), {}, []))).toContain("p95");
  });

  const before = (requests: number, late: number): Counts => counts({ requests, slow: late });

  it("holds with all users on the candidate if the probed control is slower than it was with users", () => {
    // Probes of a slot without users are faster than users on a busy machine, but slower than before.
    const busy = (late: number): Bin["of"]["blue"] => ({
      ...counts({ requests: 10, webSockets: 60 }),
      latency: histogram(LATENCY_BUCKETS_MILLISECONDS, 50, 250, 10, late),
    });
    const with_ = (late: number): Observation =>
      observed(
        bins(6, { requests: 200, slow: 40 }, NO_TRAFFIC).map((each) => ({
          ...each,
          of: { ...each.of, blue: busy(late) },
        })),
        { before: before(10_000, 0) },
        [],
      );
    expect(failing(with_(5))).toEqual([]);
    expect(verdictOf(with_(5), "p95")?.why).toBe("stable-is-slower");
    expect(failing(with_(0))).toContain("p95");
  });

  it("holds with all users on the candidate if the stable slot was as slow with them", () => {
    const step = bins(6, { requests: 200, slow: 40 }, { requests: 10 });
    expect(verdictOf(observed(step, { before: before(10_000, 1500) }, []), "p95")).toMatchObject({
      verdict: "no-data",
      why: "stable-was-slow",
      context: { before: { trials: 10_000, bad: 1500 } },
    });
    expect(failing(observed(step, { before: before(10_000, 200) }, []))).toContain("p95");
  });

  it("holds if the candidate lacks processor time, and fails if it waits or computes more", () => {
    const overloaded = (late: number, cpu: number): Observation =>
      observed(
        bins(6, { requests: 200, slow: 60, cpu }, { requests: 10 }),
        { before: before(10_000, 0), health: Array.from({ length: 20 }, (_, index) => (index < late ? 1500 : 3)) },
        [],
      );
    expect(verdictOf(overloaded(6, 0.0025), "p95")).toMatchObject({
      ...{ verdict: "no-data", why: "cpu-contention", shared: true },
      context: { healthChecks: { trials: 20, bad: 6 } },
    });
    expect(failing(overloaded(0, 0.0025))).toEqual(["p95", "p99"]);
    expect(failing(overloaded(6, 0.0045))).toEqual(["p95", "p99"]);
  });

  it("does not excuse failed requests: a busy machine is slow, but does not answer 500", () => {
    const step = bins(6, { requests: 200, errors: 40 }, { requests: 10 });
    expect(failing(observed(step, { before: before(10_000, 1500) }, []))).toContain("errors");
  });

  it("holds if both slots fail all of a few requests, as they do without a router, and fails if one does", () => {
    const all = { requests: 3, errors: 3 };
    expect(verdictOf(observed(bins(5, all, all)), "errors")).toMatchObject({
      ...{ verdict: "no-data", why: "shared-with-stable", shared: true },
    });
    expect(verdictOf(observed(bins(5, all, { requests: 3 })), "errors")).toMatchObject({ verdict: "fail" });
  });
});
