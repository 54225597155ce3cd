import { kindName, objectName } from "./names.ts";
import { loadPgDelta, type Delta, type FactBase, type StableId } from "./pg-delta.ts";
import type { SchemaFacts } from "./read.ts";

/** How an object of one schema differs from that of another. */
export interface SchemaDifference {
  /** `table`, `column`, `policy`, `grant`, … */
  readonly kind: string;
  /** Kind and name, such as `column public.files.name`. */
  readonly object: string;
  readonly change: "added" | "removed" | "changed";
  /** What differs; empty unless `changed`. */
  readonly attributes: readonly AttributeDifference[];
  /** The object that was added or removed together with this part of it. */
  readonly partOf?: string;
}

export interface AttributeDifference {
  /** Such as `type`, `notNull`, `def` or `owner`. */
  readonly name: string;
  /** As JSON, or the text itself; absent if there is none. */
  readonly from?: string;
  readonly to?: string;
}

/** How the objects that the project manages differ, in the order of their names. */
export async function compareFacts(from: SchemaFacts, to: SchemaFacts): Promise<readonly SchemaDifference[]> {
  // The hash is over all facts and what depends on what.
  if (from.all.rootHash === to.all.rootHash) return [];
  const { diff, encodeId } = await loadPgDelta();
  const bySubject = new Map<string, { id: StableId; deltas: Delta[] }>();
  for (const delta of diff(from.managed, to.managed)) {
    const id = subjectOf(delta);
    const key = encodeId(id);
    const entry = bySubject.get(key) ?? { id, deltas: [] };
    entry.deltas.push(delta);
    bySubject.set(key, entry);
  }
  return [...bySubject.values()].map(({ id, deltas }) => {
    const change = deltas.some(({ verb }) => verb === "add")
      ? "added"
      : deltas.some(({ verb }) => verb === "remove")
        ? "removed"
        : "changed";
    const whole = change === "changed" ? undefined : parentIn(change === "added" ? to.managed : from.managed, id);
    const partOf =
      whole !== undefined &&
      bySubject.get(encodeId(whole))?.deltas.some(({ verb }) => verb === "add" || verb === "remove") === true
        ? objectName(whole)
        : undefined;
    return {
      ...{ kind: kindName(id), object: objectName(id), change },
      attributes: change === "changed" ? attributesOf(deltas) : [],
      ...(partOf === undefined ? {} : { partOf }),
    };
  });
}

/** The object that a difference is about. */
export function subjectOf(delta: Delta): StableId {
  if (delta.verb === "add" || delta.verb === "remove") return delta.fact.id;
  return delta.verb === "set" ? delta.id : delta.edge.from;
}

function parentIn(facts: FactBase, id: StableId): StableId | undefined {
  return facts.get(id)?.parent;
}

/** What differs in one object. An object that depends on others than before has changed in another attribute as well, as a rule. */
function attributesOf(deltas: readonly Delta[]): readonly AttributeDifference[] {
  const edges = (verb: "link" | "unlink", kind: string) =>
    deltas
      .flatMap((delta) => (delta.verb === verb && delta.edge.kind === kind ? [objectName(delta.edge.to)] : []))
      .join(", ");
  const set = deltas.flatMap((delta) =>
    delta.verb === "set" ? [attribute(delta.attr, shown(delta.from), shown(delta.to))] : [],
  );
  const owner = attribute("owner", edges("unlink", "owner"), edges("link", "owner"));
  const found = [...set, ...(isEmpty(owner) ? [] : [owner])];
  return found.length > 0 ? found : [attribute("dependencies", edges("unlink", "depends"), edges("link", "depends"))];
}

function attribute(name: string, from: string, to: string): AttributeDifference {
  return { name, ...(from === "" ? {} : { from }), ...(to === "" ? {} : { to }) };
}

function isEmpty({ from, to }: AttributeDifference): boolean {
  return from === undefined && to === undefined;
}

function shown(value: unknown): string {
  if (value === undefined || value === null) return "";
  if (typeof value === "string") return value;
  return JSON.stringify(value, (_, each: unknown) => (typeof each === "bigint" ? String(each) : each));
}
