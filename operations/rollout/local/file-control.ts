import { mkdir, readdir, readFile, rename, rm, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { createDurably, errorCode, syncDirectory } from "../host/durable-files.ts";
import type { ControlAnswer, ControlRequest, ControlStore } from "../ports/control.ts";

/** Seconds; a controller on this machine polls ten times per second. */
const LOCAL_PATIENCE_SECONDS = 0.5;

/** Answers are kept for this long, for a process that still waits. */
const ANSWER_KEPT_SECONDS = 60;

const REQUEST = ".request.json";
const ANSWER = ".answer.json";

/** Requests and answers as files of one directory. Each is renamed into place when it is complete. */
export class FileControlStore implements ControlStore {
  readonly patienceSeconds: number;
  readonly #directory: string;

  constructor(directory: string, patienceSeconds = LOCAL_PATIENCE_SECONDS) {
    this.#directory = directory;
    this.patienceSeconds = patienceSeconds;
  }

  async post(request: ControlRequest): Promise<void> {
    // The leading time sorts the names in the order of the requests.
    await this.#place(`${request.at.replaceAll(/\D/g, "")}-${request.id}${REQUEST}`, request);
  }

  async take(rollout: string): Promise<readonly ControlRequest[]> {
    const names = await this.#names();
    await this.#removeOldAnswers(names);
    const taken: ControlRequest[] = [];
    for (const name of names.filter((each) => each.endsWith(REQUEST)).sort()) {
      const path = join(this.#directory, name);
      let request: ControlRequest | undefined;
      try {
        request = parsed(await readFile(path, "utf8")) as ControlRequest | undefined;
        await unlink(path); // of two processes that read it, the second one fails here (`rm` would not)
      } catch (error) {
        if (errorCode(error) === "ENOENT") continue;
        throw error;
      }
      if (request?.rollout === rollout) taken.push(request);
    }
    return taken;
  }

  async withdraw(id: string): Promise<boolean> {
    const name = (await this.#names()).find((each) => each.endsWith(`${id}${REQUEST}`));
    if (name === undefined) return false;
    return unlink(join(this.#directory, name)).then(
      () => true,
      () => false,
    );
  }

  async answer(answer: ControlAnswer): Promise<void> {
    await this.#place(`${answer.id}${ANSWER}`, answer);
  }

  async answerTo(id: string): Promise<ControlAnswer | undefined> {
    try {
      return parsed(await readFile(join(this.#directory, `${id}${ANSWER}`), "utf8")) as ControlAnswer | undefined;
    } catch (error) {
      if (errorCode(error) === "ENOENT") return undefined;
      throw error;
    }
  }

  async #place(name: string, content: ControlRequest | ControlAnswer): Promise<void> {
    await mkdir(this.#directory, { recursive: true });
    const staged = join(this.#directory, `.${name}`);
    await createDurably(staged, JSON.stringify(content));
    await rename(staged, join(this.#directory, name));
    await syncDirectory(this.#directory);
  }

  /** What is in place: a file that begins with a dot is still being written. */
  async #names(): Promise<string[]> {
    const names = await readdir(this.#directory).catch((error: unknown): string[] => {
      if (errorCode(error) === "ENOENT") return [];
      throw error;
    });
    return names.filter((name) => !name.startsWith("."));
  }

  async #removeOldAnswers(names: readonly string[]): Promise<void> {
    for (const name of names.filter((each) => each.endsWith(ANSWER))) {
      const path = join(this.#directory, name);
      const age = Date.now() - ((await stat(path).catch(() => undefined))?.mtimeMs ?? Date.now());
      if (age > ANSWER_KEPT_SECONDS * 1000) await rm(path, { force: true });
    }
  }
}

/** Undefined for a damaged file: it must not keep the leader or a rollback from going on. */
function parsed(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
