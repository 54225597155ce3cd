/**
 * The two exact tests behind the gates. Exact, because a step at 5 % sees few requests and fewer errors, where the
 * normal approximations mislead.
 */

/**
 * One-sided exact binomial test: the probability of at least `hits` among `trials` if the true share were `share`
 * (C. Clopper, E. Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial", 1934).
 */
export function binomialTail(hits: number, trials: number, share: number): number {
  if (hits <= 0) return 1;
  if (hits > trials || share <= 0) return 0;
  if (share >= 1) return 1;
  const term = (k: number): number => logChoose(trials, k) + k * Math.log(share) + (trials - k) * Math.log1p(-share);
  return sumOfTail(hits, trials, term);
}

/** A colour's requests, and how many of them were bad. */
export interface Share {
  readonly hits: number;
  readonly trials: number;
}

/**
 * Fisher's exact test, one-sided (R. A. Fisher, "Statistical Methods for Research Workers", 1934): the probability that
 * `candidate` has at least its hits if hits fell on both alike.
 */
export function fisherTail(candidate: Share, stable: Share): number {
  const hits = candidate.hits + stable.hits;
  const trials = candidate.trials + stable.trials;
  if (candidate.hits <= 0) return 1;
  const whole = logChoose(trials, hits);
  const term = (k: number): number => logChoose(candidate.trials, k) + logChoose(stable.trials, hits - k) - whole;
  return sumOfTail(candidate.hits, Math.min(hits, candidate.trials), term);
}

function sumOfTail(from: number, to: number, logTerm: (k: number) => number): number {
  let sum = 0;
  let before = -Infinity;
  for (let k = from; k <= to; k += 1) {
    const log = logTerm(k);
    sum += Math.exp(log);
    // Past the mode the terms only fall: what cannot be seen any more need not be added.
    if (log < before && log < Math.log(sum) - 40) break;
    before = log;
  }
  return Math.min(1, sum);
}

function logChoose(n: number, k: number): number {
  return k < 0 || k > n ? -Infinity : logFactorial(n) - logFactorial(k) - logFactorial(n - k);
}

/** Natural logarithm of n!: summed below 64, Stirling's series above, where its error is below 1e-12. */
function logFactorial(n: number): number {
  if (n < 64) {
    let sum = 0;
    for (let k = 2; k <= n; k += 1) sum += Math.log(k);
    return sum;
  }
  const x = n + 1;
  return (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + 1 / (12 * x) - 1 / (360 * x ** 3);
}
