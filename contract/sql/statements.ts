import type { Node, ParseResult, ScanToken } from "libpg-query";

/** A statement of a SQL file. */
export interface SqlStatement {
  /** Line of its first word, from 1. */
  readonly line: number;
  readonly text: string;
  /** Text without comments, with white space collapsed outside of strings. */
  readonly plain: string;
  /** Parse tree. */
  readonly node: Node;
}

/** The file is not valid SQL. */
export class SqlSyntaxError extends Error {
  override readonly name = "SqlSyntaxError";
  /** From 1. */
  readonly line: number;

  constructor(line: number, message: string) {
    super(message);
    this.line = line;
  }
}

/** The parser, which is large, once it is needed. */
let parser: typeof import("libpg-query") | undefined;

async function loadParser(): Promise<typeof import("libpg-query")> {
  if (parser !== undefined) return parser;
  const module = await import("libpg-query");
  await module.loadModule();
  parser = module;
  return module;
}

/** The trees of SQL text; undefined if it is not valid. {@link parseStatements} must have run before. */
export function parsed(sql: string): readonly Node[] | undefined {
  if (sql.trim() === "") return [];
  try {
    return (parser?.parseSync(sql).stmts ?? []).flatMap(({ stmt }) => (stmt === undefined ? [] : [stmt]));
  } catch {
    return undefined;
  }
}

/** The words of a text without its comments; positions are in bytes. {@link parseStatements} must have run before. */
export function tokensOf(sql: string): readonly ScanToken[] {
  try {
    return (parser?.scanSync(sql).tokens ?? []).filter(({ tokenName }) => !tokenName.endsWith("_COMMENT"));
  } catch {
    return [];
  }
}

/** The tree of a DO block or a function in PL/pgSQL; undefined if it is not valid. */
export function parsedBody(sql: string): ParseResult | undefined {
  try {
    return parser?.parsePlPgSQLSync(sql);
  } catch {
    return undefined;
  }
}

/** The statements of a SQL file, by PostgreSQL's own parser. @throws SqlSyntaxError */
export async function parseStatements(sql: string): Promise<readonly SqlStatement[]> {
  const { hasSqlDetails, parseSync, scanSync } = await loadParser();
  // The parser rejects an empty text.
  if (sql.trim() === "") return [];
  const bytes = Buffer.from(sql);
  try {
    return (parseSync(sql).stmts ?? []).map(({ stmt, stmt_location: start = 0, stmt_len: length = 0 }) => {
      const text = bytes.toString("utf8", start, length === 0 ? bytes.length : start + length).trim();
      const tokens = scanSync(text).tokens.filter(({ tokenName }) => !tokenName.endsWith("_COMMENT"));
      const plain = tokens.map(
        (token, at) => (token.start > (tokens[at - 1]?.end ?? token.start) ? " " : "") + token.text,
      );
      return { line: lineAt(bytes, start), text, plain: plain.join(""), node: stmt ?? { DoStmt: {} } };
    });
  } catch (error) {
    if (!hasSqlDetails(error)) throw error;
    throw new SqlSyntaxError(lineAt(bytes, error.sqlDetails?.cursorPosition ?? 0), error.message);
  }
}

function lineAt(bytes: Buffer, offset: number): number {
  return bytes.toString("utf8", 0, offset).split("\n").length;
}
