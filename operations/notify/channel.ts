import type { Announcement } from "./announcement.ts";

/** A request to a receiver. It is never printed: addresses and bodies may contain secrets. */
export interface Parcel {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A receiver of announcements, whose address may have to be looked up first. */
export interface Receiver {
  /** `slack`, `pagerduty`, `webhook`: the name in messages and counts. */
  readonly name: string;
  /** @param now time of the attempt, milliseconds since 1970. */
  pack(announcement: Announcement, now: number): Parcel | Promise<Parcel>;
}

/** A receiver with a known address. */
export interface Channel extends Receiver {
  /** @param now time of the attempt, milliseconds since 1970. */
  pack(announcement: Announcement, now: number): Parcel;
}

/** A text cut to the length that a receiver accepts. */
export function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}
