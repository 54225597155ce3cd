import type { A_Expr, A_Indirection, ColumnRef, FuncCall, Node, SelectStmt, TypeCast } from "libpg-query";
import { visit } from "../../contract/sql/ran.ts";
import { bodyOf } from "./bodies.ts";
import { binds } from "./claims.ts";
import { nameIn, operatorOf } from "./nodes.ts";
import { schemasOf } from "./routines.ts";
import type { Relation, Routine, Schema } from "./schema.ts";
import type { Scope } from "./scope.ts";
import type { Term } from "./terms.ts";
import { Translator } from "./translate.ts";

// cspell:ignore boolop citext jointype larg lexpr quals rarg relname rexpr schemaname aliasname

/** Functions of pg_catalog that depend on their arguments, the clock and the token, and change nothing. */
const HARMLESS: ReadonlySet<string> = new Set(
  [
    "age array_agg array_append array_length array_position array_to_string avg bool_and bool_or btrim cardinality ceil",
    "char_length concat concat_ws count current_setting date_part date_trunc every extract floor format",
    "json_agg json_build_array json_build_object json_object_agg jsonb_agg jsonb_array_elements jsonb_array_elements_text",
    "jsonb_build_array jsonb_build_object jsonb_extract_path jsonb_extract_path_text jsonb_object_agg left length lower",
    "ltrim max md5 min now regexp_replace replace right round row_to_json rtrim split_part string_agg string_to_array",
    "substr substring sum timezone to_char to_json to_jsonb trim unnest upper",
  ].flatMap((line) => line.split(" ")),
);

/** Types whose casts run nothing of a project. The parser names those of the SQL standard with pg_catalog. */
const TYPES: ReadonlySet<string> = new Set(
  "bytea citext date inet json jsonb name regclass text timestamptz uuid".split(" "),
);

/**
 * Functions with their owner's privileges that give their caller nothing but what is his, by name: they only read, and each
 * query, wherever it is, takes from each of its tables only rows that name the caller: a column equals `auth.uid()` or another claim
 * that users cannot set. That is the usual way to ask for one's own teams, roles and permissions in a policy. What they do
 * beyond this is not followed: a join that leads on to rows of others, a view or a text that is executed.
 */
export function ownReaders(schema: Schema): ReadonlySet<string> {
  const [role] = schema.apiRoles;
  if (role === undefined || schema.ownOperators) return new Set();
  const readers = new Readers(schema, role);
  const all = Map.groupBy(schema.routines, ({ name }) => name);
  return new Set([...all].flatMap(([name, made]) => (made.every((each) => readers.isOwn(each)) ? [name] : [])));
}

class Readers {
  readonly #routines: ReadonlyMap<string, readonly Routine[]>;
  readonly #translator: Translator;
  /** Functions that a row can call, without their schemas. */
  readonly #ofRows: ReadonlySet<string>;
  readonly #open = new Set<Routine>();

  constructor(schema: Schema, role: string) {
    this.#routines = Map.groupBy(schema.routines, ({ name }) => name);
    const taking = schema.routines.filter(({ parameters }) => parameters.length > 0);
    this.#ofRows = new Set(taking.map(({ name }) => name.replace(/^.*\./, "")));
    this.#translator = new Translator(schema, role);
  }

  isOwn(routine: Routine): boolean {
    // A path of the caller's would let him choose the tables.
    if (routine.configured || routine.searchPath === null || this.#open.has(routine)) return false;
    const select = bodyOf(routine);
    if (select === undefined) return false;
    this.#open.add(routine);
    const path = schemasOf(routine.searchPath);
    const { result, distrusted } = this.#translator.watch(() => this.#reads(select, path));
    this.#open.delete(routine);
    return result && distrusted === undefined;
  }

  /** Whether a query and all those inside it read rows of the caller only. */
  #reads(select: SelectStmt, path: readonly string[]): boolean {
    let good = this.#isOwnQuery(select, path);
    visit(select, (key, value) => {
      if (!good) return false;
      // The sides of a join have the same names as those of a union.
      if (key === "SelectStmt" || ((key === "larg" || key === "rarg") && isQuery(value)))
        good = this.#isOwnQuery(value as SelectStmt, path);
      else if (/^[A-Z]\w*Stmt$/.test(key)) good = false;
      else if (key === "A_Expr") good = isKnownOperator((value as A_Expr).name ?? []);
      else if (key === "ColumnRef") good = !this.#isCall((value as ColumnRef).fields ?? []);
      else if (key === "A_Indirection") good = !this.#isCall((value as A_Indirection).indirection ?? []);
      else if (key === "TypeCast") good = this.#isKnownType((value as TypeCast).typeName?.names ?? [], path);
      else if (key === "FuncCall") good = this.#isHarmless((value as FuncCall).funcname ?? [], path);
      return good;
    });
    return good;
  }

  /** Whether `row.name` may call the function of that name with the row. */
  #isCall(fields: readonly Node[]): boolean {
    return this.#ofRows.has(fields.map(nameIn).at(-1) ?? "");
  }

  /** Whether a cast to a type runs nothing of the project, as one to a type that the project made may. */
  #isKnownType(type: readonly Node[], path: readonly string[]): boolean {
    const names = type.map(nameIn);
    if (names[0] === "pg_catalog" || (names.length === 1 && TYPES.has(names[0] ?? ""))) return true;
    return this.#translator.isEnum(names, path);
  }

  #isHarmless(funcname: readonly Node[], path: readonly string[]): boolean {
    const names = funcname.map(nameIn);
    const name = names.at(-1) ?? "";
    const schemas = names.length > 1 ? [names[0] ?? ""] : path;
    const made = schemas.flatMap((schema) => this.#routines.get(`${schema}.${name}`) ?? []);
    if (made.length === 0) return (names.length === 1 || names[0] === "pg_catalog") && HARMLESS.has(name);
    return made.every((each) => TOKEN.has(each.name) || this.isOwn(each));
  }

  /** Whether each table of a query has a row of the caller. */
  #isOwnQuery(select: SelectStmt, path: readonly string[]): boolean {
    const { fromClause = [], whereClause, withClause, intoClause, op } = select;
    if (withClause !== undefined || intoClause !== undefined) return false;
    if (op !== undefined && op !== "SETOP_NONE") return true; // Its sides are asked for themselves.
    const conditions = whereClause === undefined ? [] : conjuncts(whereClause);
    const tables: { readonly alias: string; readonly relation: Relation }[] = [];
    const add = (item: Node): boolean => {
      if ("JoinExpr" in item) {
        const { jointype, larg, rarg, quals, isNatural, usingClause } = item.JoinExpr;
        if (jointype !== undefined && jointype !== "JOIN_INNER") return false;
        if (larg === undefined || rarg === undefined || isNatural === true || usingClause !== undefined) return false;
        if (quals !== undefined) conditions.push(...conjuncts(quals));
        return add(larg) && add(rarg);
      }
      // A query of FROM is asked for itself, and the rows of a function's value are those of its arguments.
      if ("RangeSubselect" in item || "RangeFunction" in item) return true;
      if (!("RangeVar" in item)) return false;
      const { schemaname, relname = "", alias } = item.RangeVar;
      const relation = (schemaname === undefined ? path : [schemaname])
        .map((schema) => this.#translator.relations.get(`${schema}.${relname}`))
        .find((found) => found !== undefined);
      if (relation === undefined || typeof relation.definition === "string" || alias?.colnames !== undefined)
        return false;
      tables.push({ alias: alias?.aliasname ?? relname, relation });
      return true;
    };
    if (!fromClause.every(add)) return false;
    const single = fromClause.length === 1 && tables.length === 1;
    return tables.every(({ alias, relation }) =>
      conditions.some((condition) => this.#namesCaller(condition, alias, relation, single, path)),
    );
  }

  /** Whether a condition compares a column of a table with a claim that is the caller's. */
  #namesCaller(condition: Node, alias: string, relation: Relation, single: boolean, path: readonly string[]): boolean {
    if (!("A_Expr" in condition) || condition.A_Expr.kind !== "AEXPR_OP" || operatorOf(condition.A_Expr) !== "=")
      return false;
    const { lexpr, rexpr } = condition.A_Expr;
    const scope: Scope = { sources: [], path, depth: 0, definer: true };
    return [
      [lexpr, rexpr],
      [rexpr, lexpr],
    ].some(([column, value]) => {
      if (column === undefined || value === undefined || !("ColumnRef" in column)) return false;
      const fields = (column.ColumnRef.fields ?? []).map(nameIn);
      const named = fields.length === 1 ? single : fields.length === 2 && fields[0] === alias;
      if (!named || !relation.columns.some(({ name }) => name === fields.at(-1))) return false;
      return isCaller(this.#translator.term(value, scope));
    });
  }
}

/** Functions of Supabase that read the token of the caller. */
const TOKEN: ReadonlySet<string> = new Set(["auth.uid", "auth.jwt", "auth.role", "auth.email"]);

/** Whether a value is a claim that names the caller, or what the project gives him. */
function isCaller(term: Term): boolean {
  if (term.kind === "query")
    return (
      term.query.length > 0 && term.query.every(({ targets }) => targets[0] !== undefined && isCaller(targets[0].term))
    );
  return term.kind === "claim" && binds(term.path);
}

/** Whether a side is a query, and not an item of FROM. */
function isQuery(value: unknown): boolean {
  return typeof value === "object" && value !== null && ["targetList", "valuesLists", "op"].some((key) => key in value);
}

/** Operators of a project may run any function of it. */
function isKnownOperator(name: readonly Node[]): boolean {
  const [schema, ...rest] = name.map(nameIn);
  return rest.length === 0 || schema === "pg_catalog" || schema === "extensions";
}

function conjuncts(node: Node): Node[] {
  if (!("BoolExpr" in node) || node.BoolExpr.boolop !== "AND_EXPR") return [node];
  return (node.BoolExpr.args ?? []).flatMap(conjuncts);
}
