import { differ } from "./equality.ts";
import type { Alternative } from "./normal-form.ts";
import { columnsOf, inside, isPure, show, type Atom, type Term } from "./terms.ts";

/** A column of a row. */
export interface Place {
  readonly of: number;
  readonly table: string;
  readonly column: string;
}

/** The facts of an alternative: values that are equal form classes. */
export class Facts {
  readonly rows: readonly { readonly of: number; readonly table: string }[];
  readonly members: readonly Extract<Atom, { kind: "member" }>[];
  readonly prefixes: readonly Extract<Atom, { kind: "prefix" }>[];
  readonly #parents = new Map<string, string>();
  readonly #terms = new Map<string, Term>();
  readonly #keys = new Map<Term, string>();
  readonly #tests: ReadonlySet<string>;

  constructor(alternative: Alternative) {
    const of = <Kind extends Atom["kind"]>(kind: Kind) =>
      alternative.filter((atom): atom is Extract<Atom, { kind: Kind }> => atom.kind === kind);
    this.rows = of("row");
    this.members = of("member");
    this.prefixes = of("prefix");
    this.#tests = new Set(of("test").map(({ text }) => text));
    for (const { a, b } of of("equal")) this.#union(a, b);
  }

  #key(term: Term): string {
    let key = this.#keys.get(term);
    if (key === undefined) {
      // Two calls of a function that is not pure may return different values.
      key = inside(term).every((part) => part.kind === "claim" || isPure(part) || isDeterministic(part))
        ? show(term)
        : `${show(term)} #${this.#keys.size}`;
      this.#keys.set(term, key);
      this.#terms.set(key, term);
    }
    return key;
  }

  #find(key: string): string {
    const parent = this.#parents.get(key);
    return parent === undefined || parent === key ? key : this.#find(parent);
  }

  #union(a: Term, b: Term): void {
    const [left, right] = [this.#find(this.#key(a)), this.#find(this.#key(b))];
    this.#parents.set(left, left);
    this.#parents.set(right, left);
  }

  /** The class of a term. */
  classOf(term: Term): string {
    return this.#find(this.#key(term));
  }

  /** The class of a column. */
  classAt({ of, table, column }: Place): string {
    return this.classOf({ kind: "column", of, table, name: column });
  }

  /** Terms that are equal to each other, by class. */
  classes(): ReadonlyMap<string, readonly Term[]> {
    return Map.groupBy(
      [...this.#parents.keys()].flatMap((key) => this.#terms.get(key) ?? []),
      (term) => this.classOf(term),
    );
  }

  /** The constant that a column equals. */
  constantAt(place: Place): string | undefined {
    const own = this.classAt(place);
    for (const term of this.#terms.values())
      if (term.kind === "constant" && this.classOf(term) === own) return term.value;
    return undefined;
  }

  /** Whether the facts exclude each other. */
  get contradictory(): boolean {
    for (const text of this.#tests) if (this.#tests.has(`not (${text})`)) return true;
    for (const terms of this.classes().values()) {
      const constants = terms.flatMap((term) => (term.kind === "constant" ? [term.value] : []));
      if (constants.some((value) => differ(value, constants[0] ?? value))) return true;
    }
    return false;
  }

  /** Columns of a row that a class names directly or through a pure function. */
  columnsIn(terms: readonly Term[], of: number): readonly string[][] {
    return terms.flatMap((term) => {
      const columns = columnsOf(term, of);
      return columns === undefined ? [] : [[...columns]];
    });
  }
}

function isDeterministic(part: Term): boolean {
  return part.kind === "call" && part.pure;
}
