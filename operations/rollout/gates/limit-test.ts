import type { Verdict } from "../../../contract/verdict.ts";
import {
  BURST,
  confounderOf,
  CONTROL_SAMPLES,
  cpuContention,
  WORSE,
  type Environment,
  type Exceeded,
} from "./confounders.ts";
import { epochLevel, logEAbove, logEWorse, pOf, pooledSlots, riskRatio, shareOf, type Stratum } from "./statistics.ts";

/** p-value from which the candidate may be worse: not enough for a failure, too much to give it more users. */
const SUSPICION = 0.2;

/** A share of the candidate that must stay below a limit. */
interface LimitTest extends Exceeded {
  readonly gate: string;
  /** Least number of the candidate's trials. */
  readonly needed: number;
  /** Whether bad trials come in bursts, so that one scrape alone must not decide. */
  readonly bursts: boolean;
  /** What is shown, if it is not the share of bad trials. */
  readonly shown?: Pick<Verdict, "figure" | "limit" | "unit">;
}

/**
 * Judges a share against its limit. A quantile below a limit means that a small enough share is above the limit, so latency is
 * judged like errors. It fails if the true share is significantly above the limit and no confounder explains it. It passes if
 * the measured share of enough trials is below the limit, or, unless it is about time, like that of the stable slot: requests
 * that fail on any release must not keep a release from its users. Otherwise the step holds.
 */
export function againstLimit(environment: Environment, test: LimitTest): Verdict {
  const { settings, epoch } = environment;
  const { gate, strata, allowed, needed, thresholdMilliseconds } = test;
  const trials = pooledSlots(strata);
  const { candidate } = trials;
  const share = shareOf(candidate);
  const logE = logEAbove(
    strata.map((stratum) => stratum.candidate),
    allowed,
    test.bursts ? BURST : Infinity,
  );
  const [p, alpha] = [pOf(logE), epochLevel(settings.significance, epoch)];
  const common = {
    gate,
    ...(test.shown ?? { figure: share, limit: allowed, unit: "share" }),
    sample: { ...trials, allowed, needed, ...(thresholdMilliseconds === undefined ? {} : { thresholdMilliseconds }) },
    test: "binomial-e-process",
    p,
    alpha,
  } as const;
  if (candidate.trials > 0 && share >= allowed) {
    const confounder = confounderOf(environment, test, trials);
    if (confounder !== undefined) {
      const { why, worse, context } = confounder;
      const { stable } = trials;
      const alike = candidate.bad * stable.trials < WORSE * stable.bad * candidate.trials;
      const sound = Math.min(candidate.trials - candidate.bad, stable.trials - stable.bad);
      if (thresholdMilliseconds === undefined && alike && sound >= needed) return { ...common, verdict: "pass", why };
      const facts = { ...(worse ? {} : { shared: true as const }), ...(context === undefined ? {} : { context }) };
      return { ...common, verdict: "no-data", why, ...facts };
    }
    return p <= alpha && candidate.bad > 1
      ? { ...common, verdict: "fail", why: "above-limit" }
      : { ...common, verdict: "no-data", why: "not-proven" };
  }
  return candidate.trials < needed
    ? { ...common, verdict: "no-data", why: "few-samples" }
    : { ...common, verdict: "pass", why: "within-limit" };
}

/**
 * Judges the candidate against the stable slot in the same seconds. A suspicion holds the step until it is clear.
 *
 * @param thresholdMilliseconds above which a trial is bad, if the gate is about time.
 */
export function compared(
  environment: Environment,
  epoch: number,
  gate: string,
  strata: readonly Stratum[],
  thresholdMilliseconds?: number,
): Verdict {
  const { settings } = environment;
  const trials = pooledSlots(strata);
  const { candidate, stable } = trials;
  const ratio = riskRatio(strata);
  const [p, alpha] = [pOf(logEWorse(strata, BURST)), epochLevel(settings.comparisonSignificance, epoch)];
  const common = {
    gate,
    ...(Number.isFinite(ratio) ? { figure: ratio } : {}),
    limit: WORSE,
    unit: "ratio",
    sample: {
      ...trials,
      needed: CONTROL_SAMPLES,
      ...(thresholdMilliseconds === undefined ? {} : { thresholdMilliseconds }),
    },
    test: "stratified-binomial-e-process",
    p,
    alpha,
  } as const;
  const doubtful = candidate.bad > 2 && ratio >= WORSE;
  // Clients can concentrate load on a slot by their sessions.
  const contention =
    doubtful && thresholdMilliseconds !== undefined
      ? cpuContention(environment, thresholdMilliseconds, candidate)
      : undefined;
  if (contention !== undefined)
    return { ...common, verdict: "no-data", why: "cpu-contention", shared: true, context: contention };
  if (doubtful && p <= alpha) return { ...common, verdict: "fail", why: "worse-than-stable" };
  if (doubtful && p <= SUSPICION) return { ...common, verdict: "no-data", why: "suspicion" };
  return Math.min(candidate.trials, stable.trials) < CONTROL_SAMPLES
    ? { ...common, verdict: "no-data", why: "few-samples" }
    : { ...common, verdict: "pass", why: "not-worse-than-stable" };
}
