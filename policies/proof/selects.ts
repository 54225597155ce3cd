import type { Alias, FuncCall, JoinExpr, Node, RangeFunction, SelectStmt } from "libpg-query";
import { parseSelect, selectOf } from "./bodies.ts";
import { equal } from "./equality.ts";
import { nameIn } from "./nodes.ts";
import type { Relation, Routine } from "./schema.ts";
import { queryNamed, within, type Joined, type Rows, type Scope, type Source } from "./scope.ts";
import { and, atom, call, fresh, isPure, TRUE, type Formula, type Query, type Term } from "./terms.ts";

// cspell:ignore aliascolnames aliasname colnames ctename ctequery jointype larg rarg quals relname schemaname subquery SETOP Subselect ctes sval

/** What queries need of the expressions inside them. */
export interface Expressions {
  readonly relations: ReadonlyMap<string, Relation>;
  /** Depth to which views and functions are inlined. */
  readonly deepest: number;
  holds(node: Node, scope: Scope): Formula;
  term(node: Node, scope: Scope): Term;
  queryOf(select: SelectStmt, scope: Scope): Query;
  functionQuery(expression: FuncCall, scope: Scope): { query: Query; routine: Routine } | undefined;
  isAggregate(name: string): boolean;
}

/** Reads queries: which rows they have, and what holds for each. */
export class Selects {
  readonly #expressions: Expressions;

  constructor(expressions: Expressions) {
    this.#expressions = expressions;
  }

  /** The rows of a query. ORDER BY, LIMIT, DISTINCT and HAVING only take some away. */
  rowsOf(select: SelectStmt, outer: Scope): readonly Rows[] {
    const scope = this.#withQueries(select, outer);
    if (select.op !== undefined && select.op !== "SETOP_NONE") {
      const left = select.larg === undefined ? [] : this.rowsOf(select.larg, scope);
      // The rows of INTERSECT and EXCEPT are rows of the left side.
      return select.op === "SETOP_UNION" && select.rarg !== undefined
        ? [...left, ...this.rowsOf(select.rarg, scope)]
        : left;
    }
    if (select.valuesLists !== undefined)
      return select.valuesLists.map((list) => ({
        condition: TRUE,
        scope,
        targets: ("List" in list ? (list.List.items ?? []) : []).map((node, at) => ({ name: `column${at + 1}`, node })),
      }));
    const all = this.#from(select.fromClause ?? [], scope).map((joined) => {
      const inner = within(scope, joined.sources);
      const condition = and(
        joined.condition,
        select.whereClause === undefined ? TRUE : this.#expressions.holds(select.whereClause, inner),
      );
      return { condition, scope: inner, joined };
    });
    const targetsIn = (joined: Joined) => (select.targetList ?? []).flatMap((target) => targetsOf(target, joined));
    // Grouping sets may be empty: they then have a row without a group.
    const grouped = select.groupClause?.every((each) => !("GroupingSet" in each)) === true;
    const nodes = [...(select.targetList ?? []), ...(select.havingClause === undefined ? [] : [select.havingClause])];
    if (select.groupClause === undefined && !nodes.some((node) => this.#aggregates(node)))
      return all.map(({ condition, scope: inner, joined }) => ({
        condition,
        scope: inner,
        targets: targetsIn(joined),
      }));
    if (grouped)
      return all.map(({ condition, scope: inner, joined }) => ({
        condition,
        scope: { ...inner, aggregated: all },
        targets: targetsIn(joined),
      }));
    // Without groups there is one row, even if there is nothing to aggregate.
    const [first] = all;
    if (first === undefined) return [];
    return [{ condition: TRUE, scope: { ...first.scope, aggregated: all }, targets: targetsIn(first.joined) }];
  }

  #withQueries(select: SelectStmt, outer: Scope): Scope {
    const { ctes = [], recursive } = select.withClause ?? {};
    if (ctes.length === 0) return outer;
    const queries = new Map<string, (alias: string) => readonly Joined[]>();
    const scope: Scope = { ...within(outer, []), queries };
    for (const each of ctes) {
      if (!("CommonTableExpr" in each)) continue;
      const { ctename = "", ctequery, aliascolnames = [] } = each.CommonTableExpr;
      const inner = selectOf(ctequery);
      const names = aliascolnames.map(nameIn);
      queries.set(ctename, (alias) =>
        inner === undefined || recursive === true
          ? unknownRows(alias)
          : this.#derived(this.#expressions.queryOf(inner, scope), alias, names),
      );
    }
    return scope;
  }

  /** Whether an expression has an aggregate, outside of its subqueries. */
  #aggregates(node: unknown): boolean {
    if (typeof node !== "object" || node === null) return false;
    if (Array.isArray(node)) return node.some((each) => this.#aggregates(each));
    if ("SubLink" in node) return false;
    if ("FuncCall" in node) {
      const { funcname = [], over } = (node as { FuncCall: FuncCall }).FuncCall;
      if (over === undefined && this.#expressions.isAggregate(funcname.map(nameIn).at(-1) ?? "")) return true;
    }
    return Object.values(node).some((each) => this.#aggregates(each));
  }

  /** All combinations of the items of FROM. */
  #from(items: readonly Node[], scope: Scope): readonly Joined[] {
    return items.reduce<readonly Joined[]>(
      (all, item) =>
        all.flatMap((left) =>
          this.#item(item, scope, left.sources).map((right) => ({
            sources: [...left.sources, ...right.sources],
            condition: and(left.condition, right.condition),
          })),
        ),
      [{ sources: [], condition: TRUE }],
    );
  }

  /** One item of FROM. `before`: the items before it, which LATERAL may name. */
  #item(item: Node, scope: Scope, before: readonly Source[]): readonly Joined[] {
    if ("RangeVar" in item) {
      const { schemaname, relname = "", alias } = item.RangeVar;
      const named = schemaname === undefined ? queryNamed(scope, relname) : undefined;
      const name = alias?.aliasname ?? relname;
      if (named !== undefined) return named(name);
      return this.#relation(schemaname, relname, name, (alias?.colnames ?? []).map(nameIn), scope);
    }
    if ("JoinExpr" in item) return this.#join(item.JoinExpr, scope, before);
    if ("RangeSubselect" in item) {
      const select = selectOf(item.RangeSubselect.subquery);
      const { aliasname = "", names } = aliasOf(item.RangeSubselect.alias);
      if (select === undefined) return unknownRows(aliasname);
      return this.#derived(this.#expressions.queryOf(select, within(scope, before)), aliasname, names);
    }
    if ("RangeFunction" in item) return this.#function(item.RangeFunction, within(scope, before));
    return unknownRows("");
  }

  #relation(
    schema: string | undefined,
    name: string,
    alias: string,
    names: readonly string[],
    scope: Scope,
  ): readonly Joined[] {
    const { relations } = this.#expressions;
    const relation = (schema === undefined ? scope.path : [schema])
      .map((each) => relations.get(`${each}.${name}`))
      .find((found) => found !== undefined);
    if (relation === undefined) return unknownRows(alias);
    if (typeof relation.definition === "string") return this.#view(relation, alias, names, scope);
    const of = fresh();
    const columns = new Map(
      relation.columns.map((column, at): [string, Term] => [
        names[at] ?? column.name,
        { kind: "column", of, table: relation.name, name: column.name },
      ]),
    );
    return [{ sources: [{ alias, columns }], condition: atom({ kind: "row", of, table: relation.name }) }];
  }

  #view(view: Relation, alias: string, names: readonly string[], scope: Scope): readonly Joined[] {
    const select = parseSelect((view.definition ?? "").trim().replace(/;$/, ""));
    if (select === undefined || scope.depth >= this.#expressions.deepest) return unknownRows(alias);
    const query = this.#expressions.queryOf(select, {
      sources: [],
      path: [],
      depth: scope.depth + 1,
      definer: scope.definer === true,
    });
    return this.#derived(
      query,
      alias,
      view.columns.map((column, at) => names[at] ?? column.name),
    );
  }

  /** The rows of a query as an item of FROM. */
  #derived(query: Query, alias: string, names: readonly string[]): readonly Joined[] {
    return query.map(({ condition, targets }) => ({
      condition,
      sources: [{ alias, columns: new Map(targets.map(({ name, term }, at) => [names[at] ?? name, term])) }],
    }));
  }

  #function(item: RangeFunction, scope: Scope): readonly Joined[] {
    const { aliasname = "", names } = aliasOf(item.alias);
    const [list, ...more] = item.functions ?? [];
    const [made] = list !== undefined && "List" in list ? (list.List.items ?? []) : [];
    if (more.length > 0 || made === undefined || !("FuncCall" in made) || item.ordinality === true)
      return unknownRows(aliasname);
    const name = (made.FuncCall.funcname ?? []).map(nameIn).at(-1) ?? "";
    const alias = aliasname === "" ? name : aliasname;
    const inlined = this.#expressions.functionQuery(made.FuncCall, scope);
    if (inlined !== undefined) {
      const single = inlined.query.every(({ targets }) => targets.length === 1);
      const known = inlined.routine.returns;
      return this.#derived(
        inlined.query,
        alias,
        names.length > 0 ? names : known.length > 0 ? known : single ? [alias] : [],
      );
    }
    const [array] = (made.FuncCall.args ?? []).map((arg) => this.#expressions.term(arg, scope));
    if (
      array === undefined ||
      !/^(unnest|jsonb?_array_elements(_text)?)$/.test(name) ||
      made.FuncCall.args?.length !== 1
    )
      return unknownRows(alias);
    const column = names[0] ?? (name.startsWith("json") && aliasname === "" ? "value" : alias);
    return [
      { condition: TRUE, sources: [{ alias, columns: new Map([[column, call(name, [array], isPure(array))]]) }] },
    ];
  }

  #join(join: JoinExpr, scope: Scope, before: readonly Source[]): readonly Joined[] {
    const { jointype = "JOIN_INNER", larg, rarg, quals, usingClause = [], isNatural } = join;
    if (larg === undefined || rarg === undefined || isNatural === true || join.alias !== undefined)
      return unknownRows("");
    const all: Joined[] = [];
    for (const left of this.#item(larg, scope, before)) {
      for (const right of this.#item(rarg, scope, [...before, ...left.sources])) {
        const sources = [...left.sources, ...right.sources];
        const on = this.#joinCondition(
          left,
          right,
          quals,
          usingClause.map(nameIn),
          within(scope, [...before, ...sources]),
        );
        all.push({
          sources: merged(sources, usingClause.map(nameIn)),
          condition: and(left.condition, right.condition, on),
        });
        if (jointype === "JOIN_RIGHT" || jointype === "JOIN_FULL")
          all.push({ sources: [...left.sources.map(emptied), ...right.sources], condition: right.condition });
      }
      if (jointype === "JOIN_LEFT" || jointype === "JOIN_FULL")
        for (const right of this.#item(rarg, scope, [...before, ...left.sources]))
          all.push({ sources: [...left.sources, ...right.sources.map(emptied)], condition: left.condition });
    }
    return all;
  }

  #joinCondition(
    left: Joined,
    right: Joined,
    quals: Node | undefined,
    using: readonly string[],
    scope: Scope,
  ): Formula {
    const find = (joined: Joined, name: string) =>
      joined.sources.flatMap((source) => source.columns.get(name) ?? [])[0];
    const equalities = using.map((name) => {
      const [a, b] = [find(left, name), find(right, name)];
      return a === undefined || b === undefined ? TRUE : equal(a, b);
    });
    return and(...equalities, quals === undefined ? TRUE : this.#expressions.holds(quals, scope));
  }
}

/** Columns of USING exist once: those of the left side. */
function merged(sources: readonly Source[], using: readonly string[]): readonly Source[] {
  if (using.length === 0) return sources;
  const seen = new Set<string>();
  return sources.map((source) => ({
    ...source,
    columns: new Map(
      [...source.columns].filter(([name]) => {
        if (!using.includes(name)) return true;
        const first = !seen.has(name);
        seen.add(name);
        return first;
      }),
    ),
  }));
}

/** The side of an outer join that has no row. */
function emptied(source: Source): Source {
  return {
    ...source,
    columns: new Map([...source.columns.keys()].map((name): [string, Term] => [name, { kind: "null" }])),
  };
}

/** Rows that are not understood: nothing is known of them. */
function unknownRows(alias: string): readonly Joined[] {
  return [{ sources: [{ alias, columns: new Map(), open: true }], condition: TRUE }];
}

function targetsOf(target: Node, joined: Joined): { name: string; node: Node }[] {
  if (!("ResTarget" in target) || target.ResTarget.val === undefined) return [];
  const { name, val } = target.ResTarget;
  if (!("ColumnRef" in val)) return [{ name: name ?? defaultName(val), node: val }];
  const fields = val.ColumnRef.fields ?? [];
  const last = fields.at(-1);
  if (last === undefined || !("A_Star" in last)) return [{ name: name ?? nameIn(last), node: val }];
  const alias = fields.length > 1 ? nameIn(fields.at(-2)) : undefined;
  return joined.sources
    .filter((source) => alias === undefined || source.alias === alias)
    .flatMap((source) =>
      [...source.columns.keys()].map((column) => ({
        name: column,
        node: { ColumnRef: { fields: [{ String: { sval: source.alias } }, { String: { sval: column } }] } },
      })),
    );
}

function defaultName(node: Node): string {
  if ("FuncCall" in node) return nameIn((node.FuncCall.funcname ?? []).at(-1));
  return "TypeCast" in node && node.TypeCast.arg !== undefined && "ColumnRef" in node.TypeCast.arg
    ? nameIn((node.TypeCast.arg.ColumnRef.fields ?? []).at(-1))
    : "?column?";
}

function aliasOf(alias: Alias | undefined): { aliasname?: string; names: readonly string[] } {
  return {
    ...(alias?.aliasname === undefined ? {} : { aliasname: alias.aliasname }),
    names: (alias?.colnames ?? []).map(nameIn),
  };
}
