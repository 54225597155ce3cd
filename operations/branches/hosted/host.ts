import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../../../contract/errors.ts";
import type { Operation, StepEvent } from "../../../contract/events.ts";
import { fix } from "../../../contract/fix.ts";
import { withClient } from "../../migrations/client.ts";
import { databaseUrl } from "../../migrations/url.ts";
import type { BranchHost, CreatedCopy, RunningCopy } from "../host.ts";
import { stackCommand, type CopyOptions } from "../model.ts";
import type { BranchApi, HostedBranch } from "./api.ts";
import { catchUp } from "./catch-up.ts";

export interface HostedBranchSettings {
  readonly stack: string;
  readonly api: BranchApi;
  /** Connection string of main's owner. */
  readonly main: string;
  /** Whether main is itself a branch of the project that branches are made of. */
  readonly mainIsBranch: boolean;
  /** Makes a connection string verify the server. */
  readonly verify: (url: string) => string;
  readonly signal: AbortSignal;
}

/** Seconds that a branch may take, and that its pooler may take to know it. */
const EMPTY_SECONDS = 1800;
const DATA_SECONDS = 6 * 3600;
const POOLER_SECONDS = 300;

/** Seconds between two questions to the API, the first and the longest. It takes 120 calls a minute. */
const FIRST_PAUSE = 0.25;
const LONGEST_PAUSE = 5;

/** States of a project from which it does not come back alone. */
const LOST = ["INIT_FAILED", "REMOVED", "RESTORE_FAILED", "PAUSE_FAILED"];

/** Branches that Supabase hosts: separate projects, made of main's migrations or of a copy of its files. */
export class HostedBranchHost implements BranchHost {
  readonly kind = "hosted";
  readonly #given: HostedBranchSettings;
  readonly #urls = new Map<string, string>();

  constructor(given: HostedBranchSettings) {
    this.#given = given;
  }

  async check({ target, withData }: CopyOptions): Promise<void> {
    const { api, stack, mainIsBranch } = this.#given;
    if (target !== undefined)
      throw new UserError(
        "invalid-argument",
        "--at",
        "is not offered by Supabase: a branch shows the present",
        fix`${stackCommand({ stack }, `restore`)} --to ${target.value} restores a dump into a scratch server`,
      );
    if (withData !== true) return;
    if (mainIsBranch)
      throw new UserError(
        "invalid-argument",
        "--with-data",
        `would copy the rows of project ${api.parent}, of which the database of stack ${stack} is itself a branch`,
        "leave it out; or, for those rows, name the stack of that project",
      );
    if (!(await api.pointInTimeRecovery()))
      throw new UserError(
        "state-conflict",
        `project ${api.parent}`,
        "has point-in-time recovery switched off, which --with-data needs",
        `leave it out, or see https://supabase.com/dashboard/project/${api.parent}/database/backups/pitr`,
      );
  }

  async proofCopy() {
    const { api, mainIsBranch } = this.#given;
    // Another machine may try a merge at the same time.
    const name = `proof-${randomBytes(3).toString("hex")}`;
    return { name, options: { withData: !mainIsBranch && (await api.pointInTimeRecovery()) } };
  }

  async *create(name: string, { withData = false, persistent = false }: CopyOptions = {}): Operation<CreatedCopy> {
    const { api } = this.#given;
    const step = { type: "step", id: "copy", title: `Supabase makes ${name} of project ${api.parent}` } as const;
    const started = performance.now();
    const seconds = () => (performance.now() - started) / 1000;
    yield { ...step, status: "started" };
    let made: HostedBranch | undefined;
    try {
      made = await api.create(name, withData, persistent);
      made = yield* this.#made(made, withData ? DATA_SECONDS : EMPTY_SECONDS, step);
      const failed = await this.#failure(made);
      yield { ...step, status: failed === undefined ? "done" : "failed", seconds: seconds() };
      return {
        ...{ source: withData ? "restored" : "ledger", project: made.project_ref, withData, persistent },
        ...(failed === undefined ? {} : { failed }),
      };
    } catch (error) {
      yield { ...step, status: "failed", seconds: seconds() };
      if (made !== undefined) await api.remove(made).catch(() => undefined);
      throw error;
    }
  }

  /** Waits until Supabase has made a branch. */
  async *#made(
    before: HostedBranch,
    limit: number,
    step: Pick<StepEvent, "type" | "id" | "title">,
  ): Operation<HostedBranch> {
    const { api, signal } = this.#given;
    const until = performance.now() + limit * 1000;
    const pauses = this.#pauses(signal);
    for (let said = ""; ; await pauses.next()) {
      const found = await this.#whileUnavailable(before);
      const state = [found.status, found.preview_project_status ?? ""].join(" ").trim();
      if (state !== said) yield { ...step, status: "progress", detail: state };
      said = state;
      if (LOST.includes(found.preview_project_status ?? "")) throw notMade(found, "failed", `is ${state}`);
      if (isMade(found) && (found.preview_project_status ?? (await api.database(found)).status) === "ACTIVE_HEALTHY")
        return found;
      if (performance.now() > until) throw notMade(found, "timeout", `is still ${state} after ${String(limit)} s`);
    }
  }

  /** Why a branch does not have all of main's migrations. */
  async #failure(branch: HostedBranch): Promise<string | undefined> {
    const { api, main } = this.#given;
    const url = await this.#answering(branch.name);
    if (branch.status === "MIGRATIONS_FAILED")
      return (await api.lastLogLine(branch).catch(() => undefined)) ?? "a migration of main failed";
    return catchUp(main, url);
  }

  prepareSpare(): Promise<void> {
    return Promise.resolve();
  }

  async remove(name: string): Promise<void> {
    const { api } = this.#given;
    this.#urls.delete(name);
    const found = await api.find(name);
    if (found === undefined) return;
    await api.remove(found);
    // Until it is gone, its name is taken.
    const until = performance.now() + POOLER_SECONDS * 1000;
    for (const pauses = this.#pauses(); (await api.find(name)) !== undefined; await pauses.next())
      if (performance.now() > until) throw notMade(found, "timeout", "is still being removed");
  }

  async copies(): Promise<ReadonlyMap<string, RunningCopy>> {
    const all = await this.#given.api.list();
    return new Map(all.map((branch) => [branch.name, runningCopy(branch)]));
  }

  async url(name: string): Promise<string> {
    const url = this.#urls.get(name) ?? (await this.#url(name));
    this.#urls.set(name, url);
    return url;
  }

  async #url(name: string): Promise<string> {
    const { api, stack, verify } = this.#given;
    const found = await api.find(name);
    if (found === undefined)
      throw new UserError(
        "state-conflict",
        `branch ${name}`,
        "does not exist at Supabase",
        fix`${stackCommand({ stack }, "branch list")}`,
      );
    const [{ status, db_pass: password }, url] = await Promise.all([api.database(found), api.pooler(found)]);
    if (status !== "ACTIVE_HEALTHY")
      throw new UserError(
        "state-conflict",
        `branch ${name}`,
        `does not run: it is ${status}`,
        `https://supabase.com/dashboard/project/${found.project_ref} resumes one that is paused`,
      );
    if (password === undefined)
      throw new UserError(
        "permission-denied",
        `branch ${name}`,
        "has a password that the access token may not read",
        "use the token of a member who may administer the project",
      );
    url.password = password;
    return verify(url.href);
  }

  /** The URL of a new branch, once its pooler knows it. */
  async #answering(name: string): Promise<string> {
    const until = performance.now() + POOLER_SECONDS * 1000;
    for (const pauses = this.#pauses(this.#given.signal); ; await pauses.next()) {
      try {
        const url = await this.url(name);
        await withClient(databaseUrl(url), (client) => client.query("select"));
        return url;
      } catch (error) {
        const isFinal = error instanceof UserError && error.code === "permission-denied";
        if (isFinal || performance.now() > until) throw error;
      }
    }
  }

  /** The branch as the API has it now; as it was if the API does not answer. */
  async #whileUnavailable(before: HostedBranch): Promise<HostedBranch> {
    const now = await this.#given.api.find(before.name).catch((error: unknown) => {
      if (error instanceof UserError && error.code === "unavailable") return before;
      throw error;
    });
    return now ?? { ...before, preview_project_status: "REMOVED" };
  }

  /** Waits that grow; without a signal they are not interrupted. */
  async *#pauses(signal?: AbortSignal): AsyncGenerator<undefined, never, void> {
    for (let seconds = FIRST_PAUSE; ; seconds = Math.min(2 * seconds, LONGEST_PAUSE)) {
      await sleep(seconds * 1000, undefined, { signal });
      yield undefined;
    }
  }
}

function isMade({ status }: HostedBranch): boolean {
  return status !== "CREATING_PROJECT" && status !== "RUNNING_MIGRATIONS";
}

function runningCopy(branch: HostedBranch): RunningCopy {
  const { name, status, persistent, with_data: withData, preview_project_status: project } = branch;
  return {
    running: isMade(branch) && (project ?? "ACTIVE_HEALTHY") === "ACTIVE_HEALTHY",
    record: { name, state: status, createdAt: branch.created_at, project: branch.project_ref, persistent, withData },
  };
}

function notMade({ name, project_ref: ref }: HostedBranch, code: "failed" | "timeout", problem: string): UserError {
  return new UserError(code, `branch ${name}`, problem, `see https://supabase.com/dashboard/project/${ref}`);
}
