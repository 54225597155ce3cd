import { setTimeout as sleep } from "node:timers/promises";
import type { User } from "../database/database.ts";
import type { Provider, ProviderSettings } from "../environment.ts";
import type { Log } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import { ProviderError } from "../providers.ts";
import { sendToProvider } from "./provider-files.ts";
import { retrying, Transient, type RetryPolicy } from "./retry.ts";
import { pathOf, type ProviderCopy, type Upload, type UploadRows } from "./rows.ts";
import type { ObjectStore } from "./store.ts";

/** Files that are sent to providers at the same time; each has some buffers of the two connections. */
const AT_ONCE = 4;

/** Interval at which this process says that it works on a copy, in milliseconds. */
const WORKING_MS = 10_000;

/** What a {@link Forwarder} uses. */
export interface ForwarderParts {
  readonly rows: UploadRows;
  readonly store: ObjectStore;
  readonly providers: Readonly<Record<Provider, ProviderSettings>>;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly policy: RetryPolicy;
}

interface Job {
  readonly user: User;
  readonly upload: Upload;
  readonly copy: ProviderCopy;
}

/**
 * Sends files from the store to the providers. What it has to do is in the rows: if the process ends, another one takes over at the
 * user's next look at the upload.
 */
export class Forwarder {
  readonly #parts: ForwarderParts;
  readonly #waiting: Job[] = [];
  readonly #running = new Set<Promise<void>>();
  readonly #stop = new AbortController();

  constructor(parts: ForwarderParts) {
    this.#parts = parts;
  }

  /** Sends a copy that this process has claimed, in its turn. */
  add(user: User, upload: Upload, copy: ProviderCopy): void {
    this.#waiting.push({ user, upload, copy });
    this.#next();
  }

  /** Lets what runs end for some time, and leaves the rest to another process. */
  async stop(milliseconds: number): Promise<void> {
    const left = this.#waiting.splice(0);
    const done = Promise.all(this.#running);
    await Promise.race([done, sleep(milliseconds, undefined, { ref: false })]);
    this.#stop.abort();
    await done;
    await Promise.all(left.map((job) => this.#leave(job)));
  }

  #next(): void {
    if (this.#stop.signal.aborted || this.#running.size >= AT_ONCE) return;
    const job = this.#waiting.shift();
    if (job === undefined) return;
    const run = this.#run(job).finally(() => {
      this.#running.delete(run);
      this.#next();
    });
    this.#running.add(run);
  }

  async #run(job: Job): Promise<void> {
    const { rows, log, policy } = this.#parts;
    const { user, copy } = job;
    const stop = this.#stop.signal;
    const working = setInterval(() => {
      rows.working(user, copy.id).catch((error: unknown) => {
        log.debug("an upload to a provider is not recorded as running", { error: String(error) });
      });
    }, WORKING_MS);
    try {
      const file = await retrying(policy, () => this.#send(job), { signal: stop });
      await this.#record(() => rows.copied(user, copy.id, file));
    } catch (error) {
      if (stop.aborted) {
        await this.#leave(job);
        return;
      }
      const message = error instanceof Error ? error.message : String(error);
      if (!(error instanceof Transient || error instanceof ProviderError))
        log.error("a file was not sent to its provider", { error: error instanceof Error ? error.stack : message });
      await this.#record(() => rows.notCopied(user, copy.id, message, true));
    } finally {
      clearInterval(working);
    }
  }

  async #send({ user, upload, copy: { provider } }: Job): Promise<string> {
    const { rows, store, providers, metrics, log } = this.#parts;
    const content = await store.read(pathOf(user, upload));
    const file = { name: upload.name, mediaType: upload.mediaType ?? "application/octet-stream", size: upload.size };
    const started = performance.now();
    let outcome: "ok" | "error" = "error";
    try {
      const id = await sendToProvider(provider, providers[provider], { ...file, content }, this.#stop.signal);
      outcome = "ok";
      return id;
    } finally {
      const milliseconds = performance.now() - started;
      metrics.provider(provider, outcome, milliseconds / 1000);
      await rows.tried(user, { provider, outcome, bytes: upload.size, milliseconds }).catch((error: unknown) => {
        log.error("a request to a provider is not recorded", { error: String(error) });
      });
    }
  }

  /** For another process: it need not wait until this one has said nothing for a while. */
  async #leave({ user, copy }: Job): Promise<void> {
    await this.#record(() => this.#parts.rows.notCopied(user, copy.id, "the server was stopped", false));
  }

  /** A row that cannot be written is written later, by the process that takes over. */
  async #record(write: () => Promise<void>): Promise<void> {
    const transient = async () => {
      try {
        await write();
      } catch (error) {
        throw new Transient("the database does not take it", undefined, { cause: error });
      }
    };
    await retrying({ attempts: 5, first: 1, most: 10 }, transient).catch((error: unknown) => {
      this.#parts.log.error("the end of an upload to a provider is not recorded", { error: String(error) });
    });
  }
}
