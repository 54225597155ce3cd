import { randomUUID } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { tryDocker } from "../docker/cli.ts";
import { LOCAL_DIRECTORY } from "./paths.ts";

/** Longest wait for a registry's first word, in milliseconds. */
const FIRST_WORD_MS = 15_000;

/** Longest time of one pull, in milliseconds. */
const PULL_MS = 600_000;

/** How long it is remembered that a registry did not answer, in milliseconds. */
const SILENT_FOR_MS = 10 * 60_000;

/** Host of the registry of an image reference; `docker.io` when it names none. */
export function registryOf(reference: string): string {
  const slash = reference.indexOf("/");
  const first = slash < 0 ? "" : reference.slice(0, slash);
  return /[.:]/.test(first) || first === "localhost" ? first : "docker.io";
}

/** What came of a pull; the reason is one line. */
export type PullOutcome = { readonly pulled: true } | { readonly pulled: false; readonly reason: string };

/** Whether Docker's words mean that the registry could not be reached, as against that it refused the image. */
export function isSilence(words: string): boolean {
  return /no such host|connection refused|i\/o timeout|timeout exceeded|handshake timeout|unreachable|connection reset|temporary failure|proxyconnect|certificate/i.test(
    words,
  );
}

/** Pulls images, and remembers for some minutes which registries did not answer, so that not each image waits. */
export class Registries {
  readonly #file: string;
  readonly #now: () => number;

  /** `now` is in milliseconds since the epoch. */
  constructor(file: string = join(LOCAL_DIRECTORY, "registry.json"), now: () => number = Date.now) {
    this.#file = file;
    this.#now = now;
  }

  /** Pulls an image. Throws as `tryDocker`. */
  async pull(reference: string, signal?: AbortSignal): Promise<PullOutcome> {
    const registry = registryOf(reference);
    const since = (await this.#read())[registry];
    if (since !== undefined && this.#now() - since < SILENT_FOR_MS)
      return { pulled: false, reason: `${registry} did not answer a moment ago` };
    const ran = await tryDocker(["pull", reference], {
      firstWordMs: FIRST_WORD_MS,
      timeoutMs: PULL_MS,
      ...(signal ? { signal } : {}),
    });
    signal?.throwIfAborted();
    if (ran.code === 0) return { pulled: true };
    const words = ran.stderr.trim().split("\n").at(-1) ?? "";
    // A pull that went silent half-way had an answer from the registry: the next image may fare better.
    const silent = isSilence(words) || (ran.timedOut && ran.stdout === "");
    if (!silent) return { pulled: false, reason: words || `the pull did not end within ${PULL_MS / 1000} s` };
    await this.#remember(registry);
    return { pulled: false, reason: `${registry} does not answer` };
  }

  async #read(): Promise<Record<string, number>> {
    try {
      const value: unknown = JSON.parse(await readFile(this.#file, "utf8"));
      return typeof value === "object" && value !== null ? (value as Record<string, number>) : {};
    } catch {
      // No memory, or a broken one, costs one more attempt and nothing else.
      return {};
    }
  }

  async #remember(registry: string): Promise<void> {
    const temporary = `${this.#file}.${randomUUID()}`;
    try {
      await mkdir(dirname(this.#file), { recursive: true });
      await writeFile(temporary, JSON.stringify({ ...(await this.#read()), [registry]: this.#now() }));
      await rename(temporary, this.#file);
    } catch {
      await rm(temporary, { force: true }).catch(() => undefined); // on a full disk each image waits for itself
    }
  }
}
