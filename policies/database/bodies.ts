import type { Node, RangeVar } from "libpg-query";
import type { SourcePosition } from "../../contract/graph.ts";
import { withoutKeysOfRequests } from "../../contract/sql/request-keys.ts";
import { columnOf, nameOf, ranBy, relationOf, visit, type Bodies, type Body } from "../../contract/sql/ran.ts";
import { parseStatements } from "../../contract/sql/statements.ts";
import type { Baseline } from "./baseline.ts";
import { list, text } from "./catalog.ts";
import { literal, type Postgres, type Row, USER_SCHEMAS } from "./postgres.ts";

// Names of the catalog and the parser:
// cspell:ignore pronargs regrole boolop fname lexpr proconfig proname prosecdef prosrc relnamespace rexpr sval tgfoid tgisinternal tgname tgrelid

/** Statements with which a function that runs with its owner's privileges keeps to the row of its trigger. */
const ROW_STATEMENTS: ReadonlySet<string> = new Set([
  "DeleteStmt",
  "InsertStmt",
  "SelectStmt",
  "UpdateStmt",
  "ReturnStmt",
]);
/** Functions of other schemas that reach nothing. */
const HARMLESS_CALL =
  /^(pg_catalog\.|net\.http_(get|post|delete)$|realtime\.broadcast_changes$|auth\.(uid|jwt|role|email)$|extensions\.(gen_|uuid_|digest$|crypt$|hmac$|encode$))/;
/** Functions of PostgreSQL that reach beyond the tables that are named. */
const REACHING_CALL =
  /^(pg_catalog\.)?(set_config|pg_(read|ls|stat)_\w*(file|dir)\w*|lo_\w+|query_to_xml\w*|table_to_xml\w*|schema_to_xml\w*|database_to_xml\w*|cursor_to_xml\w*|pg_logical_\w+|pg_terminate_backend|pg_cancel_backend|dblink\w*)$/;

/**
 * Triggers whose function runs with its owner's privileges and does more than to read and write what belongs to the row: `why`
 * says what. An insert of values of the row is understood, as in the usual function that makes a profile for a new user.
 */
export async function definerTriggers(
  postgres: Postgres,
  baseline: Baseline,
  apiRoles: readonly string[],
  bodies: Bodies,
): Promise<Row[]> {
  const rows = await postgres.run(
    `select t.oid::text as oid, t.tgname as trigger, t.tgrelid::regclass::text as table, t.xmin::text as xmin, p.oid::text as function, p.oid::regprocedure::text as name, pg_get_functiondef(p.oid) as body, n.nspname || '.' || c.relname as relation,
       exists (select from unnest(array[${apiRoles.map(literal).join(", ")}]::text[]) r where has_table_privilege(r, c.oid, 'insert, update, delete') or has_any_column_privilege(r, c.oid, 'insert, update')) as writable
     from pg_trigger t join pg_proc p on p.oid = t.tgfoid join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
     where not t.tgisinternal and p.prosecdef and p.prokind in ('f', 'p') and ${USER_SCHEMAS} order by 2`,
  );
  const fresh = rows.filter(
    (row) => !baseline.has(`t${text(row, "oid")}`) || !baseline.has(`f${text(row, "function")}`),
  );
  if (fresh.length === 0) return [];
  const keys = await keysIn(postgres);
  const found: Row[] = [];
  for (const row of fresh) {
    const [definition] = await parseStatements(withoutKeysOfRequests(text(row, "body")));
    const why =
      definition === undefined
        ? "it cannot be read"
        : reaches(definition, bodies, row.writable === true ? belongs(text(row, "relation"), keys) : () => true);
    if (why !== undefined) found.push({ ...row, why });
  }
  return found;
}

/** A column that refers to a column of another table. */
interface Key {
  readonly table: string;
  readonly column: string;
  readonly of: string;
  readonly at: string;
}

async function keysIn(postgres: Postgres): Promise<readonly Key[]> {
  const rows = await postgres.run(
    `select k.conrelid::regclass::text as table, a.attname as column, k.confrelid::regclass::text as of, b.attname as at
     from pg_constraint k, unnest(k.conkey, k.confkey) as pair (own, other), pg_attribute a, pg_attribute b
     where k.contype = 'f' and a.attrelid = k.conrelid and a.attnum = pair.own and b.attrelid = k.confrelid and b.attnum = pair.other`,
  );
  return rows as unknown as readonly Key[];
}

/** Whether rows of a table whose column equals a field of the trigger's row are those that the writer of that row may name. */
type Belongs = (tables: readonly string[], column: string, field: string) => boolean;

/**
 * A writer chooses the fields of its row. It may name its own rows of a table with an owner, and rows that a foreign key
 * connects with it; by any other field, it names rows of everyone.
 */
function belongs(relation: string, keys: readonly Key[]): Belongs {
  const isOwner = (table: string, column: string) =>
    keys.some((key) => key.table === table && key.column === column && key.of === "auth.users");
  const connects = (table: string, column: string, of: string, at: string) =>
    keys.some((key) => key.table === table && key.column === column && key.of === of && key.at === at);
  return (tables, column, field) =>
    tables.length === 0 ||
    tables.some(
      (table) =>
        !keys.some((key) => key.table === table && key.of === "auth.users") ||
        isOwner(table, column) ||
        connects(relation, field, table, column) ||
        connects(table, column, relation, field),
    );
}

/** The functions of the project that can be read, by name with schema. */
export async function bodiesIn(postgres: Postgres): Promise<Map<string, Body>> {
  const bodies = new Map<string, Body>();
  const rows = await postgres.run(
    `select n.nspname || '.' || p.proname as name, pg_get_functiondef(p.oid) as body from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_language l on l.oid = p.prolang
     where p.prokind in ('f', 'p') and l.lanname in ('sql', 'plpgsql') and ${USER_SCHEMAS}`,
  );
  for (const row of rows) {
    const [definition] = await parseStatements(text(row, "body")).catch(() => []);
    if (definition !== undefined) bodies.set(text(row, "name"), definition);
  }
  return bodies;
}

/** What a function does beyond the row of its trigger; undefined if nothing. */
function reaches(body: Body, bodies: Bodies, isOwn: Belongs): string | undefined {
  const { node: definition } = body;
  if (!("CreateFunctionStmt" in definition)) return "it cannot be read";
  const name = nameOf(definition.CreateFunctionStmt.funcname);
  const call = { FuncCall: { funcname: definition.CreateFunctionStmt.funcname ?? [] } } as Node;
  const { nodes, unread, calls } = ranBy(call, new Map([...bodies, [name, body]]));
  const [executed] = unread;
  if (executed !== undefined) return `it executes ${executed}`;
  const called = callsOutside(calls, new Set([...bodies.keys(), name]));
  if (called !== undefined) return `it calls ${called}`;
  for (const node of nodes) {
    const [kind = ""] = Object.keys(node);
    if (kind === "CreateFunctionStmt") continue;
    if (!ROW_STATEMENTS.has(kind)) return `it has a statement of the kind ${kind.replace(/Stmt$/, "")}`;
    const keeps = (from: readonly Node[], where: Node | undefined) =>
      tied(where, (column, field) => isOwn(tablesIn(from), column, field));
    const target = (relation: RangeVar | undefined): Node[] => (relation === undefined ? [] : [{ RangeVar: relation }]);
    if (
      "SelectStmt" in node &&
      tablesIn(node.SelectStmt.fromClause).length > 0 &&
      !keeps(node.SelectStmt.fromClause ?? [], node.SelectStmt.whereClause)
    )
      return "it reads rows that do not belong to the row of the trigger";
    if ("UpdateStmt" in node && !keeps(target(node.UpdateStmt.relation), node.UpdateStmt.whereClause))
      return "it changes rows that do not belong to the row of the trigger";
    if ("DeleteStmt" in node && !keeps(target(node.DeleteStmt.relation), node.DeleteStmt.whereClause))
      return "it deletes rows that do not belong to the row of the trigger";
  }
  return undefined;
}

/** A function of others that may reach beyond the tables that are named. */
export function callsOutside(calls: Iterable<string>, own: ReadonlySet<string>): string | undefined {
  for (const called of calls)
    if (!own.has(called) && (REACHING_CALL.test(called) || (called.includes(".") && !HARMLESS_CALL.test(called))))
      return called;
  return undefined;
}

function tablesIn(from: readonly Node[] | undefined): readonly string[] {
  const found: string[] = [];
  visit(from ?? [], (key, value) => {
    if (key !== "RangeVar") return true;
    found.push(relationOf(value as RangeVar));
    return true;
  });
  return found;
}

/** Whether a condition, or one that must hold with it, compares a column with the row of the trigger or with the caller. */
function tied(where: Node | undefined, isOwn: (column: string, field: string) => boolean): boolean {
  if (where === undefined) return false;
  if ("BoolExpr" in where)
    return where.BoolExpr.boolop === "AND_EXPR" && (where.BoolExpr.args ?? []).some((each) => tied(each, isOwn));
  if (!("A_Expr" in where) || where.A_Expr.kind !== "AEXPR_OP" || nameOf(where.A_Expr.name) !== "=") return false;
  const { lexpr, rexpr } = where.A_Expr;
  return [
    [lexpr, rexpr],
    [rexpr, lexpr],
  ].some(([row, column]) => {
    if (!isRow(row) || !isColumn(column)) return false;
    const field = lastField(row);
    return field === undefined || isOwn(lastField(column) ?? "", field);
  });
}

/** The last name of a column; undefined for a call. */
function lastField(node: Node | undefined): string | undefined {
  return node !== undefined && "TypeCast" in node ? lastField(node.TypeCast.arg) : columnOf(node);
}

function isColumn(node: Node | undefined): boolean {
  return node !== undefined && "ColumnRef" in node && !isRow(node);
}

/** A column of NEW or OLD, or the caller's identifier. */
function isRow(node: Node | undefined): boolean {
  if (node === undefined) return false;
  if ("TypeCast" in node) return isRow(node.TypeCast.arg);
  if ("FuncCall" in node) return nameOf(node.FuncCall.funcname) === "auth.uid";
  if (!("ColumnRef" in node)) return false;
  const [first, second] = (node.ColumnRef.fields ?? []).map((each) =>
    "String" in each ? each.String.sval : undefined,
  );
  return second !== undefined && (first === "new" || first === "old");
}

/** A name that a query gives to metadata of users. */
const ALIAS =
  /\braw_user_meta_data\b(?:\s*(?:->>?|#>>?)\s*'[^']*')*(?:\s*::\s*\w+)?\s+(?:as\s+)?(?!(?:from|into|where|end|then|else|is|and|or|as|order|limit|on)\b)(\w+)/gi;

/** Whether a text assigns something that users write to what only the project writes. */
export function promotes(sql: string): boolean {
  const variables = [
    ...sql.matchAll(/(\w+)(?:\s+[\w.]+)?\s*:?=[^;=]*\braw_user_meta_data\b/gi),
    ...sql.matchAll(/\braw_user_meta_data\b[^;]*?\binto\s+(?:strict\s+)?(\w+)/gi),
    ...sql.matchAll(ALIAS),
  ].map(([, name = ""]) => name.toLowerCase());
  return [...sql.matchAll(/\b(?:raw_app_meta_data|is_super_admin)\s*:?=([^;]*)/gi)].some(([, value = ""]) =>
    (value.toLowerCase().match(/\w+/g) ?? []).some((word) => word === "raw_user_meta_data" || variables.includes(word)),
  );
}

/** Settings that a function may set for itself. */
const OWN_SETTING =
  /^(search_path|\w*timeout|\w*work_mem|timezone|datestyle|enable_\w+|plan_cache_mode|plpgsql\.\w+|jit|(app|exai|my)\.\w+)$/i;

/** Something that may change the claims or the role of a request. */
interface Writer {
  readonly name: string;
  readonly source: SourcePosition | undefined;
  readonly message: string;
  readonly fix: string;
}

/** Whether Supabase Auth can call a function with an event, as it does to make the claims of a token. */
const HOOK = `(p.prorettype in ('jsonb'::regtype, 'json'::regtype) and p.pronargs = 1 and p.proargtypes[0] in ('jsonb'::regtype, 'json'::regtype)
  and coalesce(has_function_privilege(to_regrole('supabase_auth_admin')::oid, p.oid, 'execute'), false))`;
/** A value that users choose: a field of their metadata, or the whole of it in a variable. */
const USER_CLAIMS =
  /->>?\s*'user_metadata'\s*(?:\)\s*)?->|#>>?\s*'\{[^']*\buser_metadata\s*,|#>>?\s*array\s*\[[^\]]*'user_metadata'\s*,|\bjsonb?_extract_path(?:_text)?\s*\([^;]*?'user_metadata'\s*,|:?=[^;]*->\s*'user_metadata'\s*\)?\s*;|\braw_user_meta_data\b/i;

function withoutComments(sql: string): string {
  return sql.replaceAll(/--.*$|\/\*[\s\S]*?\*\//gm, " ");
}

/** Functions, views, policies, defaults and constraints with which a request changes its claims or its role. */
export async function textFunctions(
  postgres: Postgres,
  baseline: Baseline,
  apiRoles: readonly string[],
  at: (xmin: string) => SourcePosition | undefined,
): Promise<Writer[]> {
  const roles = `array[${apiRoles.map(literal).join(", ")}]::text[]`;
  const writers: Writer[] = [];
  const rows = await postgres.run(
    `select p.oid::text as oid, p.oid::regprocedure::text as name, p.xmin::text as xmin, l.lanname as language, coalesce(p.proconfig, '{}') as settings, pg_get_functiondef(p.oid) as body, p.prosecdef as definer,
       array(select r from unnest(${roles}) r where has_function_privilege(r, p.oid, 'execute')) as callers, ${HOOK} as hook
     from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_language l on l.oid = p.prolang
     where p.prokind in ('f', 'p') and ${USER_SCHEMAS} and (p.prorettype = 'trigger'::regtype or ${HOOK} or exists (select from unnest(${roles}) r where has_function_privilege(r, p.oid, 'execute')))
       and not exists (select from pg_depend e where e.classid = 'pg_proc'::regclass and e.objid = p.oid and e.deptype = 'i') order by 2`,
  );
  for (const row of rows) {
    if (baseline.has(`f${text(row, "oid")}`)) continue;
    const why = list(row, "settings").flatMap((setting) => {
      const [name = ""] = setting.split("=");
      return OWN_SETTING.test(name) ? [] : [`sets ${name}`];
    });
    const language = text(row, "language");
    if (language === "sql" || language === "plpgsql") {
      const [definition] = await parseStatements(text(row, "body")).catch(() => []);
      if (definition !== undefined) why.push(...writes(definition));
      if (definition !== undefined && row.hook === true && USER_CLAIMS.test(withoutComments(definition.text)))
        why.push("reads metadata that users choose, where Supabase Auth makes the claims");
    } else why.push(`is written in ${language}, which cannot be read`);
    if (why.length === 0) continue;
    const callers = list(row, "callers");
    writers.push({
      name: text(row, "name"),
      source: at(text(row, "xmin")),
      message: `${text(row, "name")} ${why.join(", ")}; ${callers.length > 0 ? `${callers.join(", ")} can call it` : row.hook === true ? "Supabase Auth can call it" : "a trigger runs it"}`,
      fix:
        callers.length === 0
          ? row.hook === true
            ? `revoke execute on function ${text(row, "name")} from public, supabase_auth_admin;`
            : `drop function ${text(row, "name")} cascade;`
          : `revoke execute on function ${text(row, "name")} from public, ${callers.join(", ")};`,
    });
  }
  const texts = await postgres.run(
    `select 'v' || c.oid as id, 'view ' || c.oid::regclass as name, c.xmin::text as xmin, pg_get_viewdef(c.oid) as text, 'drop view ' || c.oid::regclass || ';' as drop from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind = 'v' and ${USER_SCHEMAS}
     union all select 'o' || p.oid, 'policy ' || quote_ident(p.polname) || ' of ' || p.polrelid::regclass, p.xmin::text, concat(pg_get_expr(p.polqual, p.polrelid), ' ', pg_get_expr(p.polwithcheck, p.polrelid)), 'drop policy ' || quote_ident(p.polname) || ' on ' || p.polrelid::regclass || ';' from pg_policy p
     union all select 'a' || d.oid, 'the default of ' || d.adrelid::regclass || '.' || quote_ident(a.attname), d.xmin::text, pg_get_expr(d.adbin, d.adrelid), 'alter table ' || d.adrelid::regclass || ' alter ' || quote_ident(a.attname) || ' drop default;' from pg_attrdef d join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
     union all select 'k' || k.oid, 'constraint ' || quote_ident(k.conname) || ' of ' || k.conrelid::regclass, k.xmin::text, pg_get_constraintdef(k.oid), 'alter table ' || k.conrelid::regclass || ' drop constraint ' || quote_ident(k.conname) || ';' from pg_constraint k where k.contype = 'c' and k.conrelid <> 0`,
  );
  for (const row of texts)
    if (/\bset_config\(/i.test(text(row, "text")))
      writers.push({
        name: text(row, "name"),
        source: at(text(row, "xmin")),
        message: `${text(row, "name")} calls set_config`,
        fix: text(row, "drop"),
      });
  return writers;
}

/** What the statements of a function set or execute beyond its own settings. */
function writes(body: Body): string[] {
  const { node: definition } = body;
  if (!("CreateFunctionStmt" in definition)) return [];
  const { funcname = [] } = definition.CreateFunctionStmt;
  const call = { FuncCall: { funcname } } as Node;
  const { nodes, unread } = ranBy(call, new Map([[nameOf(funcname), body]]));
  const found = unread.map((expression) => `executes a text that is not a constant (${expression})`);
  if (promotes(body.text)) found.push("copies metadata of users into those of the project");
  for (const node of nodes) {
    if ("UpdateStmt" in node && node.UpdateStmt.relation?.relname === "pg_settings") found.push("sets any setting");
    if ("VariableSetStmt" in node && !OWN_SETTING.test(node.VariableSetStmt.name ?? ""))
      found.push(`sets ${node.VariableSetStmt.name ?? "a setting"}`);
    visit(node, (key, value) => {
      const { funcname: called, args = [] } = (key === "FuncCall" ? value : {}) as {
        readonly funcname?: readonly Node[];
        readonly args?: readonly Node[];
      };
      if (!/^(pg_catalog\.)?set_config$/.test(nameOf(called))) return true;
      const [first] = args;
      const name = first !== undefined && "A_Const" in first ? first.A_Const.sval?.sval : undefined;
      if (name === undefined || !OWN_SETTING.test(name)) found.push(`sets ${name ?? "any setting"}`);
      return true;
    });
  }
  return [...new Set(found)];
}
