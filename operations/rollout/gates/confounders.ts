import { otherSlot, type Slot } from "../../../contract/slots.ts";
import type { Trials, VerdictContext, VerdictReason } from "../../../contract/verdict.ts";
import type { Observation } from "./observation.ts";
import type { GateSettings } from "./settings.ts";
import { binomialTail, epochLevel, logEWorse, pOf, riskRatio, type Stratum } from "./statistics.ts";
import { above, added, quantile, type Counts } from "./traffic-samples.ts";

/** Trials of the stable slot that it needs as a control. */
export const CONTROL_SAMPLES = 20;

/** Least number of health checks. */
const LEAST_HEALTH_CHECKS = 8;

/** Risk ratio from which the candidate counts as worse: a small difference is not a reason for a rollback. */
export const WORSE = 2;

/** Most that a few seconds add to log E of a test that bursts could mislead: one scrape alone never fails a release. */
export const BURST = Math.log(10);

/** What besides the candidate acts on a gate. */
export interface Environment {
  readonly settings: GateSettings;
  readonly epoch: number;
  /** Milliseconds of the candidate's answers to health checks. */
  readonly health: readonly number[];
  /** CPU time of a request on the candidate, as a multiple of the stable slot's; undefined if unknown. */
  readonly cpuRatio: number | undefined;
  /** How the stable slot is slower than it was itself; undefined if it is not. */
  readonly disturbance: Disturbance | undefined;
}

interface Disturbance {
  readonly beforeP95Milliseconds: number;
  readonly slower: Trials;
  readonly slowerThanMilliseconds: number;
}

/** A share that exceeds its limit. */
export interface Exceeded {
  readonly strata: readonly Stratum[];
  /** Share of bad trials that the limit allows. */
  readonly allowed: number;
  /** Milliseconds above which a trial is bad. Absent: the gate is not about time, and a busy machine cannot cause it. */
  readonly thresholdMilliseconds?: number;
  /** The stable slot's trials when it had all users. */
  readonly before?: Trials;
}

/** A cause other than the candidate. */
export interface Confounder {
  readonly why: Extract<
    VerdictReason,
    "shared-with-stable" | "stable-was-slow" | "stable-is-slower" | "cpu-contention"
  >;
  /** Whether the candidate is worse than the stable slot all the same. */
  readonly worse: boolean;
  readonly context?: VerdictContext;
}

/**
 * What explains an exceeded limit other than the candidate. A busy machine shows in four ways: the stable slot is near the
 * limit in the same seconds; it exceeded it when it had all users; it answers slower than then, although it has fewer users;
 * or the candidate lacks processor time.
 */
export function confounderOf(environment: Environment, exceeded: Exceeded, trials: Stratum): Confounder | undefined {
  const { settings, disturbance } = environment;
  const { strata, allowed, before, thresholdMilliseconds } = exceeded;
  const { candidate, stable } = trials;
  const enough = stable.trials >= CONTROL_SAMPLES;
  const worse = enough && isWorse(strata, epochLevel(settings.comparisonSignificance, 1));
  if (enough && !worse && stable.bad * 2 >= allowed * stable.trials) return { why: "shared-with-stable", worse };
  // Ten failures in ten fail a release; with ten in ten of the stable slot as well, the router is gone, not the release.
  const alike = stable.bad > 1 && stable.bad * candidate.trials * WORSE > candidate.bad * stable.trials;
  if (!enough && candidate.trials < CONTROL_SAMPLES && alike) return { why: "shared-with-stable", worse: false };
  if (thresholdMilliseconds === undefined) return undefined;
  const slowBefore = before !== undefined && before.trials >= CONTROL_SAMPLES && before.bad >= allowed * before.trials;
  if (slowBefore && candidate.bad * before.trials < WORSE * before.bad * candidate.trials)
    return { why: "stable-was-slow", worse, context: { before } };
  const context = cpuContention(environment, thresholdMilliseconds, candidate);
  if (context !== undefined) return { why: "cpu-contention", worse: false, context };
  return disturbance === undefined ? undefined : { why: "stable-is-slower", worse, context: { ...disturbance } };
}

/**
 * Whether the candidate is slow because other processes use the processors: health checks, which need no work, are as late
 * as the users' requests, so the process cannot run, yet a request takes no more CPU time than on the stable slot. A release
 * that waits answers health checks at once, and one that computes more uses more CPU time.
 */
export function cpuContention(
  { health, cpuRatio }: Environment,
  milliseconds: number,
  candidate: Trials,
): VerdictContext | undefined {
  const healthChecks = { trials: health.length, bad: health.filter((each) => each > milliseconds).length };
  if (cpuRatio === undefined || cpuRatio >= WORSE || healthChecks.trials < LEAST_HEALTH_CHECKS) return undefined;
  if (2 * healthChecks.bad * candidate.trials < candidate.bad * healthChecks.trials) return undefined;
  return { healthChecks, cpuRatio };
}

/** The environment of an observation's gates. */
export function environmentOf(settings: GateSettings, candidate: Slot, observation: Observation): Environment {
  return {
    settings,
    epoch: observation.step.epoch,
    health: observation.health,
    cpuRatio: cpuRatioOf(observation, candidate),
    disturbance: disturbanceOf(observation, candidate),
  };
}

/** CPU time of a request on the candidate by that on the stable slot with users, before and during the rollout. */
function cpuRatioOf({ step, both, before }: Observation, candidate: Slot): number | undefined {
  const stable = otherSlot(candidate);
  const cost = (parts: readonly Pick<Counts, "handled" | "cpuSeconds">[]): number => {
    const total = (key: "handled" | "cpuSeconds"): number => parts.reduce((sum, part) => sum + part[key], 0);
    return total("cpuSeconds") / total("handled");
  };
  const own = cost(step.traffic.bins.map(({ of }) => of[candidate]));
  const control = cost([...both.traffic.bins.map(({ of }) => of[stable]), ...(before === undefined ? [] : [before])]);
  return own > 0 && control > 0 && Number.isFinite(own / control) ? own / control : undefined;
}

/**
 * Whether the stable slot is slower than it was with all users: significantly more than 5 % of its requests, by an exact
 * binomial test, and at least 10 %, take more than twice its p95 of then.
 */
function disturbanceOf({ step, before: counted }: Observation, candidate: Slot): Disturbance | undefined {
  const before = counted?.latency ?? [];
  if ((before.at(-1)?.[1] ?? 0) < CONTROL_SAMPLES) return undefined;
  const beforeP95Milliseconds = quantile(before, 0.95);
  const bound = before.find(([each]) => each >= Math.max(25, 2 * beforeP95Milliseconds))?.[0];
  if (bound === undefined || bound === Infinity) return undefined;
  const slower = above(added(step.traffic.bins.map(({ of }) => of[otherSlot(candidate)].latency)), bound);
  if (slower.trials < CONTROL_SAMPLES || slower.bad < 0.1 * slower.trials || binomialTail(slower, 0.05) >= 0.01)
    return undefined;
  return { beforeP95Milliseconds, slower, slowerThanMilliseconds: bound };
}

function isWorse(strata: readonly Stratum[], level: number): boolean {
  return riskRatio(strata) >= WORSE && pOf(logEWorse(strata, BURST)) <= level;
}
