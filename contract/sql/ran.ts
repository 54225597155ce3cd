import type { FuncCall, Node, RangeVar } from "libpg-query";
import { parsed, parsedBody } from "./statements.ts";

// Names of the parser:
// cspell:ignore Elem boolval defname dynexecute dynfors dynquery execsql funcname lexpr prosrc rexpr sval

/** What a statement runs. */
export interface Ran {
  /** Statements: the statement itself, those inside of it, and those of the blocks and functions that it runs. */
  readonly nodes: readonly Node[];
  /** Expressions that it executes as SQL and whose text is known only when it runs. */
  readonly unread: readonly string[];
  /** Functions that it calls, with the schema if it is written. */
  readonly calls: ReadonlySet<string>;
}

/** The statement that creates a function. */
export interface Body {
  readonly node: Node;
  /** As PL/pgSQL's parser takes it, which needs the arguments too. */
  readonly text: string;
}

/** Functions by name with schema, of which the bodies can be read. */
export type Bodies = ReadonlyMap<string, Body>;

/** Kinds of statements that store others for later. */
const STORING: ReadonlySet<string> = new Set(["CreateFunctionStmt", "RuleStmt", "ViewStmt"]);

/** A name and a value that stand for those which `format` and `quote_ident` put in. */
const [NAME, VALUE] = ["exai_name", "'exai_value'"];

/**
 * Follows a statement into common table expressions, DO blocks, executed strings that consist of constants, and the functions
 * that it calls. The parser's module must be loaded, as {@link parseStatements} does.
 */
export function ranBy(node: Node, bodies: Bodies = new Map()): Ran {
  const nodes: Node[] = [];
  const unread: string[] = [];
  const calls = new Set<string>();
  const seen = new Set<string>();
  const sql = (text: string) => {
    for (const each of parsed(text) ?? []) walk(each);
  };
  const execute = (expression: string) => {
    const text = textOf(expression);
    const statements = text === undefined ? undefined : parsed(text);
    if (statements === undefined) unread.push(expression);
    else statements.forEach(walk);
  };
  const block = (source: string) => {
    const body = parsedBody(source);
    if (body === undefined) unread.push("a block in another language");
    else
      visit(body, (key, value) => {
        const query = (part: unknown) => expressionOf(part) ?? "";
        const part = value as Readonly<Record<string, unknown>>;
        if (key === "PLpgSQL_stmt_dynexecute" || key === "PLpgSQL_stmt_dynfors") execute(query(part.query));
        else if (key === "PLpgSQL_stmt_open" && part.dynquery !== undefined) execute(query(part.dynquery));
        else if (key === "PLpgSQL_expr") {
          const text = typeof part.query === "string" ? part.query : "";
          // Mode 0 is a statement, 2 an expression, others are assignments.
          sql(part.parseMode === 0 ? text : `select ${part.parseMode === 2 ? text : text.replace(/^[^=]*:?=/, "")}`);
        }
        return true;
      });
  };
  const call = ({ funcname }: FuncCall) => {
    const name = nameOf(funcname);
    calls.add(name);
    const made = bodies.get(name) ?? bodies.get(`public.${name}`);
    if (made === undefined || seen.has(name)) return;
    seen.add(name);
    runBody(made, block, sql, walk);
  };
  const walk = (root: Node): void => {
    visit(root, (key, value) => {
      if (/^[A-Z]\w*Stmt$/.test(key)) nodes.push({ [key]: value } as unknown as Node);
      if (key === "DoStmt") block(`do ${quoted(argument(value, "as"))}`);
      // The parser gives what CALL calls as a field, without a FuncCall node.
      if (key === "FuncCall" || key === "funccall") call(value as FuncCall);
      return !STORING.has(key);
    });
  };
  walk(node);
  return { nodes, unread, calls };
}

/** The functions that statements create. */
export function bodiesOf(statements: readonly Body[]): Map<string, Body> {
  return new Map(
    statements.flatMap(({ node, text }) =>
      "CreateFunctionStmt" in node ? [[nameOf(node.CreateFunctionStmt.funcname), { node, text }] as const] : [],
    ),
  );
}

function runBody(
  { node, text }: Body,
  block: (source: string) => void,
  sql: (text: string) => void,
  walk: (node: Node) => void,
) {
  if (!("CreateFunctionStmt" in node)) return;
  const { sql_body: atomic } = node.CreateFunctionStmt;
  if (atomic !== undefined) walk(atomic);
  else if (argument(node.CreateFunctionStmt, "language").toLowerCase() === "sql")
    sql(argument(node.CreateFunctionStmt, "as"));
  else block(text);
}

/** The value of an option of CREATE FUNCTION or DO. */
export function argument(statement: unknown, name: string): string {
  let found = "";
  visit(statement, (key, value) => {
    const option = value as { readonly defname?: string; readonly arg?: unknown };
    if (key !== "DefElem" || option.defname !== name) return true;
    const words: string[] = [];
    visit(option.arg, (kind, word) => {
      if (kind === "String") words.push((word as { readonly sval?: string }).sval ?? "");
      return true;
    });
    found = words[0] ?? "";
    return false;
  });
  return found;
}

/** A text in dollar quotes. */
export function quoted(text: string): string {
  let tag = "$exai$";
  while (text.includes(tag)) tag = `$exai${tag.length}$`;
  return `${tag}${text}${tag}`;
}

/** A name with its schema, as it is written. */
export function nameOf(parts: readonly Node[] | undefined): string {
  return (parts ?? []).map((part) => ("String" in part ? (part.String.sval ?? "") : "")).join(".");
}

/** The last name of a column, without its table; undefined for another expression. */
export function columnOf(node: Node | undefined): string | undefined {
  const last = node !== undefined && "ColumnRef" in node ? node.ColumnRef.fields?.at(-1) : undefined;
  return last !== undefined && "String" in last ? last.String.sval : undefined;
}

/** A table with its schema; `public` if the statement names none. */
export function relationOf({ schemaname = "public", relname = "" }: RangeVar = {}): string {
  return `${schemaname}.${relname}`;
}

function expressionOf(part: unknown): string | undefined {
  const expression = (part as { readonly PLpgSQL_expr?: { readonly query?: string } } | undefined)?.PLpgSQL_expr;
  return expression?.query;
}

/** The text of an expression that consists of constants, with stand-ins for the names and values that are put in. */
function textOf(expression: string): string | undefined {
  const [statement] = parsed(`select ${expression}`) ?? [];
  const target =
    statement !== undefined && "SelectStmt" in statement ? statement.SelectStmt.targetList?.[0] : undefined;
  const value = target !== undefined && "ResTarget" in target ? target.ResTarget.val : undefined;
  return value === undefined ? undefined : constant(value);
}

function constant(node: Node): string | undefined {
  if ("A_Const" in node) return node.A_Const.sval?.sval;
  if ("TypeCast" in node && node.TypeCast.arg !== undefined) return constant(node.TypeCast.arg);
  if ("A_Expr" in node && nameOf(node.A_Expr.name) === "||") {
    const [left, right] = [node.A_Expr.lexpr, node.A_Expr.rexpr].map((side) =>
      side === undefined ? undefined : constant(side),
    );
    return left === undefined || right === undefined ? undefined : left + right;
  }
  if (!("FuncCall" in node)) return undefined;
  const { funcname, args = [] } = node.FuncCall;
  switch (nameOf(funcname).replace(/^pg_catalog\./, "")) {
    case "quote_ident":
      return NAME;
    case "quote_literal":
    case "quote_nullable":
      return VALUE;
    case "concat": {
      const parts = args.map(constant);
      return parts.includes(undefined) ? undefined : parts.join("");
    }
    case "format": {
      const [template, ...values] = args.map(constant);
      let at = 0;
      return template?.replaceAll(/%(?:(\d+)\$)?-?\d*([sIL%])/g, (_, position: string | undefined, type: string) => {
        if (type === "%") return "%";
        const value = values[position === undefined ? at : Number(position) - 1];
        at += position === undefined ? 1 : 0;
        return type === "L" ? VALUE : (value ?? NAME);
      });
    }
    default:
      return undefined;
  }
}

/** Calls `each` for every key of every object of a tree; it returns whether to go below. */
export function visit(root: unknown, each: (key: string, value: unknown) => boolean): void {
  if (Array.isArray(root)) for (const item of root) visit(item, each);
  else if (typeof root === "object" && root !== null)
    for (const [key, value] of Object.entries(root)) if (each(key, value)) visit(value, each);
}
