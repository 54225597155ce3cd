import { PGlite } from "@electric-sql/pglite";
import type pg from "pg";

/**
 * PGlite as a pool of node-postgres, for what reads a schema. All connections are one session, and its transaction is the
 * caller's: begin, commit and rollback of the reader do nothing, so that a schema can be read inside of a transaction.
 */
export function pglitePool(db: PGlite): pg.Pool {
  const query = async (text: string | { text: string; values?: unknown[] }, values?: unknown[]) => {
    const [sql, parameters] = typeof text === "string" ? [text, values] : [text.text, text.values];
    if (/^\s*(begin|start transaction|commit|rollback)\b/i.test(sql)) return { rows: [], rowCount: 0 };
    const result =
      parameters === undefined || parameters.length === 0
        ? (await db.exec(sql)).at(-1)
        : await db.query(sql, parameters);
    return { rows: result?.rows ?? [], rowCount: result?.rows.length ?? 0 };
  };
  const client = { query, release: () => undefined, on: () => undefined, off: () => undefined };
  return { query, connect: () => Promise.resolve(client), end: () => Promise.resolve(), on: () => undefined } as never;
}
