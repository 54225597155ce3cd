import type { Announcement } from "./announcement.ts";

/** A request as it goes out. Nothing of it is ever printed: addresses and bodies may hold secrets. */
export interface Parcel {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A place that hears of rollouts, whose address may have to be looked up first. */
export interface Receiver {
  /** `slack`, `pagerduty`, `webhook`: what messages and counts call it. */
  readonly name: string;
  /** @param now milliseconds since 1970, at the try. */
  pack(announcement: Announcement, now: number): Parcel | Promise<Parcel>;
}

/** A place whose address is known. */
export interface Channel extends Receiver {
  /** @param now milliseconds since 1970, at the try. */
  pack(announcement: Announcement, now: number): Parcel;
}

/** A text cut to what a receiver takes. */
export function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}
