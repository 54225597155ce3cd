import type { Node, SelectStmt } from "libpg-query";
import type { Routine } from "./schema.ts";

let parser: typeof import("libpg-query") | undefined;

/** Loads PostgreSQL's parser, which takes a moment: only a plan without cached facts needs it. */
export async function loadParser(): Promise<void> {
  parser = await import("libpg-query");
  await parser.loadModule();
}

function loaded(): typeof import("libpg-query") {
  if (parser === undefined) throw new Error("the parser is not loaded");
  return parser;
}

/** The query of a subquery. */
export function selectOf(node: Node | undefined): SelectStmt | undefined {
  return node !== undefined && "SelectStmt" in node ? node.SelectStmt : undefined;
}

/** A condition as PostgreSQL prints it. Undefined if the parser of this program does not know its syntax. */
export function parseExpression(text: string): Node | undefined {
  const target = parseSelect(`select (${text})`)?.targetList;
  const [only] = target ?? [];
  return target?.length === 1 && only !== undefined && "ResTarget" in only ? only.ResTarget.val : undefined;
}

/** A single query. */
export function parseSelect(text: string): SelectStmt | undefined {
  const { parseSync } = loaded();
  try {
    const statements = parseSync(text).stmts ?? [];
    return statements.length === 1 ? selectOf(statements[0]?.stmt) : undefined;
  } catch {
    return undefined;
  }
}

const parsed = new WeakMap<Routine, { readonly select: SelectStmt | undefined }>();

/** What a function returns, as a query. Undefined if the function does more than to return an expression or a query. */
export function bodyOf(routine: Routine): SelectStmt | undefined {
  const known = parsed.get(routine);
  if (known !== undefined) return known.select;
  const select =
    routine.language === "sql"
      ? sqlBody(routine.body)
      : routine.language === "plpgsql"
        ? procedural(routine)
        : undefined;
  parsed.set(routine, { select });
  return select;
}

/** Functions that may write settings, directly or through functions that their text names. */
export function claimWriters(routines: readonly Routine[]): ReadonlySet<string> {
  const names = new Set(
    routines
      .filter(
        ({ language, body, configured }) => configured || !["sql", "plpgsql"].includes(language) || WRITES.test(body),
      )
      .map(({ name }) => name),
  );
  for (let size = -1; size !== names.size;) {
    size = names.size;
    for (const { name, body } of routines)
      if ([...names].some((writer) => body.includes(writer.replace(/^.*\./, "")))) names.add(name);
  }
  return names;
}

const WRITES = /\bset_config\b|\bset\s+(local\s+|session\s+)?"?(request|role|session)\b|\bexecute\b/i;

/** A body in SQL: a string, `return …` or `begin atomic … end`. */
function sqlBody(body: string): SelectStmt | undefined {
  const returned = /^\s*return\s+([^;]+);?\s*$/is.exec(body)?.[1];
  if (returned !== undefined) return parseSelect(`select ${returned}`);
  return parseSelect(/^\s*begin\s+atomic\b(.*)\bend;?\s*$/is.exec(body)?.[1] ?? body);
}

interface Statement {
  readonly PLpgSQL_stmt_return?: { readonly expr?: Expression };
  readonly PLpgSQL_stmt_return_query?: { readonly query?: Expression };
  readonly PLpgSQL_stmt_if?: {
    readonly cond?: Expression;
    readonly then_body?: readonly Statement[];
    readonly elsif_list?: readonly {
      readonly PLpgSQL_if_elsif: { readonly cond: Expression; readonly stmts?: readonly Statement[] };
    }[];
    readonly else_body?: readonly Statement[];
  };
  readonly PLpgSQL_stmt_execsql?: {
    readonly sqlstmt?: Expression;
    readonly into?: boolean;
    /** The parser does not know types: a variable of a type of the project is a record for it. */
    readonly target?: {
      readonly PLpgSQL_rec?: { readonly refname?: string };
      readonly PLpgSQL_row?: { readonly fields?: readonly { readonly name?: string }[] };
    };
  };
  readonly PLpgSQL_stmt_assign?: { readonly expr?: Expression };
}

interface Expression {
  readonly PLpgSQL_expr?: { readonly query?: string };
}

interface Variable {
  readonly refname?: string;
  readonly default_val?: unknown;
}

interface Parsed {
  readonly plpgsql_funcs?: readonly {
    readonly PLpgSQL_function?: {
      readonly datums?: readonly {
        readonly PLpgSQL_var?: Variable;
        readonly PLpgSQL_rec?: Variable;
        readonly PLpgSQL_row?: { readonly refname?: string };
      }[];
      readonly action?: {
        readonly PLpgSQL_stmt_block?: { readonly body?: readonly Statement[]; readonly exceptions?: unknown };
      };
    };
  }[];
}

/** A body in PL/pgSQL that only decides what to return. */
function procedural({ body, parameters, set }: Routine): SelectStmt | undefined {
  const { parsePlPgSQLSync } = loaded();
  // With `#variable_conflict use_variable`, what looks like a column is an argument of the caller.
  if (/\bvariable_conflict\b/i.test(body)) return undefined;
  try {
    const named = parameters.map((name, at) => `${name === "" ? `unnamed_${at}` : `"${name}"`} text`).join(", ");
    const text = `create function f(${named}) returns ${set ? "setof " : ""}text language plpgsql as $exai$${body}$exai$`;
    const [made] = (parsePlPgSQLSync(text) as unknown as Parsed).plpgsql_funcs ?? [];
    const { datums = [], action } = made?.PLpgSQL_function ?? {};
    const block = action?.PLpgSQL_stmt_block;
    if (block === undefined || block.exceptions !== undefined) return undefined;
    const given = new Set(["found", "unnamed_0", "unnamed_1", "unnamed_2", "unnamed_3", ...parameters]);
    const own = datums
      .filter((datum) => datum.PLpgSQL_row?.refname !== "(unnamed row)")
      .map((datum) => datum.PLpgSQL_var ?? datum.PLpgSQL_rec)
      .filter((variable) => variable?.refname === undefined || !given.has(variable.refname));
    if (own.some((variable) => variable?.refname === undefined || variable.default_val !== undefined)) return undefined;
    const { values, rest } = assignmentsOf(block.body ?? []);
    if (own.some((variable) => !values.has(variable?.refname ?? ""))) return undefined;
    const [first, ...more] = rest;
    const query = first?.PLpgSQL_stmt_return_query?.query?.PLpgSQL_expr?.query;
    const value = query === undefined ? valueOf(rest) : undefined;
    if (query === undefined ? value === undefined : !more.every((each) => isReturn(each))) return undefined;
    const select = parseSelect(query ?? `select (${value ?? ""})`);
    return select === undefined ? undefined : replaced(select, values);
  } catch {
    return undefined;
  }
}

/** The variables that the first statements set, each once, with what they then have, and the statements after them. */
function assignmentsOf(statements: readonly Statement[]): {
  readonly values: ReadonlyMap<string, Node>;
  readonly rest: readonly Statement[];
} {
  const values = new Map<string, Node>();
  for (const [at, statement] of statements.entries()) {
    const [name, text] = assignmentIn(statement) ?? [];
    const value = text === undefined ? undefined : parseExpression(text);
    if (name === undefined || value === undefined || values.has(name)) return { values, rest: statements.slice(at) };
    values.set(name, replaced(value, values));
  }
  return { values, rest: [] };
}

/** `select … into variable`, or `variable := …`. */
function assignmentIn({ PLpgSQL_stmt_execsql: sql, PLpgSQL_stmt_assign: assign }: Statement) {
  const target = sql?.into === true ? sql.target : undefined;
  const fields = target?.PLpgSQL_row?.fields ?? [];
  const name = target?.PLpgSQL_rec?.refname ?? (fields.length === 1 ? fields[0]?.name : undefined);
  const query = sql?.sqlstmt?.PLpgSQL_expr?.query;
  if (name !== undefined && query !== undefined) return [name, query] as const;
  const [, set, value] = /^\s*(\w+)\s*:?=\s*(.+)$/s.exec(assign?.expr?.PLpgSQL_expr?.query ?? "") ?? [];
  return set === undefined || value === undefined ? undefined : ([set, value] as const);
}

/** A tree with the values of variables in the place of their names. PL/pgSQL refuses a name that could be a column too. */
function replaced<Tree>(tree: Tree, values: ReadonlyMap<string, Node>): Tree {
  if (values.size === 0 || typeof tree !== "object" || tree === null) return tree;
  if (Array.isArray(tree)) return tree.map((each: unknown) => replaced(each, values)) as Tree;
  if ("ColumnRef" in tree) {
    const { fields = [] } = (tree as { ColumnRef: { fields?: readonly Node[] } }).ColumnRef;
    const [field] = fields;
    const name = fields.length === 1 && field !== undefined && "String" in field ? field.String.sval : undefined;
    const value = name === undefined ? undefined : values.get(name);
    if (value !== undefined) return value as Tree;
  }
  return Object.fromEntries(
    Object.entries(tree).map(([key, value]) => [key, replaced(value as unknown, values)]),
  ) as Tree;
}

function isReturn(statement: Statement): boolean {
  return statement.PLpgSQL_stmt_return !== undefined && statement.PLpgSQL_stmt_return.expr === undefined;
}

/** The expression that statements return. */
function valueOf(statements: readonly Statement[]): string | undefined {
  const [first, ...rest] = statements;
  const returned = first?.PLpgSQL_stmt_return?.expr?.PLpgSQL_expr?.query;
  if (returned !== undefined) return `(${returned})`;
  const choice = first?.PLpgSQL_stmt_if;
  if (choice === undefined) return undefined;
  const branches = [
    { cond: choice.cond, body: choice.then_body },
    ...(choice.elsif_list ?? []).map(({ PLpgSQL_if_elsif: branch }) => ({ cond: branch.cond, body: branch.stmts })),
  ];
  const cases: string[] = [];
  for (const { cond, body } of branches) {
    const value = valueOf([...(body ?? []), ...rest]);
    const condition = cond?.PLpgSQL_expr?.query;
    if (value === undefined || condition === undefined) return undefined;
    cases.push(`when (${condition}) then ${value}`);
  }
  const otherwise = valueOf([...(choice.else_body ?? []), ...rest]);
  return otherwise === undefined ? undefined : `case ${cases.join(" ")} else ${otherwise} end`;
}
