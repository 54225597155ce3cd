import { describe, expect, it } from "vitest";
import type { Observation, ProbedRoundTrips } from "../../../../operations/rollout/gates/observation.ts";
import { bins, failing, observed, outcome, verdictOf } from "./observed.ts";

describe("the gates of WebSockets", () => {
  it("judge the round trips of users and probes", () => {
    const late = bins(6, { requests: 80, roundTrips: 10, late: 8 }, { requests: 300, roundTrips: 20 });
    expect(failing(observed(late))).toEqual(["websocket"]);
    const thin = bins(6, { requests: 80, roundTrips: 1 }, { requests: 300 });
    expect(verdictOf(observed(thin), "websocket")).toMatchObject({ verdict: "no-data" });
    const probed = (own: Partial<ProbedRoundTrips>): Observation["roundTrips"] =>
      Array.from({ length: 6 }, () => ({
        green: { done: 12, slow: 0, lost: 0, refused: 0, ...own },
        blue: { done: 12, slow: 0, lost: 0, refused: 0 },
      }));
    expect(outcome(observed(thin, { roundTrips: probed({}) }))).toBe("pass");
    expect(failing(observed(thin, { roundTrips: probed({ slow: 12 }) }))).toEqual(["websocket"]);
    expect(failing(observed(thin, { roundTrips: probed({ lost: 3 }) }))).toEqual(["websocket-errors"]);
    const refused = bins(6, { requests: 80, roundTrips: 10, webSocketErrors: 5 }, { requests: 300 });
    expect(failing(observed(refused))).toEqual(["websocket-errors"]);
  });
});

describe("refused WebSockets of probes", () => {
  const probed = (own: Partial<ProbedRoundTrips>, stable: Partial<ProbedRoundTrips>): Observation =>
    observed(bins(6, { requests: 80, roundTrips: 10 }, { requests: 300, roundTrips: 30 }), {
      roundTrips: Array.from({ length: 6 }, () => ({
        green: { done: 12, slow: 0, lost: 0, refused: 0, ...own },
        blue: { done: 12, slow: 0, lost: 0, refused: 0, ...stable },
      })),
      refusal: 401,
    });

  it("fail if only the candidate refuses them", () => {
    expect(failing(probed({ done: 12, refused: 3 }, {}))).toEqual(["websocket-errors"]);
    expect(failing(probed({ done: 0, refused: 12 }, { refused: 1 }))).toEqual(["websocket-errors"]);
  });

  it("are no data if both refuse them, with the HTTP status", () => {
    const both = probed({ done: 0, refused: 12 }, { done: 0, refused: 12 });
    expect(failing(both)).toEqual([]);
    const verdict = verdictOf(both, "websocket-errors");
    expect(verdict).toMatchObject({
      verdict: "no-data",
      why: "probes-refused-by-both",
      shared: true,
      sample: { candidate: { trials: 72, bad: 72 }, stable: { trials: 72, bad: 72 } },
      context: { status: 401 },
    });
    // From the first seconds on, when the control has few.
    const { roundTrips, ...rest } = both;
    const first = { ...rest, roundTrips: roundTrips.map(({ green }) => ({ green, blue: { ...green, refused: 1 } })) };
    expect(failing(first)).toEqual([]);
  });

  it("do not excuse lost ones", () => {
    expect(failing(probed({ done: 6, lost: 6, refused: 6 }, { done: 12, refused: 6 }))).toEqual(["websocket-errors"]);
  });

  it("pass if they are few on both", () => {
    expect(outcome(probed({ done: 400, refused: 1 }, { done: 400, refused: 1 }))).toBe("pass");
  });
});
