import { describe, expect, it } from "vitest";
import type { Observation, ProbedRoundTrips } from "../../../../operations/rollout/gates/observation.ts";
import { judge } from "../../../../operations/rollout/gates/judge.ts";
import { DEFAULT_GATES } from "../../../../operations/rollout/gates/settings.ts";
import { together } from "../../../../operations/rollout/model/verdict.ts";
import { bins, failing, observed, outcome, probedRoundTrips, verdictOf } from "./observed.ts";

describe("the gates of WebSockets", () => {
  it("judge the round trips of probes, and failed openings of all", () => {
    const sound = bins(6, { requests: 80 }, { requests: 300 });
    expect(outcome(observed(sound))).toBe("pass");
    expect(verdictOf(observed(sound, { roundTrips: [] }), "websocket")).toMatchObject({ verdict: "no-data" });
    expect(failing(observed(sound, { roundTrips: probedRoundTrips({ slow: 12 }) }))).toEqual(["websocket"]);
    expect(failing(observed(sound, { roundTrips: probedRoundTrips({ lost: 3 }) }))).toEqual(["websocket-errors"]);
    const refused = bins(6, { requests: 80, webSocketErrors: 5 }, { requests: 300 });
    expect(failing(observed(refused))).toEqual(["websocket-errors"]);
  });

  it("do not wait for round trips if there are no probes", () => {
    const settings = { ...DEFAULT_GATES, probesPerSecond: 0 };
    const sound = observed(bins(6, { requests: 80 }, { requests: 300 }), { roundTrips: [] });
    expect(together(judge(settings, "green", sound))).toBe("pass");
  });
});

describe("refused WebSockets of probes", () => {
  const probed = (own: Partial<ProbedRoundTrips>, stable: Partial<ProbedRoundTrips>): Observation =>
    observed(bins(6, { requests: 80, webSockets: 10 }, { requests: 300, webSockets: 30 }), {
      roundTrips: probedRoundTrips(own, stable),
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
