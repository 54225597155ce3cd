import { hostname } from "node:os";
import { UserError } from "../../contract/errors.ts";
import type { Operation } from "../../contract/events.ts";
import { fix } from "../../contract/fix.ts";
import { userName } from "../../contract/machine/user.ts";
import { timed } from "../../contract/timed.ts";
import { applyMigrations, migrationStatus, type ApplyOptions } from "../migrations/apply.ts";
import type { LockWait } from "../migrations/locks.ts";
import type { LeaseStore } from "../rollout/ports/lease.ts";
import { compareFacts } from "../schema-facts/compare.ts";
import { loadPgDelta } from "../schema-facts/pg-delta.ts";
import { readFacts, type SchemaFacts } from "../schema-facts/read.ts";
import type { BranchHost, RunningCopy } from "./host.ts";
import {
  checkBranchName,
  stackCommand,
  type BranchRecord,
  type BranchStatus,
  type BranchTarget,
  type CopyOptions,
} from "./model.ts";
import type { BranchStore } from "./store.ts";

/** The branches of a stack. */
export interface Branches {
  /** Name of the stack; absent for `local`. */
  readonly stack?: string;
  readonly store: BranchStore;
  readonly host: BranchHost;
  /** Changes of branches exclude each other. */
  readonly leases: LeaseStore;
  /** Connection string of main's owner. */
  readonly main: string;
  /** How migrations of a new branch wait for locks. */
  readonly locks: LockWait;
  /** File with the passwords of the branches' owners, for people. Those of hosted branches stay with Supabase. */
  readonly passwords?: string;
}

export interface CreateOptions extends CopyOptions {
  readonly signal?: AbortSignal;
}

/** How a verb that removes a branch asks before it does; without, it does not. */
export interface RemovalOptions {
  /** @throws if declined */
  readonly confirm?: (() => Promise<void>) | undefined;
}

export interface BranchCreated extends Pick<Branches, "stack"> {
  readonly branch: BranchStatus;
  readonly seconds: number;
}

/**
 * Makes a branch: a copy of main with its data, in which the pending migrations are applied. A branch of an earlier moment
 * gets none.
 *
 * @throws UserError `state-conflict` if there is a branch of that name
 */
export async function* createBranch(
  branches: Branches,
  name: string,
  options: CreateOptions = {},
): Operation<BranchCreated> {
  checkBranchName(name);
  await branches.host.check(options);
  return yield* changing(branches, "branch create", async function* () {
    if ((await branches.store.has(name)) || (await recordedByHost(branches, name)))
      throw new UserError(
        "state-conflict",
        `branch ${name}`,
        "exists",
        fix`${stackCommand(branches, `branch reset ${name}`)} makes it again; ${stackCommand(branches, `branch delete ${name}`)} removes it`,
      );
    return yield* make(branches, name, options);
  });
}

/** Whether a host that keeps records, for all machines, has one of a branch. */
async function recordedByHost({ host }: Branches, name: string): Promise<boolean> {
  return host.kind === "hosted" && (await host.copies()).get(name)?.record !== undefined;
}

/** Makes a branch again from main as it is now. What was done in it is lost. */
export async function* resetBranch(
  branches: Branches,
  name: string,
  { confirm, ...options }: CreateOptions & RemovalOptions = {},
): Operation<BranchCreated> {
  return yield* changing(branches, "branch reset", async function* () {
    const { withData, persistent } = await recordOf(branches, name);
    const kept = { withData, persistent, ...options };
    await branches.host.check(kept);
    await confirm?.();
    yield* timed("delete", `remove branch ${name}`, () => branches.host.remove(name));
    return yield* make(branches, name, kept);
  });
}

export interface BranchDeleted extends Pick<Branches, "stack"> {
  readonly name: string;
  readonly seconds: number;
}

/** Removes a branch with its data. */
export async function* deleteBranch(
  branches: Branches,
  name: string,
  { confirm }: RemovalOptions = {},
): Operation<BranchDeleted> {
  return yield* changing(branches, "branch delete", async function* () {
    const started = performance.now();
    // A copy without a record was left by a command that was killed.
    if (!(await branches.store.has(name)) && !(await branches.host.copies()).has(name)) await branches.store.get(name);
    await confirm?.();
    yield* timed("delete", `remove branch ${name}`, async () => {
      await branches.host.remove(name);
      await branches.store.remove(name);
    });
    return { name, ...stackOf(branches), seconds: (performance.now() - started) / 1000 };
  });
}

/** The branches, in the order of their names; hosted ones also if another machine made them. */
export async function listBranches({ store, host }: Branches): Promise<readonly BranchStatus[]> {
  const [copies, known] = await Promise.all([host.copies(), store.list()]);
  const elsewhere = [...copies.values()].flatMap(({ record }) =>
    record === undefined || known.some(({ name }) => name === record.name) ? [] : [record],
  );
  return [...known, ...elsewhere]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((record) => statusOf(record, copies.get(record.name)));
}

/** One branch. @throws UserError `not-found` */
export async function branchStatus(branches: Branches, name: string): Promise<BranchStatus> {
  const copy = (await branches.host.copies()).get(name);
  return statusOf(await recordOf(branches, name, copy), copy);
}

function statusOf(record: BranchRecord, copy: RunningCopy | undefined): BranchStatus {
  const ageSeconds = Math.max(0, Math.round((Date.now() - Date.parse(record.createdAt)) / 1000));
  if (copy === undefined) return { ...record, ageSeconds, server: "absent" };
  const { running, sizeBytes } = copy;
  return {
    ...{ ...record, ageSeconds, server: running ? "running" : "stopped" },
    ...(sizeBytes === undefined ? {} : { sizeBytes }),
  };
}

/** What is recorded about a branch, here or by its host. @throws UserError `not-found` */
export async function recordOf({ store, host }: Branches, name: string, copy?: RunningCopy): Promise<BranchRecord> {
  const known = await store.find(name);
  return known ?? (copy ?? (await host.copies()).get(name))?.record ?? (await store.get(name));
}

/** The stack of branches, as results have it. */
export function stackOf({ stack }: Pick<Branches, "stack">): Pick<Branches, "stack"> {
  return stack === undefined ? {} : { stack };
}

/** Runs work that changes branches; two at the same time exclude each other. */
export async function* changing<Result>(
  { leases }: Branches,
  verb: string,
  work: () => Operation<Result>,
): Operation<Result> {
  const lease = await leases.acquire(verb);
  try {
    return yield* work();
  } finally {
    await lease.release();
  }
}

async function* make(branches: Branches, name: string, options: CreateOptions): Operation<BranchCreated> {
  const { store, host, locks } = branches;
  const { target, signal } = options;
  const started = performance.now();
  let record: BranchRecord = {
    ...{ name, state: "CREATING_PROJECT", createdAt: new Date().toISOString(), by: `${userName()}@${hostname()}` },
    ...(target === undefined ? {} : { target }),
  };
  const become = async (changes: Partial<BranchRecord>) => {
    record = { ...record, ...changes };
    await store.put(record);
  };
  await become({});
  let running: RunningCopy | undefined;
  // While the copy is made, so that reading its schema does not wait for the library; if it fails, that says why.
  void loadPgDelta().catch(() => undefined);
  try {
    const { failed, copy: copied, ...copy } = yield* host.create(name, options);
    running = copied ?? { running: true };
    await become(copy);
    const url = await host.url(name);
    const base = yield* timed("facts", "read the schema", async () => {
      const facts = await readFacts(url);
      await store.putBase(name, facts);
      return facts;
    });
    if (copy.source === "ledger" && failed === undefined) yield* noteDrift(branches, name, base);
    if (failed === undefined) yield* migrate(url, target, become, { locks, signal });
    else await become({ state: "MIGRATIONS_FAILED", reason: failed });
  } catch (error) {
    // Without its base a branch could not be merged.
    if (record.state === "CREATING_PROJECT") {
      await store.remove(name);
      if (running !== undefined) await host.remove(name).catch(() => undefined);
    }
    throw error;
  }
  await host.prepareSpare();
  return {
    branch: running.sizeBytes === undefined ? await branchStatus(branches, name) : statusOf(record, running),
    ...stackOf(branches),
    seconds: (performance.now() - started) / 1000,
  };
}

/** Says where main is not what its migrations make: a merge could not be proved on a copy. */
async function* noteDrift(branches: Branches, name: string, base: SchemaFacts): Operation<void> {
  const drift = await compareFacts(base, await readFacts(branches.main));
  if (drift.length === 0) return;
  yield {
    type: "note",
    level: "warning",
    message: `main is not what its migrations make, so ${name} differs from it: ${drift.map(({ object }) => object).join(", ")}`,
    fix: fix`${stackCommand(branches, "migrate verify")}`,
  };
}

/** Applies the pending migrations of the files, as Supabase does in a new branch. One that fails ends it. */
async function* migrate(
  url: string,
  target: BranchTarget | undefined,
  become: (changes: Partial<BranchRecord>) => Promise<void>,
  options: Pick<ApplyOptions, "locks" | "signal">,
): Operation<void> {
  const pending = target === undefined && (await migrationStatus(url)).some(({ applied }) => !applied);
  if (pending) {
    await become({ state: "RUNNING_MIGRATIONS" });
    try {
      yield* applyMigrations(url, options);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      await become({ state: "MIGRATIONS_FAILED", reason: `${error.where}: ${error.message}` });
      return;
    }
  }
  await become({ state: "MIGRATIONS_PASSED" });
}
