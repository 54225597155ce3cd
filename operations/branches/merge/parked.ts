import { PARKED_SCHEMA } from "../../../contract/sql/parked.ts";
import { withClient } from "../../migrations/client.ts";
import { relation } from "../../migrations/relation.ts";
import { databaseUrl } from "../../migrations/url.ts";

/** Values that were taken from a table, in a table of {@link PARKED_SCHEMA}. Its comment has this record as JSON. */
export interface Parked {
  /** Name of the table that has them. */
  readonly store: string;
  readonly schema: string;
  readonly table: string;
  /** Whether the table itself was taken away, with all rows. */
  readonly whole: boolean;
  /** Columns of the primary key, by which rows are found again; none of a whole table. */
  readonly key: readonly string[];
  /** The columns and their types. */
  readonly columns: Readonly<Record<string, string>>;
  /** Version of the migration that took them. */
  readonly version: string;
}

/** What a database has parked, the newest first. */
export async function readParked(url: string): Promise<readonly Parked[]> {
  return withClient(databaseUrl(url), (client) => parkedIn(async (sql) => (await client.query<StoreRow>(sql)).rows));
}

interface StoreRow {
  readonly store: string;
  readonly record: string;
}

/** {@link readParked}, by a function that runs SQL. */
export async function parkedIn(query: (sql: string) => Promise<readonly StoreRow[]>): Promise<readonly Parked[]> {
  const rows = await query(
    `select relname as store, obj_description(oid, 'pg_class') as record from pg_class
     where relnamespace = to_regnamespace('${PARKED_SCHEMA}') and relkind = 'r' and obj_description(oid, 'pg_class') like '{%'`,
  );
  return rows
    .map(({ store, record }) => ({ ...(JSON.parse(record) as Omit<Parked, "store">), store }))
    .sort((a, b) => b.version.localeCompare(a.version));
}

/** The table with parked values as SQL. */
export function storeOf(store: string): string {
  return relation(PARKED_SCHEMA, store);
}
