import { SLOTS, otherSlot, type Slot } from "../../../contract/slots.ts";
import type { ActiveReleases, Release } from "../../schema/decide.ts";
import type { RolloutContext } from "../ports/context.ts";
import { stateLabel } from "../model/labels.ts";
import { usersSlot } from "../model/machine.ts";

/** The parts of a rollout's context that {@link activeReleases} needs. */
export type ReleasesContext = Pick<RolloutContext, "journal" | "leases" | "schema" | "signal"> & {
  readonly deployer: Pick<RolloutContext["deployer"], "status">;
};

/**
 * The releases that may get users, and the state of the rollout; undefined if no slot has ever run a release. Changes
 * nothing.
 */
export async function activeReleases(context: ReleasesContext): Promise<ActiveReleases | undefined> {
  const journal = await context.journal.read();
  const release = async (slot: Slot): Promise<Release | undefined> => {
    const image = (await context.deployer.status(slot)).image ?? journal?.images[slot];
    if (image === undefined) return undefined;
    // The plan has the images' labels, so that no registry is asked again.
    const known = journal?.machine.plan?.schema?.[slot];
    return { slot, image, range: known ?? (await context.schema?.range(slot, image, context.signal)) };
  };
  if (journal === undefined) {
    const releases = await Promise.all(SLOTS.map((slot) => release(slot)));
    // Before the first rollout both slots run the release of the settings, and blue serves users.
    const active = releases.find((each) => each !== undefined);
    return active === undefined ? undefined : { active, state: "idle" };
  }
  const { machine } = journal;
  const users = usersSlot(machine);
  const [active, other] = await Promise.all([
    release(users),
    machine.plan === undefined ? undefined : release(otherSlot(users)),
  ]);
  if (active === undefined) return undefined;
  return { active, ...(other === undefined ? {} : { other }), state: stateLabel(machine) };
}
