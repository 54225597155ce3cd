import type { Node } from "libpg-query";
import { nameOf, ranBy, type Bodies, type Body } from "../../contract/sql/ran.ts";
import { parseStatements } from "../../contract/sql/statements.ts";
import type { Baseline } from "./baseline.ts";
import { callsOutside } from "./bodies.ts";
import { text } from "./catalog.ts";
import type { Postgres, Row } from "./postgres.ts";

// Names of the catalog and the parser:
// cspell:ignore evtenabled evtfoid evtname

/** Statements that give no role more than it has. */
const CLOSING: ReadonlySet<string> = new Set([
  "CommentStmt",
  "CreateFunctionStmt",
  "InsertStmt",
  "ListenStmt",
  "NotifyStmt",
  "ReturnStmt",
  "SelectStmt",
]);
/** The names of the object that changed, which PostgreSQL quotes. */
const CHANGED_OBJECT = /\b\w+\.object_identity\b(?:::text)?/g;

/** Event triggers whose function does more than to report the change, or to close what it made: `why` says what. */
export async function openingEventTriggers(postgres: Postgres, baseline: Baseline, bodies: Bodies): Promise<Row[]> {
  const rows = await postgres.run(
    `select e.oid::text as oid, e.evtname as name, e.xmin::text as xmin, e.evtfoid::regproc::text as function, l.lanname as language, pg_get_functiondef(p.oid) as body
     from pg_event_trigger e join pg_proc p on p.oid = e.evtfoid join pg_language l on l.oid = p.prolang where e.evtenabled <> 'D' order by 2`,
  );
  const fresh = rows.filter((row) => !baseline.has(`e${text(row, "oid")}`));
  if (fresh.length === 0) return [];
  const found: Row[] = [];
  for (const row of fresh) {
    const [body] =
      text(row, "language") === "plpgsql"
        ? await parseStatements(text(row, "body").replaceAll(CHANGED_OBJECT, "quote_ident('changed')"))
        : [];
    const why =
      body === undefined ? `it is written in ${text(row, "language")}, which cannot be read` : opens(body, bodies);
    if (why !== undefined) found.push({ ...row, why });
  }
  return found;
}

/** The scratch database changes its own schema for the probes, which no event trigger is meant for. */
export async function disableEventTriggers(postgres: Postgres): Promise<void> {
  for (const row of await postgres.run(
    "select format('alter event trigger %I disable', evtname) as sql from pg_event_trigger",
  ))
    await postgres.run(text(row, "sql"));
}

function opens(body: Body, bodies: Bodies): string | undefined {
  const { node: definition } = body;
  if (!("CreateFunctionStmt" in definition)) return "it cannot be read";
  const { funcname = [] } = definition.CreateFunctionStmt;
  const name = nameOf(funcname);
  const { nodes, unread, calls } = ranBy({ FuncCall: { funcname } }, new Map([...bodies, [name, body]]));
  const [executed] = unread;
  if (executed !== undefined) return `it executes ${executed}, which is not a constant`;
  const called = callsOutside(calls, new Set([...bodies.keys(), name]));
  if (called !== undefined) return `it calls ${called}`;
  const opening = nodes.find((node) => !closes(node));
  return opening === undefined
    ? undefined
    : `it has a statement of the kind ${(Object.keys(opening)[0] ?? "").replace(/Stmt$/, "")}`;
}

function closes(node: Node): boolean {
  if ("GrantStmt" in node) return node.GrantStmt.is_grant !== true;
  if ("AlterTableStmt" in node)
    return (node.AlterTableStmt.cmds ?? []).every(
      (part) =>
        "AlterTableCmd" in part &&
        ["AT_EnableRowSecurity", "AT_ForceRowSecurity"].includes(part.AlterTableCmd.subtype ?? ""),
    );
  return Object.keys(node).every((kind) => CLOSING.has(kind));
}
