import { UserError } from "../../../contract/errors.ts";
import { atRest, stateLabel, type Machine } from "../model/machine.ts";

/**
 * Keeps a verb that means one rollout from another one.
 *
 * @param meant identifier of the rollout; undefined where whichever is under way is meant
 * @throws UserError with exit code 3 where another one is under way
 */
export function refuseOther(machine: Machine, meant: string | undefined): void {
  const { plan } = machine;
  if (meant === undefined || plan === undefined || plan.id === meant || atRest(machine)) return;
  throw new UserError(
    "state-conflict",
    `rollout (${stateLabel(machine)})`,
    `${plan.id} of ${plan.by} is under way, and not ${meant === "" ? "one without a name" : meant}`,
    "./exai rollout status; ./exai rollout history says what became of the other one",
  );
}
