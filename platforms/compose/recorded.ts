import { SLOTS } from "../../contract/slots.ts";
import { SETTINGS, type SettingKey } from "../../stacks/settings/table.ts";
import type { Overrides } from "../declared.ts";
import type { FileState } from "./state.ts";

/** They say which stack it is, so every command has to give them. */
const IDENTITY: readonly string[] = ["environment", "homeDirectory", "instance"];

/** The image of a slot is a part of the state already, which each cutover changes. */
const IMAGES: readonly string[] = SLOTS.map((slot) => `${slot}Image`);

/**
 * Records what `--set` gives an `up`. It is a part of the running stack, so that each later command finds the ports that the
 * containers have. The next `up` keeps it, and removes what is given as empty: `--set httpPort=`.
 *
 * To be called before a container is changed: an interrupted `up` is then continued with the same values.
 */
export function recordOverrides(state: FileState, given: Overrides): void {
  state.setOverrides(
    Object.fromEntries(Object.entries(given).filter(([key]) => !IDENTITY.includes(key) && !IMAGES.includes(key))),
  );
  for (const slot of SLOTS) {
    const image = given[`${slot}Image`] ?? "";
    if (image !== "") state.setSlot(slot, image);
  }
}

/** Recorded values for people: a secret is masked. */
export function shownOverrides(recorded: Overrides): Overrides {
  const isSecret = (key: string) => Object.hasOwn(SETTINGS, key) && "secret" in SETTINGS[key as SettingKey];
  return Object.fromEntries(Object.entries(recorded).map(([key, value]) => [key, isSecret(key) ? "********" : value]));
}
