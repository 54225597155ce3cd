import type { A_Expr, FuncCall, Node, SelectStmt, TypeCast } from "libpg-query";
import { selectOf } from "./bodies.ts";
import { constantOf, nameIn, operatorOf, typeOf } from "./nodes.ts";
import type { Inlined, Routines } from "./routines.ts";
import { lookUp, type Scope } from "./scope.ts";
import {
  and,
  call,
  isPure,
  opaque,
  show,
  test,
  TRUE,
  unknown,
  type ClaimPath,
  type Formula,
  type Query,
  type Term,
} from "./terms.ts";

// cspell:ignore boolop nulltesttype subselect lexpr lidx rexpr typmods funcname uidx SVFOP AEXPR

/** Types whose values name the same thing as the text that they are cast from. */
const SAME = new Set(["text", "varchar", "uuid", "json", "jsonb"]);
const NUMBERS = new Set(["int2", "int4", "int8", "numeric"]);

/** What values need of the conditions and queries inside them. */
interface Conditions {
  holds(node: Node, scope: Scope): Formula;
  isNull(term: Term, isNull: boolean): Formula;
  cases(node: Extract<Node, { CaseExpr: unknown }>, scope: Scope): readonly { when: Formula; then: Node }[];
  queryOf(select: SelectStmt, scope: Scope): Query;
  /** A call can change the claims that other parts of the condition read. */
  distrust(name: string): void;
}

/** Turns SQL expressions into terms, for one role of the API. */
export class Values {
  readonly #conditions: Conditions;
  readonly #routines: Routines;
  readonly #role: string;

  constructor(conditions: Conditions, routines: Routines, role: string) {
    this.#conditions = conditions;
    this.#routines = routines;
    this.#role = role;
  }

  /** The value of an expression. */
  term(node: Node, scope: Scope): Term {
    if ("ColumnRef" in node) {
      const fields = (node.ColumnRef.fields ?? []).map(nameIn);
      return lookUp(scope, fields) ?? unknown(fields.join("."));
    }
    if ("ParamRef" in node) {
      const name = `$${node.ParamRef.number ?? 0}`;
      return lookUp(scope, [name]) ?? unknown(name);
    }
    if ("A_Const" in node) return constantOf(node.A_Const);
    if ("TypeCast" in node) return this.#cast(node.TypeCast, scope);
    if ("FuncCall" in node) return this.#call(node.FuncCall, scope);
    if ("A_Expr" in node) return this.operation(node.A_Expr, scope);
    if ("CollateClause" in node && node.CollateClause.arg !== undefined)
      return this.term(node.CollateClause.arg, scope);
    if ("CoalesceExpr" in node)
      return this.#coalesce((node.CoalesceExpr.args ?? []).map((arg) => this.term(arg, scope)));
    if ("CaseExpr" in node)
      return {
        kind: "choice",
        cases: this.#conditions.cases(node, scope).map(({ when, then }) => ({ when, then: this.term(then, scope) })),
      };
    if ("A_ArrayExpr" in node)
      return { kind: "array", items: (node.A_ArrayExpr.elements ?? []).map((item) => this.term(item, scope)) };
    if ("RowExpr" in node)
      return { kind: "tuple", items: (node.RowExpr.args ?? []).map((item) => this.term(item, scope)) };
    if ("SQLValueFunction" in node)
      return /^SVFOP_(CURRENT_USER|CURRENT_ROLE|USER)$/.test(node.SQLValueFunction.op ?? "")
        ? scope.definer === true
          ? opaque("current_user")
          : { kind: "constant", value: this.#role }
        : opaque((node.SQLValueFunction.op ?? "").replace("SVFOP_", "").toLowerCase());
    if ("A_Indirection" in node && node.A_Indirection.arg !== undefined) {
      const base = this.term(node.A_Indirection.arg, scope);
      return (node.A_Indirection.indirection ?? []).reduce<Term>((term, index) => {
        if (!("A_Indices" in index)) return unknown("a part", term);
        const { is_slice: slice, lidx, uidx } = index.A_Indices;
        if (slice === true) {
          const ends = [lidx, uidx].map((end): Term => (end === undefined ? { kind: "null" } : this.term(end, scope)));
          return call("[:]", [term, ...ends], true);
        }
        if (uidx === undefined) return unknown("a part", term);
        const key = this.term(uidx, scope);
        return this.#keyed(term, key) ?? call("[]", [term, key], true);
      }, base);
    }
    if ("SubLink" in node) {
      const { subLinkType, subselect } = node.SubLink;
      const select = selectOf(subselect);
      if (select !== undefined && subLinkType === "EXPR_SUBLINK") return this.scalar(select, scope);
      if (select !== undefined && subLinkType === "ARRAY_SUBLINK")
        return { kind: "rows", query: this.#conditions.queryOf(select, scope) };
      return unknown("a subquery");
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
    return unknown(Object.keys(node)[0] ?? "an expression");
  }

  /** A subquery in the place of a value: without a table, it is the value itself. */
  scalar(select: SelectStmt, scope: Scope): Term {
    const query = this.#conditions.queryOf(select, scope);
    const [only] = query;
    const all = select.limitCount === undefined && select.limitOffset === undefined;
    if (all && query.length === 1 && only?.condition === TRUE && only.targets[0] !== undefined)
      return only.targets[0].term;
    return { kind: "query", query };
  }

  #cast(cast: TypeCast, scope: Scope): Term {
    if (cast.arg === undefined) return unknown("cast");
    const term = this.term(cast.arg, scope);
    const type = typeOf(cast);
    if (
      type === undefined &&
      term.kind === "claim" &&
      this.#routines.isEnum((cast.typeName?.names ?? []).map(nameIn), scope.path)
    )
      return term;
    if (term.kind === "constant" && (type === "json" || type === "jsonb"))
      return { kind: "constant", value: /^"([^"\\\\]*)"$/.exec(term.value)?.[1] ?? term.value };
    if (term.kind === "constant" || term.kind === "null") return term;
    if (type === undefined || (cast.typeName?.typmods ?? []).length > 0) return unknown("cast", term);
    if (cast.typeName?.arrayBounds !== undefined) return SAME.has(type) ? term : call(`${type}[]`, [term], true);
    if (SAME.has(type)) return term;
    if (term.kind === "claim" && (NUMBERS.has(type) || type === "bool")) return term;
    return call(type, [term], true);
  }

  #coalesce(args: readonly Term[]): Term {
    const terms = args.filter((term, at) => at === 0 || show(term) !== show(args[0] ?? term));
    const [first] = terms;
    if (first === undefined) return { kind: "null" };
    // Without a token, the claims are an empty object, whose keys are null.
    const rest = terms.slice(1).filter((term) => !(isClaims(first) && term.kind === "constant" && term.value === "{}"));
    if (rest.length === 0) return first;
    if (terms.every(isPure)) return call("coalesce", terms, true);
    return {
      kind: "choice",
      cases: [first, ...rest].map((term, at) => ({
        when: and(...[first, ...rest].slice(0, at).map((earlier) => this.#conditions.isNull(earlier, true))),
        then: term,
      })),
    };
  }

  operation(expression: A_Expr, scope: Scope): Term {
    const { kind, lexpr, rexpr } = expression;
    const operator = operatorOf(expression);
    const left = lexpr === undefined ? undefined : this.term(lexpr, scope);
    const right = rexpr === undefined ? undefined : this.term(rexpr, scope);
    if (operator === undefined || right === undefined) return this.#ofProject();
    if (kind === "AEXPR_NULLIF" && left !== undefined) {
      // It is the value, or null, which equals nothing.
      if (
        left.kind === "claim" ||
        (left.kind === "constant" && right.kind === "constant" && right.value === "" && left.value !== "")
      )
        return left;
      const condition = test(`${show(left)} is distinct from ${show(right)}`);
      return { kind: "query", query: [{ condition, targets: [{ name: "nullif", term: left }] }] };
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
    if (expression.over !== undefined) return unknown(name, ...args);
    if (builtIn && this.#routines.isAggregate(name)) return this.#aggregate(expression, name, scope);
    const inlined = this.inline(expression, scope);
    if (inlined !== undefined) {
      const value = this.scalar(inlined.select, inlined.scope);
      if (!inlined.routine.strict || value.kind === "query" || value.kind === "claim") return value;
      const condition = test(`${args.map(show).join(", ")} is not null`);
      return { kind: "query", query: [{ condition, targets: [{ name, term: value }] }] };
    }
    this.note(expression, scope);
    const volatility = this.#routines.volatilityOf(names, args.length, scope);
    if (volatility === "volatile" || volatility === "unknown") return unknown(names.join("."), ...args);
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
    return call(names.join("."), args, volatility === "immutable");
  }

  #aggregate({ args = [], agg_filter: filter }: FuncCall, name: string, scope: Scope): Term {
    if (scope.aggregated === undefined) return unknown(name);
    const [arg] = args;
    const query = scope.aggregated.map((rows) => ({
      condition: and(rows.condition, filter === undefined ? TRUE : this.#conditions.holds(filter, rows.scope)),
      targets: arg === undefined ? [] : [{ name, term: this.term(arg, rows.scope) }],
    }));
    if (name === "count") return { kind: "count", query };
    if (name === "array_agg") return { kind: "rows", query };
    if (name === "max" || name === "min") return { kind: "query", query };
    return unknown(name);
  }

  /** A claim of the token. PostgREST takes the role of the request from the token, so that claim is known. */
  #claim(path: ClaimPath): Term {
    return path.join() === "role" ? { kind: "constant", value: this.#role } : { kind: "claim", path };
  }

  /** A key of the claims. */
  #keyed(term: Term, key: Term): Term | undefined {
    if (term.kind === "choice") {
      const cases = term.cases.map(({ when, then }) => ({ when, then: this.#keyed(then, key) }));
      return cases.every((each): each is { when: Formula; then: Term } => each.then !== undefined)
        ? { kind: "choice", cases }
        : undefined;
    }
    if (term.kind === "constant" && term.value === "{}") return { kind: "null" };
    if (term.kind !== "claim") return undefined;
    return key.kind === "constant" ? this.#claim([...term.path, key.value]) : opaque("a claim", term, key);
  }

  /** The body of a function in the place of its call. */
  inline(expression: FuncCall, scope: Scope): Inlined | undefined {
    return this.#routines.inline(expression, scope, (arg) => this.term(arg, scope));
  }

  /** Notes a call that is not inlined. */
  note({ funcname = [], args = [] }: FuncCall, scope: Scope): void {
    const names = funcname.map(nameIn);
    if (this.#routines.writes(names, args.length, scope)) this.#conditions.distrust(names.join("."));
  }

  #ofProject(): Term {
    this.#conditions.distrust("an operator of the project");
    return unknown("an operator of the project");
  }
}

function isClaims(term: Term): boolean {
  return term.kind === "claim" && term.path.length === 0;
}
