import type { StaffMark } from "../database/facts.ts";
import { binds, isStaff } from "./claims.ts";
import { Facts } from "./facts.ts";
import type { Alternative } from "./normal-form.ts";
import type { Relation } from "./schema.ts";
import { columnsOf, ROW, type Term } from "./terms.ts";

/** How an alternative ties the row to the caller. */
export type Tie =
  /** Its facts exclude each other: no row is let through. */
  | { readonly how: "never" }
  /** `person`: columns of the row that equal `auth.uid()`. */
  | { readonly how: "columns"; readonly columns: readonly string[]; readonly person: readonly string[] }
  /** The caller works for the project, by a claim or, in `mark`, by a table that users cannot write. */
  | { readonly how: "staff"; readonly mark?: StaffMark };

/** A way from the caller over a table: a row with `user` of the caller and `key` of the judged row. */
export interface Link {
  readonly table: string;
  readonly key: readonly string[];
  readonly user: readonly string[];
  /** Constants of the row, by column. */
  readonly constants: ReadonlyMap<string, string>;
  /** Whether `key` is unique, and a foreign key guarantees that its row exists: it cannot be made again. */
  readonly taken: boolean;
  /** Whether `key` says that the user works for the project, instead of naming a row. */
  readonly staff: boolean;
}

/** Whether users cannot make a link for themselves. */
export type Trust = (link: Link) => boolean;

/**
 * How the facts of an alternative tie the row to the caller, over columns in `allowed` (undefined: any). Undefined if they do
 * not.
 */
export function tieOf(
  alternative: Alternative,
  table: string,
  relations: ReadonlyMap<string, Relation>,
  trusted: Trust,
  allowed?: ReadonlySet<string>,
): Tie | undefined {
  const facts = new Facts(alternative);
  if (facts.contradictory) return { how: "never" };
  return new Ties(facts, table, relations, trusted).find(allowed);
}

class Ties {
  readonly #facts: Facts;
  readonly #classes: ReadonlyMap<string, readonly Term[]>;
  readonly #relations: ReadonlyMap<string, Relation>;
  readonly #trusted: Trust;
  readonly #tables: ReadonlyMap<number, string>;
  /** Classes whose value the caller legitimately has; `exact` if it has one such value. */
  readonly #owned = new Map<string, { readonly exact: boolean }>();
  /** Arrays and paths that name the caller. */
  readonly #naming: Term[] = [];
  #staff = false;
  #mark: StaffMark | undefined;

  constructor(facts: Facts, table: string, relations: ReadonlyMap<string, Relation>, trusted: Trust) {
    this.#facts = facts;
    this.#classes = facts.classes();
    this.#relations = relations;
    this.#trusted = trusted;
    this.#tables = new Map([[ROW, table], ...facts.rows.map(({ of, table: name }): [number, string] => [of, name])]);
  }

  find(allowed?: ReadonlySet<string>): Tie | undefined {
    for (const [name, terms] of this.#classes) this.#start(name, terms);
    this.#members();
    while (this.#step()) this.#members();
    if (this.#staff) return { how: "staff", ...(this.#mark === undefined ? {} : { mark: this.#mark }) };
    const fits = (columns: readonly string[]) => columns.every((column) => allowed?.has(column) !== false);
    const owned = [...this.#owned.keys()].flatMap((name) =>
      this.#columns(this.#classes.get(name) ?? this.#single(name)),
    );
    const named = this.#columns(this.#naming);
    const tied = [...owned, ...named].filter(fits);
    if (tied.length === 0) return undefined;
    const person = [...this.#classes.values()]
      .filter((terms) => terms.some((term) => claimIn(term)?.path.join() === "sub"))
      .flatMap((terms) => this.#columns(terms).flat());
    return { how: "columns", columns: [...new Set(tied.flat())], person: [...new Set([...person, ...named.flat()])] };
  }

  #columns(terms: readonly Term[]): readonly (readonly string[])[] {
    return terms.flatMap((term) => {
      const columns = columnsOf(term, ROW);
      return columns === undefined ? [] : [columns];
    });
  }

  /** Terms of members that equal nothing else have no class of several terms. */
  readonly #alone = new Map<string, Term>();

  #single(name: string): readonly Term[] {
    const term = this.#alone.get(name);
    return term === undefined ? [] : [term];
  }

  #start(name: string, terms: readonly Term[]): void {
    const claims = terms.flatMap((term) => claimIn(term) ?? []);
    if (claims.length === 0) return;
    this.#owned.set(name, { exact: true });
    for (const { kind, path } of claims)
      if (terms.some((term) => term.kind === "constant" && isStaff(path.at(-1) ?? "", term.value)))
        this.#staff ||= terms.some((term) => term.kind === kind);
  }

  /** Elements of arrays, and paths that start with an identifier. */
  #members(): void {
    for (const { item, of } of this.#facts.members) {
      const name = this.#facts.classOf(item);
      if (of.kind === "claim" && binds(of.path)) {
        if (item.kind === "constant" && isStaff(of.path.at(-1) ?? "", item.value)) this.#staff = true;
        if (item.kind === "constant" || item.kind === "claim") continue;
        this.#alone.set(name, item);
        this.#owned.set(name, { exact: false });
      } else if (this.#isOwned(item)) this.#naming.push(of);
    }
    for (const { prefix, of } of this.#facts.prefixes) if (this.#isOwned(prefix)) this.#naming.push(of);
  }

  #isOwned(term: Term): boolean {
    return (term.kind === "claim" && binds(term.path)) || this.#owned.has(this.#facts.classOf(term));
  }

  /** Follows one more link. */
  #step(): boolean {
    for (const { of, table } of this.#facts.rows) {
      const relation = this.#relations.get(table);
      if (relation === undefined) continue;
      const { user, exact } = this.#userColumns(of);
      if (user.length === 0) continue;
      const constants = new Map(
        relation.columns.flatMap(({ name: column }): [string, string][] => {
          const value = this.#facts.constantAt({ of, table, column });
          return value === undefined ? [] : [[column, value]];
        }),
      );
      if (!this.#staff && exact && this.#isStaffRow(relation, user, constants)) return (this.#staff = true);
      if (!this.#staff && this.#isStaffPermission(relation, of, constants)) return (this.#staff = true);
      for (const { name: column } of relation.columns) {
        const name = this.#facts.classAt({ of, table, column });
        if (this.#owned.has(name) || !this.#classes.has(name)) continue;
        const taken = this.#isTaken(relation, column, name);
        const link = { table, key: [column], user, taken, staff: false };
        if (
          !this.#trusted({ ...link, constants: new Map() }) &&
          (constants.size === 0 || !this.#trusted({ ...link, constants }))
        )
          continue;
        const one = relation.unique.some((key) => key.every((each) => user.includes(each) || each === column));
        this.#owned.set(name, { exact: exact && one });
        return true;
      }
    }
    return false;
  }

  #userColumns(of: number): { user: readonly string[]; exact: boolean } {
    const user = new Set<string>();
    let exact = false;
    for (const [name, state] of this.#owned)
      for (const term of this.#classes.get(name) ?? this.#single(name))
        for (const column of columnsOf(term, of) ?? []) {
          user.add(column);
          exact ||= state.exact;
        }
    for (const term of this.#naming) for (const column of columnsOf(term, of) ?? []) user.add(column);
    return { user: [...user], exact };
  }

  /** One row per person says that the person works for the project, e.g. `profiles.role = 'admin'`. */
  #isStaffRow(relation: Relation, user: readonly string[], constants: ReadonlyMap<string, string>): boolean {
    const { name: table } = relation;
    const mark = [...constants].find(
      ([column, value]) =>
        isStaff(column, value) &&
        relation.unique.some((key) => key.every((each) => user.includes(each) || constants.has(each))) &&
        this.#trusted({ table, key: [column], user, constants, taken: false, staff: true }),
    );
    if (mark !== undefined) this.#mark = { table, column: mark[0], value: mark[1] };
    return mark !== undefined;
  }

  /**
   * A list of permissions that users cannot write, and that the migrations fill, gives a permission to roles of staff only:
   * `role_permissions` with a role that a token hook puts into the token.
   */
  #isStaffPermission(
    { name: table, columns, rows = [] }: Relation,
    of: number,
    constants: ReadonlyMap<string, string>,
  ): boolean {
    const fitting = rows.filter((row) => [...constants].every(([column, value]) => row[column] === value));
    return columns.some(({ name: column }) => {
      const terms = this.#classes.get(this.#facts.classAt({ of, table, column })) ?? [];
      const claim = terms.flatMap((term) => (term.kind === "claim" && binds(term.path) ? [term.path] : []))[0];
      const key = claim?.at(-1) ?? "";
      return claim !== undefined && fitting.length > 0 && fitting.every((row) => isStaff(key, row[column] ?? ""));
    });
  }

  /** Whether a column is a unique key that a row of the same class refers to by a foreign key. */
  #isTaken(relation: Relation, column: string, name: string): boolean {
    if (!relation.unique.some((key) => key.length === 1 && key[0] === column)) return false;
    return (this.#classes.get(name) ?? []).some((term) => {
      if (term.kind !== "column" || this.#tables.get(term.of) !== term.table) return false;
      const from = this.#relations.get(term.table);
      return (
        from?.references.some(
          (reference) =>
            reference.target === relation.name &&
            reference.columns.some((each, at) => each === term.name && reference.targetColumns[at] === column) &&
            // A key with a null column refers to nothing.
            reference.columns.every(
              (each) => each === term.name || from.columns.find(({ name: one }) => one === each)?.notNull === true,
            ),
        ) === true
      );
    });
  }
}

/**
 * The claim that a value is, or is made of with constants around it: `'user:' || auth.uid()`. Another claim
 * makes another value; arrays and objects may merge.
 */
function claimIn(term: Term): Extract<Term, { kind: "claim" }> | undefined {
  if (term.kind === "claim") return binds(term.path) ? term : undefined;
  if (term.kind !== "call" || term.name !== "||" || !term.pure) return undefined;
  const parts = term.args.filter((arg) => arg.kind !== "constant" || /^[{[]/.test(arg.value));
  return parts.length === 1 && parts[0] !== undefined ? claimIn(parts[0]) : undefined;
}
