import { describe, expect, it } from "vitest";
import { failureText } from "../../../../cli/format/failure.ts";
import {
  byImportance,
  VERDICT_COLUMNS,
  verdictCells,
  verdictDetail,
  verdictLine,
  verdictsLine,
} from "../../../../cli/format/gates.ts";
import { stepText } from "../../../../cli/format/step.ts";
import type { Verdict } from "../../../../contract/verdict.ts";
import { amount } from "../../../../operations/notify/wording.ts";

const ERRORS: Verdict = {
  gate: "errors",
  verdict: "fail",
  why: "above-limit",
  figure: 0.2,
  limit: 0.01,
  unit: "share",
  sample: { candidate: { trials: 400, bad: 80 }, stable: { trials: 1500, bad: 0 }, allowed: 0.01, needed: 300 },
  test: "binomial-e-process",
  p: 1.2e-9,
  alpha: 0.005,
};
const P95: Verdict = {
  gate: "p95",
  verdict: "pass",
  why: "within-limit",
  figure: 312.4,
  limit: 500,
  unit: "ms",
  sample: {
    candidate: { trials: 400, bad: 3 },
    stable: { trials: 1500, bad: 9 },
    allowed: 0.05,
    needed: 300,
    thresholdMilliseconds: 500,
  },
  test: "binomial-e-process",
  p: 1,
  alpha: 0.005,
};
const COMPARED: Verdict = {
  gate: "errors-compared",
  verdict: "no-data",
  why: "few-samples",
  figure: 1,
  limit: 2,
  unit: "ratio",
  sample: { candidate: { trials: 40, bad: 0 }, stable: { trials: 12, bad: 0 }, needed: 20 },
  test: "stratified-binomial-e-process",
  p: 1,
  alpha: 0.0005,
};
const MEMORY: Verdict = { gate: "memory", verdict: "pass", why: "within-limit", test: "mann-kendall", p: 0.2 };

describe("a verdict", () => {
  it("is a line with figure, limit and why", () => {
    expect(verdictLine(P95)).toBe("p95 312 ms of 500 ms");
    expect(verdictLine(ERRORS)).toBe("errors 20 % of 1 %: above the limit");
    expect(verdictLine(COMPARED)).toBe("errors-compared 1.0 times of 2.0 times: 12 of 20 samples");
    expect(verdictLine(MEMORY)).toBe("memory");
    const context = { url: "http://127.0.0.1:9090", message: "ECONNREFUSED" };
    expect(
      verdictLine({ gate: "data", verdict: "no-data", why: "prometheus-unavailable", test: "none", context }),
    ).toBe("data: http://127.0.0.1:9090 does not answer: ECONNREFUSED");
  });

  it("is a line with counts and test in detail", () => {
    expect(verdictDetail(ERRORS)).toBe(
      "errors 20 % of 1 %: above the limit; 80 of 400 requests failed, 0 of 1500 on the stable slot; e-process p ≤ 1e-9 (level 0.005)",
    );
    expect(verdictDetail(P95)).toBe(
      "p95 312 ms of 500 ms; 3 of 400 requests took more than 500 ms, 9 of 1500 on the stable slot; e-process p ≤ 1 (level 0.005)",
    );
    expect(verdictDetail(MEMORY)).toBe("memory; Mann-Kendall p = 0.2");
  });

  it("is a row with one cell for each column", () => {
    for (const verdict of [ERRORS, P95, COMPARED, MEMORY])
      expect(verdictCells(verdict)).toHaveLength(VERDICT_COLUMNS.length);
    expect(verdictCells(ERRORS)[1]).toEqual({ text: "fail", tone: "bad" });
  });
});

describe("verdicts", () => {
  it("are ordered by importance: failures, no data, then passes that are near their limit", () => {
    const order = byImportance([MEMORY, P95, COMPARED, ERRORS]).map(({ gate }) => gate);
    expect(order).toEqual(["errors", "errors-compared", "p95", "memory"]);
  });

  it("come as users feel them: errors before latency, a ratio to the other slot last", () => {
    const passing = (gate: string, figure: number, limit: number): Verdict => ({
      ...{ gate, verdict: "pass", why: "within-limit", figure, limit, test: "none" },
    });
    const sound = [passing("probes-compared", 1, 2), passing("p95", 23, 500), passing("errors", 0, 0.01)];
    expect(byImportance(sound).map(({ gate }) => gate)).toEqual(["errors", "p95", "probes-compared"]);
    const near = [...sound, passing("p99", 900, 1000)];
    expect(byImportance(near).map(({ gate }) => gate)).toEqual(["p99", "errors", "p95", "probes-compared"]);
  });

  it("are one line, that of the most important one", () => {
    expect(verdictsLine([MEMORY, P95])).toBe("pass, p95 312 ms of 500 ms");
    expect(verdictsLine([P95, ERRORS])).toBe("fail, errors 20 % of 1 %: above the limit");
    expect(verdictsLine([])).toBe("");
  });
});

describe("a failure", () => {
  it("is a line with its facts", () => {
    expect(failureText({ code: "gate-failed", verdicts: [ERRORS] })).toBe(verdictDetail(ERRORS));
    expect(failureText({ code: "gates-timeout", seconds: 70, verdicts: [COMPARED] })).toBe(
      `the gates did not pass within 70 s: ${verdictLine(COMPARED)}`,
    );
    expect(failureText({ code: "unready", slot: "green" })).toBe("green is not ready");
    expect(failureText({ code: "not-ready", slot: "green", seconds: 5, last: "HTTP 503", log: "boom" })).toBe(
      "green is not ready after 5 s: HTTP 503; last log lines: boom",
    );
    expect(failureText({ code: "smoke-failed", check: "/health", message: "HTTP 500" })).toBe(
      'smoke check "/health" failed: HTTP 500',
    );
  });
});

describe("a step", () => {
  const step = { type: "step", id: "shift-5", title: "shift 5 %", status: "done" } as const;

  it("shows its failure, or its verdicts and detail", () => {
    expect(stepText({ ...step, verdicts: [P95], detail: "120 probes" })).toBe("pass, p95 312 ms of 500 ms, 120 probes");
    expect(stepText({ ...step, failure: { code: "unready", slot: "blue" }, verdicts: [P95] })).toBe(
      "blue is not ready",
    );
    expect(stepText(step)).toBe("");
  });
});

describe("a figure", () => {
  it("has its unit", () => {
    expect(amount(0.00123, "share")).toBe("0.123 %");
    expect(amount(2.34, "ratio")).toBe("2.3 times");
    expect(amount(31.6, "MB/min")).toBe("32 MB/min");
    expect(amount(2, "restarts")).toBe("2");
    expect(amount(1234.5)).toBe("1230");
  });
});
