import { otherSlot, type Slot } from "../../../contract/slots.ts";
import { SERVER_METRICS } from "../../../contract/server.ts";
import type { Trials, Verdict } from "../../../contract/verdict.ts";
import { CONTROL_SAMPLES, type Environment } from "./confounders.ts";
import { compared } from "./limit-test.ts";
import type { Observation, ProbedAnswers } from "./observation.ts";
import { pooledSlots, type Stratum } from "./statistics.ts";
import type { Counts } from "./traffic-samples.ts";

/**
 * Compares answers of 400 to 499 to users with those of the stable slot: only the control shows how many of them are right.
 * Counted are requests and WebSockets that the weights distribute. The requests of an MCP session are not, since it stays on
 * its slot: one client whose requests are all refused would count on one slot alone, the candidate answers 404 to sessions of
 * the release that it replaces, and the sessions of the stable slot are older.
 */
export function refusals(environment: Environment, candidate: Slot, observation: Observation): readonly Verdict[] {
  const stable = otherSlot(candidate);
  const { bins, counting } = observation.both.traffic;
  const fair = fairness(observation);
  const strata = (trials: (counts: Counts) => Trials): readonly Stratum[] =>
    bins.map(({ of }) => fair({ candidate: trials(of[candidate]), stable: trials(of[stable]) }));
  const refused = [
    ...strata(({ routedRefused: bad, routed: trials }) => ({ trials, bad })),
    // Only users': the probes' tokens are of the key that stays.
    ...(observation.retiresKey === true
      ? []
      : strata(({ webSocketsRefused: bad, webSockets }) => ({ trials: bad + webSockets, bad }))),
  ];
  const gate = "refusals-compared";
  if (counting.includes(stable) && !counting.includes(candidate)) {
    const context = { metric: SERVER_METRICS.requests };
    return [{ gate, verdict: "no-data", why: "metric-missing", test: "none", context }];
  }
  if (!comparable(refused)) return [];
  return [compared(environment, observation.both.epoch, gate, refused)];
}

/**
 * The counts include probes. Of the requests that sound slots refuse, the candidate's share is its weight if probes are not
 * refused, and half if only probes are; its share of all counted requests lies in between. So the control counts for no more
 * than what leaves the candidate the larger of the two.
 */
function fairness({ both, probesRefused }: Observation): (stratum: Stratum) => Stratum {
  // Probes only raise a smaller weight, which makes the test more cautious.
  const least = Math.max(probesRefused ? 0.5 : 0, both.weight > 0.5 ? both.weight : 0);
  if (least === 0) return (stratum) => stratum;
  return ({ candidate, stable }) => ({
    candidate,
    stable: { ...stable, trials: Math.min(stable.trials, Math.round((candidate.trials * (1 - least)) / least)) },
  });
}

/** Compares answers of 400 to 499 to probes, which send the same requests to both slots at the same moments. */
export function refusedProbes(environment: Environment, candidate: Slot, observation: Observation): readonly Verdict[] {
  const trials = ({ refused: bad, answered }: ProbedAnswers[Slot]): Trials => ({ trials: answered, bad });
  const strata = observation.probes.map((seconds): Stratum => ({
    candidate: trials(seconds[candidate]),
    stable: trials(seconds[otherSlot(candidate)]),
  }));
  if (!comparable(strata)) return [];
  return [compared(environment, observation.step.epoch, "probes-compared", strata)];
}

/** Whether both slots have enough trials; without them other gates ask for samples. */
function comparable(strata: readonly Stratum[]): boolean {
  const { candidate, stable } = pooledSlots(strata);
  return Math.min(candidate.trials, stable.trials) >= CONTROL_SAMPLES;
}
