import { PARKED_SCHEMA } from "../../contract/sql/parked.ts";
import type { SqlStatement } from "../../contract/sql/statements.ts";
import { emptiedBy, overwrittenBy } from "../../contract/sql/emptied.ts";
import type { Node } from "libpg-query";
import { bodiesOf, ranBy, relationOf, type Body } from "../../contract/sql/ran.ts";
import { literal, type Postgres, type Row, rowsAsJson } from "./postgres.ts";
import { emptiedInTrial } from "./rows/trial.ts";

/** The columns of the project's tables. No release reads what merges of branches have parked. */
const COLUMNS = `select c.oid::text as id, n.nspname || '.' || c.relname as table, a.attname as column, a.atttypid::regtype::text as type, a.attnotnull as filled
  from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_'
    and n.nspname <> ${literal(PARKED_SCHEMA)}`;

/** Kinds of statements that never remove a column. */
const KEEPING: ReadonlySet<string> = new Set([
  "AlterDefaultPrivilegesStmt",
  "AlterPolicyStmt",
  "CommentStmt",
  "CreateFunctionStmt",
  "CreatePolicyStmt",
  "CreateStmt",
  "CreateTrigStmt",
  "GrantStmt",
  "IndexStmt",
  "VariableSetStmt",
  "ViewStmt",
]);

/** Parts of ALTER TABLE that keep each column and its type. */
const KEEPING_PARTS: ReadonlySet<string | undefined> = new Set([
  "AT_AddConstraint",
  "AT_ColumnDefault",
  "AT_DropNotNull",
  "AT_EnableRowSecurity",
  "AT_ForceRowSecurity",
  "AT_SetNotNull",
  "AT_ValidateConstraint",
]);

/** Whether a statement of this kind keeps each column and its type. */
function keeps(node: Node): boolean {
  if ("AlterTableStmt" in node)
    return (node.AlterTableStmt.cmds ?? []).every(
      (part) => "AlterTableCmd" in part && KEEPING_PARTS.has(part.AlterTableCmd.subtype),
    );
  return Object.keys(node).every((kind) => KEEPING.has(kind));
}

/** What the statements of a file remove of the tables that were there before it. */
export class Removals {
  readonly #postgres: Postgres;
  /** Columns and their types, by `table NUL column`; updated, so that each object is reported once. */
  readonly #earlier: Map<string, string>;
  /** Tables that were there before the file, by their OIDs. */
  readonly earlierTables: ReadonlyMap<string, string>;

  readonly #names: ReadonlySet<string>;
  /** Columns that are never null, as in {@link Removals.#earlier}. */
  readonly #filled: ReadonlySet<string>;
  readonly #bodies: Map<string, Body>;
  /** What the next statement empties by a condition that holds for every row. */
  #tried: readonly string[] = [];

  private constructor(postgres: Postgres, rows: readonly Row[], bodies: Map<string, Body>) {
    this.#postgres = postgres;
    this.#bodies = bodies;
    this.#earlier = columnsOf(rows);
    this.earlierTables = new Map(rows.map(({ id, table }) => [String(id), String(table)]));
    this.#names = new Set(this.earlierTables.values());
    this.#filled = new Set(rows.flatMap((row) => (row.filled === true ? keyOf(row) : [])));
  }

  /** @param bodies functions of earlier statements, to which those of the file are added */
  static async before(postgres: Postgres, bodies: Map<string, Body>): Promise<Removals> {
    return new Removals(postgres, await rowsAsJson(postgres, COLUMNS), bodies);
  }

  /** To be called in a transaction before a statement runs: tries it on made-up rows. */
  async try(statement: SqlStatement): Promise<void> {
    this.#tried = keeps(statement.node)
      ? []
      : await emptiedInTrial(this.#postgres, statement, this.#bodies, this.#names);
  }

  /** What a statement that just ran removed, e.g. `column public.files.name`. */
  async after(statement: SqlStatement): Promise<string[]> {
    for (const [name, body] of bodiesOf([statement])) this.#bodies.set(name, body);
    if (keeps(statement.node)) return [];
    const emptied = [...(await this.#withReferring(statement.node)), ...this.#tried];
    this.#tried = [];
    const removed = new Set(emptied.filter((table) => this.#names.has(table)).map((table) => `every row of ${table}`));
    for (const { table, column } of overwrittenBy(statement.node, this.#bodies, (...place) => this.#isFilled(...place)))
      if (this.#earlier.has(`${table}\0${column}`)) removed.add(`every value of column ${table}.${column}`);
    for (const table of unloggedBy(statement.node))
      if (this.#names.has(table)) removed.add(`the write-ahead log of table ${table}`);
    const now = columnsOf(await rowsAsJson(this.#postgres, COLUMNS));
    const tables = tablesOf(now);
    for (const [key, type] of this.#earlier) {
      const [table = "", column = ""] = key.split("\0");
      const current = now.get(key);
      if (current === type) continue;
      removed.add(
        !tables.has(table)
          ? `table ${table}`
          : current === undefined
            ? `column ${table}.${column}`
            : `type ${type} of column ${table}.${column}`,
      );
      if (current === undefined) this.#earlier.delete(key);
      else this.#earlier.set(key, current);
    }
    return [...removed];
  }

  #isFilled(table: string, column: string): boolean {
    return this.#filled.has(`${table}\0${column}`);
  }

  /** The tables that a statement empties, with those that refer to them if it cascades. */
  async #withReferring(node: Node): Promise<string[]> {
    const emptied = emptiedBy(node, this.#bodies, (...place) => this.#isFilled(...place));
    const names = emptied.map(({ table }) => table);
    const roots = emptied.filter(({ cascade }) => cascade).map(({ table }) => literal(table));
    if (roots.length === 0) return names;
    const rows = await this.#postgres.run(
      `with recursive reach(id) as (
         select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname || '.' || c.relname in (${roots.join(", ")})
         union select k.conrelid from pg_constraint k join reach on k.confrelid = reach.id where k.contype = 'f')
       select n.nspname || '.' || c.relname as table from reach join pg_class c on c.oid = reach.id join pg_namespace n on n.oid = c.relnamespace`,
    );
    return [...names, ...rows.map((row) => String(row.table))];
  }
}

/** The tables that a statement takes out of the log: backups and replicas have them empty, and so has a server after a crash. */
function unloggedBy(node: Node): readonly string[] {
  return ranBy(node).nodes.flatMap((each) =>
    "AlterTableStmt" in each &&
    (each.AlterTableStmt.cmds ?? []).some(
      (part) => "AlterTableCmd" in part && part.AlterTableCmd.subtype === "AT_SetUnLogged",
    )
      ? [relationOf(each.AlterTableStmt.relation)]
      : [],
  );
}

function columnsOf(rows: readonly Row[]): Map<string, string> {
  return new Map(rows.map((row) => [keyOf(row), String(row.type)]));
}

function keyOf(row: Row): string {
  return `${String(row.table)}\0${String(row.column)}`;
}

function tablesOf(columns: ReadonlyMap<string, string>): Set<string> {
  return new Set([...columns.keys()].map((key) => key.slice(0, key.indexOf("\0"))));
}
