import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Slot } from "../../../contract/slots.ts";
import { LATENCY_BUCKETS_MILLISECONDS } from "../../../contract/envoy/metrics.ts";
import { LATENCY_BUCKETS_SECONDS } from "../../../contract/server.ts";
import { checkGates, DEFAULT_GATES, gateSettings, together } from "../../../operations/rollout/gates/settings.ts";
import { judge, type Observation, type ProbedRoundTrips } from "../../../operations/rollout/gates/judge.ts";
import type { Bin, Counts, Histogram } from "../../../operations/rollout/gates/traffic-samples.ts";
import { parseSettings } from "../../../stacks/settings.ts";
import { plainSource } from "../../../stacks/settings/source.ts";
import { generator } from "./random.ts";

/** Requests of a few seconds, of which some failed and some took 2 s; the rest took 50 ms. */
interface Seconds {
  readonly requests: number;
  readonly errors?: number;
  readonly slow?: number;
  /** Round trips of WebSockets that the server measured, and those of them that took 300 ms. */
  readonly roundTrips?: number;
  readonly late?: number;
  readonly refused?: number;
  /** WebSockets that were answered with 4xx. */
  readonly denied?: number;
  readonly streams?: number;
  readonly streamErrors?: number;
  /** Requests outside of MCP that the server answered with 4xx; it counted all of them. */
  readonly turnedAway?: number;
  /** CPU seconds of a request. */
  readonly cpu?: number;
}

const NOBODY: Seconds = { requests: 0 };

function histogram(bounds: readonly number[], fastAt: number, slowAt: number, all: number, slow: number): Histogram {
  return [...bounds, Infinity].map((bound) => [bound, bound < fastAt ? 0 : bound < slowAt ? all - slow : all] as const);
}

function counts({
  requests,
  errors = 0,
  slow = 0,
  roundTrips = 0,
  late = 0,
  refused = 0,
  denied = 0,
  streams = 0,
  streamErrors = 0,
  turnedAway = 0,
  cpu = 0.002,
}: Seconds): Counts {
  return {
    requests,
    errors,
    latency: histogram(LATENCY_BUCKETS_MILLISECONDS, 50, 2500, requests, slow),
    ...{ upgrades: roundTrips, refused, denied, streams, streamErrors, turnedAway },
    dealt: requests,
    roundTrips: histogram(LATENCY_BUCKETS_SECONDS, 0.01, 0.5, roundTrips, late),
    cpuSeconds: requests * cpu,
  };
}

/** Green is the candidate. WebSockets are fine unless a case is about them. */
function bin(own: Seconds, stable: Seconds, index = 0): Bin {
  const sound = { roundTrips: 60 };
  return { at: 2 * (index + 1), of: { green: counts({ ...sound, ...own }), blue: counts({ ...sound, ...stable }) } };
}

/** The same few seconds so many times. */
function bins(times: number, own: Seconds, stable: Seconds): readonly Bin[] {
  return Array.from({ length: times }, (_, index) => bin(own, stable, index));
}

function observed(step: readonly Bin[], options: Partial<Observation> = {}, both: readonly Bin[] = step): Observation {
  const slots = ["blue", "green"] as const;
  const known = { known: slots, counting: slots };
  return {
    step: { traffic: { bins: step, ...known }, epoch: 1 },
    both: { traffic: { bins: both, ...known }, epoch: 1, weight: 0.5 },
    roundTripLimit: DEFAULT_GATES.webSocketMilliseconds,
    roundTrips: [],
    probes: [],
    probesRefused: false,
    health: [],
    ...options,
  };
}

const verdictsOf = (observation: Observation) => judge(DEFAULT_GATES, "green", observation);
const outcome = (observation: Observation): string => together(verdictsOf(observation));
const failing = (observation: Observation): string[] =>
  verdictsOf(observation)
    .filter((verdict) => verdict.outcome === "fail")
    .map((verdict) => verdict.gate);
const verdictOf = (observation: Observation, gate: string) =>
  verdictsOf(observation).find((verdict) => verdict.gate === gate);

describe("the gates", () => {
  it("have three outcomes", () => {
    expect(outcome(observed(bins(5, { requests: 80 }, { requests: 300 })))).toBe("pass");
    expect(outcome(observed(bins(5, { requests: 80, errors: 16 }, { requests: 300 })))).toBe("fail");
    expect(outcome(observed(bins(5, { requests: 59 }, { requests: 300 })))).toBe("no-data");
    expect(outcome(observed([]))).toBe("no-data");
    expect(together([])).toBe("no-data");
    const unknown = observed(bins(5, { requests: 80 }, { requests: 300 }));
    const { step } = unknown;
    expect(outcome({ ...unknown, step: { ...step, traffic: { ...step.traffic, known: ["blue"] } } })).toBe("no-data");
  });

  it("fail a release that is clearly bad before the minimum of samples, so that fewer users meet it", () => {
    expect(failing(observed(bins(1, { requests: 20, errors: 4 }, { requests: 380 })))).toEqual(["errors"]);
    expect(failing(observed(bins(3, { requests: 20, slow: 4 }, { requests: 380 })))).toContain("p95");
  });

  it("hold where the measured share is over the limit by chance perhaps, and do not fail on one bad request", () => {
    expect(outcome(observed(bins(5, { requests: 80, errors: 1 }, NOBODY)))).toBe("no-data");
    expect(outcome(observed([bin({ requests: 10, errors: 1 }, { requests: 190 })]))).toBe("no-data");
  });

  it("do not fail on what one scrape saw, since slow requests come in bursts", () => {
    const quiet = bins(4, { requests: 20 }, { requests: 380 });
    expect(failing(observed([bin({ requests: 20, slow: 20 }, { requests: 380 }), ...quiet]))).toEqual([]);
  });

  it("fail a candidate that keeps to the limits but is worse than the stable slot in the same seconds", () => {
    const worse = bins(25, { requests: 200, errors: 1 }, { requests: 200 });
    expect(failing(observed(worse))).toEqual(["errors-compared"]);
    expect(failing(observed(bins(25, { requests: 200, errors: 1 }, { requests: 200, errors: 1 })))).toEqual([]);
    // Half as many again is significant here, but no reason to take a release back.
    const [own, stable] = [
      { requests: 2000, slow: 60 },
      { requests: 2000, slow: 40 },
    ];
    expect(failing(observed(bins(60, own, stable)))).toEqual([]);
  });

  it("hold a suspicion until it is clear", () => {
    const suspicious = [
      ...bins(20, { requests: 100 }, { requests: 300 }),
      ...bins(5, { requests: 100, errors: 1 }, { requests: 300 }),
    ];
    expect(verdictOf(observed(suspicious), "errors-compared")).toMatchObject({ outcome: "no-data" });
    const proven = [...suspicious, ...bins(5, { requests: 100, errors: 1 }, { requests: 300 })];
    expect(failing(observed(proven))).toEqual(["errors-compared"]);
    const cleared = [...suspicious, ...bins(60, { requests: 100 }, { requests: 300, errors: 1 })];
    expect(verdictOf(observed(cleared), "errors-compared")).toMatchObject({ outcome: "pass" });
  });

  it("do not compare users with the probes of a slot that has none", () => {
    const verdicts = verdictsOf(observed(bins(25, { requests: 200, errors: 1 }, { requests: 200 }), {}, []));
    expect(verdicts.map((verdict) => verdict.gate)).toEqual(["errors", "p95", "p99", "websocket", "websocket-errors"]);
    expect(together(verdicts)).toBe("pass");
  });

  it("judge the round trips of WebSockets, users' and probes'", () => {
    const late = bins(6, { requests: 80, roundTrips: 10, late: 8 }, { requests: 300, roundTrips: 20 });
    expect(failing(observed(late))).toEqual(["websocket"]);
    const thin = bins(6, { requests: 80, roundTrips: 1 }, { requests: 300 });
    expect(verdictOf(observed(thin), "websocket")).toMatchObject({ outcome: "no-data" });
    const probed = (own: Partial<ProbedRoundTrips>): Observation["roundTrips"] =>
      Array.from({ length: 6 }, () => ({
        green: { done: 12, slow: 0, lost: 0, refused: 0, ...own },
        blue: { done: 12, slow: 0, lost: 0, refused: 0 },
      }));
    expect(outcome(observed(thin, { roundTrips: probed({}) }))).toBe("pass");
    expect(failing(observed(thin, { roundTrips: probed({ slow: 12 }) }))).toEqual(["websocket"]);
    expect(failing(observed(thin, { roundTrips: probed({ lost: 3 }) }))).toEqual(["websocket-errors"]);
    const refused = bins(6, { requests: 80, roundTrips: 10, refused: 5 }, { requests: 300 });
    expect(failing(observed(refused))).toEqual(["websocket-errors"]);
  });
});

describe("what users are refused", () => {
  const refusals = (observation: Observation) => verdictOf(observation, "refusals-compared");

  it("is compared with the stable slot, without a limit of its own", () => {
    const worse = bins(6, { requests: 100, turnedAway: 10 }, { requests: 300 });
    expect(failing(observed(worse))).toEqual(["refusals-compared"]);
    const alike = bins(60, { requests: 100, turnedAway: 10 }, { requests: 300, turnedAway: 30 });
    expect(refusals(observed(alike))?.outcome).toBe("pass");
    expect(outcome(observed(alike))).toBe("pass");
  });

  it("is so for WebSockets as well, whose clients may have tokens that are over", () => {
    const expired = bins(30, { requests: 100, denied: 30 }, { requests: 300, denied: 30 });
    expect(outcome(observed(expired))).toBe("pass");
    const worse = bins(6, { requests: 100, denied: 15 }, { requests: 300 });
    expect(failing(observed(worse))).toEqual(["refusals-compared"]);
    // Who comes with the key that is taken out of force is refused on purpose.
    expect(failing(observed(worse, { retiresKey: true }))).toEqual([]);
  });

  it("is not known of a candidate that stops counting it, and left out where neither counts", () => {
    const of = (counting: readonly Slot[]): Observation => {
      const quiet = bins(6, { requests: 100, roundTrips: 0 }, { requests: 300, roundTrips: 0 }).map(({ at, of }) => ({
        at,
        of: { green: { ...of.green, dealt: 0 }, blue: { ...of.blue, dealt: 0 } },
      }));
      const { both, ...observation } = observed(quiet);
      return { ...observation, both: { ...both, traffic: { ...both.traffic, counting } } };
    };
    expect(refusals(of(["blue"]))?.outcome).toBe("no-data");
    expect(refusals(of([]))).toBeUndefined();
  });

  it("is what probes are refused, by the answers that they got", () => {
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

  it("does not blame a candidate for probes that both refuse, of which it gets more than its weight", () => {
    // Ten users' requests beside fifty probes on green, 190 beside fifty on blue.
    const both = bins(20, { requests: 60, turnedAway: 10 }, { requests: 240, turnedAway: 10 });
    expect(failing(observed(both))).toEqual(["refusals-compared"]);
    expect(outcome(observed(both, { probesRefused: true }))).toBe("pass");
    const worse = bins(20, { requests: 60, turnedAway: 20 }, { requests: 240, turnedAway: 2 });
    expect(failing(observed(worse, { probesRefused: true }))).toEqual(["refusals-compared"]);
  });
});

describe("event streams", () => {
  it("count with the errors, but not with the latency", () => {
    const failed = bins(6, { requests: 80, streams: 10, streamErrors: 5 }, { requests: 300, streams: 40 });
    expect(failing(observed(failed))).toEqual(["errors", "errors-compared"]);
    const open = verdictOf(observed(bins(6, { requests: 80, streams: 10 }, { requests: 300 })), "p95");
    expect(open?.figures.samples).toBe(480);
  });

  it("that are few, and all failed, are seen beside the stable slot's", () => {
    const few = bins(10, { requests: 300, streams: 1, streamErrors: 1 }, { requests: 900, streams: 3 });
    expect(failing(observed(few))).toEqual(["errors-compared"]);
  });
});

describe("probes' WebSockets that are refused", () => {
  const probed = (own: Partial<ProbedRoundTrips>, stable: Partial<ProbedRoundTrips>): Observation =>
    observed(bins(6, { requests: 80, roundTrips: 10 }, { requests: 300, roundTrips: 30 }), {
      roundTrips: Array.from({ length: 6 }, () => ({
        green: { done: 12, slow: 0, lost: 0, refused: 0, ...own },
        blue: { done: 12, slow: 0, lost: 0, refused: 0, ...stable },
      })),
      refusal: "HTTP 401",
    });

  it("are lost, where the candidate alone refuses them", () => {
    expect(failing(probed({ done: 12, refused: 3 }, {}))).toEqual(["websocket-errors"]);
    expect(failing(probed({ done: 0, refused: 12 }, { refused: 1 }))).toEqual(["websocket-errors"]);
  });

  it("are no data where both refuse them, and it is said why", () => {
    const both = probed({ done: 0, refused: 12 }, { done: 0, refused: 12 });
    expect(failing(both)).toEqual([]);
    const verdict = verdictOf(both, "websocket-errors");
    expect(verdict).toMatchObject({ outcome: "no-data", shared: true });
    expect(verdict?.detail).toBe(
      "blue refuses the probes' WebSockets as well (HTTP 401; 72 of 72, green 72 of 72): look at their token",
    );
    // From the first seconds on, when the control has few.
    const { roundTrips, ...rest } = both;
    const first = { ...rest, roundTrips: roundTrips.map(({ green }) => ({ green, blue: { ...green, refused: 1 } })) };
    expect(failing(first)).toEqual([]);
  });

  it("excuse nothing else that the candidate does", () => {
    expect(failing(probed({ done: 6, lost: 6, refused: 6 }, { done: 12, refused: 6 }))).toEqual(["websocket-errors"]);
  });

  it("may be a few on both", () => {
    expect(outcome(probed({ done: 400, refused: 1 }, { done: 400, refused: 1 }))).toBe("pass");
  });
});

describe("a trouble of both slots", () => {
  const slow = { requests: 50, slow: 10 } as const;

  it("holds, and says that it is shared: a rollback would fix nothing", () => {
    const shared = observed(bins(6, slow, { requests: 150, slow: 30 }));
    expect(failing(shared)).toEqual([]);
    expect(verdictOf(shared, "p95")).toMatchObject({ outcome: "no-data", shared: true });
    expect(failing(observed(bins(6, slow, { requests: 150, slow: 1 })))).toContain("p95");
    // All over the limit, but the candidate four times as much.
    expect(failing(observed(bins(6, { requests: 50, slow: 40 }, { requests: 150, slow: 30 })))).toContain("p95");
  });

  it("is no excuse where the control has too few requests to say so", () => {
    expect(failing(observed(bins(6, slow, { requests: 3, slow: 1 }), {}, []))).toContain("p95");
  });

  const before = (requests: number, late: number): Counts => counts({ requests, slow: late });

  it("holds with all users on the candidate where the probed control is slower than it was with users", () => {
    // Probes of a slot without users are quicker than users on a busy machine, but slower than they used to be.
    const busy = (late: number): Bin["of"]["blue"] => ({
      ...counts({ requests: 10, roundTrips: 60 }),
      latency: histogram(LATENCY_BUCKETS_MILLISECONDS, 50, 250, 10, late),
    });
    const with_ = (late: number): Observation =>
      observed(
        bins(6, { requests: 200, slow: 40 }, NOBODY).map((each) => ({ ...each, of: { ...each.of, blue: busy(late) } })),
        { before: before(10_000, 0) },
        [],
      );
    expect(failing(with_(5))).toEqual([]);
    expect(verdictOf(with_(5), "p95")?.detail).toContain("slower than it was");
    expect(failing(with_(0))).toContain("p95");
  });

  it("holds with all users on the candidate where the stable slot was no better with them", () => {
    const step = bins(6, { requests: 200, slow: 40 }, { requests: 10 });
    expect(verdictOf(observed(step, { before: before(10_000, 1500) }, []), "p95")).toMatchObject({
      outcome: "no-data",
    });
    expect(failing(observed(step, { before: before(10_000, 200) }, []))).toContain("p95");
  });

  it("holds where the candidate lacks processor time, and fails where it waits or computes more", () => {
    const overloaded = (late: number, cpu: number): Observation =>
      observed(
        bins(6, { requests: 200, slow: 60, cpu }, { requests: 10 }),
        { before: before(10_000, 0), health: Array.from({ length: 20 }, (_, index) => (index < late ? 1500 : 3)) },
        [],
      );
    expect(verdictOf(overloaded(6, 0.0025), "p95")).toMatchObject({ outcome: "no-data", shared: true });
    expect(failing(overloaded(0, 0.0025))).toEqual(["p95", "p99"]);
    expect(failing(overloaded(6, 0.0045))).toEqual(["p95", "p99"]);
  });

  it("does not excuse failed requests: a busy machine is slow, it does not answer 500", () => {
    const step = bins(6, { requests: 200, errors: 40 }, { requests: 10 });
    expect(failing(observed(step, { before: before(10_000, 1500) }, []))).toContain("errors");
  });
});

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

  it.each(["errors", "slow"] as const)("never thinks better of a candidate with more %s", (key) => {
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
        // A trouble that both have may become the candidate's own, and one of its own stays one.
        if (later === undefined || verdict.outcome === "no-data") continue;
        expect(rank[later.outcome]).toBeGreaterThanOrEqual(rank[verdict.outcome]);
      }
      // What fails goes on to fail, and what holds is not passed by more bad requests.
      expect(rank[together(then)]).toBeGreaterThanOrEqual(rank[together(now)]);
    });
    fc.assert(property, { numRuns: 500 });
  });

  it("gives every verdict the numbers it rests on", () => {
    fc.assert(
      fc.property(anyStep, (step) => {
        for (const { detail, figures } of verdictsOf(
          observed(step.map(([own, stable], index) => bin(own, stable, index))),
        )) {
          expect(detail).not.toBe("");
          expect(JSON.parse(JSON.stringify(figures))).toEqual(
            Object.fromEntries(
              Object.entries(figures).map(([key, value]) => [key, Number.isFinite(value) ? value : null]),
            ),
          );
        }
      }),
      { numRuns: 100 },
    );
  });
});

/** A rollout of 200 requests per second through 5, 25 and 50 %, ten seconds each, prolonged while it is held. */
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
      suspicion = verdicts.some(({ gate, outcome }) => gate === "errors-compared" && outcome === "no-data");
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
    "of good releases raise fewer alarms than stated, at an error ratio of %d",
    (share) => {
      // Two gates compare; the limit of 1 % is far away but at the last ratio.
      const { fail, held } = run(800, share, share);
      expect(fail / 800).toBeLessThanOrEqual(
        2 * DEFAULT_GATES.comparisonSignificance + DEFAULT_GATES.significance * share * 100,
      );
      expect((fail + held) / 800).toBeLessThan(0.005);
    },
  );

  it("of a release with 0.6 % errors against 0.05 % are taken back before it has all users, nine of ten times", () => {
    const { fail, held } = run(300, 0.006, 0.0005);
    expect((fail + held) / 300).toBeGreaterThan(0.9);
  });

  it.each([
    [0.02, 0.99],
    [0.2, 1],
  ])("of a release with a share of errors of %d are taken back", (share, power) => {
    const { fail, held } = run(200, share, 0.0005);
    expect((fail + held) / 200).toBeGreaterThanOrEqual(power);
  });
});

describe("simulated refusals", () => {
  interface Site {
    readonly weights: readonly number[];
    /** Users' requests in the two seconds of a scrape, probes of each slot, and the share of them that both refuse. */
    readonly users: number;
    readonly probes: number;
    readonly probesRefused?: number;
  }

  /** Each step is looked at thirty times, whatever the gates say. */
  const ends = (times: number, { weights, users, probes, probesRefused = 0 }: Site, own: number, stable: number) => {
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
        const mine = of(users, weight);
        const seconds = (count: number, share: number): Seconds => ({
          requests: count + probes,
          turnedAway: of(count, share) + of(probes, probesRefused),
        });
        all.push(bin(seconds(mine, own), seconds(users - mine, stable), all.length));
        const observation = observed([], { probesRefused: probesRefused > 0 }, all);
        const { both } = observation;
        return failing({ ...observation, both: { ...both, weight } }).includes("refusals-compared");
      });
      if (bad) failed += 1;
    }
    return failed / times;
  };

  const BUSY: Site = { weights: [5, 25, 50], users: 400, probes: 40 };
  const QUIET: Site = { weights: [5, 25, 50], users: 10, probes: 100 };
  const LATE: Site = { weights: [50, 80, 95], users: 20, probes: 100 };

  it.each([
    ["a busy site", BUSY],
    ["a quiet site, topped up with probes", QUIET],
    ["large weights", LATE],
    ["probes that are refused", { ...BUSY, probesRefused: 0.1 }],
    ["probes that are refused, large weights", { ...LATE, probesRefused: 0.5 }],
  ])("of good releases raise no alarm: %s", (_, site) => {
    expect(ends(100, site, 0.05, 0.05)).toBeLessThanOrEqual(0.01);
  });

  it.each([
    [0.05, 0],
    [0.1, 0.01],
    [0.2, 0.05],
  ])("of a release that refuses %d of the requests, where the stable one refuses %d, are found", (own, stable) => {
    expect(ends(30, BUSY, own, stable)).toBe(1);
  });

  it("of a release that refuses a tenth are found as well where both refuse some probes", () => {
    expect(ends(30, { ...BUSY, probesRefused: 0.01 }, 0.1, 0.01)).toBe(1);
  });
});

describe("the settings of the gates", () => {
  it("come from the stack's settings, and from nowhere else", () => {
    const gates = (values: Record<string, string>) => gateSettings(parseSettings("local", plainSource(values)));
    expect(gates({})).toEqual(DEFAULT_GATES);
    const query = {
      ...{ name: "providers", query: 'sum(rate(exai_provider_requests_total{slot="$slot"}[1m]))' },
      ...{ comparison: "<", limit: 0.5, stableRatio: 2 },
    };
    const set = gates({
      ...{
        gateErrorRatio: "0.002",
        gateP95: "250",
        gateP99: "500",
        gateWebSocket: "50",
        gateWebSocketMessage: "hello",
      },
      ...{
        gateMinimumSamples: "100",
        gateNoDataSeconds: "90",
        gateProbes: "5",
        gateRestarts: "1",
        gateMemoryGrowth: "10",
      },
      gateQueries: JSON.stringify([query]),
    });
    expect(set).toEqual({
      ...DEFAULT_GATES,
      ...{ errorRatio: 0.002, p95Milliseconds: 250, p99Milliseconds: 500, webSocketMilliseconds: 50 },
      ...{ webSocketMessage: "hello", minimumSamples: 100, noDataSeconds: 90, probesPerSecond: 5, restarts: 1 },
      ...{ memoryGrowth: 10, queries: [query] },
    });
  });

  it("are refused where a histogram has no such bound", () => {
    const refusal = (changed: Partial<typeof DEFAULT_GATES>) => () => {
      checkGates({ ...DEFAULT_GATES, ...changed });
    };
    expect(refusal({ p95Milliseconds: 400 })).toThrow("400 ms is no bound of the router's");
    expect(refusal({ webSocketMilliseconds: 120 })).toThrow("120 ms is no bound of the server's");
    expect(refusal({ errorRatio: 1 })).toThrow("no share");
    expect(refusal({})).not.toThrow();
  });
});
