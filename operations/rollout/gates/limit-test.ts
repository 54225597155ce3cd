import type { Verdict } from "./settings.ts";
import { evidenceAbove, evidenceNeeded, evidenceWorse, pooled, riskRatio, type Stratum } from "./statistics.ts";
import { BURST, CONTROL_SAMPLES, counts, sharedTrouble, WORSE, type Environment, type Trouble } from "./confounders.ts";

/** Evidence of 1 to 5 that the candidate is worse: too little to fail it, too much to move more users to it. */
const SUSPICION = Math.log(5);

/** A share of the candidate that must stay below a limit. */
interface Limited extends Trouble {
  readonly gate: string;
  /** Least trials of the candidate. */
  readonly minimum: number;
  readonly unit: string;
  readonly text: (share: number) => string;
  /** Whether its bad ones come in bursts, so that one scrape alone must not decide. */
  readonly bursts: boolean;
  readonly figures?: Readonly<Record<string, number>>;
}

/**
 * A quantile below a limit is a share above the limit that is small enough, so latency is judged as errors are. Failed:
 * the evidence that the true share is above the limit is enough, and the stable slot does not show the same in the same
 * seconds. Passed: the measured share is below the limit, of enough samples. In between the step holds, and so it does in
 * a trouble that both slots have.
 */
export function againstLimit(environment: Environment, limited: Limited): Verdict {
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

/** Candidate against stable over the same seconds; a suspicion holds the step until it is clear. */
export function compared(
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
      ...noData(gate, `${String(least)} of ${String(CONTROL_SAMPLES)} requests needed on each slot`),
      figures,
    };
  }
  return { gate, outcome: "pass", detail, figures };
}

export function noData(gate: string, detail: string): Verdict {
  return { gate, outcome: "no-data", detail, figures: {} };
}

function strengthOf(evidence: number, needed: number): Readonly<Record<"evidence" | "needed", number>> {
  return { evidence: odds(evidence), needed: odds(needed) };
}

/** Evidence as odds, within what JSON and people can read. */
function odds(log: number): number {
  return Math.min(1e9, Math.exp(log));
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(share < 0.1 ? 2 : 1)} %`;
}
