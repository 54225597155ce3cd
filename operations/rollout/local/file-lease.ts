import { randomUUID } from "node:crypto";
import { link, mkdir, rename, rm } from "node:fs/promises";
import { uptime } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../../../contract/errors.ts";
import { command, fix } from "../../../contract/fix.ts";
import { createDurably, errorCode, syncDirectory, unwritable } from "../host/durable-files.ts";
import { TakenError, type Holder, type Lease, type LeaseStore } from "../ports/lease.ts";
import {
  holderOf,
  leasePath,
  leaseState,
  ownRecord,
  readLease,
  tokensIn,
  type FoundLease,
  type LeaseRecord,
} from "./lease-record.ts";

/** Seconds after its last renewal at which a lease expires. */
export const DEFAULT_LEASE_SECONDS = 30;

/** Milliseconds between two checks for a newer token. */
const WATCH_MS = 500;

/**
 * Leases as files: `<directory>/<token>.json`. The highest token is the lease. Acquiring it is the exclusive creation of
 * the file of the next token, so only one of two contenders succeeds and tokens only grow.
 *
 * A lease in doubt, whose file is damaged or dated ahead, is watched for its duration: a holder that lives rewrites the file
 * several times in it. A rollback takes it at once.
 */
export class FileLeaseStore implements LeaseStore {
  readonly #directory: string;
  readonly #seconds: number;

  constructor(directory: string, seconds = DEFAULT_LEASE_SECONDS) {
    this.#directory = directory;
    this.#seconds = seconds;
  }

  async acquire(verb: string): Promise<Lease> {
    return this.#take(verb, async (current) => {
      if (await this.#alive(current)) throw refused((await readLease(this.#directory)) ?? current);
    });
  }

  async seize(verb: string): Promise<Lease> {
    return this.#take(verb, () => Promise.resolve());
  }

  async #take(verb: string, admit: (current: FoundLease) => Promise<void>): Promise<Lease> {
    await mkdir(this.#directory, { recursive: true });
    for (;;) {
      const current = await readLease(this.#directory);
      if (current !== undefined) await admit(current);
      const token = (current?.token ?? 0) + 1;
      const record = await ownRecord(token, verb, this.#seconds);
      const temporary = join(this.#directory, `.${randomUUID()}`);
      try {
        await createDurably(temporary, JSON.stringify(record));
      } catch (error) {
        throw unwritable(
          error,
          this.#directory,
          (code) => `the lease cannot be written (${code}), so nothing has changed`,
        );
      }
      try {
        // link() fails if the name exists: an atomic "create with content".
        await link(temporary, this.#path(token));
      } catch (error) {
        if (errorCode(error) === "EEXIST") continue;
        throw error;
      } finally {
        await rm(temporary, { force: true });
      }
      await syncDirectory(this.#directory);
      await this.#removeBelow(token);
      return this.#renewed(record);
    }
  }

  async holder(): Promise<Holder | undefined> {
    const current = await readLease(this.#directory);
    if (current === undefined) return undefined;
    const state = await leaseState(current);
    if (state === "free") return undefined;
    return { ...holderOf(current), ...(state === "doubtful" ? { doubtful: true } : {}) };
  }

  async #alive(current: FoundLease): Promise<boolean> {
    const state = await leaseState(current);
    if (state !== "doubtful") return state === "held";
    const seconds = current.record?.seconds ?? this.#seconds;
    const began = performance.now();
    while (performance.now() - began < seconds * 1000) {
      await sleep(WATCH_MS);
      const present = await readLease(this.#directory);
      if (present?.text !== current.text || present.token !== current.token) return true;
    }
    return false;
  }

  #renewed(record: LeaseRecord): Lease {
    const lost = new AbortController();
    let last = uptime();
    const renew = async (released: boolean): Promise<void> => {
      const tokens = await tokensIn(this.#directory);
      if (Math.max(...tokens) !== record.token) throw new TakenError();
      const next = { ...record, renewedAt: Date.now(), renewedUptime: uptime(), released };
      const temporary = join(this.#directory, `.${randomUUID()}`);
      await createDurably(temporary, JSON.stringify(next));
      await rename(temporary, this.#path(record.token));
      last = uptime();
    };
    const timer = setInterval(
      () => {
        renew(false).catch((error: unknown) => {
          // A later renewal may succeed before the lease expires.
          if (error instanceof TakenError || uptime() - last > record.seconds) lose(error);
        });
      },
      (this.#seconds * 1000) / 4,
    );
    // Docker does not check tokens, so a holder that was shut out must stop before its next renewal.
    const watch = setInterval(() => {
      tokensIn(this.#directory).then(
        (tokens) => {
          if (tokens.some((token) => token > record.token)) lose(new TakenError());
        },
        () => undefined, // the renewal handles a directory that cannot be read
      );
    }, WATCH_MS);
    const stop = (): void => {
      clearInterval(timer);
      clearInterval(watch);
    };
    const lose = (error: unknown): void => {
      stop();
      lost.abort(error);
    };
    timer.unref();
    watch.unref();
    return {
      token: record.token,
      lost: lost.signal,
      release: async () => {
        stop();
        if (!lost.signal.aborted) await renew(true).catch(() => undefined); // otherwise it expires
      },
    };
  }

  async #removeBelow(token: number): Promise<void> {
    for (const other of await tokensIn(this.#directory)) {
      if (other < token) await rm(this.#path(other), { force: true }).catch(() => undefined); // a folder of that name is not ours
    }
  }

  #path(token: number): string {
    return leasePath(this.#directory, token);
  }
}

function refused(found: FoundLease): UserError {
  const holder = holderOf(found);
  const seconds = found.record?.seconds ?? DEFAULT_LEASE_SECONDS;
  return new UserError(
    "lock-held",
    "rollout lease",
    `${holder.who} holds it: \`${holder.verb}\`, process ${String(holder.pid)}, token ${String(found.token)}`,
    fix`wait until it ends (${command("rollout status")}), or end that process; the lease expires ${seconds} s after its last renewal`,
  );
}
