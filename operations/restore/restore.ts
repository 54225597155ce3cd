import type { Operation } from "../../contract/events.ts";
import { timed } from "../../contract/timed.ts";
import { flushArchive } from "./archive.ts";
import { reached, type Ambiguous, type Reached } from "./replay.ts";
import { ScratchServer, type RestorePlace } from "./scratch.ts";
import { copyTable, type CopiedTable } from "./tables.ts";
import type { RestoreTarget } from "./target.ts";

export interface RestoreRequest {
  readonly target: RestoreTarget;
  /** Name of the scratch server. */
  readonly name: string;
  /** Tables with their schema that are copied back into the database under another name. */
  readonly tables: readonly string[];
  /** Keeps the server read-only at its target. */
  readonly pause: boolean;
  readonly signal?: AbortSignal | undefined;
}

/**
 * How a restore ended:
 * - `restored`: the scratch server is at its target.
 * - `ambiguous`: several statements match; `statements` lists them, and nothing was restored.
 */
export type RestoreResult = Restored | Ambiguous;

export interface Restored extends Omit<Reached, "outcome"> {
  readonly outcome: "restored";
  readonly name: string;
  /** Container of the scratch server. */
  readonly container: string;
  readonly state: "read-only" | "writable";
  /** Tables that cannot be read before the server is promoted: a transaction that is open at the target holds their locks. */
  readonly locked: readonly string[];
  readonly tables: readonly CopiedTable[];
}

/** Restores the database into a scratch server, which never touches the database or the timelines of its archive. */
export async function* restoreScratch(place: RestorePlace, request: RestoreRequest): Operation<RestoreResult> {
  const { target, name, signal } = request;
  if (target.kind !== "backup") yield* flushArchive(place.url);
  const server = await ScratchServer.create(place, name, signal);
  let kept = false;
  try {
    const result = yield* restoreInto(server, place, request);
    kept = result.outcome === "restored";
    return result;
  } finally {
    if (!kept) await server.remove();
  }
}

async function* restoreInto(
  server: ScratchServer,
  place: RestorePlace,
  { target, name, tables, pause }: RestoreRequest,
): Operation<RestoreResult> {
  const found = yield* reached(server, target, tables);
  if (found.outcome === "ambiguous") return found;
  const copied: CopiedTable[] = [];
  const writable = !pause || tables.length > 0;
  if (writable) yield* timed("promote", "promote the scratch server", () => server.promote());
  for (const table of tables) {
    const step = { type: "step", id: `copy-${table}`, title: `copy ${table} back` } as const;
    yield { ...step, status: "started" };
    const copy = await copyTable(server, place, table, found.before?.at ?? new Date());
    copied.push(copy);
    yield { ...step, status: "done", detail: `${copy.as}, ${String(copy.rows)} rows` };
  }
  return {
    ...found,
    ...{ outcome: "restored", name, container: server.container, state: writable ? "writable" : "read-only" },
    ...{ locked: writable ? [] : await lockedTables(server), tables: copied },
  };
}

/** The user's tables that the replay has locked, as a `drop table` does before it is committed. */
async function lockedTables(server: ScratchServer): Promise<readonly string[]> {
  const tables = await server.sql(
    `select distinct format('%I.%I', n.nspname, c.relname)
     from pg_locks as l join pg_class as c on c.oid = l.relation join pg_namespace as n on n.oid = c.relnamespace
     where l.mode = 'AccessExclusiveLock' and l.granted and l.database = (select oid from pg_database where datname = current_database())
       and c.relkind in ('r', 'p', 'm') and c.oid >= 16384 order by 1`,
  );
  return tables.split("\n").filter((table) => table !== "");
}
