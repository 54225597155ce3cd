import pg from "pg";

/** Name of a relation as SQL, with its schema. */
export function relation(schema: string, name: string): string {
  return `${pg.escapeIdentifier(schema)}.${pg.escapeIdentifier(name)}`;
}
