import { createHmac, randomBytes } from "node:crypto";
import type { Node } from "libpg-query";
import { parseStatements } from "../../../contract/sql/statements.ts";
import type { WorkloadStatement } from "../shadow/workload.ts";

/**
 * Replaces the values of some columns by other ones of the same length. The same value gets the same replacement, so that statements
 * of a recording still find what others of it wrote; the key of the replacements is forgotten with the recording.
 */
export class Redactor {
  readonly #columns: ReadonlySet<string>;
  readonly #key = randomBytes(32);
  readonly #parameters = new Map<string, ReadonlySet<number>>();

  /** @param columns names without their tables */
  constructor(columns: readonly string[]) {
    this.#columns = new Set(columns);
  }

  async redact<Statement extends WorkloadStatement>(statement: Statement): Promise<Statement> {
    if (this.#columns.size === 0) return statement;
    const { sql } = statement;
    let numbers = this.#parameters.get(sql);
    if (numbers === undefined) {
      numbers = redactedParameters(
        (await parseStatements(sql)).map(({ node }) => node),
        this.#columns,
      );
      this.#parameters.set(sql, numbers);
    }
    if (numbers.size === 0) return statement;
    const chosen = numbers;
    return {
      ...statement,
      values: statement.values.map((value, index) => (chosen.has(index + 1) ? this.#other(value) : value)),
    };
  }

  #other(value: unknown): unknown {
    if (value === null) return null;
    if (Array.isArray(value)) return value.map((each: unknown) => this.#other(each));
    if (typeof value !== "string") return typeof value === "object" ? {} : value;
    let text = "";
    for (let block = 0; text.length < value.length; block += 1)
      text += createHmac("sha256", this.#key)
        .update(`${String(block)} ${value}`)
        .digest("hex");
    return text.slice(0, value.length);
  }
}

/** Numbers of the parameters that a statement writes to one of the columns, or compares with one. */
export function redactedParameters(nodes: readonly Node[], columns: ReadonlySet<string>): ReadonlySet<number> {
  const found = new Set<number>();
  const add = (tree: unknown): void => {
    for (const { number } of nodesOf(tree, "ParamRef")) if (typeof number === "number") found.add(number);
  };
  for (const insert of nodesOf(nodes, "InsertStmt")) {
    const names = nodesOf(insert.cols, "ResTarget").map(({ name }) => String(name));
    for (const { valuesLists } of nodesOf(insert.selectStmt, "SelectStmt"))
      for (const { items } of nodesOf(valuesLists, "List"))
        for (const [index, item] of listOf(items).entries()) if (columns.has(names[index] ?? "")) add(item);
    const { targetList } = nodesOf(insert.selectStmt, "SelectStmt")[0] ?? {};
    for (const [index, item] of listOf(targetList).entries()) if (columns.has(names[index] ?? "")) add(item);
  }
  for (const { name, val } of nodesOf(nodes, "ResTarget")) if (columns.has(String(name))) add(val);
  for (const comparison of nodesOf(nodes, "A_Expr"))
    if (nodesOf(comparison, "ColumnRef").some(({ fields }) => columns.has(lastName(fields)))) add(comparison);
  return found;
}

type Tree = Readonly<Record<string, unknown>>;

/** All nodes of a kind in a tree, outer ones first. */
function nodesOf(tree: unknown, kind: string): readonly Tree[] {
  if (typeof tree !== "object" || tree === null) return [];
  return Object.entries(tree).flatMap(([key, value]: readonly [string, unknown]) => [
    ...(key === kind && typeof value === "object" && value !== null ? [value as Tree] : []),
    ...nodesOf(value, kind),
  ]);
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function lastName(fields: unknown): string {
  const { sval } = nodesOf(listOf(fields).slice(-1), "String")[0] ?? {};
  return typeof sval === "string" ? sval : "";
}
