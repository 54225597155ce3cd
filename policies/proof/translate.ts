import type { A_Const, A_Expr, FuncCall, Node, SelectStmt, SubLink, TypeCast } from "libpg-query";
import { equal, memberOf } from "./equality.ts";
import { bodyOf, claimWriters, selectOf } from "./bodies.ts";
import type { Relation, Routine, Schema } from "./schema.ts";
import { lookUp, within, type Rows, type Scope } from "./scope.ts";
import { Selects, type Expressions } from "./selects.ts";
import {
  and,
  atom,
  call,
  FALSE,
  isPure,
  opaque,
  or,
  show,
  someRow,
  test,
  TRUE,
  type ClaimPath,
  type Formula,
  type Query,
  type Term,
} from "./terms.ts";

// cspell:ignore boolop booltesttype nulltesttype subselect testexpr lexpr rexpr sval ival fval boolval typmods funcname uidx defresult SVFOP AEXPR bsval oper

/** Types whose values name the same thing as the text that they are cast from. */
const SAME = new Set(["text", "varchar", "uuid", "json", "jsonb"]);
const NUMBERS = new Set(["int2", "int4", "int8", "numeric"]);
/** Functions of Supabase's storage schema that depend on their argument alone. */
const STORAGE = new Set(["storage.foldername", "storage.filename", "storage.extension"]);

/**
 * Turns SQL conditions into formulas, for one role of the API. Functions, views and queries are inlined down to tables and to
 * the claims of the token, so that no name is trusted: `auth.uid()` is what its body says.
 *
 * The formula follows from the condition and may be weaker: what is not understood becomes a test that ties nothing.
 */
export class Translator implements Expressions {
  readonly deepest = 16;
  readonly relations: ReadonlyMap<string, Relation>;
  readonly #routines: ReadonlyMap<string, readonly Routine[]>;
  readonly #pure: ReadonlySet<string>;
  readonly #aggregates: ReadonlySet<string>;
  readonly #ownOperators: boolean;
  readonly role: string;
  readonly #writers: ReadonlySet<string>;
  readonly #selects: Selects;
  #weakened = false;
  #distrusted: string | undefined;

  constructor(schema: Schema, role: string) {
    this.#aggregates = new Set(schema.aggregates);
    this.#ownOperators = schema.ownOperators;
    this.role = role;
    this.relations = new Map(schema.relations.map((relation) => [relation.name, relation]));
    this.#routines = Map.groupBy(schema.routines, ({ name }) => name);
    this.#pure = new Set(schema.pureFunctions);
    this.#writers = claimWriters(schema.routines);
    this.#selects = new Selects(this);
  }

  /** Translates, and says what was found on the way. */
  watch<Result>(translate: () => Result): {
    readonly result: Result;
    /** Whether a formula became weaker than its condition: it then cannot serve as a declaration. */
    readonly weakened: boolean;
    /** A function that a condition calls and that can change the claims of the token: nothing is proved then. */
    readonly distrusted: string | undefined;
  } {
    const before = { weakened: this.#weakened, distrusted: this.#distrusted };
    this.#weakened = false;
    this.#distrusted = undefined;
    const found = { result: translate(), weakened: this.#weakened, distrusted: this.#distrusted };
    this.#weakened = before.weakened;
    this.#distrusted = before.distrusted;
    return found;
  }

  /** What follows if a condition is true. */
  holds(node: Node, scope: Scope): Formula {
    return this.#formula(node, scope, true);
  }

  /** What follows if a condition is false. */
  fails(node: Node, scope: Scope): Formula {
    return this.#formula(node, scope, false);
  }

  #formula(node: Node, scope: Scope, holds: boolean): Formula {
    if ("BoolExpr" in node) {
      const { boolop, args = [] } = node.BoolExpr;
      if (boolop === "NOT_EXPR") return args[0] === undefined ? test("not") : this.#formula(args[0], scope, !holds);
      const parts = args.map((arg) => this.#formula(arg, scope, holds));
      return (boolop === "AND_EXPR") === holds ? and(...parts) : or(...parts);
    }
    if ("A_Const" in node) return this.#truth(constantOf(node.A_Const), holds);
    if ("BooleanTest" in node) return this.#booleanTest(node.BooleanTest, scope, holds);
    if ("NullTest" in node && node.NullTest.arg !== undefined) {
      const isNull = (node.NullTest.nulltesttype === "IS_NULL") === holds;
      return this.#nullTest(this.term(node.NullTest.arg, scope), isNull);
    }
    if ("CoalesceExpr" in node) {
      const { args = [] } = node.CoalesceExpr;
      return or(
        ...args.map((arg, at) =>
          and(
            ...args.slice(0, at).map((earlier) => this.#nullTest(this.term(earlier, scope), true)),
            this.#formula(arg, scope, holds),
          ),
        ),
      );
    }
    if ("CaseExpr" in node)
      return or(...this.#cases(node, scope).map(({ when, then }) => and(when, this.#formula(then, scope, holds))));
    if ("A_Expr" in node) return this.#comparison(node.A_Expr, scope, holds);
    if ("SubLink" in node) return this.#subLink(node.SubLink, scope, holds);
    if ("TypeCast" in node && node.TypeCast.arg !== undefined && typeOf(node.TypeCast) === "bool") {
      if ("A_Const" in node.TypeCast.arg) return this.#truth(constantOf(node.TypeCast.arg.A_Const), holds);
      return this.#formula(node.TypeCast.arg, scope, holds);
    }
    if ("FuncCall" in node) {
      const special = this.#booleanCall(node.FuncCall, scope, holds);
      if (special !== undefined) return special;
    }
    return this.#ofTerm(this.term(node, scope), holds);
  }

  /** A term of type boolean as a condition. */
  #ofTerm(term: Term, holds: boolean): Formula {
    if (term.kind === "constant" || term.kind === "null") return this.#truth(term, holds);
    if (term.kind === "choice") return or(...term.cases.map(({ when, then }) => and(when, this.#ofTerm(then, holds))));
    if (term.kind === "query") return someRow(term.query, (target) => this.#ofTerm(target, holds));
    if (term.kind === "claim" && holds) return equal(term, { kind: "constant", value: "true" });
    // A boolean is compared, so that a test of the same column with the other value is its opposite.
    if (term.kind === "column") return equal(term, { kind: "constant", value: String(holds) });
    return holds ? test(show(term)) : isNot(show(term));
  }

  #truth(term: Term, holds: boolean): Formula {
    if (term.kind !== "constant") return FALSE;
    if (/^(t|true|y|yes|on|1)$/i.test(term.value)) return holds ? TRUE : FALSE;
    return !holds || !/^(f|false|n|no|off|0)$/i.test(term.value) ? TRUE : FALSE;
  }

  #nullTest(term: Term, isNull: boolean): Formula {
    if (term.kind === "null") return isNull ? TRUE : FALSE;
    if (term.kind === "constant") return isNull ? FALSE : TRUE;
    if (term.kind === "column") {
      const column = this.relations.get(term.table)?.columns.find(({ name }) => name === term.name);
      if (column?.notNull === true) return isNull ? FALSE : TRUE;
    }
    return test(`${show(term)} is ${isNull ? "" : "not "}null`);
  }

  #booleanTest(
    { arg, booltesttype = "" }: { readonly arg?: Node; readonly booltesttype?: string },
    scope: Scope,
    holds: boolean,
  ): Formula {
    if (arg === undefined) return test("is");
    const [, negated, what] = /^IS_(NOT_)?(TRUE|FALSE|UNKNOWN)$/.exec(booltesttype) ?? [];
    const is = (negated === undefined) === holds;
    if (what === "UNKNOWN") return this.#nullTest(this.term(arg, scope), is);
    if (is) return this.#formula(arg, scope, what === "TRUE");
    // It is the opposite, or null.
    this.#weakened = true;
    return or(this.#formula(arg, scope, what !== "TRUE"), test(`${show(this.term(arg, scope))} is null`));
  }

  #cases(node: Extract<Node, { CaseExpr: unknown }>, scope: Scope): { when: Formula; then: Node }[] {
    const { arg, args = [], defresult } = node.CaseExpr;
    const cases: { when: Formula; then: Node }[] = [];
    const others: Formula[] = [];
    for (const each of args) {
      if (!("CaseWhen" in each) || each.CaseWhen.expr === undefined || each.CaseWhen.result === undefined) continue;
      const { expr, result } = each.CaseWhen;
      const when = arg === undefined ? this.holds(expr, scope) : equal(this.term(arg, scope), this.term(expr, scope));
      cases.push({ when: and(...others, when), then: result });
      others.push(isNot(show(arg === undefined ? this.term(expr, scope) : this.term(arg, scope))));
    }
    if (defresult !== undefined) cases.push({ when: and(...others), then: defresult });
    return cases;
  }

  #comparison(expression: A_Expr, scope: Scope, holds: boolean): Formula {
    const { kind, lexpr, rexpr } = expression;
    const operator = operatorOf(expression);
    if (operator === undefined || lexpr === undefined || rexpr === undefined)
      return test(show(opaque("an operator of the project")));
    switch (kind) {
      case "AEXPR_OP": {
        if (operator === "=" || operator === "<>")
          return this.#equality(lexpr, rexpr, scope, (operator === "=") === holds);
        const [left, right] = [this.term(lexpr, scope), this.term(rexpr, scope)];
        const known = holds ? containment(operator, left, right) : undefined;
        return known ?? this.#ofTerm(this.#operation(expression, scope), holds);
      }
      case "AEXPR_IN": {
        const equals = (operator === "=") === holds;
        const left = this.term(lexpr, scope);
        const items = "List" in rexpr ? (rexpr.List.items ?? []).map((item) => this.term(item, scope)) : [];
        return equals
          ? or(...items.map((item) => equal(left, item)))
          : isNot(`${show(left)} in (${items.map(show).join(", ")})`);
      }
      case "AEXPR_OP_ANY":
      case "AEXPR_OP_ALL": {
        const any = kind === "AEXPR_OP_ANY";
        const [left, right] = [this.term(lexpr, scope), this.term(rexpr, scope)];
        if (any === holds && operator === (any ? "=" : "<>")) return memberOf(left, right);
        return test(`${holds ? "" : "not "}${show(left)} ${operator} ${any ? "any" : "all"} (${show(right)})`);
      }
      case "AEXPR_DISTINCT":
      case "AEXPR_NOT_DISTINCT": {
        const [left, right] = [this.term(lexpr, scope), this.term(rexpr, scope)];
        if ((kind === "AEXPR_NOT_DISTINCT") === holds)
          return or(equal(left, right), and(this.#nullTest(left, true), this.#nullTest(right, true)));
        return test(`${show(left)} is distinct from ${show(right)}`);
      }
      case "AEXPR_LIKE":
        return (
          (holds ? containment(operator, this.term(lexpr, scope), this.term(rexpr, scope)) : undefined) ??
          this.#ofTerm(call(operator, [this.term(lexpr, scope), this.term(rexpr, scope)], false), holds)
        );
      default:
        return this.#ofTerm(
          opaque(`${kind ?? ""} ${operator}`, this.term(lexpr, scope), this.term(rexpr, scope)),
          holds,
        );
    }
  }

  #equality(lexpr: Node, rexpr: Node, scope: Scope, equals: boolean): Formula {
    // A comparison of a condition with true or false is the condition.
    for (const [one, other] of [
      [lexpr, rexpr],
      [rexpr, lexpr],
    ] as const) {
      const value = booleanOf(one);
      if (value !== undefined) return this.#formula(other, scope, value === equals);
    }
    const [left, right] = [this.term(lexpr, scope), this.term(rexpr, scope)];
    if (equals) {
      for (const [one, other] of [
        [left, right],
        [right, left],
      ] as const)
        if (one.kind === "count" && other.kind === "constant") return countAtLeast(one.query, Number(other.value));
      return equal(left, right);
    }
    if (left.kind === "constant" && right.kind === "constant") return left.value === right.value ? FALSE : TRUE;
    if (left.kind === "count" && right.kind === "constant" && right.value === "0") return countAtLeast(left.query, 1);
    return test(`${show(left)} <> ${show(right)}`);
  }

  #subLink({ subLinkType, testexpr, operName, subselect }: SubLink, scope: Scope, holds: boolean): Formula {
    const select = selectOf(subselect);
    if (select === undefined) return test("a subquery");
    if (subLinkType === "EXPR_SUBLINK")
      return this.#ofRows(this.#selects.rowsOf(select, scope), (target, inner) => this.#formula(target, inner, holds));
    if (holds && subLinkType === "EXISTS_SUBLINK") return this.#ofRows(this.#selects.rowsOf(select, scope), () => TRUE);
    const operator = operName?.map(nameIn).join(".") ?? "=";
    if (holds && subLinkType === "ANY_SUBLINK" && operator === "=" && testexpr !== undefined) {
      const left = this.term(testexpr, scope);
      return someRow(this.queryOf(select, scope), (target, { targets }) =>
        equal(left, left.kind === "tuple" ? { kind: "tuple", items: targets.map(({ term }) => term) } : target),
      );
    }
    this.#weakened = true;
    return test(
      `${holds ? "" : "not "}${(subLinkType ?? "").replace("_SUBLINK", "").toLowerCase()} (${this.#shown(select, scope)})`,
    );
  }

  /** A subquery that is not understood in its place, for a message. */
  #shown(select: SelectStmt, scope: Scope): string {
    const tables = this.queryOf(select, scope).flatMap(({ condition }) =>
      condition === TRUE ? [] : [show({ kind: "query", query: [{ condition, targets: [] }] })],
    );
    return tables.join(" union ");
  }

  #ofRows(rows: readonly Rows[], condition: (target: Node, scope: Scope) => Formula): Formula {
    return or(
      ...rows.map((row) => {
        const target = row.targets[0]?.node;
        return and(row.condition, target === undefined ? TRUE : condition(target, row.scope));
      }),
    );
  }

  /** A query as values. */
  queryOf(select: SelectStmt, scope: Scope): Query {
    return this.#selects.rowsOf(select, scope).map(({ condition, scope: inner, targets }) => ({
      condition,
      targets: targets.map(({ name, node }) => ({ name, term: this.term(node, inner) })),
    }));
  }

  #booleanCall(expression: FuncCall, scope: Scope, holds: boolean): Formula | undefined {
    const name = (expression.funcname ?? []).map(nameIn).at(-1) ?? "";
    if (scope.aggregated !== undefined && name === "bool_or" && holds && expression.args?.[0] !== undefined) {
      const [arg] = expression.args;
      return or(...scope.aggregated.map((rows) => and(rows.condition, this.holds(arg, rows.scope))));
    }
    if (name === "starts_with" && holds && expression.args?.length === 2) {
      const [of, by] = expression.args.map((arg) => this.term(arg, scope));
      const prefix =
        by === undefined
          ? undefined
          : (prefixOf(by) ?? (by.kind === "claim" && by.path.join() === "sub" ? by : undefined));
      if (of !== undefined && prefix !== undefined) return atom({ kind: "prefix", of, prefix });
    }
    const inlined = this.#inline(expression, scope);
    if (inlined === undefined) return undefined;
    return this.#ofRows(this.#selects.rowsOf(inlined.select, inlined.scope), (target, inner) =>
      this.#formula(target, inner, holds),
    );
  }

  /** The value of an expression. */
  term(node: Node, scope: Scope): Term {
    if ("ColumnRef" in node) {
      const fields = (node.ColumnRef.fields ?? []).map(nameIn);
      return lookUp(scope, fields) ?? opaque(fields.join("."));
    }
    if ("ParamRef" in node) {
      const name = `$${node.ParamRef.number ?? 0}`;
      return lookUp(scope, [name]) ?? opaque(name);
    }
    if ("A_Const" in node) return constantOf(node.A_Const);
    if ("TypeCast" in node) return this.#cast(node.TypeCast, scope);
    if ("FuncCall" in node) return this.#call(node.FuncCall, scope);
    if ("A_Expr" in node) return this.#operation(node.A_Expr, scope);
    if ("CollateClause" in node && node.CollateClause.arg !== undefined)
      return this.term(node.CollateClause.arg, scope);
    if ("CoalesceExpr" in node)
      return this.#coalesce((node.CoalesceExpr.args ?? []).map((arg) => this.term(arg, scope)));
    if ("CaseExpr" in node)
      return {
        kind: "choice",
        cases: this.#cases(node, scope).map(({ when, then }) => ({ when, then: this.term(then, scope) })),
      };
    if ("A_ArrayExpr" in node)
      return { kind: "array", items: (node.A_ArrayExpr.elements ?? []).map((item) => this.term(item, scope)) };
    if ("RowExpr" in node)
      return { kind: "tuple", items: (node.RowExpr.args ?? []).map((item) => this.term(item, scope)) };
    if ("SQLValueFunction" in node)
      return /^SVFOP_(CURRENT_USER|CURRENT_ROLE|USER)$/.test(node.SQLValueFunction.op ?? "")
        ? scope.definer === true
          ? opaque("current_user")
          : { kind: "constant", value: this.role }
        : opaque((node.SQLValueFunction.op ?? "").replace("SVFOP_", "").toLowerCase());
    if ("A_Indirection" in node && node.A_Indirection.arg !== undefined) {
      const base = this.term(node.A_Indirection.arg, scope);
      return (node.A_Indirection.indirection ?? []).reduce<Term>((term, index) => {
        if (!("A_Indices" in index) || index.A_Indices.is_slice === true || index.A_Indices.uidx === undefined)
          return opaque("a part", term);
        const key = this.term(index.A_Indices.uidx, scope);
        return this.#keyed(term, key) ?? call("[]", [term, key], true);
      }, base);
    }
    if ("SubLink" in node) {
      const { subLinkType, subselect } = node.SubLink;
      const select = selectOf(subselect);
      if (select !== undefined && subLinkType === "EXPR_SUBLINK") return this.#scalar(select, scope);
      if (select !== undefined && subLinkType === "ARRAY_SUBLINK")
        return { kind: "rows", query: this.queryOf(select, scope) };
      return opaque(showNode(node, this, scope));
    }
    if ("BoolExpr" in node) {
      const { boolop = "", args = [] } = node.BoolExpr;
      const terms = args.map((arg) => this.term(arg, scope));
      return boolop === "NOT_EXPR"
        ? opaque("not", ...terms)
        : opaque(boolop.replace("_EXPR", "").toLowerCase(), ...terms);
    }
    if ("NullTest" in node && node.NullTest.arg !== undefined)
      return opaque(
        node.NullTest.nulltesttype === "IS_NULL" ? "isnull" : "notnull",
        this.term(node.NullTest.arg, scope),
      );
    return opaque(Object.keys(node)[0] ?? "an expression");
  }

  /** A subquery in the place of a value: without a table, it is the value itself. */
  #scalar(select: SelectStmt, scope: Scope): Term {
    const query = this.queryOf(select, scope);
    const [only] = query;
    const all = select.limitCount === undefined && select.limitOffset === undefined;
    if (all && query.length === 1 && only?.condition === TRUE && only.targets[0] !== undefined)
      return only.targets[0].term;
    return { kind: "query", query };
  }

  #cast(cast: TypeCast, scope: Scope): Term {
    if (cast.arg === undefined) return opaque("cast");
    const term = this.term(cast.arg, scope);
    const type = typeOf(cast);
    if (term.kind === "constant" && (type === "json" || type === "jsonb"))
      return { kind: "constant", value: /^"([^"\\\\]*)"$/.exec(term.value)?.[1] ?? term.value };
    if (term.kind === "constant" || term.kind === "null") return term;
    if (type === undefined || (cast.typeName?.typmods ?? []).length > 0) return opaque("cast", term);
    if (cast.typeName?.arrayBounds !== undefined) return SAME.has(type) ? term : call(`${type}[]`, [term], true);
    if (SAME.has(type)) return term;
    if (term.kind === "claim" && (NUMBERS.has(type) || type === "bool")) return term;
    return call(type, [term], true);
  }

  #coalesce(args: readonly Term[]): Term {
    const terms = args.filter((term, at) => at === 0 || show(term) !== show(args[0] ?? term));
    const [first] = terms;
    if (first === undefined) return { kind: "null" };
    // Claims without a token are an empty object, whose keys are null.
    const rest = terms
      .slice(1)
      .filter((term) => !(first.kind === "claim" && term.kind === "constant" && /^(\{\})?$/.test(term.value)));
    if (rest.length === 0) return first;
    if (terms.every(isPure)) return call("coalesce", terms, true);
    return {
      kind: "choice",
      cases: [first, ...rest].map((term, at) => ({
        when: and(...[first, ...rest].slice(0, at).map((earlier) => this.#nullTest(earlier, true))),
        then: term,
      })),
    };
  }

  #operation(expression: A_Expr, scope: Scope): Term {
    const { kind, lexpr, rexpr } = expression;
    const operator = operatorOf(expression);
    const left = lexpr === undefined ? undefined : this.term(lexpr, scope);
    const right = rexpr === undefined ? undefined : this.term(rexpr, scope);
    if (operator === undefined || right === undefined) return opaque("an operator of the project");
    if (kind === "AEXPR_NULLIF" && left !== undefined) {
      // It is the value, or null, which equals nothing.
      this.#weakened ||= left.kind !== "claim";
      return left;
    }
    const args = left === undefined ? [right] : [left, right];
    if (kind !== "AEXPR_OP") return opaque(`${(kind ?? "").replace("AEXPR_", "").toLowerCase()} ${operator}`, ...args);
    if (left !== undefined) {
      if (operator === "||" && left.kind === "constant" && right.kind === "constant")
        return { kind: "constant", value: left.value + right.value };
      if (operator === "->" || operator === "->>") {
        const found = this.#keyed(left, right);
        if (found !== undefined) return found;
      }
      if (
        (operator === "#>" || operator === "#>>") &&
        left.kind === "claim" &&
        right.kind !== "constant" &&
        right.kind !== "array"
      )
        return opaque(operator, ...args);
      if ((operator === "#>" || operator === "#>>") && left.kind === "claim") {
        const keys =
          right.kind === "constant"
            ? /^\{.*\}$/.test(right.value)
              ? right.value
                  .slice(1, -1)
                  .split(",")
                  .map((key) => key.trim().replaceAll('"', ""))
              : []
            : right.kind === "array"
              ? right.items.map((item) => (item.kind === "constant" ? item.value : ""))
              : [];
        if (keys.length > 0 && !keys.includes("")) return this.#claim([...left.path, ...keys]);
      }
    }
    return call(operator, args, true);
  }

  #call(expression: FuncCall, scope: Scope): Term {
    const names = (expression.funcname ?? []).map(nameIn);
    const name = names.at(-1) ?? "";
    const builtIn = names.length === 1 || names[0] === "pg_catalog";
    const args = (expression.args ?? []).map((arg) => this.term(arg, scope));
    if (expression.over !== undefined) return opaque(name, ...args);
    if (builtIn && this.isAggregate(name)) return this.#aggregate(expression, name, scope);
    const inlined = this.#inline(expression, scope);
    if (inlined !== undefined) {
      const value = this.#scalar(inlined.select, inlined.scope);
      if (!inlined.routine.strict || value.kind === "query" || value.kind === "claim") return value;
      const condition = test(`${args.map(show).join(", ")} is not null`);
      return { kind: "query", query: [{ condition, targets: [{ name, term: value }] }] };
    }
    this.#distrustCall(names, args.length, scope);
    if (!builtIn) {
      const own = this.routinesNamed(names, args.length, scope).some((routine) => routine.own);
      return call(names.join("."), args, STORAGE.has(names.join(".")) && !own);
    }
    if (this.routinesNamed(names, args.length, scope).length > 0 && !this.#isOfCatalog(names, scope))
      return opaque(name, ...args);
    if (name === "current_setting" && args[0]?.kind === "constant") {
      const setting = args[0].value;
      if (setting === "request.jwt.claims") return { kind: "claim", path: [] };
      const claim = /^request\.jwt\.claim\.(\w+)$/.exec(setting)?.[1];
      if (claim !== undefined) return this.#claim([claim]);
    }
    if (
      /^jsonb?_extract_path(_text)?$/.test(name) &&
      args[0]?.kind === "claim" &&
      args.slice(1).every((arg) => arg.kind === "constant")
    )
      return this.#claim([...args[0].path, ...args.slice(1).map((arg) => (arg.kind === "constant" ? arg.value : ""))]);
    return call(name, args, this.#pure.has(name));
  }

  /** Notes a call that can change what later calls of the same condition read. */
  #distrustCall(names: readonly string[], count: number, scope: Scope): void {
    const writes =
      names.at(-1) === "set_config" ||
      this.routinesNamed(names, count, scope).some((routine) => this.#writers.has(routine.name));
    if (writes) this.#distrusted = names.join(".");
  }

  #isOfCatalog(names: readonly string[], scope: Scope): boolean {
    return names.length === 1 && this.#pure.has(names[0] ?? "") && !scope.path.includes("pg_catalog");
  }

  #aggregate({ args = [], agg_filter: filter }: FuncCall, name: string, scope: Scope): Term {
    if (scope.aggregated === undefined) return opaque(name);
    const [arg] = args;
    const query = scope.aggregated.map((rows) => ({
      condition: and(rows.condition, filter === undefined ? TRUE : this.holds(filter, rows.scope)),
      targets: arg === undefined ? [] : [{ name, term: this.term(arg, rows.scope) }],
    }));
    if (name === "count") return { kind: "count", query };
    if (name === "array_agg") return { kind: "rows", query };
    if (name === "max" || name === "min") return { kind: "query", query };
    return opaque(name, ...query.flatMap(({ targets }) => targets.map(({ term }) => term)));
  }

  /** Functions that a name may mean. */
  routinesNamed(names: readonly string[], count: number, scope: Scope): readonly Routine[] {
    const schemas = names.length > 1 ? [names[0] ?? ""] : scope.path;
    for (const schema of schemas) {
      const found = (this.#routines.get(`${schema}.${names.at(-1) ?? ""}`) ?? []).filter(
        (routine) => routine.parameters.length >= count,
      );
      if (found.length > 0) return found;
    }
    return [];
  }

  /** The query of a function, with its arguments. Undefined if the function cannot be inlined. */
  #inline(
    { funcname = [], args = [], func_variadic: variadic }: FuncCall,
    scope: Scope,
  ): { select: SelectStmt; scope: Scope; routine: Routine } | undefined {
    const names = funcname.map(nameIn);
    if (names.length === 1 && !scope.path.includes("pg_catalog") && this.#pure.has(names[0] ?? "")) return undefined;
    const [routine, ...overloads] = this.routinesNamed(names, args.length, scope);
    if (routine === undefined || overloads.length > 0 || routine.parameters.length !== args.length) return undefined;
    if (routine.configured) return undefined;
    if (scope.depth >= this.deepest || variadic === true || this.#ownOperators) return undefined;
    if (args.some((arg) => "NamedArgExpr" in arg)) return undefined;
    const select = bodyOf(routine);
    if (select === undefined) return undefined;
    const parameters = new Map<string, Term>();
    args.forEach((arg, at) => {
      const term = this.term(arg, scope);
      const name = routine.parameters[at] ?? "";
      parameters.set(`$${at + 1}`, term);
      if (name !== "") parameters.set(name, term).set(`${routine.name.replace(/^.*\./, "")}.${name}`, term);
    });
    const path = (routine.searchPath ?? "public, extensions")
      .split(",")
      .map((schema) => schema.trim().replaceAll('"', ""));
    return {
      select,
      routine,
      scope: {
        sources: [],
        parameters,
        path: path.filter((schema) => schema !== ""),
        depth: scope.depth + 1,
        definer: routine.definer || scope.definer === true,
      },
    };
  }

  /** A claim of the token. PostgREST takes the role of the request from the token, so that claim is known. */
  #claim(path: ClaimPath): Term {
    return path.join() === "role" ? { kind: "constant", value: this.role } : { kind: "claim", path };
  }

  /** A key of the claims. */
  #keyed(term: Term, key: Term): Term | undefined {
    if (term.kind !== "claim") return undefined;
    return key.kind === "constant" ? this.#claim([...term.path, key.value]) : opaque("a claim", term, key);
  }

  /** A function of FROM. */
  functionQuery(expression: FuncCall, scope: Scope): { query: Query; routine: Routine } | undefined {
    const inlined = this.#inline(expression, scope);
    return inlined === undefined
      ? undefined
      : { query: this.queryOf(inlined.select, inlined.scope), routine: inlined.routine };
  }

  isAggregate(name: string): boolean {
    return this.#aggregates.has(name);
  }

  /** The scope of a policy: the row of a table. */
  rowScope(table: string, path: readonly string[] = []): Scope {
    const columns = new Map(
      (this.relations.get(table)?.columns ?? []).map(({ name }): [string, Term] => [
        name,
        { kind: "column", of: 0, table, name },
      ]),
    );
    return within({ sources: [], path, depth: 0 }, [{ alias: table.replace(/^.*?\./, ""), columns }]);
  }
}

function isNot(text: string): Formula {
  return test(`not (${text})`);
}

/** `count(*) = 0` holds without a row; any larger number needs one. */
function countAtLeast(query: Query, count: number): Formula {
  return count >= 1 ? someRow(query) : test("count = 0");
}

/** What follows from an operator other than `=`. */
function containment(operator: string, left: Term, right: Term): Formula | undefined {
  if (left.kind === "count" && right.kind === "constant") {
    const least = operator === ">" ? Number(right.value) + 1 : operator === ">=" ? Number(right.value) : 0;
    return least >= 1 ? someRow(left.query) : undefined;
  }
  const prefix = operator === "~~" ? prefixOf(right) : undefined;
  if (prefix !== undefined) return atom({ kind: "prefix", of: left, prefix });
  if (operator === "?") return atom({ kind: "member", item: right, of: left });
  const [all, some] = operator === "@>" ? [left, right] : operator === "<@" ? [right, left] : [];
  if (all !== undefined && some?.kind === "array" && some.items.length > 0)
    return and(...some.items.map((item) => memberOf(item, all)));
  if (operator === "&&" && right.kind === "array") return or(...right.items.map((item) => memberOf(item, left)));
  if (operator === "&&" && left.kind === "array") return or(...left.items.map((item) => memberOf(item, right)));
  return undefined;
}

/** The identifier of a person at the start of a pattern. Its length is fixed, so that it is the prefix of no other one. */
function prefixOf(pattern: Term): Term | undefined {
  if (pattern.kind !== "call" || pattern.name !== "||") return undefined;
  const [left] = pattern.args;
  if (left === undefined) return undefined;
  return left.kind === "claim" && left.path.join() === "sub" ? left : prefixOf(left);
}

function booleanOf(node: Node): boolean | undefined {
  if (
    "TypeCast" in node &&
    node.TypeCast.arg !== undefined &&
    typeOf(node.TypeCast) === "bool" &&
    "A_Const" in node.TypeCast.arg
  ) {
    const value = constantOf(node.TypeCast.arg.A_Const);
    return value.kind === "constant" ? /^(t|true|yes|on|1)$/i.test(value.value) : undefined;
  }
  return "A_Const" in node && node.A_Const.boolval !== undefined ? node.A_Const.boolval.boolval === true : undefined;
}

function constantOf({ isnull, sval, ival, fval, boolval, bsval }: A_Const): Term {
  if (isnull === true) return { kind: "null" };
  if (sval !== undefined) return { kind: "constant", value: sval.sval ?? "" };
  if (boolval !== undefined) return { kind: "constant", value: String(boolval.boolval === true) };
  if (fval !== undefined) return { kind: "constant", value: fval.fval ?? "" };
  if (bsval !== undefined) return { kind: "constant", value: bsval.bsval ?? "" };
  return { kind: "constant", value: String(ival?.ival ?? 0) };
}

/** A type of pg_catalog. */
function typeOf({ typeName }: TypeCast): string | undefined {
  const names = (typeName?.names ?? []).map(nameIn);
  return names.length === 1 || names[0] === "pg_catalog" ? names.at(-1) : undefined;
}

/** An operator of pg_catalog. */
function operatorOf({ name = [] }: A_Expr): string | undefined {
  const names = name.map(nameIn);
  return names.length === 1 || names[0] === "pg_catalog" ? names.at(-1) : undefined;
}

function nameIn(node: Node): string {
  if ("String" in node) return node.String.sval ?? "";
  return "A_Star" in node ? "*" : "";
}

function showNode(node: Node, translator: Translator, scope: Scope): string {
  if (!("SubLink" in node)) return "";
  const select = selectOf(node.SubLink.subselect);
  if (select === undefined) return "a subquery";
  return `${(node.SubLink.subLinkType ?? "").replace("_SUBLINK", "").toLowerCase()}(${show({ kind: "query", query: translator.queryOf(select, scope) })})`;
}
