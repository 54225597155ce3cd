import type { A_Expr, FuncCall, Node, SelectStmt, SubLink } from "libpg-query";
import { selectOf } from "./bodies.ts";
import { containment, countAtLeast, equal, memberOf, prefixOf } from "./equality.ts";
import { booleanOf, constantOf, nameIn, operatorOf, truthOf, typeOf } from "./nodes.ts";
import { DEEPEST, Routines } from "./routines.ts";
import type { Relation, Routine, Schema } from "./schema.ts";
import { within, type Rows, type Scope } from "./scope.ts";
import { Selects, type Expressions } from "./selects.ts";
import {
  and,
  atom,
  call,
  FALSE,
  opaque,
  or,
  show,
  showFormula,
  someRow,
  test,
  TRUE,
  type Formula,
  type Query,
  type Term,
} from "./terms.ts";
import { Values } from "./values.ts";

// cspell:ignore boolop booltesttype nulltesttype subselect testexpr lexpr rexpr sval ival fval boolval typmods funcname uidx defresult SVFOP AEXPR bsval oper

/**
 * Turns SQL conditions into formulas, for one role of the API. Functions, views and queries are inlined down to tables and to
 * the claims of the token, so that no name is trusted: `auth.uid()` is what its body says.
 *
 * The formula follows from the condition and may be weaker: what is not understood becomes a test that ties nothing.
 */
export class Translator implements Expressions {
  readonly deepest = DEEPEST;
  readonly relations: ReadonlyMap<string, Relation>;
  readonly #routines: Routines;
  readonly #values: Values;
  readonly #selects: Selects;
  #weakened = false;
  #distrusted: string | undefined;

  constructor(schema: Schema, role: string) {
    this.relations = new Map(schema.relations.map((relation) => [relation.name, relation]));
    this.#routines = new Routines(schema);
    this.#values = new Values(this, this.#routines, role);
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
      return this.isNull(this.term(node.NullTest.arg, scope), isNull);
    }
    if ("CoalesceExpr" in node) {
      const { args = [] } = node.CoalesceExpr;
      return or(
        ...args.map((arg, at) =>
          and(
            ...args.slice(0, at).map((earlier) => this.isNull(this.term(earlier, scope), true)),
            this.#formula(arg, scope, holds),
          ),
        ),
      );
    }
    if ("CaseExpr" in node)
      return or(...this.cases(node, scope).map(({ when, then }) => and(when, this.#formula(then, scope, holds))));
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
    return truthOf(term.value) === !holds ? FALSE : TRUE;
  }

  /** What follows if a value is null, or is not. */
  isNull(term: Term, isNull: boolean): Formula {
    if (term.kind === "null") return isNull ? TRUE : FALSE;
    if (term.kind === "constant") return isNull ? FALSE : TRUE;
    if (term.kind === "column") {
      const column = this.relations.get(term.table)?.columns.find(({ name }) => name === term.name);
      if (column?.notNull === true) return isNull ? FALSE : TRUE;
    }
    // A value of a query comes from one of its rows.
    if (term.kind === "query" && !isNull) return someRow(term.query, (target) => this.isNull(target, false));
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
    if (what === "UNKNOWN") return this.isNull(this.term(arg, scope), is);
    if (is) return this.#formula(arg, scope, what === "TRUE");
    // It is the opposite, or null.
    this.#weakened = true;
    return or(this.#formula(arg, scope, what !== "TRUE"), test(`${show(this.term(arg, scope))} is null`));
  }

  /** The branches of CASE: each holds if no earlier one does. */
  cases(node: Extract<Node, { CaseExpr: unknown }>, scope: Scope): { when: Formula; then: Node }[] {
    const { arg, args = [], defresult } = node.CaseExpr;
    const cases: { when: Formula; then: Node }[] = [];
    const others: Formula[] = [];
    for (const each of args) {
      if (!("CaseWhen" in each) || each.CaseWhen.expr === undefined || each.CaseWhen.result === undefined) continue;
      const { expr, result } = each.CaseWhen;
      const when = arg === undefined ? this.holds(expr, scope) : equal(this.term(arg, scope), this.term(expr, scope));
      cases.push({ when: and(...others, when), then: result });
      const shown = show(this.term(expr, scope));
      others.push(isNot(arg === undefined ? shown : `${show(this.term(arg, scope))} = ${shown}`));
    }
    if (defresult !== undefined) cases.push({ when: and(...others), then: defresult });
    return cases;
  }

  #comparison(expression: A_Expr, scope: Scope, holds: boolean): Formula {
    const { kind, lexpr, rexpr } = expression;
    const operator = operatorOf(expression);
    if (operator === undefined || lexpr === undefined || rexpr === undefined)
      return this.#ofTerm(this.#values.operation(expression, scope), holds);
    switch (kind) {
      case "AEXPR_OP": {
        if (operator === "=" || operator === "<>")
          return this.#equality(lexpr, rexpr, scope, (operator === "=") === holds);
        const [left, right] = [this.term(lexpr, scope), this.term(rexpr, scope)];
        const known = holds ? containment(operator, left, right) : undefined;
        return known ?? this.#ofTerm(this.#values.operation(expression, scope), holds);
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
          return or(equal(left, right), and(this.isNull(left, true), this.isNull(right, true)));
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
    const tables = this.queryOf(select, scope).map(({ condition }) => showFormula(condition));
    return test(
      `${holds ? "" : "not "}${(subLinkType ?? "").replace("_SUBLINK", "").toLowerCase()} (${tables.join(" union ")})`,
    );
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
    const inlined = this.#values.inline(expression, scope);
    if (inlined === undefined) return undefined;
    return this.#ofRows(this.#selects.rowsOf(inlined.select, inlined.scope), (target, inner) =>
      this.#formula(target, inner, holds),
    );
  }

  /** The value of an expression. */
  term(node: Node, scope: Scope): Term {
    return this.#values.term(node, scope);
  }

  /** A function of FROM. */
  functionQuery(expression: FuncCall, scope: Scope): { query: Query; routine: Routine } | undefined {
    const inlined = this.#values.inline(expression, scope);
    if (inlined === undefined) this.#values.note(expression, scope);
    return inlined === undefined
      ? undefined
      : { query: this.queryOf(inlined.select, inlined.scope), routine: inlined.routine };
  }

  isAggregate(name: string): boolean {
    return this.#routines.isAggregate(name);
  }

  /** See {@link Routines.isEnum}. */
  isEnum(names: readonly string[], path: readonly string[]): boolean {
    return this.#routines.isEnum(names, path);
  }

  distrust(name: string): void {
    this.#distrusted = name;
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
