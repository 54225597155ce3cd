import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import type { Operation } from "../../contract/events.ts";
import { command, fix } from "../../contract/fix.ts";
import { Interrupted } from "../../contract/interrupted.ts";
import { connectHistory } from "../backups/connection.ts";

/** One thing that a drill proved, or could not. */
export interface DrillCheck {
  readonly name: string;
  readonly status: "passed" | "failed";
  readonly detail: string;
}

/**
 * How a drill ended: `passed`, or `failed`: a check failed, it could not run, or no runner took it. A drill that could not run is a
 * failed one.
 */
export interface DrillResult {
  readonly outcome: "passed" | "failed";
  readonly error: string | null;
  readonly checks: readonly DrillCheck[];
  /** Seconds to restore the files, to replay the WAL or load the dump, and to prove the data; null if it did not come so far. */
  readonly fetchSeconds: number | null;
  readonly replaySeconds: number | null;
  readonly proofSeconds: number | null;
  /** Rows that the server had acknowledged when the drill lost the volume, and those of them that were restored. */
  readonly acknowledgedRows: number | null;
  readonly restoredRows: number | null;
  /** Age of the last restored row at that moment, if rows were lost; on a cluster the age of the newest dump. */
  readonly rpoSeconds: number | null;
  /** Whether the result is in `restore_drills`, if the drill did not need the database for it. */
  readonly recorded?: boolean;
  /** Stack on a cluster; absent for `local`. */
  readonly stack?: string;
}

export interface DrillRequest {
  readonly signal?: AbortSignal | undefined;
  /** Seconds until a drill has failed that no runner takes. @default 120 */
  readonly claimSeconds?: number;
  /** Seconds between two queries of the state. @default 0.5 */
  readonly pollSeconds?: number;
}

interface Row extends Omit<DrillResult, "outcome" | "recorded" | "stack"> {
  readonly status: "pending" | "in_progress" | "passed" | "failed";
  readonly busy: boolean;
}

const QUERY = `
  select status, error, checks, fetch_seconds as "fetchSeconds", replay_seconds as "replaySeconds",
         proof_seconds as "proofSeconds", acknowledged_rows::float8 as "acknowledgedRows",
         restored_rows::float8 as "restoredRows", rpo_seconds as "rpoSeconds",
         exists (select from public.backup_history where status = 'in_progress') as busy
  from public.restore_drills where id = $1`;

/** Requests a drill as the owner of the database, and waits for its result. */
export async function* requestDrill(url: string, request: DrillRequest = {}): Operation<DrillResult> {
  const { claimSeconds = 120, pollSeconds = 0.5, signal } = request;
  const client = await connectHistory(url);
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  const step = { type: "step", id: "drill", title: "restore for real, and prove the data" } as const;
  let id: string | undefined;
  try {
    yield { ...step, status: "started" };
    const { rows } = await client.query<{ id: string }>("select exai.drill_request() as id");
    id = rows[0]?.id;
    for (let from = 0; ;) {
      const { rows: found } = await client.query<Row>(QUERY, [id]);
      const [row] = found;
      if (row === undefined || row.status === "passed" || row.status === "failed") {
        const result = resultOf(row ?? NONE);
        yield { ...step, status: result.outcome === "passed" ? "done" : "failed", seconds: seconds() };
        return result;
      }
      if (row.busy) from = seconds();
      if (row.status === "pending" && seconds() - from > claimSeconds)
        await client.query("select exai.drill_fail($1, 'no runner took the drill')", [id]);
      await sleep(pollSeconds * 1000, undefined, { signal });
    }
  } catch (error) {
    if (signal?.aborted !== true || id === undefined) throw error;
    throw await interruptedDrill(client, id);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Withdraws a drill that is no longer waited for, if no runner has it, and says what becomes of it. */
export async function interruptedDrill(client: Pick<pg.Client, "query">, id: string): Promise<Interrupted> {
  const shown = fix`${command("psql")}, then: select status, error from public.restore_drills where id = '${id}'`;
  try {
    const { rows } = await client.query<{ id: string }>(
      "delete from public.restore_drills where id = $1 and status = 'pending' returning id",
      [id],
    );
    if (rows.length > 0)
      return new Interrupted("the request was withdrawn; no drill is run", fix`${command("drill")} requests another`);
  } catch (cause) {
    return new Interrupted(`it is unknown whether the runner runs drill ${id}`, shown, { cause });
  }
  return new Interrupted(`drill ${id} had begun, and the runner continues it in its scratch volume`, shown);
}

function resultOf(row: Row): DrillResult {
  const { error, checks, fetchSeconds, replaySeconds, proofSeconds, acknowledgedRows, restoredRows, rpoSeconds } = row;
  return {
    ...{ outcome: row.status === "passed" ? "passed" : "failed", error, checks },
    ...{ fetchSeconds, replaySeconds, proofSeconds, acknowledgedRows, restoredRows, rpoSeconds },
  };
}

/** A drill whose row was deleted. */
const NONE: Row = {
  ...{ status: "failed", busy: false, error: "the record of the drill was deleted", checks: [] },
  ...{ fetchSeconds: null, replaySeconds: null, proofSeconds: null },
  ...{ acknowledgedRows: null, restoredRows: null, rpoSeconds: null },
};
