import type { FuncCall, SelectStmt } from "libpg-query";
import { bodyOf, claimWriters } from "./bodies.ts";
import { nameIn } from "./nodes.ts";
import type { Routine, Schema } from "./schema.ts";
import type { Scope } from "./scope.ts";
import { unknown, type Term } from "./terms.ts";

/** The schemas of a search_path. */
export function schemasOf(searchPath: string): readonly string[] {
  return searchPath
    .split(",")
    .map((each) => each.trim().replaceAll('"', ""))
    .filter((each) => each !== "");
}

/** Functions and views are inlined to this depth; a deeper call is not understood. */
export const DEEPEST = 16;
/** Functions of Supabase's storage schema that depend on their argument alone. */
const STORAGE = new Set(["storage.foldername", "storage.filename", "storage.extension"]);

/** A call of a function in the place of its body. */
export interface Inlined {
  readonly select: SelectStmt;
  readonly scope: Scope;
  readonly routine: Routine;
}

/** The functions of a database: which one a call means, and what it does. */
export class Routines {
  readonly #routines: ReadonlyMap<string, readonly Routine[]>;
  readonly #builtIn: ReadonlyMap<string, "immutable" | "stable" | "volatile">;
  readonly #aggregates: ReadonlySet<string>;
  readonly #writers: ReadonlySet<string>;
  readonly #ownOperators: boolean;
  readonly #enums: ReadonlySet<string>;

  constructor(schema: Schema) {
    this.#routines = Map.groupBy(schema.routines, ({ name }) => name);
    this.#builtIn = new Map(schema.builtIn.map(({ name, volatility }) => [name, volatility]));
    this.#aggregates = new Set(schema.aggregates);
    this.#writers = claimWriters(schema.routines);
    this.#ownOperators = schema.ownOperators;
    this.#enums = new Set(schema.enums);
  }

  isAggregate(name: string): boolean {
    return this.#aggregates.has(name);
  }

  /** Whether a type is an enumeration whose values are their texts. */
  isEnum(names: readonly string[], path: readonly string[]): boolean {
    const [schema] = names.length > 1 ? names : [];
    const name = names.at(-1) ?? "";
    return (schema === undefined ? path : [schema]).some((each) => this.#enums.has(`${each}.${name}`));
  }

  /** What a call depends on. `unknown`: it is not clear which function it means, or the function is the project's. */
  volatilityOf(names: readonly string[], count: number, scope: Scope): "immutable" | "stable" | "volatile" | "unknown" {
    const own = this.#named(names, count, scope);
    if (STORAGE.has(names.join(".")) && own.every((routine) => !routine.own)) return "immutable";
    const name = this.#nameOfCatalog(names);
    return own.length > 0 || name === undefined ? "unknown" : (this.#builtIn.get(name) ?? "unknown");
  }

  /** Whether a call can change the claims that later calls read. A function that is not known may do that. */
  writes(names: readonly string[], count: number, scope: Scope): boolean {
    const own = this.#named(names, count, scope);
    if (own.some((routine) => this.#writers.has(routine.name))) return true;
    const name = this.#nameOfCatalog(names);
    return name === undefined ? own.length === 0 && !STORAGE.has(names.join(".")) : name === "set_config";
  }

  /** The body of a function, with its arguments. Undefined if it cannot be inlined. */
  inline(
    call: FuncCall,
    scope: Scope,
    term: (node: NonNullable<FuncCall["args"]>[number]) => Term,
  ): Inlined | undefined {
    const { funcname = [], args = [] } = call;
    const names = funcname.map(nameIn);
    const [routine, ...overloads] = this.#named(names, args.length, scope);
    if (routine === undefined || overloads.length > 0 || routine.parameters.length < args.length) return undefined;
    // A function of pg_catalog goes before one of the search_path, if the types fit.
    if (names.length === 1 && this.#builtIn.has(names[0] ?? "")) return undefined;
    if (routine.configured || this.#ownOperators || scope.depth >= DEEPEST) return undefined;
    if (call.func_variadic === true || args.some((arg) => "NamedArgExpr" in arg)) return undefined;
    const select = bodyOf(routine);
    if (select === undefined) return undefined;
    const parameters = new Map<string, Term>();
    args.forEach((arg, at) => {
      const value = term(arg);
      const name = routine.parameters[at] ?? "";
      parameters.set(`$${at + 1}`, value);
      if (name !== "") parameters.set(name, value).set(`${routine.name.replace(/^.*\./, "")}.${name}`, value);
    });
    // What a default is does not matter where nothing follows from it.
    routine.parameters.slice(args.length).forEach((name, at) => {
      const value = unknown(`the default of ${name}`);
      parameters.set(`$${args.length + at + 1}`, value);
      if (name !== "") parameters.set(name, value).set(`${routine.name.replace(/^.*\./, "")}.${name}`, value);
    });
    const path = schemasOf(routine.searchPath ?? "public, extensions");
    return {
      select,
      routine,
      scope: {
        sources: [],
        parameters,
        path: path.filter((each) => each !== ""),
        depth: scope.depth + 1,
        definer: routine.definer || scope.definer === true,
      },
    };
  }

  /** Functions outside of pg_catalog that a call may mean. */
  #named(names: readonly string[], count: number, scope: Scope): readonly Routine[] {
    for (const schema of names.length > 1 ? [names[0] ?? ""] : scope.path) {
      const all = this.#routines.get(`${schema}.${names.at(-1) ?? ""}`) ?? [];
      const found = all.filter((routine) => routine.parameters.length >= count);
      if (found.length > 0) return found;
    }
    return [];
  }

  #nameOfCatalog(names: readonly string[]): string | undefined {
    return names.length === 1 || names[0] === "pg_catalog" ? names.at(-1) : undefined;
  }
}
