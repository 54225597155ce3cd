import pg from "pg";
import { UserError } from "../../contract/errors.ts";
import type { Operation } from "../../contract/events.ts";
import { command, fix, type Fix } from "../../contract/fix.ts";
import { timed } from "../../contract/timed.ts";
import { requestBackup } from "../backups/request.ts";
import type { DrillCheck } from "./drill.ts";
import { flushArchive } from "./archive.ts";
import { locate } from "./locate.ts";
import { prove } from "./prove.ts";
import { reached, type Ambiguous, type Reached } from "./replay.ts";
import { ScratchServer, volumesOf } from "./scratch.ts";
import type { RestoreSite } from "./site.ts";
import type { RestoreTarget } from "./target.ts";
import { unfinishedError, type FixedTarget, type Unfinished } from "./unfinished.ts";

export interface InPlaceOptions {
  /** Accepts a restored database of which a check failed. */
  readonly proof: boolean;
  readonly signal?: AbortSignal | undefined;
}

export interface InPlaceRequest extends InPlaceOptions {
  readonly target: RestoreTarget;
  /** Makes a backup first. Without one, the files of the old database are kept. */
  readonly backup: boolean;
}

/**
 * How a restore in place ended:
 * - `restored-in-place`: the restored database serves and has a backup.
 * - `no-backup`: it serves, and its first backup failed.
 * - `not-proved`: a check failed, and the database is unchanged.
 * - `ambiguous`: several statements match; nothing was changed.
 */
export type InPlaceResult = RestoredInPlace | NotProved | Ambiguous;

export interface RestoredInPlace extends Pick<
  Reached,
  "backup" | "before" | "after" | "fetchSeconds" | "replaySeconds"
> {
  readonly outcome: "restored-in-place" | "no-backup";
  /** Label of the backup of the old database; null if there is none. */
  readonly safety: string | null;
  readonly checks: readonly DrillCheck[];
  readonly proofSeconds: number;
  /** Seconds for which the database did not serve. After an interruption: since the restore was continued. */
  readonly downSeconds: number;
  /** Label of the first backup of the restored database. */
  readonly firstBackup: string | null;
  /** Directory of the old database in the volume, where it may have rows that are nowhere else. */
  readonly kept: string | null;
}

export interface NotProved {
  readonly outcome: "not-proved";
  readonly checks: readonly DrillCheck[];
  /** Whether there was a database, which serves again. */
  readonly serves: boolean;
}

/** Name of the scratch server in whose container the files are restored. */
export const IN_PLACE = "in-place";

/**
 * Replaces the database by its state at a target: a backup of the present database; the database is stopped; the files are restored next to
 * its own, replayed and proved; then they change places, and the new timeline gets its first backup. Before the change an error goes
 * back. A process that is killed leaves {@link Unfinished}.
 *
 * @throws UserError if another change of the stack is under way, the backup cannot be made, or there is no room
 */
export function restoreInPlace(site: RestoreSite, request: InPlaceRequest): Operation<InPlaceResult> {
  return site.exclusively("restore --in-place", async function* (): Operation<InPlaceResult> {
    const unfinished = site.unfinished.read();
    if (unfinished !== undefined) throw unfinishedError(unfinished);
    const { target } = request;
    await site.provideVolume();
    const server = await openServer(site, request.signal);
    try {
      // What can be refused is refused before anything is changed.
      await refuseFullDisk(server, target);
      const safety = request.backup ? yield* backUp(site, request) : null;
      let ready: Reached | undefined;
      let fixed: FixedTarget;
      if (target.kind === "before") {
        // A search may find several statements or none, so users stay until it ends.
        yield* flushArchive(site.url);
        const found = yield* reached(server, target, []);
        if (found.outcome === "ambiguous") return found;
        if (found.statement === undefined) throw new Error("a search for a statement ends with one");
        [ready, fixed] = [found, { kind: "lsn", lsn: found.statement.lsn }];
      } else fixed = target;
      const closedAt = performance.now();
      const state = yield* close(site, server, safety, fixed);
      return yield* build(site, server, state, { ...request, closedAt, ready });
    } catch (error) {
      yield* goBackAfter(site, request.signal);
      throw error;
    } finally {
      await leave(site, server);
    }
  });
}

/** Completes a restore in place that was killed. @throws UserError if there is none */
export function resumeInPlace(site: RestoreSite, options: InPlaceOptions): Operation<InPlaceResult> {
  return site.exclusively("restore resume", async function* (): Operation<InPlaceResult> {
    const state = known(site);
    if (state.phase === "backup") return yield* serve(site, state, NOTHING, performance.now(), options.signal);
    await site.provideVolume();
    const server = await openServer(site, options.signal);
    try {
      // Another command, or Docker, may have started it since.
      yield* timed("close", "stop the database", () => site.stop());
      if (state.phase === "swap") return yield* swap(site, server, state, NOTHING, performance.now(), options.signal);
      return yield* build(site, server, state, { ...options, closedAt: performance.now() });
    } catch (error) {
      yield* goBackAfter(site, options.signal);
      throw error;
    } finally {
      await leave(site, server);
    }
  });
}

/** What became of a restore that was given up: `went-back`, the database is unchanged before. */
export interface RestoreAborted {
  readonly outcome: "went-back";
  /** How far the restore was. */
  readonly phase: Unfinished["phase"];
}

/**
 * Gives a restore in place up and goes back to the previous database.
 *
 * @throws UserError if there is none, or if there was no database before
 */
export function abortInPlace(site: RestoreSite): Operation<RestoreAborted> {
  return site.exclusively("restore abort", async function* (): Operation<RestoreAborted> {
    const state = known(site);
    if (!state.replaces)
      throw new UserError(
        "state-conflict",
        "restore in place",
        "there was no database before it",
        fix`${command("restore resume")}`,
      );
    yield* goBack(site, state);
    return { outcome: "went-back", phase: state.phase };
  });
}

function known(site: RestoreSite): Unfinished {
  const state = site.unfinished.read();
  if (state !== undefined) return state;
  throw new UserError("not-found", "restore in place", "none is unfinished", fix`${command("status")}`);
}

/** The container in which the files are restored. One that a killed process left is replaced. */
async function openServer(site: RestoreSite, signal?: AbortSignal): Promise<ScratchServer> {
  return ScratchServer.start(site, {
    ...{ name: IN_PLACE, volume: volumesOf(site.instance).data, directory: "pgdata.restored", becomesDatabase: true },
    ...(signal === undefined ? {} : { signal }),
  });
}

async function* backUp(site: RestoreSite, { signal }: InPlaceRequest): Operation<string | null> {
  const way = fix`to restore without it: --without-backup; the files of the old database are then kept`;
  const where = "backup of the present database";
  try {
    const { outcome, backup } = yield* requestBackup(site.url, { kind: "incremental", signal });
    if (outcome === "completed") return backup.label;
    throw new UserError("state-conflict", where, `cannot be made: ${backup.error ?? outcome}`, way);
  } catch (error) {
    if (!(error instanceof UserError) || error.code === "state-conflict") throw error;
    throw new UserError("state-conflict", where, `cannot be made: ${error.where} ${error.message}`, way, {
      cause: error,
    });
  }
}

/** Stops the database, which archives all that it has written. */
async function* close(
  site: RestoreSite,
  server: ScratchServer,
  safety: string | null,
  target: FixedTarget,
): Operation<Unfinished> {
  const startedAt = new Date();
  const replaces = (await server.directories()).archived !== "none";
  const state: Unfinished = {
    ...{ schema: 1, id: idOf(startedAt), phase: "closed", target, safety, archived: false, replaces, startedAt },
  };
  site.unfinished.write(state);
  yield* timed("close", "stop the database: users are asked to come back", () => site.stop());
  const next = { ...state, archived: (await server.directories()).archived === "all" };
  site.unfinished.write(next);
  return next;
}

type Built = Pick<
  RestoredInPlace,
  "backup" | "before" | "after" | "fetchSeconds" | "replaySeconds" | "checks" | "proofSeconds"
>;

/** What is known of a restore that was killed after its proof. */
const NOTHING: Built = {
  ...{ backup: "", before: null, after: null, fetchSeconds: 0, replaySeconds: 0, checks: [], proofSeconds: 0 },
};

/** Restores and proves the files, unless the target is reached already, and puts them in the place of the database. */
async function* build(
  site: RestoreSite,
  server: ScratchServer,
  state: Unfinished,
  {
    proof,
    signal,
    closedAt,
    ready,
  }: InPlaceOptions & { readonly closedAt: number; readonly ready?: Reached | undefined },
): Operation<InPlaceResult> {
  const found = ready ?? (yield* reached(server, state.target, []));
  if (found.outcome === "ambiguous") throw new Error("a fixed target is not ambiguous");
  yield* timed("promote", "promote the restored database", async () => {
    await server.promote();
    await server.sql(loginsOf(site));
    await server.run(["exai-in-place", "adopt"]);
  });
  const started = performance.now();
  const failed = (checks: readonly DrillCheck[]) => checks.filter(({ status }) => status === "failed");
  const checks = yield* timed(
    "proof",
    "prove the data",
    () => prove(server),
    (all) => ({
      status: failed(all).length > 0 ? "failed" : "done",
      detail: failed(all)
        .map(({ name }) => name)
        .join(", "),
    }),
  );
  if (proof && failed(checks).length > 0) {
    if (state.replaces) yield* goBack(site, state);
    return { outcome: "not-proved", checks, serves: state.replaces };
  }
  await server.stop();
  await server.run(["exai-in-place", "ready"]);
  const { backup, before, after, fetchSeconds, replaySeconds } = found;
  const built = { backup, before, after, fetchSeconds, replaySeconds, checks };
  const proofSeconds = (performance.now() - started) / 1000;
  return yield* swap(site, server, { ...state, phase: "swap" }, { ...built, proofSeconds }, closedAt, signal);
}

async function* swap(
  site: RestoreSite,
  server: ScratchServer,
  state: Unfinished,
  built: Built,
  closedAt: number,
  signal: AbortSignal | undefined,
): Operation<RestoredInPlace> {
  site.unfinished.write(state);
  yield* timed("swap", "put the restored database in its place", () => server.run(["exai-in-place", "swap", state.id]));
  return yield* serve(site, state, built, closedAt, signal);
}

/** Starts the restored database, and makes its first backup. */
async function* serve(
  site: RestoreSite,
  state: Unfinished,
  built: Built,
  closedAt: number,
  signal: AbortSignal | undefined,
): Operation<RestoredInPlace> {
  yield* timed("open", "start the database", () => site.startDatabase());
  const downSeconds = (performance.now() - closedAt) / 1000;
  site.unfinished.write({ ...state, phase: "backup" });
  await site.forgetBranchBase();
  await site.startRunner();
  const firstBackup = yield* backUpFirst(site, signal);
  const keeps = state.replaces && (firstBackup === null || state.safety === null || !state.archived);
  if (state.replaces && !keeps) await inContainer(site, ["discard", state.id]);
  site.unfinished.remove();
  return {
    ...{
      outcome: firstBackup === null ? "no-backup" : "restored-in-place",
      ...built,
      safety: state.safety,
      downSeconds,
    },
    ...{ firstBackup, kept: keeps ? `pgdata.before-${state.id}` : null },
  };
}

/** The first backup of the new timeline. The database serves already, so a failure is a part of the result. */
async function* backUpFirst(site: RestoreSite, signal: AbortSignal | undefined): Operation<string | null> {
  try {
    const { outcome, backup } = yield* requestBackup(site.url, { kind: "full", signal, claimSeconds: 120 });
    return outcome === "completed" ? backup.label : null;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    yield { type: "note", level: "warning", message: `${error.where}: ${error.message}`, fix: error.fix };
    return null;
  }
}

/** After an error: goes back if the files of the database are unchanged, and else says how to continue. */
async function* goBackAfter(site: RestoreSite, signal: AbortSignal | undefined): Operation<void> {
  const state = site.unfinished.read();
  if (state === undefined) return;
  const { message, fix: remedy } = unfinishedError(state);
  const warning = (text: string, way?: Fix) => ({ type: "note", level: "warning", message: text, fix: way }) as const;
  if (state.phase !== "closed" || !state.replaces) {
    yield warning(message, remedy);
    return;
  }
  const why = signal?.aborted === true ? "was interrupted" : "failed";
  yield warning(`the restore ${why} before it changed the database, and goes back`);
  try {
    yield* goBack(site, state);
  } catch (error) {
    yield warning(
      error instanceof Error ? error.message : String(error),
      error instanceof UserError ? error.fix : remedy,
    );
  }
}

/** Puts the previous database in its place, and starts it. */
async function* goBack(site: RestoreSite, state: Unfinished): Operation<void> {
  yield* timed("back", "go back to the previous database", async () => {
    await site.stop();
    await inContainer(site, ["back", state.id]);
    site.unfinished.remove();
    await site.startDatabase();
    await site.forgetBranchBase();
    await site.startRunner();
  });
}

/** Removes the container, and the copy if no restore is unfinished. */
async function leave(site: RestoreSite, server: ScratchServer): Promise<void> {
  if (site.unfinished.read() === undefined) await inContainer(site, ["clean"]);
  else await server.remove();
}

/** Runs `exai-in-place` in a separate container, which an interruption does not end. */
async function inContainer(site: RestoreSite, words: readonly string[]): Promise<void> {
  const server = await openServer(site);
  try {
    await server.run(["exai-in-place", ...words]);
  } finally {
    await server.remove();
  }
}

/** @throws UserError if the volume has no room for a second copy of the database, or the target cannot be reached */
async function refuseFullDisk(server: ScratchServer, target: RestoreTarget): Promise<void> {
  const { backup } = locate(await server.repository(), target);
  const { freeMegabytes } = await server.directories();
  const needed = Math.ceil(backup.sizeBytes / 2 ** 20) + SPARE_MEGABYTES;
  if (freeMegabytes >= needed) return;
  throw new UserError(
    "state-conflict",
    "volume of the database",
    `has ${String(freeMegabytes)} MiB of room, and the restored database needs ${String(needed)} MiB next to the present one`,
    fix`make room: ${command("restore list")} and ${command("branch list")} show copies that ${command("restore drop")} and ${command("branch delete")} remove`,
  );
}

/** Room for the WAL that is replayed, MiB. */
const SPARE_MEGABYTES = 256;

/** Gives the roles their present passwords. A role that is younger than the backup is made. */
function loginsOf({ logins }: RestoreSite): string {
  return Object.entries(logins)
    .map(([role, password]) => {
      const name = pg.escapeIdentifier(role);
      return `do $$ begin create role ${name} nologin noinherit; exception when duplicate_object then null; end $$;
        alter role ${name} login password ${pg.escapeLiteral(password)};`;
    })
    .join("\n");
}

function idOf(now: Date): string {
  return now.toISOString().slice(0, 19).replace(/[-:]/g, "").toLowerCase();
}
