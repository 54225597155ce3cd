/** The caller's token, as `request.jwt.claims` has it; `["sub"]` is `auth.uid()`. */
export type ClaimPath = readonly string[];

/** A value in a policy. */
export type Term =
  | { readonly kind: "column"; readonly of: number; readonly table: string; readonly name: string }
  | { readonly kind: "constant"; readonly value: string }
  | { readonly kind: "null" }
  | { readonly kind: "claim"; readonly path: ClaimPath }
  /** `pure`: the value depends on the arguments alone. */
  | { readonly kind: "call"; readonly name: string; readonly args: readonly Term[]; readonly pure: boolean }
  | { readonly kind: "array"; readonly items: readonly Term[] }
  | { readonly kind: "tuple"; readonly items: readonly Term[] }
  /** One of several values, each under a condition. */
  | { readonly kind: "choice"; readonly cases: readonly { readonly when: Formula; readonly then: Term }[] }
  /** A value of some row of a query. */
  | { readonly kind: "query"; readonly query: Query }
  /** The values of all rows of a query, as an array. */
  | { readonly kind: "rows"; readonly query: Query }
  /** The number of rows of a query. */
  | { readonly kind: "count"; readonly query: Query };

/** A fact that holds for a row that is let through. */
export type Atom =
  /** There is a row of a table. */
  | { readonly kind: "row"; readonly of: number; readonly table: string }
  | { readonly kind: "equal"; readonly a: Term; readonly b: Term }
  | { readonly kind: "member"; readonly item: Term; readonly of: Term }
  | { readonly kind: "prefix"; readonly prefix: Term; readonly of: Term }
  /** Anything else: it narrows, and ties nothing. */
  | { readonly kind: "test"; readonly text: string };

/** A condition in negation normal form. It follows from the SQL condition, and may be weaker. */
export type Formula =
  | { readonly kind: "truth"; readonly holds: boolean }
  | { readonly kind: "and" | "or"; readonly parts: readonly Formula[] }
  | { readonly kind: "atom"; readonly atom: Atom };

/** The rows of a query: one of the branches, each with its condition and its values. */
export type Query = readonly Branch[];

export interface Branch {
  readonly condition: Formula;
  readonly targets: readonly { readonly name: string; readonly term: Term }[];
}

/** The row that a policy judges. */
export const ROW = 0;

export const TRUE: Formula = { kind: "truth", holds: true };
export const FALSE: Formula = { kind: "truth", holds: false };

export function atom(one: Atom): Formula {
  return { kind: "atom", atom: one };
}

export function test(text: string): Formula {
  return atom({ kind: "test", text });
}

export function and(...parts: readonly Formula[]): Formula {
  const kept = parts.flatMap((part) => (part.kind === "and" ? part.parts : [part])).filter((part) => part !== TRUE);
  if (kept.some((part) => part.kind === "truth" && !part.holds)) return FALSE;
  const [only = TRUE, ...more] = kept;
  return more.length === 0 ? only : { kind: "and", parts: kept };
}

export function or(...parts: readonly Formula[]): Formula {
  const kept = parts
    .flatMap((part) => (part.kind === "or" ? part.parts : [part]))
    .filter((part) => part.kind !== "truth" || part.holds);
  if (kept.some((part) => part.kind === "truth")) return TRUE;
  const [only = FALSE, ...more] = kept;
  return more.length === 0 ? only : { kind: "or", parts: kept };
}

/** There is a row of the query whose values, and above all the first one, satisfy a condition. */
export function someRow(query: Query, condition: (target: Term, branch: Branch) => Formula = () => TRUE): Formula {
  return or(
    ...query.map((branch) => and(branch.condition, condition(branch.targets[0]?.term ?? opaque("no column"), branch))),
  );
}

let counter = 0;

/** A new number for a row of a table. */
export function fresh(): number {
  counter += 1;
  return counter;
}

/** A value that is not understood. */
export function opaque(text: string, ...args: readonly Term[]): Term {
  return { kind: "call", name: text, args, pure: false };
}

/** A value that is not understood, or that may differ at each evaluation: nothing equals it. */
export function unknown(text: string, ...args: readonly Term[]): Term {
  return opaque(`${text}#${fresh()}`, ...args);
}

export function call(name: string, args: readonly Term[], pure: boolean): Term {
  return { kind: "call", name, args, pure };
}

/** All terms inside a term, itself included. */
export function inside(term: Term): readonly Term[] {
  if (term.kind === "call") return [term, ...term.args.flatMap(inside)];
  if (term.kind === "array" || term.kind === "tuple") return [term, ...term.items.flatMap(inside)];
  return [term];
}

/** Whether the value depends on columns and constants alone. */
export function isPure(term: Term): boolean {
  return inside(term).every(
    (part) =>
      part.kind === "column" ||
      part.kind === "constant" ||
      part.kind === "null" ||
      part.kind === "array" ||
      part.kind === "tuple" ||
      (part.kind === "call" && part.pure),
  );
}

/** Columns that the value reads, of one row. Undefined if it reads other rows, or is not {@link isPure}. */
export function columnsOf(term: Term, of: number): readonly string[] | undefined {
  if (!isPure(term)) return undefined;
  const columns = inside(term).filter((part) => part.kind === "column");
  return columns.length > 0 && columns.every((column) => column.of === of)
    ? columns.map((column) => column.name)
    : undefined;
}

const INFIX = /^(?:[-+*/<>=~!@#%^&|`?]+|~~|!~~|~~\*|!~~\*|and|or|is not distinct from|is distinct from)$/;

/** A term as SQL, for comparisons and messages. */
export function show(term: Term): string {
  switch (term.kind) {
    case "column":
      return term.of === ROW
        ? quoted(term.name)
        : `${quoted(`${term.table.replace(/^.*?\./, "")}${term.of}`)}.${quoted(term.name)}`;
    case "constant":
      return /^-?\d+(\.\d+)?$|^(true|false)$/.test(term.value) ? term.value : `'${term.value.replaceAll("'", "''")}'`;
    case "null":
      return "null";
    case "claim":
      return claimText(term.path);
    case "call": {
      if (term.args.length === 0) return `${term.name}()`;
      const args = term.args.map(show);
      if (args.length === 2 && INFIX.test(term.name)) return `${args[0] ?? ""} ${term.name} ${args[1] ?? ""}`;
      return `${term.name}(${args.join(", ")})`;
    }
    case "array":
      return `array[${term.items.map(show).join(", ")}]`;
    case "tuple":
      return `(${term.items.map(show).join(", ")})`;
    case "choice":
      return `case(${term.cases.map(({ when, then }) => `${showFormula(when)}: ${show(then)}`).join("; ")})`;
    case "query":
    case "rows":
    case "count":
      return `${term.kind}(${term.query.map((branch) => `${showFormula(branch.condition)}: ${branch.targets.map((target) => show(target.term)).join(", ")}`).join(" union ")})`;
  }
}

/** Another kind of term never looks like a column. */
function quoted(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

function claimText(path: ClaimPath): string {
  if (path.length === 1 && path[0] === "sub") return "auth.uid()";
  return path.reduce(
    (text, key, at) => `${text} ${at === path.length - 1 ? "->>" : "->"} '${key.replaceAll("'", "''")}'`,
    "auth.jwt()",
  );
}

export function showAtom(one: Atom): string {
  switch (one.kind) {
    case "row":
      return `a row of ${one.table}`;
    case "equal":
      return `${show(one.a)} = ${show(one.b)}`;
    case "member":
      return `${show(one.item)} = any (${show(one.of)})`;
    case "prefix":
      return `starts_with(${show(one.of)}, ${show(one.prefix)})`;
    case "test":
      return one.text;
  }
}

export function showFormula(formula: Formula): string {
  if (formula.kind === "truth") return String(formula.holds);
  if (formula.kind === "atom") return showAtom(formula.atom);
  return `(${formula.parts.map(showFormula).join(` ${formula.kind} `)})`;
}
