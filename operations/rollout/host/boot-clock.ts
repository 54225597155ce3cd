import { uptime } from "node:os";
import { isSameBoot, ownIdentity } from "./process-identity.ts";

/** A point in time that survives a crash of the process, and on the same boot also a wall clock that jumps. */
export interface BootTime {
  /** ISO 8601, by the wall clock. */
  readonly at: string;
  /** The machine's boot; empty where it cannot be told. */
  readonly boot: string;
  /** Seconds since that boot. */
  readonly uptime: number;
}

/** The present moment. */
export async function bootTime(): Promise<BootTime> {
  return { at: new Date().toISOString(), boot: (await ownIdentity()).boot, uptime: uptime() };
}

/** Seconds since a moment, never negative: by the time since boot where it is the same boot, else by the wall clock. */
export async function secondsSince(moment: BootTime): Promise<number> {
  const same = await isSameBoot(moment);
  return Math.max(0, same ? uptime() - moment.uptime : (Date.now() - Date.parse(moment.at)) / 1000);
}
