import type { Slot } from "../../../contract/slots.ts";
import { SERVER_METRICS } from "../../../contract/server.ts";
import type { Verdict } from "./settings.ts";
import type { Observation, ProbedAnswers } from "./judge.ts";
import { compared, noData } from "./limit-test.ts";
import { pooled, type Share, type Stratum } from "./statistics.ts";
import { CONTROL_SAMPLES, type Environment } from "./confounders.ts";
import type { Counts } from "./traffic-samples.ts";

/**
 * What users are refused (400 to 499), against the stable slot: how much of it is right, only the control knows. Like are
 * compared with like: requests and WebSockets that the weights deal out. The requests of an MCP session are left out, since
 * it stays on its slot: one client that is refused all it asks would stand on one side alone, sessions of the release
 * that the candidate replaces are answered 404 by it, and the sessions of the stable slot are the older ones.
 */
export function refusals(environment: Environment, candidate: Slot, observation: Observation): readonly Verdict[] {
  const { stable } = environment;
  const { bins, counting } = observation.both.traffic;
  const fair = fairness(observation);
  const strata = (share: (counts: Counts) => Share): readonly Stratum[] =>
    bins.map(({ of }) => fair({ own: share(of[candidate]), stable: share(of[stable]) }));
  const refused = [
    ...strata(({ turnedAway: hits, dealt: trials }) => ({ hits, trials })),
    // Users' alone: the probes have a token of the key that stays.
    ...(observation.retiresKey === true
      ? []
      : strata(({ denied: hits, upgrades }) => ({ hits, trials: hits + upgrades }))),
  ];
  const gate = "refusals-compared";
  if (counting.includes(stable) && !counting.includes(candidate)) {
    return [
      noData(gate, `${stable}'s server counts its requests (${SERVER_METRICS.requests}), ${candidate}'s does not`),
    ];
  }
  if (!comparable(refused)) return [];
  return [compared(environment, observation.both.epoch, gate, "requests and WebSockets refused (4xx)", refused)];
}

/**
 * Probes are among what is counted, and are no users: of what sound slots refuse, the candidate's share is its weight where
 * probes are not refused, and half where only they are; its share of all that is counted lies in between. So the control
 * counts for no more than what leaves the candidate the larger of the two.
 */
function fairness({ both, probesRefused }: Observation): (stratum: Stratum) => Stratum {
  // Probes alone move a smaller weight up, which makes the test more cautious and no less.
  const least = Math.max(probesRefused ? 0.5 : 0, both.weight > 0.5 ? both.weight : 0);
  if (least === 0) return (stratum) => stratum;
  return ({ own, stable }) => ({
    own,
    stable: { ...stable, trials: Math.min(stable.trials, Math.round((own.trials * (1 - least)) / least)) },
  });
}

/** Probes that are refused (400 to 499): the same ones to both slots at the same moments, as their client saw it. */
export function refusedProbes(environment: Environment, candidate: Slot, observation: Observation): readonly Verdict[] {
  const share = ({ refused: hits, answered: trials }: ProbedAnswers[Slot]): Share => ({ hits, trials });
  const strata = observation.probes.map((seconds): Stratum => ({
    own: share(seconds[candidate]),
    stable: share(seconds[environment.stable]),
  }));
  if (!comparable(strata)) return [];
  return [compared(environment, observation.step.epoch, "probes-compared", "probes refused (4xx)", strata)];
}

/** Whether both slots have enough; without, there is nothing to compare, and other gates ask for samples. */
function comparable(strata: readonly Stratum[]): boolean {
  const trials = (key: keyof Stratum): number => pooled(strata.map((stratum) => stratum[key])).trials;
  return Math.min(trials("own"), trials("stable")) >= CONTROL_SAMPLES;
}
