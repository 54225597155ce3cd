import { hostname } from "node:os";
import { UserError } from "../../contract/errors.ts";
import type { Operation } from "../../contract/events.ts";
import { command, fix } from "../../contract/fix.ts";
import { userName } from "../../contract/machine/user.ts";
import { timed } from "../../contract/timed.ts";
import { applyMigrations, migrationStatus, type ApplyOptions } from "../migrations/apply.ts";
import type { LockWait } from "../migrations/locks.ts";
import { FileLeaseStore } from "../rollout/local/file-lease.ts";
import { readFacts } from "../schema-facts/read.ts";
import type { BranchHost } from "./host.ts";
import { checkBranchName, type BranchRecord, type BranchStatus, type BranchTarget } from "./model.ts";
import type { BranchStore } from "./store.ts";

/** The branches of a stack. */
export interface Branches {
  readonly store: BranchStore;
  readonly host: BranchHost;
  /** Changes of branches exclude each other. */
  readonly leases: FileLeaseStore;
  /** Connection string of main's owner. */
  readonly main: string;
  /** How migrations of a new branch wait for locks. */
  readonly locks: LockWait;
  /** File with the passwords of the branches' owners, for people. */
  readonly passwords: string;
}

export interface CreateOptions {
  /** The moment to show. @default the present */
  readonly target?: BranchTarget | undefined;
  readonly signal?: AbortSignal;
}

export interface BranchCreated {
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
  return yield* changing(branches, "branch create", async function* () {
    if (branches.store.has(name))
      throw new UserError(
        "state-conflict",
        `branch ${name}`,
        "exists",
        fix`${command(`branch reset ${name}`)} makes it again; ${command(`branch delete ${name}`)} removes it`,
      );
    return yield* make(branches, name, options);
  });
}

/** Makes a branch again from main as it is now. What was done in it is lost. */
export async function* resetBranch(
  branches: Branches,
  name: string,
  options: CreateOptions = {},
): Operation<BranchCreated> {
  return yield* changing(branches, "branch reset", async function* () {
    branches.store.get(name);
    yield* timed("delete", `remove branch ${name}`, () => branches.host.remove(name));
    return yield* make(branches, name, options);
  });
}

export interface BranchDeleted {
  readonly name: string;
  readonly seconds: number;
}

/** Removes a branch with its data. */
export async function* deleteBranch(branches: Branches, name: string): Operation<BranchDeleted> {
  return yield* changing(branches, "branch delete", async function* () {
    const started = performance.now();
    // A copy without a record was left by a command that was killed.
    if (!branches.store.has(name) && !(await branches.host.copies()).has(name)) branches.store.get(name);
    yield* timed("delete", `remove branch ${name}`, async () => {
      await branches.host.remove(name);
      branches.store.remove(name);
    });
    return { name, seconds: (performance.now() - started) / 1000 };
  });
}

/** The branches, in the order of their names. */
export async function listBranches({ store, host }: Branches): Promise<readonly BranchStatus[]> {
  const copies = await host.copies();
  return store.list().map((record) => {
    const copy = copies.get(record.name);
    if (copy === undefined) return { ...record, server: "absent" };
    return { ...record, server: copy.running ? "running" : "stopped", sizeBytes: copy.sizeBytes };
  });
}

/** One branch. @throws UserError `not-found` */
export async function branchStatus(branches: Branches, name: string): Promise<BranchStatus> {
  const record = branches.store.get(name);
  return (await listBranches(branches)).find((branch) => branch.name === name) ?? { ...record, server: "absent" };
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

async function* make(branches: Branches, name: string, { target, signal }: CreateOptions): Operation<BranchCreated> {
  const { store, host, locks } = branches;
  const started = performance.now();
  let record: BranchRecord = {
    ...{ name, state: "CREATING_PROJECT", createdAt: new Date().toISOString(), by: `${userName()}@${hostname()}` },
    ...(target === undefined ? {} : { target }),
  };
  const become = (changes: Partial<BranchRecord>) => {
    record = { ...record, ...changes };
    store.put(record);
  };
  become({});
  try {
    const { lsn, asOf, source } = yield* timed(
      "copy",
      "copy main",
      () => host.create(name, target),
      (copy) => ({
        detail: `${copy.source === "spare" ? "from the spare" : copy.source === "copy" ? "from the base" : "restored"}, up to ${copy.lsn}`,
      }),
    );
    become({ lsn, source, ...(asOf === undefined ? {} : { asOf }) });
    const url = await host.url(name);
    yield* timed("facts", "read the schema", async () => store.putBase(name, await readFacts(url)));
    yield* migrate(url, target, become, { locks, signal });
  } catch (error) {
    // Without its base a branch could not be merged.
    if (record.state === "CREATING_PROJECT") {
      store.remove(name);
      await host.remove(name).catch(() => undefined);
    }
    throw error;
  }
  await host.prepareSpare();
  return { branch: await branchStatus(branches, name), seconds: (performance.now() - started) / 1000 };
}

/** Applies the pending migrations of the files, as Supabase does in a new branch. One that fails ends it. */
async function* migrate(
  url: string,
  target: BranchTarget | undefined,
  become: (changes: Partial<BranchRecord>) => void,
  options: Pick<ApplyOptions, "locks" | "signal">,
): Operation<void> {
  const pending = target === undefined && (await migrationStatus(url)).some(({ applied }) => !applied);
  if (pending) {
    become({ state: "RUNNING_MIGRATIONS" });
    try {
      yield* applyMigrations(url, options);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      become({ state: "MIGRATIONS_FAILED", reason: `${error.where}: ${error.message}` });
      return;
    }
  }
  become({ state: "MIGRATIONS_PASSED" });
}
