import { randomUUID } from "node:crypto";
import { qualified } from "../catalog.ts";
import type { StaffMark } from "../facts.ts";
import { identifier, literal } from "../postgres.ts";

export const USERS = "auth.users";
/** Maximum number of rows per table and owner; they differ in their words and in which columns are null. */
const MOST_ROWS = 8;

/** What is needed to create a value for a column. */
export interface Column {
  readonly name: string;
  /** Name of the base type, e.g. `uuid`, `int8`. */
  readonly type: string;
  readonly category: string;
  readonly length: number | undefined;
  readonly nullable: boolean;
  readonly labels: readonly string[];
  /** Strings with which a constraint or a policy compares the column. */
  readonly words: readonly string[];
  /** Whether it identifies the owner of the row. */
  readonly owner: boolean;
  /** Whether no two rows have the same value. */
  readonly unique: boolean;
  /** Whether it is a part of the primary key. */
  readonly primary: boolean;
  /** The only value that it gets. */
  readonly fixed?: string;
}

export interface Key {
  readonly table: string;
  readonly columns: readonly string[];
  readonly target: string;
  readonly targetColumns: readonly string[];
}

/** Values of one row, as SQL literals by column. */
type Values = Readonly<Record<string, string>>;

/** A table into which test rows can be inserted. */
export interface Fillable {
  readonly table: string;
  readonly columns: readonly Column[];
  readonly keys: readonly Key[];
}

/** Creates the rows of one owner; foreign keys refer to parent rows of the same owner. */
export class RowMaker {
  readonly #made = new Map<string, Values[]>();
  readonly owner: string;
  /** The marks that the owner does not have, as `table column value`; undefined for a person of any kind. */
  readonly #without: ReadonlySet<string> | undefined;
  static #counter = 1000;

  /** @param without marks of people who work for the project; the owner is a usual user, with one account */
  constructor(owner: string, without?: readonly StaffMark[]) {
    this.owner = owner;
    this.#without = without && new Set(without.map(({ table, column, value }) => `${table} ${column} ${value}`));
  }

  /** Creates the rows of a table, and records them for its children. */
  rows(given: Fillable): readonly Values[] {
    const table = this.#usual(given);
    // A subquery for the row of the caller finds one, where the schema says so.
    const isSingle = this.#without !== undefined && table.columns.some(({ owner, unique }) => owner && unique);
    const count = Math.min(
      MOST_ROWS,
      2 * Math.max(1, ...table.columns.map((column) => Math.max(column.words.length, column.labels.length))),
    );
    const rows = Array.from({ length: isSingle ? 1 : Math.max(2, count) }, (_, index) => this.#row(table, index));
    this.#made.set(table.table, rows);
    return rows;
  }

  /** A table without the values that mark people who work for the project. */
  #usual(table: Fillable): Fillable {
    const marks = this.#without;
    if (marks === undefined || marks.size === 0) return table;
    const isUsual = (column: Column) => (word: string) => !marks.has(`${table.table} ${column.name} ${word}`);
    return {
      ...table,
      columns: table.columns.map((column) => {
        const labels = column.labels.filter(isUsual(column));
        const words = column.words.filter(isUsual(column));
        // Without another value, the column stays empty.
        const none = column.labels.length > 0 && labels.length === 0;
        const fixed = column.category === "B" && !isUsual(column)("true") ? "false" : undefined;
        return { ...column, labels, words, ...(none ? { type: "", category: "" } : {}), ...(fixed && { fixed }) };
      }),
    };
  }

  #row(table: Fillable, index: number): Values {
    // Of two consecutive rows with the same words, the second one is null in all nullable columns.
    const sparse = index % 2 === 1;
    const values: Record<string, string> = {};
    for (const column of table.columns)
      values[column.name] = column.owner
        ? this.#ownerValue(column)
        : sparse && column.nullable
          ? "null"
          : value(column, index >> 1);
    for (const key of table.keys) {
      const parents = key.target === USERS ? [{ id: `${literal(this.owner)}::uuid` }] : this.#made.get(key.target);
      const parent = parents?.[index % parents.length];
      key.columns.forEach((column, position) => {
        const target = key.targetColumns[position] ?? "";
        const parentValue = parent?.[target];
        const nullable = table.columns.find((candidate) => candidate.name === column)?.nullable === true;
        const owner = table.columns.find((candidate) => candidate.name === column)?.owner === true;
        if (parentValue !== undefined && !(sparse && nullable && !owner)) values[column] = parentValue;
      });
    }
    return values;
  }

  #ownerValue(column: Column): string {
    return column.type === "uuid" ? `${literal(this.owner)}::uuid` : literal(this.owner);
  }

  static next(): number {
    RowMaker.#counter += 1;
    return RowMaker.#counter;
  }
}

/** A value of a column's type as a SQL literal. */
export function value(column: Column, variant: number): string {
  if (column.fixed !== undefined) return column.fixed;
  const pick = (words: readonly string[]) => literal(words[variant % words.length] ?? "");
  if (column.labels.length > 0) return pick(column.labels);
  switch (column.category) {
    case "B":
      return variant % 2 === 0 ? "true" : "false";
    case "N":
      // Zero fits every precision; only integers are likely to be keys.
      return column.type.startsWith("int")
        ? String(column.type === "int2" ? RowMaker.next() % 32_000 : RowMaker.next())
        : "0";
    case "S": {
      if (column.words.length > 0) return pick(column.words);
      const word = RowMaker.next().toString(36);
      return literal(column.length === undefined ? `word-${word}` : word.slice(-column.length));
    }
    case "D":
      return column.type === "time" || column.type === "timetz" ? "'12:00'" : "'2027-01-01 12:00:00'";
    case "T":
      return "'1 hour'";
    case "A":
      return "'{}'";
    case "R":
      return "'empty'";
    case "I":
      return "'192.0.2.1'";
  }
  switch (column.type) {
    case "uuid":
      return `${literal(randomUUID())}::uuid`;
    case "json":
    case "jsonb":
      return "'{}'";
    case "bytea":
      return "'\\x00'";
    case "tsvector":
    case "xml":
      return "''";
    case "point":
      return "'(0, 0)'";
    case "box":
    case "lseg":
    case "path":
      return "'((0, 0), (1, 1))'";
    case "polygon":
      return "'((0, 0), (0, 1), (1, 1))'";
    case "circle":
      return "'((0, 0), 1)'";
    case "macaddr":
      return "'02:00:00:00:00:01'";
    case "geometry":
    case "geography":
      return "'POINT(0 0)'";
    default:
      return "null";
  }
}

/** An `insert` statement for rows. */
export function insertOf(table: Fillable, rows: readonly Values[]): string {
  const columns = table.columns.map((column) => column.name);
  const tuples = rows.map((row) => `(${columns.map((column) => row[column] ?? "null").join(", ")})`);
  return `insert into ${qualified(table.table)} (${columns.map(identifier).join(", ")}) overriding system value values ${tuples.join(", ")}`;
}

/**
 * A change for trying an update: of a column that is not a key, since all rows get the same value; without one, the owner
 * becomes `user`. Undefined for a table that has neither column.
 */
export function harmlessChange(table: Fillable, user: string): { column: string; value: string } | undefined {
  const keys = new Set(table.keys.flatMap((key) => key.columns));
  const plain = table.columns.find(
    (column) =>
      !column.owner &&
      !column.primary &&
      !keys.has(column.name) &&
      column.type !== "uuid" &&
      !column.type.startsWith("int"),
  );
  if (plain !== undefined) return { column: plain.name, value: value(plain, 0) };
  const owner = table.columns.find((column) => column.owner);
  return owner === undefined ? undefined : { column: owner.name, value: literal(user) };
}
