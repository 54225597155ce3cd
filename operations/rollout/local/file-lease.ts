import { randomUUID } from "node:crypto";
import { link, mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { uptime } from "node:os";
import { join } from "node:path";
import { UserError } from "../../../contract/errors.ts";
import { command, fix } from "../../../contract/fix.ts";
import { createDurably, errorCode, syncDirectory, unwritable } from "../host/durable-files.ts";
import { currentUser, isGone, isSameBoot, ownIdentity } from "../host/process-identity.ts";
import { TakenError, type Holder, type Lease, type LeaseStore } from "../ports/lease.ts";

/** Seconds after its last renewal at which a lease expires. */
export const DEFAULT_LEASE_SECONDS = 30;

/** Milliseconds between two checks for a newer token. */
const WATCH_MS = 500;

interface LeaseRecord {
  readonly schema: 1;
  readonly holder: Holder;
  readonly token: number;
  readonly seconds: number;
  /** Wall clock of the last renewal, milliseconds since 1970: for readers on another host. */
  readonly renewedAt: number;
  /** The machine's boot, its uptime in seconds and the process's start: independent of clock changes. */
  readonly boot: string;
  readonly renewedUptime: number;
  readonly processNamespace: string;
  readonly processStart: string;
  readonly released: boolean;
}

/**
 * Leases as files: `<directory>/<token>.json`. The highest token is the lease. Acquiring it is the exclusive creation of
 * the file of the next token, so only one of two contenders succeeds and tokens only grow.
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
      if (await alive(current)) throw refused(current);
    });
  }

  async seize(verb: string): Promise<Lease> {
    return this.#take(verb, () => Promise.resolve());
  }

  async #take(verb: string, admit: (current: LeaseRecord) => Promise<void>): Promise<Lease> {
    await mkdir(this.#directory, { recursive: true });
    for (;;) {
      const current = await this.#current();
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
    const current = await this.#current();
    return current !== undefined && (await alive(current)) ? current.holder : undefined;
  }

  #renewed(record: LeaseRecord): Lease {
    const lost = new AbortController();
    let last = uptime();
    const renew = async (released: boolean): Promise<void> => {
      const tokens = await this.#tokens();
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
      this.#tokens().then(
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

  async #tokens(): Promise<number[]> {
    const names = await readdir(this.#directory).catch((error: unknown) => {
      if (errorCode(error) === "ENOENT") return [];
      throw error;
    });
    return names.flatMap((name) => (/^\d+\.json$/.test(name) ? [Number.parseInt(name, 10)] : []));
  }

  async #current(): Promise<LeaseRecord | undefined> {
    for (;;) {
      const tokens = await this.#tokens();
      if (tokens.length === 0) return undefined;
      try {
        return JSON.parse(await readFile(this.#path(Math.max(...tokens)), "utf8")) as LeaseRecord;
      } catch (error) {
        if (errorCode(error) !== "ENOENT") throw error; // a newer holder has just removed it: read again
      }
    }
  }

  async #removeBelow(token: number): Promise<void> {
    for (const other of await this.#tokens()) {
      if (other < token) await rm(this.#path(other), { force: true });
    }
  }

  #path(token: number): string {
    return join(this.#directory, `${String(token).padStart(8, "0")}.json`);
  }
}

async function ownRecord(token: number, verb: string, seconds: number): Promise<LeaseRecord> {
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

async function alive(record: LeaseRecord): Promise<boolean> {
  if (record.released) return false;
  if (await isGone({ ...record, pid: record.holder.pid })) return false;
  const age = (await isSameBoot(record)) ? uptime() - record.renewedUptime : (Date.now() - record.renewedAt) / 1000;
  return age < record.seconds;
}

function refused(record: LeaseRecord): UserError {
  const { holder } = record;
  return new UserError(
    "lock-held",
    "rollout lease",
    `${holder.who} holds it: \`${holder.verb}\`, process ${String(holder.pid)}, token ${String(record.token)}`,
    fix`wait until it ends (${command("rollout status")}), or end that process; the lease expires ${record.seconds} s after its last renewal`,
  );
}
