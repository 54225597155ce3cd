import { otherSlot, type Slot } from "../../../contract/slots.ts";
import type { Trials, Verdict } from "../../../contract/verdict.ts";
import { CONTROL_SAMPLES, type Environment } from "./confounders.ts";
import { compared } from "./limit-test.ts";
import type { Observation, ProbedAnswers } from "./observation.ts";
import { pooledSlots, type Stratum } from "./statistics.ts";
import type { Counts } from "./traffic-samples.ts";

/**
 * Compares answers of 400 to 499 to users with those of the stable slot: only the control shows how many of them are right.
 * Counted are requests and WebSockets that the weights distribute one by one. A client learns its slot only with the answer, so
 * two sound slots refuse equal shares of all that clients send.
 */
export function refusals(environment: Environment, candidate: Slot, observation: Observation): readonly Verdict[] {
  const { bins } = observation.both.traffic;
  const strata = (trials: (counts: Counts) => Trials): readonly Stratum[] =>
    bins.map(({ of }) => ({ candidate: trials(of[candidate]), stable: trials(of[otherSlot(candidate)]) }));
  const refused = [
    ...strata(({ routedRefused: bad, routed: trials }) => ({ trials, bad })),
    ...(observation.retiresKey === true
      ? []
      : strata(({ webSocketsRefused: bad, webSockets }) => ({ trials: bad + webSockets, bad }))),
  ];
  if (!comparable(refused)) return [];
  return [compared(environment, observation.both.epoch, "refusals-compared", refused)];
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
