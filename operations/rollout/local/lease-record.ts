import { readdir, readFile } from "node:fs/promises";
import { uptime } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { errorCode } from "../host/durable-files.ts";
import { currentUser, isGone, isSameBoot, ownIdentity } from "../host/process-identity.ts";
import type { Holder } from "../ports/lease.ts";

/** No lease lasts an hour: a damaged duration must not block the stack permanently. */
const LONGEST_SECONDS = 3600;

const RECORD = z.object({
  schema: z.literal(1),
  holder: z.object({ who: z.string(), pid: z.int(), verb: z.string() }),
  token: z.int().positive(),
  seconds: z.number().positive().max(LONGEST_SECONDS),
  /** Wall clock of the last renewal, milliseconds since 1970: for readers on another host. */
  renewedAt: z.number(),
  /** The machine's boot, its uptime in seconds and the process's start: independent of clock changes. */
  boot: z.string(),
  renewedUptime: z.number(),
  processNamespace: z.string(),
  processStart: z.string(),
  released: z.boolean(),
});

/** What the file of a lease holds. */
export type LeaseRecord = z.infer<typeof RECORD>;

/** The file with the highest token. */
export interface FoundLease {
  readonly token: number;
  /** Its text: a holder that lives changes it with each renewal. Empty if it cannot be read. */
  readonly text: string;
  /** Undefined if the file is damaged or cannot be read. */
  readonly record: LeaseRecord | undefined;
}

/**
 * - `free`: released, expired, or its holder has certainly ended.
 * - `held`: renewed in time by clocks that can be compared.
 * - `doubtful`: the file is damaged, or dated in the future by the clock of this machine. Only watching it shows whether a
 *   holder lives.
 */
export type LeaseState = "free" | "held" | "doubtful";

/** A difference between two clocks that is not one: they are read one after the other. */
const CLOCK_SECONDS = 1;

export async function leaseState({ record }: FoundLease): Promise<LeaseState> {
  if (record === undefined) return "doubtful";
  if (record.released) return "free";
  if (await isGone({ ...record, pid: record.holder.pid })) return "free";
  const age = (await isSameBoot(record)) ? uptime() - record.renewedUptime : (Date.now() - record.renewedAt) / 1000;
  if (age < -CLOCK_SECONDS) return "doubtful";
  return age < record.seconds ? "held" : "free";
}

/** The holder of a lease, as far as its file says it. */
export function holderOf({ token, record }: FoundLease): Holder {
  return record?.holder ?? { who: `someone (the file of token ${String(token)} is damaged)`, pid: 0, verb: "?" };
}

/** The lease of a directory; undefined if there has been none. @throws Error if the directory cannot be read */
export async function readLease(directory: string): Promise<FoundLease | undefined> {
  for (;;) {
    const tokens = await tokensIn(directory);
    if (tokens.length === 0) return undefined;
    const token = Math.max(...tokens);
    let text = "";
    try {
      text = await readFile(leasePath(directory, token), "utf8");
    } catch (error) {
      if (errorCode(error) === "ENOENT") continue; // a newer holder has just removed it
    }
    return { token, text, record: parsed(text, token) };
  }
}

function parsed(text: string, token: number): LeaseRecord | undefined {
  try {
    const record = RECORD.parse(JSON.parse(text));
    return record.token === token ? record : undefined;
  } catch {
    return undefined;
  }
}

export async function tokensIn(directory: string): Promise<number[]> {
  const names = await readdir(directory).catch((error: unknown) => {
    if (errorCode(error) === "ENOENT") return [];
    throw error;
  });
  // A token never has more digits, which would not be an exact number.
  return names.flatMap((name) => (/^\d{8,15}\.json$/.test(name) ? [Number.parseInt(name, 10)] : []));
}

export function leasePath(directory: string, token: number): string {
  return join(directory, `${String(token).padStart(8, "0")}.json`);
}

/** The record of this process. */
export async function ownRecord(token: number, verb: string, seconds: number): Promise<LeaseRecord> {
  const { pid, ...mark } = await ownIdentity();
  return {
    schema: 1,
    holder: { who: currentUser(), pid, verb },
    token,
    seconds,
    renewedAt: Date.now(),
    renewedUptime: uptime(),
    ...mark,
    released: false,
  };
}
