/**
 * The tests behind the gates. They are sequential: their chance of a false alarm is kept over all looks together, however
 * many there are, so that a gate may look every two seconds for as long as a pause lasts.
 *
 * Each is an e-process: a likelihood ratio, averaged over some alternatives, that under the null hypothesis is not
 * expected to grow. By Ville's inequality it ever reaches 1/alpha with a chance of at most alpha (J. Ville, "Étude critique
 * de la notion de collectif", 1939; A. Ramdas, P. Grünwald, V. Vovk, G. Shafer, "Game-theoretic statistics and safe
 * anytime-valid inference", Statistical Science 38, 2023).
 */

/** Requests, and how many of them were bad. */
export interface Share {
  readonly hits: number;
  readonly trials: number;
}

/** Both slots in the same few seconds. */
export interface Stratum {
  readonly own: Share;
  readonly stable: Share;
}

/**
 * How many times the odds of a bad request may have risen: the alternatives, equally likely. Averaging costs at most
 * ln 7 of the evidence against the best of them (H. Robbins, "Statistical methods related to the law of the iterated
 * logarithm", Annals of Mathematical Statistics 41, 1970).
 */
const ODDS_RATIOS: readonly number[] = [1.5, 2, 3, 5, 10, 30, 100];

/**
 * Log evidence that the true share of bad requests is above a limit.
 *
 * @param shares one for each few seconds.
 * @param bound most that one of them may add, as a log: bad luck comes in bursts (a stalled machine, a pause of the
 * garbage collector), and requests of one burst are not independent. A bounded ratio is still expected not to grow.
 */
export function evidenceAbove(shares: readonly Share[], limit: number, bound = Infinity): number {
  return averaged((ratio) => {
    const alternative = (ratio * limit) / (1 - limit + ratio * limit);
    const [bad, good] = [Math.log(alternative / limit), Math.log1p(-alternative) - Math.log1p(-limit)];
    return sum(shares, ({ hits, trials }) => Math.min(bound, hits * bad + (trials - hits) * good));
  });
}

/**
 * Log evidence that the odds of a bad request are higher on the candidate than on the stable slot. Where they are not,
 * the bad ones of a stratum fall on the candidate with its share of the requests, whatever the trouble and the weights
 * were in those seconds: the conditional test of M. Lindon, A. Malek, "Anytime-valid inference for multinomial count
 * data", NeurIPS 2022, on the strata of R. Turner, P. Grünwald, "Safe sequential testing and effect estimation in
 * stratified count data", AISTATS 2023. Its binomial form is cautious beside Fisher's exact one, whose distribution is
 * narrower (W. Hoeffding, "Probability inequalities for sums of bounded random variables", JASA 58, 1963, section 6).
 *
 * @param bound as of {@link evidenceAbove}.
 */
export function evidenceWorse(strata: readonly Stratum[], bound = Infinity): number {
  const both = strata.filter(({ own, stable }) => own.trials > 0 && stable.trials > 0);
  return averaged((ratio) =>
    sum(both, ({ own, stable }) => {
      const exposure = own.trials / (own.trials + stable.trials);
      const hits = own.hits + stable.hits;
      return Math.min(bound, own.hits * Math.log(ratio) - hits * Math.log1p(exposure * (ratio - 1)));
    }),
  );
}

/** Logarithm of the average of exp(log) over the alternatives. */
function averaged(log: (ratio: number) => number): number {
  const logs = ODDS_RATIOS.map(log);
  const most = Math.max(...logs);
  return most + Math.log(sum(logs, (each) => Math.exp(each - most)) / logs.length);
}

/**
 * How many times as bad the candidate is over all strata (N. Mantel, W. Haenszel, "Statistical aspects of the analysis of
 * data from retrospective studies of disease", JNCI 22, 1959); 1 where nothing was bad, Infinity where only it was.
 */
export function riskRatio(strata: readonly Stratum[]): number {
  const weighted = (hits: Share, against: Share): number =>
    against.trials === 0 ? 0 : (hits.hits * against.trials) / (hits.trials + against.trials);
  const own = sum(strata, (stratum) => weighted(stratum.own, stratum.stable));
  const stable = sum(strata, (stratum) => weighted(stratum.stable, stratum.own));
  return own === 0 && stable === 0 ? 1 : own / stable;
}

/** Shares added up. */
export function pooled(shares: readonly Share[]): Share {
  return { hits: sum(shares, ({ hits }) => hits), trials: sum(shares, ({ trials }) => trials) };
}

/**
 * Log evidence that a test needs, when a new one is begun at every epoch, without end: the epochs spend alpha / 2, / 6,
 * / 12 …, which together is alpha. Without new beginnings hours of good requests would outweigh minutes of bad ones.
 *
 * @param epoch from 1.
 */
export function evidenceNeeded(alpha: number, epoch: number): number {
  return Math.log((epoch * (epoch + 1)) / alpha);
}

/**
 * One-sided exact binomial test: the probability of at least `hits` among `trials` if the true share were `share`
 * (C. Clopper, E. Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial", 1934).
 */
export function binomialTail(hits: number, trials: number, share: number): number {
  if (hits <= 0) return 1;
  if (hits > trials || share <= 0) return 0;
  if (share >= 1) return 1;
  let [total, before] = [0, -Infinity];
  for (let k = hits; k <= trials; k += 1) {
    const log = logChoose(trials, k) + k * Math.log(share) + (trials - k) * Math.log1p(-share);
    total += Math.exp(log);
    // Past the mode the terms only fall: what cannot be seen any more need not be added.
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
