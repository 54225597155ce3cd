import { uptime } from "node:os";
import { isSameBoot, ownIdentity } from "./process-identity.ts";

/** A point in time that survives a crash of the process and, until the next boot, changes of the wall clock. */
export interface BootTime {
  /** ISO 8601, by the wall clock. */
  readonly at: string;
  /** The machine's boot; empty if it is unknown. */
  readonly boot: string;
  /** Seconds since that boot. */
  readonly uptime: number;
}

/** The current time. */
export async function bootTime(): Promise<BootTime> {
  return { at: new Date().toISOString(), boot: (await ownIdentity()).boot, uptime: uptime() };
}

/** Seconds since a point in time, not negative: by the uptime within the same boot, otherwise by the wall clock. */
export async function secondsSince(since: BootTime): Promise<number> {
  const same = await isSameBoot(since);
  return Math.max(0, same ? uptime() - since.uptime : (Date.now() - Date.parse(since.at)) / 1000);
}
