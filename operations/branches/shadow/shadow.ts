import { UserError } from "../../../contract/errors.ts";
import type { Operation } from "../../../contract/events.ts";
import { fix } from "../../../contract/fix.ts";
import { clientOptions, databaseUrl } from "../../migrations/url.ts";
import { changing, recordOf, stackOf, type Branches } from "../lifecycle.ts";
import { stackCommand } from "../model.ts";
import { compareOutcomes, volatileColumns, type StatementDifference } from "./compare.ts";
import { LatencyBook, type Latency, type SlowerStatement } from "./latency.ts";
import { ReplaySession, type Outcome } from "./replay.ts";
import { readWorkload, type WorkloadTransaction } from "./workload.ts";

export interface ShadowOptions {
  /** File of the recorded workload. */
  readonly workload: string;
  /** A statement is slower if its median on the branch is more than this factor above main's. @default 3 */
  readonly slowerFactor?: number;
  readonly signal?: AbortSignal;
}

/** A statement that the branch answered otherwise. */
export interface ShadowDifference extends StatementDifference {
  /** Line of the workload. */
  readonly line: number;
  readonly sql: string;
}

export interface BranchShadow extends Pick<Branches, "stack"> {
  readonly name: string;
  readonly transactions: number;
  /** Statements that both sides ran. */
  readonly operations: number;
  /** How many statements differ. */
  readonly different: number;
  /** The first of them, in the order of the file. */
  readonly differences: readonly ShadowDifference[];
  readonly slower: readonly SlowerStatement[];
  /** Columns that were not compared because they differ between two runs on main: statement and column. */
  readonly volatile: readonly string[];
  /** Lines whose answers differ between two runs on main, so that nothing can be said about them. */
  readonly unstable: readonly number[];
  readonly main: Latency;
  readonly branch: Latency;
  readonly seconds: number;
}

/** Sessions on each side. */
const SESSIONS = 2;

/** Differences that are kept. */
const SHOWN = 100;

/** Errors of two sessions that meet, which say nothing about the schema: serialization, deadlock, lock time-out. */
const MET: readonly string[] = ["40001", "40P01", "55P03"];

/**
 * Replays a recorded workload on main and on a branch, and compares rows, errors and latency. Each transaction is rolled back on both
 * sides.
 *
 * @throws UserError `invalid-file` if the workload is not one
 */
export async function* shadowBranch(branches: Branches, name: string, options: ShadowOptions): Operation<BranchShadow> {
  return yield* changing(branches, "branch shadow", async function* () {
    const { workload, slowerFactor = 3, signal } = options;
    const { withData = branches.host.kind === "local" } = await recordOf(branches, name);
    if (!withData)
      throw new UserError(
        "state-conflict",
        `branch ${name}`,
        "was made without main's rows, so every answer would differ",
        fix`${stackCommand(branches, `branch create <name> --with-data`)}`,
      );
    const url = await branches.host.url(name);
    const transactions = await readWorkload(workload);
    const started = performance.now();
    const step = { type: "step", id: "replay", title: "replay the workload on main and on the branch" } as const;
    yield { ...step, status: "started", detail: `${String(transactions.length)} transactions` };
    const replay = new Replay(branches.main, url);
    let done = 0;
    try {
      await replay.open();
      const queue = transactions.values();
      // Between two batches the progress is shown.
      for (let batch = take(queue, 500); batch.length > 0; batch = take(queue, 500)) {
        signal?.throwIfAborted();
        await replay.run(batch);
        done += batch.length;
        yield { ...step, status: "progress", detail: `${String(done)} of ${String(transactions.length)}` };
      }
    } catch (error) {
      yield { ...step, status: "failed", seconds: (performance.now() - started) / 1000 };
      throw error;
    } finally {
      await replay.close();
    }
    const seconds = (performance.now() - started) / 1000;
    yield { ...step, status: "done", detail: `${String(replay.operations)} operations`, seconds };
    const differences = replay.differences.toSorted((a, b) => a.line - b.line);
    return {
      ...stackOf(branches),
      ...{ name, transactions: transactions.length, operations: replay.operations, different: differences.length },
      differences: differences.slice(0, SHOWN),
      slower: replay.latency.slower(slowerFactor),
      ...{ volatile: [...replay.volatile], unstable: replay.unstable },
      ...{ main: replay.latency.total("main"), branch: replay.latency.total("branch"), seconds },
    };
  });
}

/** The sessions of both sides, and what was found. */
class Replay {
  readonly #urls: readonly [main: string, branch: string];
  #pairs: (readonly [main: ReplaySession, branch: ReplaySession])[] = [];
  readonly latency = new LatencyBook();
  readonly differences: ShadowDifference[] = [];
  readonly volatile = new Set<string>();
  readonly unstable: number[] = [];
  operations = 0;

  constructor(main: string, branch: string) {
    this.#urls = [main, branch];
  }

  async open(): Promise<void> {
    const [main, branch] = this.#urls.map((url) => clientOptions(databaseUrl(url)));
    if (main === undefined || branch === undefined) return;
    for (let number = 0; number < SESSIONS; number += 1) {
      const ours = await ReplaySession.open(main);
      this.#pairs.push([ours, await ReplaySession.open(branch)]);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#pairs.flatMap((pair) => pair.map((session) => session.close())));
  }

  async run(transactions: readonly WorkloadTransaction[]): Promise<void> {
    const queue = transactions.values();
    await Promise.all(
      this.#pairs.map(async (pair) => {
        for (const transaction of queue) await this.#transaction(transaction, pair);
      }),
    );
  }

  async #transaction(
    transaction: WorkloadTransaction,
    [main, branch]: readonly [ReplaySession, ReplaySession],
  ): Promise<void> {
    let [ours, theirs] = await Promise.all([main.run(transaction), branch.run(transaction)]);
    for (let tries = 0; tries < 3 && [...ours, ...theirs].some(hasMet); tries += 1)
      [ours, theirs] = await Promise.all([main.run(transaction), branch.run(transaction)]);
    let again: readonly Outcome[] | undefined;
    for (const [index, { sql }] of transaction.statements.entries()) {
      const [one, other] = [ours[index], theirs[index]];
      // What comes after an error was not run.
      if (one === undefined || other === undefined) return;
      this.operations += 1;
      if (one.error === undefined && other.error === undefined)
        this.latency.add(sql, one.milliseconds, other.milliseconds);
      if (compareOutcomes(sql, one, other) === undefined) continue;
      again ??= await main.run(transaction);
      const repeated = again[index];
      const skip = repeated === undefined ? undefined : volatileColumns(one, repeated);
      if (skip === undefined) {
        this.unstable.push(transaction.line);
        return;
      }
      for (const column of skip) this.volatile.add(`${one.columns[column]?.split(" ")[0] ?? ""} of ${sql}`);
      const difference = compareOutcomes(sql, one, other, skip);
      if (difference !== undefined) this.differences.push({ line: transaction.line, sql, ...difference });
    }
  }
}

function hasMet({ error }: Outcome): boolean {
  return error !== undefined && MET.includes(error.code);
}

/** The next elements, at most so many. */
function take<Each>(queue: IterableIterator<Each>, most: number): readonly Each[] {
  const taken: Each[] = [];
  while (taken.length < most) {
    const next: IteratorResult<Each, undefined> = queue.next();
    if (next.done === true) break;
    taken.push(next.value);
  }
  return taken;
}
