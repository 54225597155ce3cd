import { otherSlot, type Slot } from "../../../contract/slots.ts";
import type { GateSettings } from "./settings.ts";
import type { Observation } from "./judge.ts";
import { binomialTail, evidenceNeeded, evidenceWorse, riskRatio, type Share, type Stratum } from "./statistics.ts";
import { above, added, quantile, type Counts } from "./traffic-samples.ts";

/** Observations of the stable slot with which it can stand as a control. */
export const CONTROL_SAMPLES = 20;

/** Health checks without which nothing can be said of them. */
const LEAST_HEALTH_CHECKS = 8;

/** What is worse is at least this many times as bad: a small difference is no reason to take a release back. */
export const WORSE = 2;

/** Most that a few seconds may add to a test that bursts could fool: no single scrape fails a release. */
export const BURST = Math.log(10);

/** What surrounds one gate. */
export interface Environment {
  readonly settings: GateSettings;
  readonly stable: Slot;
  readonly epoch: number;
  /** Milliseconds of the candidate's answers to health checks. */
  readonly health: readonly number[];
  /** CPU time that a request takes on the candidate, as a multiple of the stable slot's; undefined if unknown. */
  readonly effort: number | undefined;
  /** In which way the stable slot is slower than it was itself; undefined when it is not. */
  readonly disturbed: string | undefined;
}

/** What is known of a share that is over its limit. */
export interface Trouble {
  readonly strata: readonly Stratum[];
  readonly limit: number;
  /** What is too slow. Absent: it is not about time, and a busy machine alone cannot cause it. */
  readonly milliseconds?: number;
  /** The stable slot's share when it had all users. */
  readonly before?: Share;
}

/**
 * What besides the candidate explains that it is over a limit, and whether the candidate is worse all the same.
 * A busy machine shows in four ways: the stable slot is near the limit in the same seconds; it was over it when it had
 * all the users itself; it answers slower than it did then, although it has fewer; or the candidate lacks processor time.
 */
export function sharedTrouble(
  environment: Environment,
  { strata, limit, before, milliseconds }: Trouble,
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
 * users' requests, so the process itself cannot run, yet a request takes no more processor time than on the stable slot.
 * A release that waits answers health checks at once, and one that computes more is seen by its processor time.
 */
function starvation({ health, effort }: Environment, milliseconds: number, own: Share): string | undefined {
  const late = { hits: health.filter((each) => each > milliseconds).length, trials: health.length };
  if (effort === undefined || effort >= WORSE || late.trials < LEAST_HEALTH_CHECKS) return undefined;
  if (2 * late.hits * own.trials < own.hits * late.trials) return undefined;
  return `it lacks processor time: ${counts(late)} health checks were as late, and a request takes ${effort.toFixed(1)} times the CPU of before`;
}

/** What surrounds the gates of an observation. */
export function environmentOf(settings: GateSettings, candidate: Slot, observation: Observation): Environment {
  return {
    settings,
    stable: otherSlot(candidate),
    epoch: observation.step.epoch,
    health: observation.health,
    effort: effortOf(observation, candidate),
    disturbed: disturbance(observation, candidate),
  };
}

/** CPU time of a request on the candidate by that of the stable slot with users, before and during the rollout. */
function effortOf({ step, both, before }: Observation, candidate: Slot): number | undefined {
  const stable = otherSlot(candidate);
  const cost = (parts: readonly Pick<Counts, "requests" | "cpuSeconds">[]): number => {
    const total = (key: "requests" | "cpuSeconds"): number => parts.reduce((sum, part) => sum + part[key], 0);
    return total("cpuSeconds") / total("requests");
  };
  const own = cost(step.traffic.bins.map(({ of }) => of[candidate]));
  const control = cost([...both.traffic.bins.map(({ of }) => of[stable]), ...(before === undefined ? [] : [before])]);
  return own > 0 && control > 0 && Number.isFinite(own / control) ? own / control : undefined;
}

/**
 * Whether the stable slot is slower than it was with all users: more than twice its p95 of then is exceeded by
 * significantly more than 5 % of its requests, by an exact binomial test, and by at least 10 %.
 */
function disturbance({ step, before: counted }: Observation, candidate: Slot): string | undefined {
  const stable = otherSlot(candidate);
  const before = counted?.latency ?? [];
  if ((before.at(-1)?.[1] ?? 0) < CONTROL_SAMPLES) return undefined;
  const p95 = quantile(before, 0.95);
  const bound = before.find(([each]) => each >= Math.max(25, 2 * p95))?.[0];
  if (bound === undefined || bound === Infinity) return undefined;
  const { hits, trials } = above(added(step.traffic.bins.map(({ of }) => of[stable].latency)), bound);
  if (trials < CONTROL_SAMPLES || hits < 0.1 * trials || binomialTail(hits, trials, 0.05) >= 0.01) return undefined;
  return `${stable} is slower than it was: ${counts({ hits, trials })} above ${String(bound)} ms, its p95 was ${p95.toFixed(0)} ms`;
}

function isWorse(strata: readonly Stratum[], needed: number): boolean {
  return riskRatio(strata) >= WORSE && evidenceWorse(strata, BURST) >= needed;
}

export function counts(share: Share): string {
  return `${String(share.hits)} of ${String(share.trials)}`;
}
