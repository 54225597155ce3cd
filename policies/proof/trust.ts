import type { Command } from "../database/facts.ts";
import { differ } from "./equality.ts";
import { Facts } from "./facts.ts";
import type { Alternative } from "./normal-form.ts";
import type { Column, Relation } from "./schema.ts";
import { ROW } from "./terms.ts";
import { tieOf, type Link } from "./ties.ts";

// cspell:ignore nextval uuidv

/** What lets a new or an old row of a table through, for a role; undefined if it is too large. */
export type Conditions = (
  table: string,
  role: string,
  command: Command,
  clause: "using" | "check",
) => readonly Alternative[] | undefined;

/** Links inside links are followed to this depth. */
const DEEPEST = 8;

/**
 * Whether users can write themselves into a table that policies read. A row links its user columns to its key; it is
 * trusted if no API role can make a row with its own user and any key: it lacks the privilege, or the policies of the table
 * tie the key to the caller by another way, or the key exists already and is unique.
 *
 * Rows are written one after the other. It is therefore enough that each write keeps the property, and a question that
 * comes back to itself is answered with yes.
 */
export class Links {
  readonly #relations: ReadonlyMap<string, Relation>;
  readonly #roles: readonly string[];
  readonly #conditions: Conditions;
  readonly #open = new Set<string>();
  /** Why the last links were not trusted. */
  readonly notes = new Set<string>();

  constructor(relations: ReadonlyMap<string, Relation>, roles: readonly string[], conditions: Conditions) {
    this.#relations = relations;
    this.#roles = roles;
    this.#conditions = conditions;
  }

  readonly trusted = (link: Link): boolean => {
    const relation = this.#relations.get(link.table);
    if (relation === undefined) return false;
    const question = JSON.stringify([link.table, link.key, link.user, [...link.constants], link.taken, link.staff]);
    if (this.#open.has(question)) return true;
    if (this.#open.size >= DEEPEST) return false;
    this.#open.add(question);
    try {
      return this.#roles.every(
        (role) => this.#cannotInsert(relation, link, role) && this.#cannotUpdate(relation, link, role),
      );
    } finally {
      this.#open.delete(question);
    }
  };

  #cannotInsert(relation: Relation, link: Link, role: string): boolean {
    if (!relation.columns.some((column) => column.insert.includes(role))) return true;
    if (link.taken) return true;
    const keys = relation.columns.filter((column) => link.key.includes(column.name));
    if (!link.staff && keys.every((column) => !column.insert.includes(role) && isUnpredictable(column))) return true;
    if (this.#lacks(relation, link, role)) return true;
    const alternatives = this.#conditions(relation.name, role, "insert", "check");
    return (
      alternatives?.every(
        (alternative) => this.#excludes(alternative, link) || this.#ties(alternative, link, link.staff ? [] : link.key),
      ) === true || this.#note(`${role} inserts rows into ${relation.name} with any ${link.key.join(", ")}`)
    );
  }

  /** Whether a new row of the role cannot have the constants: it cannot set a column whose default is another value. */
  #lacks(relation: Relation, { constants }: Link, role: string): boolean {
    return relation.columns.some((column) => {
      const value = constants.get(column.name);
      if (value === undefined || column.insert.includes(role) || column.computed) return false;
      if (column.default === null) return true;
      const standard = /^(?:'([^']*)'::[\w. "]+|(true|false|\d+))$/.exec(column.default);
      return standard !== null && differ(standard[1] ?? standard[2] ?? "", value);
    });
  }

  #cannotUpdate(relation: Relation, link: Link, role: string): boolean {
    const changes = (names: Iterable<string>) =>
      relation.columns.some((column) => column.update.includes(role) && new Set(names).has(column.name));
    const every = (clause: "using" | "check", good: (alternative: Alternative) => boolean) =>
      this.#conditions(relation.name, role, "update", clause)?.every(good) === true;
    const key = link.staff ? [] : link.key;
    const checked = () =>
      every("check", (alternative) => this.#excludes(alternative, link) || this.#ties(alternative, link, key));
    if (changes(link.key) && !link.taken && !checked())
      return this.#note(`${role} changes ${link.key.join(", ")} of rows of ${relation.name}`);
    for (const user of link.user)
      if (changes([user]) && !every("using", (alternative) => this.#ties(alternative, link, [...key, user])))
        return this.#note(`${role} changes ${user} of rows of ${relation.name}`);
    const others = [...link.constants.keys()].filter((name) => !link.key.includes(name) && !link.user.includes(name));
    if (!changes(others)) return true;
    // Its own row that a policy did not accept becomes one that it does.
    return (
      every("using", (alternative) => this.#ties(alternative, link, key)) ||
      checked() ||
      this.#note(`${role} changes ${others.join(", ")} of the caller's rows of ${relation.name}`)
    );
  }

  #ties(alternative: Alternative, link: Link, columns: readonly string[]): boolean {
    return tieOf(alternative, link.table, this.#relations, this.trusted, new Set(columns)) !== undefined;
  }

  /** Whether a row that is let through differs from the link in a constant. */
  #excludes(alternative: Alternative, { table, constants }: Link): boolean {
    const facts = new Facts(alternative);
    return [...constants].some(([column, value]) => {
      const own = facts.constantAt({ of: ROW, table, column });
      return own !== undefined && differ(own, value);
    });
  }

  #note(why: string): false {
    this.notes.add(why);
    return false;
  }
}

/** Whether a value that PostgreSQL fills in is one that no row has yet, or none. */
function isUnpredictable(column: Column): boolean {
  return (
    column.computed ||
    column.default === null ||
    /^(gen_random_uuid|nextval|extensions\.uuid_generate_v4|uuidv[47])\(/.test(column.default)
  );
}
