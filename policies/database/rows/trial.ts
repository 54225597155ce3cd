import type { RangeVar } from "libpg-query";
import { ranBy, relationOf, type Bodies } from "../../../contract/sql/ran.ts";
import type { SqlStatement } from "../../../contract/sql/statements.ts";
import { qualified, text } from "../catalog.ts";
import { literal, type Postgres } from "../postgres.ts";
import { TrialRows } from "./trial-rows.ts";

/**
 * The tables all rows of which a statement deletes, found by running it on made-up rows: a condition may look as if it left rows
 * out, and leave none (`length(body) >= 0`, `created_at < '2999-01-01'`, a join over a required key). Everything is undone.
 *
 * @param earlier the tables that are asked about
 */
export async function emptiedInTrial(
  postgres: Postgres,
  { node, text: sql }: SqlStatement,
  bodies: Bodies,
  earlier: ReadonlySet<string>,
): Promise<readonly string[]> {
  const { nodes, unread } = ranBy(node, bodies);
  const targets = nodes.flatMap((each) => targetOf(each) ?? []);
  if (targets.length === 0 && unread.length === 0) return [];
  // A view, or a name that is put in when it runs, can stand for any table.
  const known = unread.length === 0 && targets.every((target) => earlier.has(target));
  await postgres.run("savepoint exai_trial");
  try {
    const role = await withoutTriggers(postgres);
    const rows = await TrialRows.for(postgres, sql);
    const tables = await rows.fill(known ? namedIn(nodes) : undefined);
    const watched = tables.filter((table) => earlier.has(table));
    const before = await counts(postgres, watched);
    await postgres.run(`select set_config('role', ${literal(role)}, true)`);
    await postgres.run(sql);
    await withoutTriggers(postgres);
    const after = await counts(postgres, watched);
    return watched.filter((table) => (before.get(table) ?? 0) > 0 && after.get(table) === 0);
  } catch {
    // It may need what made-up rows do not have. Its text is judged in any case.
    return [];
  } finally {
    await postgres.run("rollback to exai_trial; release exai_trial");
  }
}

/** The table from which a statement deletes. */
function targetOf(node: object): string | undefined {
  const { DeleteStmt, MergeStmt } = node as Readonly<Record<string, { readonly relation?: RangeVar } | undefined>>;
  const relation = DeleteStmt?.relation ?? MergeStmt?.relation;
  return relation === undefined ? undefined : relationOf(relation);
}

function namedIn(nodes: readonly object[]): Set<string> {
  const named = new Set<string>();
  JSON.stringify(nodes, (key, value: unknown) => {
    if (key === "RangeVar" || key === "relation") named.add(relationOf(value as RangeVar));
    return value;
  });
  return named;
}

/** Disables triggers and foreign keys, which only a superuser may. Returns the role that was current. */
async function withoutTriggers(postgres: Postgres): Promise<string> {
  const [row] = await postgres.run("select current_setting('role') as role, set_config('role', 'none', true)");
  await postgres.run("set local session_replication_role = 'replica'");
  return text(row ?? {}, "role");
}

async function counts(postgres: Postgres, tables: readonly string[]): Promise<Map<string, number>> {
  if (tables.length === 0) return new Map();
  const each = tables.map(
    (table) => `select ${literal(table)} as table, count(*)::int as rows from ${qualified(table)}`,
  );
  const rows = await postgres.run(each.join(" union all "));
  return new Map(rows.map((row) => [text(row, "table"), Number(row.rows)]));
}
