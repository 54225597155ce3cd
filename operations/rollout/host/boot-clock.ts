import { uptime } from "node:os";
import type { BootTime } from "../model/journal.ts";
import { isSameBoot, ownIdentity } from "./process-identity.ts";

/** The current time. */
export async function bootTime(): Promise<BootTime> {
  return { at: new Date().toISOString(), boot: (await ownIdentity()).boot, uptime: uptime() };
}

/** Seconds since a point in time, not negative: by the uptime within the same boot, otherwise by the wall clock. */
export async function secondsSince(since: BootTime): Promise<number> {
  const same = await isSameBoot(since);
  return Math.max(0, same ? uptime() - since.uptime : (Date.now() - Date.parse(since.at)) / 1000);
}
