import { randomUUID } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { errorCode, syncDirectory } from "../local/fenced-directory.ts";

/**
 * What another terminal may ask of the one who leads a rollout. `continue` ends a pause; `promote` passes to the next
 * step now, and is the approval where one is waited for; `full` goes on to all users.
 */
export type ControlAction =
  | { readonly action: "pause" }
  | { readonly action: "continue" }
  | { readonly action: "promote"; readonly full: boolean }
  | { readonly action: "abort"; readonly evict: boolean }
  | { readonly action: "rollback"; readonly evict: boolean };

/** A request, addressed to one rollout: it never reaches a later one. */
export type ControlRequest = ControlAction & {
  readonly id: string;
  /** Identifier of the rollout that it is meant for. */
  readonly rollout: string;
  /** user@host */
  readonly who: string;
  readonly why: string;
  /** ISO 8601. */
  readonly at: string;
};

/** What the one who leads says to a request. */
export interface ControlAnswer {
  /** The request's. */
  readonly id: string;
  readonly accepted: boolean;
  /** What was done, or why not. */
  readonly detail: string;
}

/** Where a running controller is reached from elsewhere. Without one, a verb takes the lease and acts itself. */
export interface ControlStore {
  /** How long a living controller may take to see a request, seconds; after it, a rollback takes the lease over. */
  readonly patienceSeconds: number;
  /** Returns when the request is safe. */
  post(request: ControlRequest): Promise<void>;
  /** The open requests to a rollout, oldest first; each is given out once, and those to other rollouts never are. */
  take(rollout: string): Promise<readonly ControlRequest[]>;
  /** Takes a request back. @returns false where it has been taken already */
  withdraw(id: string): Promise<boolean>;
  answer(answer: ControlAnswer): Promise<void>;
  /** The answer to a request; undefined while there is none. */
  answerTo(id: string): Promise<ControlAnswer | undefined>;
}

/** A request from here and now. */
export function controlRequest(action: ControlAction, rollout: string, who: string, why: string): ControlRequest {
  return { ...action, id: randomUUID(), rollout, who, why, at: new Date().toISOString() };
}

/** A controller on this machine looks ten times per second. */
const LOCAL_PATIENCE_SECONDS = 0.5;

/** Answers are left for this long, for whoever still waits for one. */
const ANSWER_KEPT_SECONDS = 60;

const REQUEST = ".request.json";
const ANSWER = ".answer.json";

/** Requests and answers as files of one directory, each moved into place when it is whole, and removed when taken. */
export class FileControlStore implements ControlStore {
  readonly patienceSeconds: number;
  readonly #directory: string;

  constructor(directory: string, patienceSeconds = LOCAL_PATIENCE_SECONDS) {
    this.#directory = directory;
    this.patienceSeconds = patienceSeconds;
  }

  async post(request: ControlRequest): Promise<void> {
    // The time in front makes the names' order that of the requests.
    await this.#place(`${request.at.replaceAll(/\D/g, "")}-${request.id}${REQUEST}`, request);
  }

  async take(rollout: string): Promise<readonly ControlRequest[]> {
    const names = await this.#names();
    await this.#forget(names);
    const taken: ControlRequest[] = [];
    for (const name of names.filter((each) => each.endsWith(REQUEST)).sort()) {
      const path = join(this.#directory, name);
      let request: ControlRequest;
      try {
        request = JSON.parse(await readFile(path, "utf8")) as ControlRequest;
        await unlink(path); // who removes it has it: of two that read it, the other one fails here (`rm` would not)
      } catch (error) {
        if (errorCode(error) === "ENOENT") continue;
        throw error;
      }
      if (request.rollout === rollout) taken.push(request);
    }
    return taken;
  }

  async withdraw(id: string): Promise<boolean> {
    const name = (await this.#names()).find((each) => each.endsWith(`${id}${REQUEST}`) && !each.startsWith("."));
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
      return JSON.parse(await readFile(join(this.#directory, `${id}${ANSWER}`), "utf8")) as ControlAnswer;
    } catch (error) {
      if (errorCode(error) === "ENOENT") return undefined;
      throw error;
    }
  }

  async #place(name: string, content: ControlRequest | ControlAnswer): Promise<void> {
    await mkdir(this.#directory, { recursive: true });
    const staged = join(this.#directory, `.${name}`);
    const file = await open(staged, "w", 0o644);
    try {
      await file.writeFile(JSON.stringify(content));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(staged, join(this.#directory, name));
    await syncDirectory(this.#directory);
  }

  async #names(): Promise<string[]> {
    return readdir(this.#directory).catch((error: unknown) => {
      if (errorCode(error) === "ENOENT") return [];
      throw error;
    });
  }

  async #forget(names: readonly string[]): Promise<void> {
    for (const name of names.filter((each) => each.endsWith(ANSWER))) {
      const path = join(this.#directory, name);
      const age = Date.now() - ((await stat(path).catch(() => undefined))?.mtimeMs ?? Date.now());
      if (age > ANSWER_KEPT_SECONDS * 1000) await rm(path, { force: true });
    }
  }
}
