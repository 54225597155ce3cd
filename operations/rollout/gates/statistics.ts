import type { Trials } from "../../../contract/verdict.ts";

/**
 * The tests behind the gates. They are sequential: the chance of a false alarm holds over all checks together, so a gate may
 * check every two seconds for as long as a pause lasts.
 *
 * Each test is an e-process E: a likelihood ratio, averaged over some alternatives, whose expected value does not grow under
 * the null hypothesis. By Ville's inequality the chance that E ever reaches 1/alpha is at most alpha, so min(1, 1/E) is a
 * p-value that is valid at every check (J. Ville, "Étude critique de la notion de collectif", 1939; A. Ramdas, P. Grünwald,
 * V. Vovk, G. Shafer, "Game-theoretic statistics and safe anytime-valid inference", Statistical Science 38, 2023).
 */

/** Both slots in the same few seconds. */
export interface Stratum {
  readonly candidate: Trials;
  readonly stable: Trials;
}

/**
 * The alternatives, equally likely: the factors by which the odds of a bad request have risen. Averaging lowers log E by at
 * most ln 7 compared with the best of them (H. Robbins, "Statistical methods related to the law of the iterated
 * logarithm", Annals of Mathematical Statistics 41, 1970).
 */
const ODDS_RATIOS: readonly number[] = [1.5, 2, 3, 5, 10, 30, 100];

/**
 * log E against "the true share of bad requests is at most the limit".
 *
 * @param seconds one for each few seconds.
 * @param limit a share, 0 to 1.
 * @param bound most that one of them may add to log E. Bad requests come in bursts (a stalled machine, a pause of the garbage
 * collector), and requests of one burst are not independent. A bounded ratio is still an e-process.
 */
export function logEAbove(seconds: readonly Trials[], limit: number, bound = Infinity): number {
  return averaged((ratio) => {
    const alternative = (ratio * limit) / (1 - limit + ratio * limit);
    const [bad, good] = [Math.log(alternative / limit), Math.log1p(-alternative) - Math.log1p(-limit)];
    return sum(seconds, ({ trials, bad: count }) => Math.min(bound, count * bad + (trials - count) * good));
  });
}

/**
 * log E against "the odds of a bad request are not higher on the candidate than on the stable slot". Under it, the bad
 * requests of a stratum fall on the candidate in proportion to its requests, for any load and weights in those
 * seconds: the conditional test of M. Lindon, A. Malek, "Anytime-valid inference for multinomial count data", NeurIPS 2022, on
 * the strata of R. Turner, P. Grünwald, "Safe sequential testing and effect estimation in stratified count data",
 * AISTATS 2023. Its binomial form is more cautious than Fisher's exact one, whose distribution is narrower (W. Hoeffding,
 * "Probability inequalities for sums of bounded random variables", JASA 58, 1963, section 6).
 *
 * @param bound as of {@link logEAbove}.
 */
export function logEWorse(strata: readonly Stratum[], bound = Infinity): number {
  const both = strata.filter(({ candidate, stable }) => candidate.trials > 0 && stable.trials > 0);
  return averaged((ratio) =>
    sum(both, ({ candidate, stable }) => {
      const exposure = candidate.trials / (candidate.trials + stable.trials);
      const bad = candidate.bad + stable.bad;
      return Math.min(bound, candidate.bad * Math.log(ratio) - bad * Math.log1p(exposure * (ratio - 1)));
    }),
  );
}

/** The p-value of an e-process, valid at every check: min(1, 1/E). */
export function pOf(logE: number): number {
  return Math.min(1, Math.exp(-logE));
}

/**
 * Significance level of one epoch, if a new test begins at every epoch without end: alpha / 2, / 6, / 12 …, together alpha.
 * Without new tests, hours of good requests would outweigh minutes of bad ones.
 *
 * @param epoch from 1.
 */
export function epochLevel(alpha: number, epoch: number): number {
  return alpha / (epoch * (epoch + 1));
}

/** Logarithm of the average of exp(log) over the alternatives. */
function averaged(log: (ratio: number) => number): number {
  const logs = ODDS_RATIOS.map(log);
  const most = Math.max(...logs);
  return most + Math.log(sum(logs, (each) => Math.exp(each - most)) / logs.length);
}

/**
 * Risk ratio of candidate to stable over all strata (N. Mantel, W. Haenszel, "Statistical aspects of the analysis of data from
 * retrospective studies of disease", JNCI 22, 1959); 1 if nothing was bad, Infinity if only the candidate had bad requests.
 */
export function riskRatio(strata: readonly Stratum[]): number {
  const weighted = (one: Trials, other: Trials): number =>
    other.trials === 0 ? 0 : (one.bad * other.trials) / (one.trials + other.trials);
  const candidate = sum(strata, (stratum) => weighted(stratum.candidate, stratum.stable));
  const stable = sum(strata, (stratum) => weighted(stratum.stable, stratum.candidate));
  return candidate === 0 && stable === 0 ? 1 : candidate / stable;
}

/** Trials added up. */
export function pooled(parts: readonly Trials[]): Trials {
  return { trials: sum(parts, ({ trials }) => trials), bad: sum(parts, ({ bad }) => bad) };
}

/** Trials of both slots, added up over the strata. */
export function pooledSlots(strata: readonly Stratum[]): Stratum {
  return {
    candidate: pooled(strata.map(({ candidate }) => candidate)),
    stable: pooled(strata.map(({ stable }) => stable)),
  };
}

/** Share of bad trials, 0 to 1; 0 of nothing. */
export function shareOf({ trials, bad }: Trials): number {
  return trials === 0 ? 0 : bad / trials;
}

/**
 * One-sided exact binomial test: the probability of at least `bad` among `trials` if the true share is `share`
 * (C. Clopper, E. Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial", 1934).
 */
export function binomialTail({ trials, bad }: Trials, share: number): number {
  if (bad <= 0) return 1;
  if (bad > trials || share <= 0) return 0;
  if (share >= 1) return 1;
  let [total, before] = [0, -Infinity];
  for (let k = bad; k <= trials; k += 1) {
    const log = logChoose(trials, k) + k * Math.log(share) + (trials - k) * Math.log1p(-share);
    total += Math.exp(log);
    // Past the mode the terms only fall: stop at those too small to matter.
    if (log < before && log < Math.log(total) - 40) break;
    before = log;
  }
  return Math.min(1, total);
}

function logChoose(n: number, k: number): number {
  return logFactorial(n) - logFactorial(k) - logFactorial(n - k);
}

/** Natural logarithm of n!: summed below 64, Stirling's series above, where its error is below 1e-12. */
function logFactorial(n: number): number {
  if (n < 64) {
    let total = 0;
    for (let k = 2; k <= n; k += 1) total += Math.log(k);
    return total;
  }
  const x = n + 1;
  return (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + 1 / (12 * x) - 1 / (360 * x ** 3);
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}
