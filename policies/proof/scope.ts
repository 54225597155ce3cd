import type { Node } from "libpg-query";
import type { Formula, Term } from "./terms.ts";

/** A source of columns: an item of FROM. */
export interface Source {
  readonly alias: string;
  readonly columns: ReadonlyMap<string, Term>;
  /** Whether it has columns that are not known. */
  readonly open?: boolean;
}

/** The items of FROM, and what holds for their rows; several ones where an outer join adds rows. */
export interface Joined {
  readonly sources: readonly Source[];
  readonly condition: Formula;
}

/** What names refer to, from the innermost query outwards. */
export interface Scope {
  readonly sources: readonly Source[];
  readonly outer?: Scope | undefined;
  /** Parameters of a function that is inlined, by name, by `function.name` and as `$1`. */
  readonly parameters?: ReadonlyMap<string, Term>;
  /** Queries of WITH, by name. */
  readonly queries?: ReadonlyMap<string, (alias: string) => readonly Joined[]>;
  /** The rows that an aggregate is computed of. */
  readonly aggregated?: readonly { readonly condition: Formula; readonly scope: Scope }[];
  /** Schemas of unqualified names. */
  readonly path: readonly string[];
  /** Depth of inlining. */
  readonly depth: number;
  /** Whether the expression runs as the owner of a function. */
  readonly definer?: boolean;
}

/** A query, before its values are read: they are terms or conditions, depending on the place. */
export interface Rows {
  readonly condition: Formula;
  readonly scope: Scope;
  readonly targets: readonly { readonly name: string; readonly node: Node }[];
}

/** The value of a column reference. In the body of a function, a column goes before a parameter. */
export function lookUp(scope: Scope, fields: readonly string[]): Term | undefined {
  const name = fields.at(-1) ?? "";
  const alias = fields.at(-2);
  for (let level: Scope | undefined = scope; level !== undefined; level = level.outer) {
    const sources = level.sources.filter((source) => alias === undefined || source.alias === alias);
    const found = sources.flatMap((source) => source.columns.get(name) ?? []);
    if (found.length > 0 || sources.some((source) => source.open === true))
      return found.length === 1 && !sources.some((source) => source.open === true) ? found[0] : undefined;
    if (alias !== undefined && sources.length > 0) return undefined;
    const parameter = level.parameters?.get(alias === undefined ? name : `${alias}.${name}`);
    if (parameter !== undefined) return parameter;
  }
  return undefined;
}

/** A query of WITH. */
export function queryNamed(scope: Scope, name: string): ((alias: string) => readonly Joined[]) | undefined {
  for (let level: Scope | undefined = scope; level !== undefined; level = level.outer) {
    const found = level.queries?.get(name);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** A scope inside another one. */
export function within(outer: Scope, sources: readonly Source[]): Scope {
  return { sources, outer, path: outer.path, depth: outer.depth, definer: outer.definer === true };
}
