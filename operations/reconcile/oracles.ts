import { withClient } from "../migrations/client.ts";
import { databaseUrl } from "../migrations/url.ts";
import { compareFacts, type SchemaDifference } from "../schema-facts/compare.ts";
import { readFacts, type SchemaFacts } from "../schema-facts/read.ts";
import { readCatalogue } from "./catalogue.ts";
import { dumpedObjects, dumpSchema } from "./dump.ts";

/** Ways to read a schema that have no code in common: a library's facts, the catalogue, and PostgreSQL's own dump. */
export type Oracle = "facts" | "catalogue" | "dump";

/** A schema as each oracle reads it. */
export interface SchemaReading {
  readonly facts: SchemaFacts;
  /** Definitions by object. */
  readonly catalogue: ReadonlyMap<string, string>;
  readonly dump: ReadonlyMap<string, string>;
}

/** What one oracle says of two schemas. */
export interface OracleVerdict {
  readonly oracle: Oracle;
  /** How many objects it has compared. */
  readonly objects: number;
  readonly differences: readonly ObjectDifference[];
}

/** An object that two schemas do not have alike. */
export type ObjectDifference = Pick<SchemaDifference, "object" | "change">;

/** Reads a schema by all oracles. */
export async function readSchema(url: string, signal?: AbortSignal): Promise<SchemaReading> {
  const database = databaseUrl(url);
  const [facts, catalogue, dump] = await Promise.all([
    readFacts(url),
    withClient(database, readCatalogue),
    dumpSchema(database, signal),
  ]);
  return { facts, catalogue, dump: dumpedObjects(dump) };
}

/** Compares two schemas by all oracles. */
export async function compareReadings(from: SchemaReading, to: SchemaReading): Promise<readonly OracleVerdict[]> {
  const facts = await compareFacts(from.facts, to.facts);
  return [
    {
      oracle: "facts",
      objects: to.facts.managed.facts().length,
      differences: facts.map(({ object, change }) => ({ object, change })),
    },
    { oracle: "catalogue", objects: to.catalogue.size, differences: compareObjects(from.catalogue, to.catalogue) },
    { oracle: "dump", objects: to.dump.size, differences: compareObjects(from.dump, to.dump) },
  ];
}

/** Whether all oracles find the schemas identical. One that has compared nothing does not. */
export function identical(verdicts: readonly OracleVerdict[]): boolean {
  return verdicts.every(({ objects, differences }) => objects > 0 && differences.length === 0);
}

/** How two sets of objects differ, by name. */
export function compareObjects(
  from: ReadonlyMap<string, string>,
  to: ReadonlyMap<string, string>,
): readonly ObjectDifference[] {
  return [...new Set([...from.keys(), ...to.keys()])].sort().flatMap((object): ObjectDifference[] => {
    if (from.get(object) === to.get(object)) return [];
    const change = !from.has(object) ? "added" : to.has(object) ? "changed" : "removed";
    return [{ object, change }];
  });
}
