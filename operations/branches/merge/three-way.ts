import { isDeepStrictEqual } from "node:util";
import { objectName } from "../../schema-facts/names.ts";
import {
  loadPgDelta,
  type DependencyEdge,
  type Fact,
  type FactBase,
  type StableId,
} from "../../schema-facts/pg-delta.ts";
import type { SchemaFacts } from "../../schema-facts/read.ts";

/** Whose version of an object a merge takes. */
export type Side = "main" | "branch";

/** Which side wins, by the name of the object. */
export type Resolutions = ReadonlyMap<string, Side>;

/** Two changes of which only one can be kept. */
export interface MergeConflict {
  /** What `--take` names, such as `column public.files.name`. */
  readonly object: string;
  /**
   * - `both-changed`: both sides gave it another definition.
   * - `removed-and-changed`: one side removed it, the other changed it.
   * - `removed-and-used`: one side removed it, and what the other side made needs it.
   * - `changed-and-used`: one side changed its type, and what the other side made was written for the old one.
   */
  readonly reason: "both-changed" | "removed-and-changed" | "removed-and-used" | "changed-and-used";
  /** What each side has now, as JSON; absent if it does not have the object. */
  readonly main?: string;
  readonly branch?: string;
  /** Objects of the other side that need it. */
  readonly users: readonly string[];
}

/** A merge of two schemas that began as one. */
export interface ThreeWayMerge {
  /** Facts of the merged schema; without a meaning while there are conflicts. */
  readonly merged: FactBase;
  readonly conflicts: readonly MergeConflict[];
  /** Names of {@link Resolutions} that no conflict has. */
  readonly unused: readonly string[];
}

/** One object in the three schemas. */
interface Versions {
  readonly id: StableId;
  readonly base: Fact | undefined;
  readonly main: Fact | undefined;
  readonly branch: Fact | undefined;
}

interface Found {
  readonly conflict: MergeConflict;
  /** What a resolution decides: the object, its parts, and what needs it. */
  readonly keys: readonly string[];
}

/**
 * Merges what was changed in a branch into main, object by object. Changes of different objects, and of different attributes of
 * one object, are both kept. The result is main's facts with the branch's changes.
 */
export async function mergeSchemas(
  base: Pick<SchemaFacts, "managed">,
  main: Pick<SchemaFacts, "managed" | "all">,
  branch: Pick<SchemaFacts, "managed">,
  resolutions: Resolutions = new Map(),
): Promise<ThreeWayMerge> {
  const library = await loadPgDelta();
  const merge = new Merge(base.managed, main.managed, branch.managed, library.encodeId);
  const used = new Set<string>();
  const decided = new Map<string, Side>();
  // A resolution may uncover another conflict: a table that is kept may need a type that was removed.
  for (;;) {
    const conflicts = merge.conflicts(decided);
    const resolved = conflicts.filter(({ conflict: { object } }) => resolutions.has(object) && !used.has(object));
    if (resolved.length === 0) {
      const unused = [...resolutions.keys()].filter((name) => !used.has(name));
      return {
        merged: merge.result(main.all, decided, library.buildFactBase),
        conflicts: conflicts.map(({ conflict }) => conflict),
        unused,
      };
    }
    for (const {
      conflict: { object },
      keys,
    } of resolved) {
      used.add(object);
      for (const key of keys) decided.set(key, resolutions.get(object) ?? "main");
    }
  }
}

class Merge {
  readonly #base: FactBase;
  readonly #main: FactBase;
  readonly #branch: FactBase;
  readonly #encode: (id: StableId) => string;
  readonly #objects: ReadonlyMap<string, Versions>;

  constructor(base: FactBase, main: FactBase, branch: FactBase, encode: (id: StableId) => string) {
    [this.#base, this.#main, this.#branch, this.#encode] = [base, main, branch, encode];
    const ids = new Map<string, StableId>();
    for (const facts of [base, main, branch])
      for (const { id } of facts.facts()) if (!facts.isReferenceOnly(id)) ids.set(encode(id), id);
    this.#objects = new Map(
      [...ids].map(([key, id]) => [key, { id, base: base.get(id), main: main.get(id), branch: branch.get(id) }]),
    );
  }

  conflicts(decided: ReadonlyMap<string, Side>): readonly Found[] {
    const found = new Map<string, Found>();
    const add = (id: StableId, reason: MergeConflict["reason"], users: readonly StableId[]) => {
      const key = this.#encode(id);
      const earlier = found.get(key);
      const names = users.map(objectName);
      const keys = [...this.#group(id), ...users.flatMap((user) => this.#group(user))];
      found.set(key, {
        conflict: {
          ...{ object: objectName(id), reason: earlier?.conflict.reason ?? reason },
          ...shown("main", this.#main.get(id)),
          ...shown("branch", this.#branch.get(id)),
          users: [...new Set([...(earlier?.conflict.users ?? []), ...names])],
        },
        keys: [...new Set([...(earlier?.keys ?? []), ...keys])],
      });
    };
    for (const [key, versions] of this.#objects) {
      if (decided.has(key)) continue;
      if (this.#merged(key, versions, decided) === "conflict")
        add(
          versions.id,
          versions.main === undefined || versions.branch === undefined ? "removed-and-changed" : "both-changed",
          [],
        );
    }
    // What one side made or changed needs what the other removed, or was written for a type that the other changed.
    for (const [key, versions] of this.#objects) {
      const fact = this.#merged(key, versions, decided);
      if (fact === "conflict" || fact === undefined) continue;
      const needs = [
        ...(fact.parent === undefined ? [] : [fact.parent]),
        ...this.#edges(key, versions, decided).map(({ to }) => to),
      ];
      for (const need of needs) {
        const needed = this.#objects.get(this.#encode(need));
        if (needed === undefined || decided.has(this.#encode(need))) continue;
        const present = this.#merged(this.#encode(need), needed, decided);
        if (present === undefined) add(need, "removed-and-used", [versions.id]);
        else if (present !== "conflict" && !decided.has(key) && this.#retypedByOther(needed, versions))
          add(need, "changed-and-used", [versions.id]);
      }
    }
    // A part of something that conflicts as a whole is decided with it.
    const inner = (each: Found) =>
      [...found.values()].some(
        (other) => other !== each && other.keys.includes(each.keys[0] ?? "") && other.keys.length > each.keys.length,
      );
    return [...found.values()]
      .filter((each) => !inner(each))
      .sort((a, b) => a.conflict.object.localeCompare(b.conflict.object));
  }

  result(
    all: FactBase,
    decided: ReadonlyMap<string, Side>,
    build: (facts: Fact[], edges: DependencyEdge[]) => FactBase,
  ): FactBase {
    const facts = new Map(all.facts().map((fact) => [this.#encode(fact.id), fact]));
    const edges = new Map(all.edges.map((edge) => [this.#edgeKey(edge), edge]));
    for (const [key, versions] of this.#objects) {
      const merged = this.#merged(key, versions, decided);
      if (merged === "conflict") continue;
      if (merged === undefined) facts.delete(key);
      else facts.set(key, merged);
      for (const edge of this.#main.outgoingEdges(versions.id)) edges.delete(this.#edgeKey(edge));
      if (merged !== undefined)
        for (const edge of this.#edges(key, versions, decided)) edges.set(this.#edgeKey(edge), edge);
    }
    const kept = [...facts.values()].filter(({ parent }) => parent === undefined || facts.has(this.#encode(parent)));
    return build(
      kept,
      [...edges.values()].filter(({ from, to }) => facts.has(this.#encode(from)) && facts.has(this.#encode(to))),
    );
  }

  /** An object in the merged schema; undefined if it is not in it. */
  #merged(
    key: string,
    { base, main, branch }: Versions,
    decided: ReadonlyMap<string, Side>,
  ): Fact | undefined | "conflict" {
    const side = decided.get(key);
    if (side !== undefined) return side === "main" ? main : branch;
    if (this.#same(base, branch)) return main;
    if (this.#same(base, main) || this.#same(main, branch)) return branch;
    if (main === undefined || branch === undefined) return "conflict";
    const payload: Record<string, unknown> = {};
    for (const attribute of new Set([...Object.keys(main.payload), ...Object.keys(branch.payload)])) {
      const [before, ours, theirs] = [base?.payload[attribute], main.payload[attribute], branch.payload[attribute]];
      // What begins with an underscore is not compared.
      if (attribute.startsWith("_") || isDeepStrictEqual(ours, theirs) || isDeepStrictEqual(before, theirs))
        payload[attribute] = ours;
      else if (base !== undefined && isDeepStrictEqual(before, ours)) payload[attribute] = theirs;
      else if (main.id.kind === "acl" && Array.isArray(ours) && Array.isArray(theirs))
        payload[attribute] = mergedSet(before, ours, theirs);
      else return "conflict";
    }
    if (this.#owner(main.id, "main", base) && this.#owner(main.id, "branch", base) && !this.#sameOwner(main.id))
      return "conflict";
    return { ...main, payload: payload as Fact["payload"] };
  }

  /** Whether two versions are the same, with their owners. */
  #same(a: Fact | undefined, b: Fact | undefined): boolean {
    if (a === undefined || b === undefined) return a === b;
    return (
      isDeepStrictEqual(semantic(a), semantic(b)) &&
      isDeepStrictEqual(this.#ownerIn(this.#sideOf(a), a.id), this.#ownerIn(this.#sideOf(b), b.id))
    );
  }

  #sideOf(fact: Fact): FactBase {
    return this.#base.get(fact.id) === fact ? this.#base : this.#main.get(fact.id) === fact ? this.#main : this.#branch;
  }

  #ownerIn(facts: FactBase, id: StableId): string | undefined {
    const edge = facts.outgoingEdges(id).find(({ kind }) => kind === "owner");
    return edge === undefined ? undefined : this.#encode(edge.to);
  }

  #owner(id: StableId, side: Side, base: Fact | undefined): boolean {
    if (base === undefined) return true;
    return this.#ownerIn(side === "main" ? this.#main : this.#branch, id) !== this.#ownerIn(this.#base, id);
  }

  #sameOwner(id: StableId): boolean {
    return this.#ownerIn(this.#main, id) === this.#ownerIn(this.#branch, id);
  }

  /** The edges of an object in the merged schema: what both sides have, what one added, and not what one removed. */
  #edges(key: string, { id }: Versions, decided: ReadonlyMap<string, Side>): readonly DependencyEdge[] {
    const of = (facts: FactBase) => new Map(facts.outgoingEdges(id).map((edge) => [this.#edgeKey(edge), edge]));
    const [base, main, branch] = [of(this.#base), of(this.#main), of(this.#branch)];
    const side = decided.get(key);
    if (side !== undefined) return [...(side === "main" ? main : branch).values()];
    return [...new Map([...main, ...branch])].flatMap(([edge, value]) => {
      const kept = base.has(edge) ? main.has(edge) && branch.has(edge) : true;
      return kept ? [value] : [];
    });
  }

  /** Whether one side changed the type of an object, and the other made or changed what needs it. */
  #retypedByOther({ id, base, main, branch }: Versions, user: Versions): boolean {
    if (base === undefined || !TYPED.has(id.kind)) return false;
    const retyped = (fact: Fact | undefined) =>
      fact !== undefined && !isDeepStrictEqual(semantic(fact, RETYPING), semantic(base, RETYPING));
    const touched = (fact: Fact | undefined) => fact !== undefined && !this.#same(user.base, fact);
    return (
      (retyped(main) && !retyped(branch) && touched(user.branch) && !touched(user.main)) ||
      (retyped(branch) && !retyped(main) && touched(user.main) && !touched(user.branch))
    );
  }

  /** An object with its parts, as keys; the object is the first. */
  #group(id: StableId): readonly string[] {
    const parts = [this.#base, this.#main, this.#branch].flatMap((facts) =>
      facts.childrenOf(id).map((fact) => fact.id),
    );
    return [...new Set([this.#encode(id), ...parts.flatMap((part) => this.#group(part))])];
  }

  #edgeKey({ from, to, kind }: DependencyEdge): string {
    return `${this.#encode(from)}|${kind}|${this.#encode(to)}`;
  }
}

/** Kinds whose type others are written for, and the attributes that are the type. */
const TYPED: ReadonlySet<string> = new Set(["column", "domain", "type"]);
const RETYPING = ["type", "baseType", "collation"];

function semantic({ payload }: Fact, only?: readonly string[]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(payload).filter(
      ([name, value]) => !name.startsWith("_") && value !== undefined && (only === undefined || only.includes(name)),
    ),
  );
}

/** A set of privileges: what both have, and what one side added; not what one side took. */
function mergedSet(base: unknown, ours: readonly unknown[], theirs: readonly unknown[]): readonly unknown[] {
  const before: readonly unknown[] = Array.isArray(base) ? base : [];
  const all = [...new Set([...ours, ...theirs])];
  return all.filter((each) => (before.includes(each) ? ours.includes(each) && theirs.includes(each) : true)).sort();
}

function shown(side: Side, fact: Fact | undefined): Partial<Record<Side, string>> {
  if (fact === undefined) return {};
  return {
    [side]: JSON.stringify(semantic(fact), (_, value: unknown) => (typeof value === "bigint" ? String(value) : value)),
  };
}
