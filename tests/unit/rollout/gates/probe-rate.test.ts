import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Verdict } from "../../../../contract/verdict.ts";
import { CONTROL_PER_SECOND, probeRate } from "../../../../operations/rollout/gates/probe-rate.ts";

const SETTINGS = { minimumSamples: 300, probesPerSecond: 50 };
const trials = (count: number) => ({ candidate: { trials: count, bad: 0 }, stable: { trials: count, bad: 0 } });

/** A verdict of a test of samples. */
const verdict = (gate: string, kind: Verdict["verdict"], more: Partial<Verdict> = {}): Verdict => ({
  gate,
  verdict: kind,
  why: kind === "pass" ? "within-limit" : "not-proven",
  test: "binomial-e-process",
  sample: trials(400),
  ...more,
});
const rate = (verdicts: readonly Verdict[], usersOnBoth = true) =>
  probeRate(SETTINGS, { verdicts, holdSeconds: 10, usersOnBoth });
const PASSED = verdict("errors", "pass");

describe("the rate of probes", () => {
  it("reaches the minimum of samples within the hold", () => {
    expect(rate([])).toBe(50);
    expect(probeRate(SETTINGS, { verdicts: [], holdSeconds: 60, usersOnBoth: true })).toBe(9);
    expect(rate([verdict("errors", "no-data", { why: "few-samples", sample: trials(299) })])).toBe(50);
  });

  it("is 0 if all gates pass, or that of a control if the stable slot has no users", () => {
    expect(rate([PASSED, verdict("p95", "pass")])).toBe(0);
    expect(rate([PASSED], false)).toBe(CONTROL_PER_SECOND);
  });

  it.each(["errors", "p95", "p99", "errors-compared", "slow-compared", "probes-compared"])(
    "is the highest while %s is not proven",
    (gate) => {
      expect(rate([...(gate === "errors" ? [] : [PASSED]), verdict(gate, "no-data")])).toBe(50);
    },
  );

  it("does not add to a problem that both slots share, and does not end either", () => {
    expect(rate([PASSED, verdict("p95", "no-data", { shared: true, why: "shared-with-stable" })])).toBe(
      CONTROL_PER_SECOND,
    );
  });

  it("does not depend on gates that HTTP probes do not decide", () => {
    expect(rate([PASSED, verdict("websocket", "no-data"), verdict("readiness", "no-data", { test: "none" })])).toBe(0);
  });

  it("is never 0 while a gate of HTTP samples holds", () => {
    const gates = fc.constantFrom("errors", "p95", "p99", "errors-compared", "slow-compared");
    const any = fc.record({
      gate: gates,
      kind: fc.constantFrom<Verdict["verdict"]>("pass", "no-data"),
      shared: fc.boolean(),
      trials: fc.nat(1000),
    });
    fc.assert(
      fc.property(fc.uniqueArray(any, { selector: ({ gate }) => gate, minLength: 1 }), fc.boolean(), (all, both) => {
        const verdicts = all.map(({ gate, kind, shared, trials: count }) =>
          verdict(gate, kind, { sample: trials(count), ...(shared ? { shared } : {}) }),
        );
        fc.pre(verdicts.some((each) => each.verdict === "no-data"));
        expect(rate(verdicts, both)).toBeGreaterThan(0);
      }),
    );
  });
});
