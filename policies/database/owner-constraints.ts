import type { Node } from "libpg-query";
import type { SourcePosition } from "../../contract/graph.ts";
import { loadParser, parseExpression } from "../proof/bodies.ts";
import { nameIn, operatorOf } from "../proof/nodes.ts";
import { list, qualified, text } from "./catalog.ts";
import type { LostConstraint, Proof, Statement } from "./facts.ts";
import { identifier, literal, type Postgres, type Row, rowsAsJson, USER_SCHEMAS } from "./postgres.ts";

// Names of the catalog and the parser:
// cspell:ignore indimmediate indpred indisunique indisvalid indkey indrelid conbin nulltesttype tgrelid adbin adnum adrelid attgenerated boolop conenforced confkey conkey conrelid contype confrelid lexpr rexpr tgconstraint tgenabled

/**
 * What is in force of the check constraints, foreign keys and generated columns that read several columns. A foreign key whose
 * triggers are disabled is not, nor is a constraint that is not enforced.
 */
const CONSTRAINTS = `select k.conrelid::regclass::text as relation, n.nspname || '.' || c.relname as table, k.contype as kind, k.conname as name, pg_get_constraintdef(k.oid) as definition,
    pg_get_expr(k.conbin, k.conrelid) as expression, k.confrelid::regclass::text as target,
    array(select quote_ident(a.attname) from unnest(k.confkey) with ordinality u(n, i) join pg_attribute a on a.attrelid = k.confrelid and a.attnum = u.n order by u.i) as targets, null as type,
    array(select a.attname::text from unnest(k.conkey) u join pg_attribute a on a.attrelid = c.oid and a.attnum = u) as columns
  from pg_constraint k join pg_class c on c.oid = k.conrelid join pg_namespace n on n.oid = c.relnamespace
  where k.contype in ('c', 'f') and cardinality(k.conkey) > 1 and k.conparentid = 0 and ${USER_SCHEMAS} and coalesce(to_jsonb(k) ->> 'conenforced', 'true') = 'true'
    and not exists (select from pg_trigger t where t.tgconstraint = k.oid and t.tgrelid = c.oid and t.tgenabled in ('D', 'R'))
  union all
  select c.oid::regclass::text, n.nspname || '.' || c.relname, 'g', a.attname, pg_get_expr(d.adbin, c.oid), pg_get_expr(d.adbin, c.oid), null, '{}', format_type(a.atttypid, a.atttypmod),
    array(select b.attname::text from pg_depend e join pg_attribute b on b.attrelid = c.oid and b.attnum = e.refobjsubid where e.classid = 'pg_attrdef'::regclass and e.objid = d.oid and e.refobjid = c.oid and e.refobjsubid > 0)
  from pg_attribute a join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
  where a.attgenerated <> '' and ${USER_SCHEMAS}`;

/** Columns that refer to one user. */
const USERS = `select n.nspname || '.' || c.relname as table, a.attname as column from pg_constraint k join pg_class c on c.oid = k.conrelid join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attnum = k.conkey[1]
  where k.contype = 'f' and cardinality(k.conkey) = 1 and k.confrelid = to_regclass('auth.users')`;

const COLUMNS = `select n.nspname || '.' || c.relname || ' ' || a.attname as name from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace where a.attnum > 0 and not a.attisdropped and ${USER_SCHEMAS}`;

/** Operators that make a value depend on another one. */
const BINDING = new Set(["=", "~~", "~~*", "~", "~*", "^@", "@>", "<@", "&&"]);

interface Watched {
  readonly row: Row;
  /** The last file after which it was in force. */
  readonly file: number;
}

/** Watches the constraints that hold other columns of a row to its owner, e.g. a path to the folder of `user_id`. */
export class OwnerConstraints {
  readonly #postgres: Postgres;
  readonly #watched = new Map<string, Watched>();
  readonly #users = new Map<string, Set<string>>();
  #file = -1;

  constructor(postgres: Postgres) {
    this.#postgres = postgres;
  }

  /** To be called after each file. */
  async note(): Promise<void> {
    this.#file += 1;
    await loadParser();
    for (const row of await this.#postgres.run(USERS)) this.#add(text(row, "table"), text(row, "column"));
    const now = await this.#inForce();
    const keys = new Set(now.map(keyOf));
    for (const [key, { row }] of this.#watched)
      if (!keys.has(key) && now.some((other) => replaces(row, other, this.#users))) this.#watched.delete(key);
    for (const row of now) this.#watched.set(keyOf(row), { row, file: this.#file });
  }

  #add(table: string, column: string): void {
    this.#users.set(table, (this.#users.get(table) ?? new Set()).add(column));
  }

  async #inForce(): Promise<readonly Row[]> {
    // Definitions are printed with all schemas.
    await this.#postgres.run("set search_path = ''");
    const rows = await this.#postgres.run(CONSTRAINTS);
    await this.#postgres.run("reset search_path");
    return rows;
  }

  /** Those that are gone, or hold less, although their columns are there. */
  async lost(
    files: readonly string[],
    statements: readonly Statement[],
    proofs: readonly Proof[],
  ): Promise<LostConstraint[]> {
    for (const { table, owner } of proofs) if (owner !== undefined) this.#add(table, owner);
    const columns = new Set((await rowsAsJson(this.#postgres, COLUMNS)).map((row) => text(row, "name")));
    const lost: LostConstraint[] = [];
    for (const { row, file } of this.#watched.values()) {
      const table = text(row, "table");
      const { owners, bound } = sidesOf(row, this.#users);
      if (file === this.#file || owners.length === 0 || bound.length === 0 || !binds(row, owners, bound)) continue;
      if ([...owners, ...bound].some((column) => !columns.has(`${table} ${column}`))) continue;
      const source = sourceOf(statements, files[file + 1], text(row, "name"));
      lost.push({
        name: table,
        message: `${text(row, "kind") === "g" ? "" : `${text(row, "name")} is gone or holds less: `}${bound.join(", ")} no longer follows ${owners.join(", ")}, which says whose the row is`,
        fix: await this.#fixOf(row),
        ...(source === undefined ? {} : { source }),
      });
    }
    return lost;
  }

  async #fixOf(row: Row): Promise<string> {
    const table = qualified(text(row, "table"));
    const [name, definition] = [identifier(text(row, "name")), text(row, "definition")];
    if (text(row, "kind") === "g")
      return `alter table ${table} drop column ${name}, add column ${name} ${text(row, "type")} generated always as (${definition}) stored;`;
    const add = `alter table ${table} drop constraint if exists ${name}, add constraint ${name} ${definition};`;
    if (text(row, "kind") !== "f") return add;
    // A foreign key needs a unique index on the columns to which it refers, which may have gone with it.
    const targets = list(row, "targets");
    const [there] = await this.#postgres.run(
      `select exists (select from pg_index i where i.indrelid = ${literal(text(row, "target"))}::regclass and i.indisunique and i.indisvalid and i.indimmediate and i.indpred is null
         and array(select quote_ident(a.attname) from pg_attribute a where a.attrelid = i.indrelid and a.attnum = any (i.indkey) order by 1) = array(select unnest(array[${targets.map(literal).join(", ")}]) order by 1)) as there`,
    );
    return there?.there === true
      ? add
      : `alter table ${text(row, "target")} add unique (${targets.join(", ")}); ${add}`;
  }
}

/** The columns of a constraint that say whose the row is, and the others. */
function sidesOf(row: Row, users: ReadonlyMap<string, ReadonlySet<string>>): { owners: string[]; bound: string[] } {
  const generated = text(row, "kind") === "g" ? [text(row, "name")] : [];
  const columns = [...new Set([...list(row, "columns"), ...generated])];
  const [owners = [], bound = []] = [true, false].map((own) =>
    columns.filter((column) => (users.get(text(row, "table"))?.has(column) === true) === own),
  );
  return { owners, bound };
}

function keyOf(row: Row): string {
  return ["table", "kind", "name", "definition"].map((key) => text(row, key).replace(/ NOT VALID$/, "")).join("\0");
}

/** The statement of a file that took a constraint away. */
function sourceOf(
  statements: readonly Statement[],
  file: string | undefined,
  name: string,
): SourcePosition | undefined {
  const own = statements.filter(({ source }) => source.file === file);
  return (own.findLast((each) => each.text.includes(name)) ?? own.at(-1))?.source;
}

/** Whether a constraint makes other columns depend on the owner. */
function binds(row: Row, owners: readonly string[], bound: readonly string[]): boolean {
  if (text(row, "kind") !== "c") return true;
  return ways(text(row, "expression")).some((way) => isBound(way, owners, bound));
}

/** Whether another constraint holds the same columns, without a way past it that the first one did not have. */
function replaces(row: Row, other: Row, users: ReadonlyMap<string, ReadonlySet<string>>): boolean {
  const { owners, bound } = sidesOf(row, users);
  const others = sidesOf(other, users);
  if (text(other, "table") !== text(row, "table")) return false;
  if (![...owners, ...bound].every((column) => [...others.owners, ...others.bound].includes(column))) return false;
  if (text(other, "kind") !== "c") return text(other, "target") === text(row, "target");
  const before = new Set(ways(text(row, "expression")).map(shape));
  const after = ways(text(other, "expression"));
  return after.length > 0 && after.every((way) => isBound(way, owners, bound) || before.has(shape(way)));
}

/** The alternatives of a condition. */
function ways(expression: string): readonly Node[] {
  const node = parseExpression(expression);
  const split = (one: Node): readonly Node[] =>
    "BoolExpr" in one && one.BoolExpr.boolop === "OR_EXPR" ? (one.BoolExpr.args ?? []).flatMap(split) : [one];
  return node === undefined ? [] : split(node);
}

/** Whether an alternative compares the owner with another column, or says that one of them is null. */
function isBound(way: Node, owners: readonly string[], bound: readonly string[]): boolean {
  if ("BoolExpr" in way && way.BoolExpr.boolop === "AND_EXPR")
    return (way.BoolExpr.args ?? []).some((each) => isBound(each, owners, bound));
  if ("BoolExpr" in way && way.BoolExpr.boolop === "OR_EXPR")
    return (way.BoolExpr.args ?? []).every((each) => isBound(each, owners, bound));
  const names = columnsIn(way);
  if ("NullTest" in way) return way.NullTest.nulltesttype === "IS_NULL" && names.some((name) => bound.includes(name));
  if ("A_Expr" in way && !BINDING.has(operatorOf(way.A_Expr) ?? "")) return false;
  return names.some((name) => owners.includes(name)) && names.some((name) => bound.includes(name));
}

function columnsIn(node: Node): readonly string[] {
  const names: string[] = [];
  JSON.stringify(node, (key, value: unknown) => {
    if (key === "ColumnRef") names.push(nameIn((value as { readonly fields?: readonly Node[] }).fields?.at(-1)));
    return value;
  });
  return names;
}

/** A tree without the positions of its words. */
function shape(node: Node): string {
  return JSON.stringify(node, (key, value: unknown) => (key === "location" ? undefined : value));
}
