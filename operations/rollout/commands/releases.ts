import { SLOTS } from "../../../contract/slots.ts";
import { UserError } from "../../../contract/errors.ts";
import { command, fix } from "../../../contract/fix.ts";
import type { HistoryEntry } from "../model/journal.ts";
import { emptySlots, revocable, underWay, usersSlot } from "../model/machine.ts";
import type { RolloutContext } from "../ports/context.ts";
import { rolloutHistory } from "./history.ts";

/** An image that has had all users. */
export interface Release {
  readonly image: string;
  /**
   * `serving`: it has the users now. `warm`: a rollback to it is one change of weights. `earlier`: a rollback to it deploys it
   * again.
   */
  readonly state: "serving" | "warm" | "earlier";
  /** The last rollout that gave it all users; absent for the first release of the stack. */
  readonly rollout?: string;
  /** When that rollout began (ISO 8601). */
  readonly at?: string;
  /** user@host. */
  readonly who?: string;
  /** Why the last rollout to it was rolled back after it had all users; absent if it was not. */
  readonly rolledBack?: true;
}

/** `releases`. */
export interface ReleaseList {
  /** Newest first. */
  readonly releases: readonly Release[];
}

/** The images that have had all users, as far as the history reaches. */
export async function listReleases(context: RolloutContext): Promise<ReleaseList> {
  const [journal, history] = await Promise.all([context.journal.read(), context.journal.history()]);
  const { rollouts } = await rolloutHistory(context, Infinity);
  const machine = journal?.machine;
  const slot = machine === undefined ? "blue" : usersSlot(machine);
  const serving = (await context.deployer.status(slot)).image ?? journal?.images[slot];
  const plan = machine === undefined ? undefined : revocable(machine);
  const warm =
    machine === undefined || plan === undefined || emptySlots(machine).includes(plan.stable)
      ? undefined
      : plan.stableImage;
  const partly = machine !== undefined && underWay(machine);
  const state = (image: string): Release["state"] => {
    // While a rollout shifts the users, a rollback returns them to the release that they had.
    if (partly && image === warm) return "warm";
    return image === serving ? "serving" : image === warm ? "warm" : "earlier";
  };

  const found = new Map<string, Release>();
  const add = (release: Release): void => {
    found.delete(release.image);
    found.set(release.image, release);
  };
  const first = firstImage(history);
  if (first !== undefined) add({ image: first, state: state(first) });
  for (const { rollout, image, outcome, candidate, startedAt, who } of rollouts) {
    const hadAll = history.some(
      (entry) => entry.rollout === rollout && entry.weights[candidate] === 100 && entry.to === "standby",
    );
    if (!hadAll && outcome !== "kept") continue;
    const back = outcome === "rolled-back" ? { rolledBack: true as const } : {};
    add({ image, state: state(image), rollout, at: startedAt, who, ...back });
  }
  if (serving !== undefined && !found.has(serving)) add({ image: serving, state: "serving" });
  return { releases: [...found.values()].reverse() };
}

/** What had the users before the first rollout of the history. */
function firstImage(history: readonly HistoryEntry[]): string | undefined {
  const first = history.find(({ rollout }) => rollout !== "");
  const slot = SLOTS.find((each) => first?.weights[each] === 100);
  return slot === undefined ? undefined : first?.images[slot];
}

/**
 * The release with that name.
 *
 * @param name its image, the image's tag, enough of its digest, or the rollout that gave it the users
 * @throws UserError `not-found` if the name fits no release, or more than one; `state-conflict` if the users have it already
 */
export async function findRelease(context: RolloutContext, name: string): Promise<Release> {
  const { releases } = await listReleases(context);
  const exact = releases.filter(({ image, rollout }) => image === name || rollout === name);
  const fits = ({ image, rollout = "" }: Release): boolean =>
    image.endsWith(`:${name}`) || (image.split("@sha256:")[1] ?? "").startsWith(name) || rollout.endsWith(name);
  const [only, ...others] = exact.length > 0 ? exact : releases.filter(fits);
  if (only === undefined || others.length > 0) {
    const problem =
      only === undefined ? "is not a release of this stack" : `is the name of ${String(others.length + 1)} releases`;
    throw new UserError("not-found", `--to ${name}`, problem, fix`${command("releases")} lists them`);
  }
  if (only.state === "serving")
    throw new UserError(
      "state-conflict",
      `--to ${name}`,
      "is the release that the users have",
      fix`${command("releases")}`,
    );
  return only;
}
