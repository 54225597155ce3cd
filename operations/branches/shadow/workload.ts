import { readFileSync } from "node:fs";
import type { Node } from "libpg-query";
import { UserError } from "../../../contract/errors.ts";
import { parseStatements } from "../../../contract/sql/statements.ts";
import { errorCode } from "../../rollout/host/durable-files.ts";

/** A statement of a workload. */
export interface WorkloadStatement {
  readonly sql: string;
  /** Values of `$1` and so on. */
  readonly values: readonly unknown[];
  /** Absent: the transaction's. */
  readonly role?: string;
}

/** Statements that ran in one transaction, as a role and with the claims of a request. */
export interface WorkloadTransaction {
  /** Line of the file, from 1. */
  readonly line: number;
  readonly role: string;
  /** Of the request's token, which row-level security reads; absent without a user. */
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly statements: readonly WorkloadStatement[];
}

/**
 * Reads a recorded workload: a JSON object per line with `role`, `claims` and `statements`, each with `sql` and `values`.
 *
 * @throws UserError `not-found`, or `invalid-file` for a line that is not one, or a statement that could outlive its transaction
 */
export async function readWorkload(path: string): Promise<readonly WorkloadTransaction[]> {
  const transactions = lines(path).flatMap((text, index) =>
    text.trim() === "" ? [] : [transactionOf(path, text, index + 1)],
  );
  if (transactions.length === 0) throw invalid(path, 1, "has no transaction");
  const check = new StatementCheck();
  for (const { line, statements } of transactions)
    for (const { sql } of statements) {
      const problem = await check.problem(sql);
      if (problem !== undefined) throw invalid(path, line, problem);
    }
  return transactions;
}

function lines(path: string): readonly string[] {
  try {
    return readFileSync(path, "utf8").split("\n");
  } catch (cause) {
    if (errorCode(cause) !== "ENOENT") throw cause;
    throw new UserError("not-found", path, "does not exist", "name the file of a recorded workload", { cause });
  }
}

/** A transaction of a line. @throws UserError `invalid-file` */
export function transactionOf(path: string, text: string, line: number): WorkloadTransaction {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw invalid(path, line, `is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
  const { role, claims, statements } = record(value);
  if (typeof role !== "string" || role === "") throw invalid(path, line, "has no role");
  if (claims !== undefined && !isRecord(claims)) throw invalid(path, line, "has claims that are not an object");
  if (!Array.isArray(statements) || statements.length === 0) throw invalid(path, line, "has no statements");
  return {
    ...{ line, role, ...(claims === undefined ? {} : { claims }) },
    statements: statements.map((each: unknown) => {
      const { sql, values = [], role: own } = record(each);
      if (typeof sql !== "string" || !Array.isArray(values))
        throw invalid(path, line, "has a statement without sql, or with values that are not a list");
      if (own !== undefined && (typeof own !== "string" || own === ""))
        throw invalid(path, line, "has a statement with a role that is not a name");
      return { sql, values: values as readonly unknown[], ...(own === undefined ? {} : { role: own }) };
    }),
  };
}

/** Statements whose effects end with their transaction. */
const ALLOWED: readonly string[] = ["SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"];

/** Which statements are replayed. Each text is parsed once. */
export class StatementCheck {
  readonly #problems = new Map<string, string | undefined>();

  /** Why a statement is not replayed: it could end the transaction which is rolled back on main, or change its role. */
  async problem(sql: string): Promise<string | undefined> {
    if (!this.#problems.has(sql)) this.#problems.set(sql, await problemOf(sql));
    return this.#problems.get(sql);
  }
}

async function problemOf(sql: string): Promise<string | undefined> {
  let nodes: readonly Node[];
  try {
    nodes = (await parseStatements(sql)).map(({ node }) => node);
  } catch (cause) {
    return `has a statement that is not SQL: ${cause instanceof Error ? cause.message : String(cause)}`;
  }
  const [node] = nodes;
  if (nodes.length !== 1 || node === undefined) return "has several statements in one text";
  const kind = Object.keys(node)[0] ?? "";
  return ALLOWED.includes(kind) ? undefined : `has a statement that is not replayed: ${sql.slice(0, 60)}`;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return isRecord(value) ? value : {};
}

function invalid(path: string, line: number, problem: string): UserError {
  return new UserError(
    "invalid-file",
    `${path}, line ${String(line)}`,
    problem,
    'a line is {"role": "authenticated", "claims": {"sub": "..."}, "statements": [{"sql": "select ... $1", "values": ["..."]}]}, with select, insert, update, delete or merge',
  );
}
