/** The two permanent slots of the server. One carries the users, the other waits or is being tried. */
export const COLOURS = ["blue", "green"] as const;

/** Name of a slot. */
export type Colour = (typeof COLOURS)[number];

/** The slot beside the given one. */
export function otherColour(colour: Colour): Colour {
  return colour === "blue" ? "green" : "blue";
}

/** Whether a string names a slot. */
export function isColour(value: string): value is Colour {
  return (COLOURS as readonly string[]).includes(value);
}

/** Share of new requests per slot, in percent: whole numbers from 0 to 100 whose sum is 100. */
export type Weights = Readonly<Record<Colour, number>>;

/** All traffic on one slot. */
export function allOn(colour: Colour): Weights {
  return colour === "blue" ? { blue: 100, green: 0 } : { blue: 0, green: 100 };
}
