import { otherColour, type Colour } from "../../contract/colours.ts";
import type { GateSettings, Verdict } from "./gates.ts";
import {
  binomialTail,
  evidenceAbove,
  evidenceNeeded,
  evidenceWorse,
  pooled,
  riskRatio,
  type Share,
  type Stratum,
} from "./statistics.ts";
import { above, added, quantile, type Bin, type Counts, type Histogram, type Traffic } from "./window.ts";

/** What the judge is shown. */
export interface Observation {
  /** This step, or the last minutes of a long one. */
  readonly step: Period;
  /** The rollout as long as users were on both colours, or the last minutes of it. Their requests are alike. */
  readonly both: Period;
  /** Round trips of the probes' WebSockets on this step; a lost one is a failure. */
  readonly roundTrips: readonly ProbedSeconds[];
  /** Milliseconds of the candidate's answers to health checks on this step. */
  readonly health: readonly number[];
  /** The stable colour when it had all users, before the rollout. */
  readonly before?: Pick<Counts, "requests" | "latency" | "cpuSeconds">;
}

interface Period {
  readonly traffic: Traffic;
  /** Which test in a row this is, from 1: {@link evidenceNeeded}. */
  readonly epoch: number;
}

/** Probes' round trips by colour in the same few seconds. */
export type ProbedSeconds = Readonly<Record<Colour, ProbedRoundTrips>>;

export interface ProbedRoundTrips {
  readonly done: number;
  /** Those that took longer than the limit. */
  readonly slow: number;
  /** Not answered, or the connection was dropped. */
  readonly lost: number;
}

/** Observations of the stable colour with which it can stand as a control. */
const CONTROL_SAMPLES = 20;

/** Health checks without which nothing can be said of them. */
const LEAST_HEALTH_CHECKS = 8;

/** What is worse is at least this many times as bad: a small difference is no reason to take a release back. */
const WORSE = 2;

/** Most that a few seconds may add to a test that bursts could fool: no single scrape fails a release. */
const BURST = Math.log(10);

/** Evidence of 1 to 5 that the candidate is worse: too little to fail it, too much to move more users to it. */
const SUSPICION = Math.log(5);

/** Seconds of a bin of what the server counts itself: it is scraped at other times than its other colour. */
const SERVER_BIN_SECONDS = 6;

/** The verdicts on both colours in the same seconds; pure. */
export function judge(settings: GateSettings, candidate: Colour, observation: Observation): readonly Verdict[] {
  const { step, both } = observation;
  const before = observation.before?.latency;
  const stable = otherColour(candidate);
  if (!step.traffic.known.includes(candidate)) {
    return [noData("data", "the router has not been scraped twice yet, or not lately")];
  }
  const strata = (bins: readonly Bin[], share: (counts: Counts) => Share): readonly Stratum[] =>
    bins.map(({ of }) => ({ own: share(of[candidate]), stable: share(of[stable]) }));
  const errors = (bins: readonly Bin[]): readonly Stratum[] =>
    strata(bins, (counts) => ({ hits: counts.errors, trials: counts.requests }));
  const slow = (bins: readonly Bin[], limit: number): readonly Stratum[] =>
    strata(bins, (counts) => above(counts.latency, limit));
  const latency = added(step.traffic.bins.map(({ of }) => of[candidate].latency));
  const environment: Environment = {
    settings,
    stable,
    epoch: step.epoch,
    health: observation.health,
    effort: effortOf(observation, candidate),
    disturbed: disturbance(stable, before, added(step.traffic.bins.map(({ of }) => of[stable].latency))),
  };

  const verdicts = [
    againstLimit(environment, {
      gate: "errors",
      strata: errors(step.traffic.bins),
      limit: settings.errorRatio,
      minimum: settings.minimumSamples,
      unit: "requests",
      text: (share) => `${percent(share)} of requests failed`,
      bursts: false,
    }),
    ...(
      [
        ["p95", 0.95, settings.p95Milliseconds],
        ["p99", 0.99, settings.p99Milliseconds],
      ] as const
    ).map(([gate, q, milliseconds]) => {
      const value = quantile(latency, q);
      return againstLimit(environment, {
        gate,
        strata: slow(step.traffic.bins, milliseconds),
        limit: 1 - q,
        minimum: settings.minimumSamples,
        unit: "requests",
        text: (share) =>
          `${gate} ${value.toFixed(0)} ms, ${percent(share)} of requests above ${String(milliseconds)} ms`,
        bursts: true,
        milliseconds,
        ...(before === undefined ? {} : { before: above(before, milliseconds) }),
        figures: { milliseconds: value },
      });
    }),
    ...webSockets(environment, candidate, observation),
  ];
  const paired = both.traffic.bins;
  if (paired.length === 0) return verdicts;
  return [
    ...verdicts,
    compared(environment, both.epoch, "errors-compared", "requests failed", errors(paired)),
    compared(
      environment,
      both.epoch,
      "slow-compared",
      `requests took over ${String(settings.p95Milliseconds)} ms`,
      slow(paired, settings.p95Milliseconds),
    ),
  ];
}

/** What surrounds one gate. */
interface Environment {
  readonly settings: GateSettings;
  readonly stable: Colour;
  readonly epoch: number;
  /** Milliseconds of the candidate's answers to health checks. */
  readonly health: readonly number[];
  /** CPU time that a request takes on the candidate, as a multiple of the stable colour's; undefined if unknown. */
  readonly effort: number | undefined;
  /** In which way the stable colour is slower than it was itself; undefined when it is not. */
  readonly disturbed: string | undefined;
}

/** A share of the candidate that must stay below a limit. */
interface Limited {
  readonly gate: string;
  readonly strata: readonly Stratum[];
  readonly limit: number;
  /** Least trials of the candidate. */
  readonly minimum: number;
  readonly unit: string;
  readonly text: (share: number) => string;
  /** Whether its bad ones come in bursts, so that one scrape alone must not decide. */
  readonly bursts: boolean;
  /** What is too slow. Absent: it is not about time, and a busy machine alone cannot cause it. */
  readonly milliseconds?: number;
  /** The stable colour's share when it had all users. */
  readonly before?: Share;
  readonly figures?: Readonly<Record<string, number>>;
}

/**
 * A quantile below a limit is a share above the limit that is small enough, so latency is judged as errors are. Failed:
 * the evidence that the true share is above the limit is enough, and the stable colour does not show the same in the same
 * seconds. Passed: the measured share is below the limit, of enough samples. In between the step holds, and so it does in
 * a trouble that both colours have.
 */
function againstLimit(environment: Environment, limited: Limited): Verdict {
  const { settings, epoch } = environment;
  const { gate, strata, limit, minimum, unit } = limited;
  const own = pooled(strata.map((stratum) => stratum.own));
  const control = pooled(strata.map((stratum) => stratum.stable));
  const share = own.trials === 0 ? 0 : own.hits / own.trials;
  const evidence = evidenceAbove(
    strata.map((stratum) => stratum.own),
    limit,
    limited.bursts ? BURST : Infinity,
  );
  const needed = evidenceNeeded(settings.significance, epoch);
  const figures = {
    ...{ samples: own.trials, bad: own.hits, share, limit, ...strengthOf(evidence, needed) },
    ...{ stableSamples: control.trials, stableBad: control.hits },
    ...limited.figures,
  };
  const sentence = `${limited.text(share)} (${counts(own)}, limit ${percent(limit)})`;
  if (own.trials > 0 && share >= limit) {
    const proven = evidence >= needed && own.hits > 1;
    const trouble = sharedTrouble(environment, limited, own, control);
    if (trouble?.worse === false) {
      return { gate, outcome: "no-data", detail: `${sentence}, and ${trouble.what}`, figures, shared: true };
    }
    if (trouble !== undefined) return { gate, outcome: "no-data", detail: `${sentence}, but ${trouble.what}`, figures };
    const beside = control.trials > 0 ? `, on ${environment.stable} ${counts(control)}` : "";
    return { gate, outcome: proven ? "fail" : "no-data", detail: `${sentence}${beside}`, figures };
  }
  if (own.trials < minimum) {
    return { ...noData(gate, `${String(own.trials)} of ${String(minimum)} ${unit} needed`), figures };
  }
  return { gate, outcome: "pass", detail: sentence, figures };
}

/**
 * What besides the candidate explains that it is over a limit, and whether the candidate is worse all the same.
 * A busy machine shows in four ways: the stable colour is near the limit in the same seconds; it was over it when it had
 * all the users itself; it answers slower than it did then, although it has fewer; or the candidate lacks processor time.
 */
function sharedTrouble(
  environment: Environment,
  { strata, limit, before, milliseconds }: Limited,
  own: Share,
  control: Share,
): { readonly what: string; readonly worse: boolean } | undefined {
  const { settings, stable, disturbed } = environment;
  const enough = control.trials >= CONTROL_SAMPLES;
  const worse = enough && isWorse(strata, evidenceNeeded(settings.comparisonSignificance, 1));
  if (enough && !worse && control.hits * 2 >= limit * control.trials) {
    return { what: `${stable} is no better: ${counts(control)}`, worse };
  }
  if (milliseconds === undefined) return undefined;
  const alike = before !== undefined && before.trials >= CONTROL_SAMPLES && before.hits >= limit * before.trials;
  if (alike && own.hits * before.trials < WORSE * before.hits * own.trials) {
    return { what: `${stable} was no better with all users: ${counts(before)}`, worse };
  }
  const starved = starvation(environment, milliseconds, own);
  if (starved !== undefined) return { what: starved, worse: false };
  return disturbed === undefined ? undefined : { what: disturbed, worse };
}

/**
 * Whether the candidate is slow because others have the processors: health checks, which need no work, are late like the
 * users' requests, so the process itself cannot run, yet a request takes no more processor time than on the stable colour.
 * A release that waits answers health checks at once, and one that computes more is seen by its processor time.
 */
function starvation({ health, effort }: Environment, milliseconds: number, own: Share): string | undefined {
  const late = { hits: health.filter((each) => each > milliseconds).length, trials: health.length };
  if (effort === undefined || effort >= WORSE || late.trials < LEAST_HEALTH_CHECKS) return undefined;
  if (2 * late.hits * own.trials < own.hits * late.trials) return undefined;
  return `it lacks processor time: ${counts(late)} health checks were as late, and a request takes ${effort.toFixed(1)} times the CPU of before`;
}

/** CPU time of a request on the candidate by that of the stable colour with users, before and during the rollout. */
function effortOf({ step, both, before }: Observation, candidate: Colour): number | undefined {
  const stable = otherColour(candidate);
  const cost = (parts: readonly Pick<Counts, "requests" | "cpuSeconds">[]): number => {
    const total = (key: "requests" | "cpuSeconds"): number => parts.reduce((sum, part) => sum + part[key], 0);
    return total("cpuSeconds") / total("requests");
  };
  const own = cost(step.traffic.bins.map(({ of }) => of[candidate]));
  const control = cost([...both.traffic.bins.map(({ of }) => of[stable]), ...(before === undefined ? [] : [before])]);
  return own > 0 && control > 0 && Number.isFinite(own / control) ? own / control : undefined;
}

/**
 * Whether the stable colour is slower than it was with all users: more than twice its p95 of then is exceeded by
 * significantly more than 5 % of its requests, by an exact binomial test, and by at least 10 %.
 */
function disturbance(stable: Colour, before: Histogram | undefined, now: Histogram): string | undefined {
  if (before === undefined || (before.at(-1)?.[1] ?? 0) < CONTROL_SAMPLES) return undefined;
  const p95 = quantile(before, 0.95);
  const bound = before.find(([each]) => each >= Math.max(25, 2 * p95))?.[0];
  if (bound === undefined || bound === Infinity) return undefined;
  const { hits, trials } = above(now, bound);
  if (trials < CONTROL_SAMPLES || hits < 0.1 * trials || binomialTail(hits, trials, 0.05) >= 0.01) return undefined;
  return `${stable} is slower than it was: ${counts({ hits, trials })} above ${String(bound)} ms, its p95 was ${p95.toFixed(0)} ms`;
}

function isWorse(strata: readonly Stratum[], needed: number): boolean {
  return riskRatio(strata) >= WORSE && evidenceWorse(strata, BURST) >= needed;
}

/** Candidate against stable over the same seconds; a suspicion holds the step until it is clear. */
function compared(
  { settings, stable }: Environment,
  epoch: number,
  gate: string,
  what: string,
  strata: readonly Stratum[],
): Verdict {
  const own = pooled(strata.map((stratum) => stratum.own));
  const control = pooled(strata.map((stratum) => stratum.stable));
  const [ratio, evidence] = [riskRatio(strata), evidenceWorse(strata, BURST)];
  const needed = evidenceNeeded(settings.comparisonSignificance, epoch);
  const figures = {
    ...{ samples: own.trials, bad: own.hits, stableSamples: control.trials, stableBad: control.hits },
    ...{ ratio, ...strengthOf(evidence, needed) },
  };
  const factor = Number.isFinite(ratio) ? `${ratio.toFixed(1)} times as many` : "there none";
  const strength = `evidence ${odds(evidence).toPrecision(2)} of ${odds(needed).toFixed(0)}`;
  const detail = `${counts(own)} ${what}, on ${stable} ${counts(control)} in the same seconds (${factor}, ${strength})`;
  const doubtful = own.hits > 2 && ratio >= WORSE;
  if (doubtful && evidence >= needed) return { gate, outcome: "fail", detail, figures };
  if (doubtful && evidence >= SUSPICION)
    return { gate, outcome: "no-data", detail: `not clear yet: ${detail}`, figures };
  const least = Math.min(own.trials, control.trials);
  if (least < CONTROL_SAMPLES) {
    return {
      ...noData(gate, `${String(least)} of ${String(CONTROL_SAMPLES)} requests needed on each colour`),
      figures,
    };
  }
  return { gate, outcome: "pass", detail, figures };
}

/** Round trips against their limit, and refused or dropped connections against the limit of errors. */
function webSockets(environment: Environment, candidate: Colour, observation: Observation): readonly Verdict[] {
  const { settings, stable } = environment;
  const { bins } = observation.step.traffic;
  const measured = inServerBins(bins).map((group): Stratum => {
    const share = (colour: Colour): Share =>
      above(added(group.map(({ of }) => of[colour].roundTrips)), settings.webSocketMilliseconds / 1000);
    return { own: share(candidate), stable: share(stable) };
  });
  const probed = observation.roundTrips.map((seconds): Stratum => {
    const share = ({ slow, done }: ProbedRoundTrips): Share => ({ hits: slow, trials: done });
    return { own: share(seconds[candidate]), stable: share(seconds[stable]) };
  });
  const refused = bins.map(({ of }): Stratum => {
    const share = ({ refused: hits, upgrades }: Counts): Share => ({ hits, trials: upgrades });
    return { own: share(of[candidate]), stable: share(of[stable]) };
  });
  const lost = observation.roundTrips.map((seconds): Stratum => {
    const share = ({ done, lost: hits }: ProbedRoundTrips): Share => ({ hits, trials: done + hits });
    return { own: share(seconds[candidate]), stable: share(seconds[stable]) };
  });
  const limit = settings.webSocketMilliseconds;
  const common = { minimum: settings.minimumRoundTrips, bursts: true } as const;
  return [
    againstLimit(environment, {
      ...common,
      gate: "websocket",
      strata: [...measured, ...probed],
      limit: 0.05,
      unit: "round trips",
      text: (share) => `${percent(share)} of WebSocket round trips above ${String(limit)} ms`,
      milliseconds: limit,
    }),
    againstLimit(environment, {
      ...common,
      gate: "websocket-errors",
      strata: [...refused, ...lost],
      limit: settings.errorRatio,
      unit: "WebSockets and round trips",
      text: (share) => `${percent(share)} of WebSockets and their round trips refused or lost`,
    }),
  ];
}

function inServerBins(bins: readonly Bin[]): readonly (readonly Bin[])[] {
  return [...Map.groupBy(bins, ({ at }) => Math.floor(at / SERVER_BIN_SECONDS)).values()];
}

function noData(gate: string, detail: string): Verdict {
  return { gate, outcome: "no-data", detail, figures: {} };
}

function strengthOf(evidence: number, needed: number): Readonly<Record<"evidence" | "needed", number>> {
  return { evidence: odds(evidence), needed: odds(needed) };
}

/** Evidence as odds, within what JSON and people can read. */
function odds(log: number): number {
  return Math.min(1e9, Math.exp(log));
}

function counts(share: Share): string {
  return `${String(share.hits)} of ${String(share.trials)}`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(share < 0.1 ? 2 : 1)} %`;
}
