/** The two permanent slots of the server. One carries the users, the other waits or is being tried. */
export const SLOTS = ["blue", "green"] as const;

/** Name of a slot. */
export type Slot = (typeof SLOTS)[number];

/** The other slot. */
export function otherSlot(slot: Slot): Slot {
  return slot === "blue" ? "green" : "blue";
}

/** Whether a string names a slot. */
export function isSlot(value: string): value is Slot {
  return (SLOTS as readonly string[]).includes(value);
}

/** Share of new requests per slot, in percent: whole numbers from 0 to 100 whose sum is 100. */
export type Weights = Readonly<Record<Slot, number>>;

/** All traffic on one slot. */
export function allOn(slot: Slot): Weights {
  return slot === "blue" ? { blue: 100, green: 0 } : { blue: 0, green: 100 };
}
