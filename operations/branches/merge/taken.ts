import pg from "pg";
import { PARKED_SCHEMA } from "../../../contract/sql/parked.ts";
import { relation } from "../../migrations/relation.ts";
import type { Fact, FactBase } from "../../schema-facts/pg-delta.ts";
import { storeOf, type Parked } from "./parked.ts";
import {
  columnsIn,
  columnsOf,
  isBuiltIn,
  isGenerated,
  keyOf,
  nameOf,
  retypedBy,
  tableOf,
  tablesIn,
  typeOf,
  type Action,
  type TableId,
} from "./table-facts.ts";

/** Values that actions take from one table. */
export interface Taken {
  readonly parked: Parked;
  /** The first and the last action that take some of them. */
  readonly first: number;
  readonly last: number;
}

/**
 * What can be parked of what actions take: whole tables, and columns that are dropped or get a type that may not hold all values.
 * Columns of a table without a primary key cannot, since their rows would not be found again; nor can a partitioned table.
 */
export function takenBy(actions: readonly Action[], from: FactBase, to: FactBase, version: string): readonly Taken[] {
  const found = new Map<string, { id: TableId; whole: boolean; columns: Fact[]; first: number; last: number }>();
  const take = (id: TableId, whole: boolean, columns: readonly Fact[], index: number) => {
    const table = relation(id.schema, id.name);
    const entry = found.get(table) ?? { id, whole, columns: [], first: index, last: index };
    entry.columns.push(...columns);
    entry.last = index;
    found.set(table, entry);
  };
  for (const [index, action] of actions.entries()) {
    const tables = tablesIn(action.destroys);
    for (const id of tables) take(id, true, columnsOf(from, id), index);
    for (const id of columnsIn(action.destroys)) {
      const column = from.get(id);
      if (column === undefined || isGenerated(column)) continue;
      if (!tables.some(({ schema, name }) => schema === id.schema && name === id.table))
        take(tableOf(id), false, [column], index);
    }
    const retyped = retypedBy(action, from, to);
    if (retyped !== undefined && !holdsAll(typeOf(retyped.from), typeOf(retyped.to)))
      take(tableOf(retyped.id), false, [retyped.from], index);
  }
  const stores = new Set<string>();
  return [...found.values()].flatMap(({ id, whole, columns, first, last }) => {
    const key = whole ? [] : keyOf(from, id);
    const types = Object.fromEntries(columns.map((column) => [nameOf(column.id), typeOf(column)]));
    const found = whole
      ? from.get(id)?.payload.partitionKey === null
      : key.length > 0 && key.every((name) => !(name in types));
    if (!found) return [];
    const store = storeName(id.name, version, stores);
    const parked: Parked = { store, schema: id.schema, table: id.name, whole, key, columns: types, version };
    return [{ parked, first, last }];
  });
}

/** The statements that park values. The lock keeps out what would be written between them and the removal. */
export function parkStatements({ store, ...record }: Parked): readonly string[] {
  const { schema, table, key, columns } = record;
  const [from, to] = [relation(schema, table), storeOf(store)];
  const quote = pg.escapeIdentifier;
  const values = Object.entries(columns).map(([name, type]) =>
    isBuiltIn(type) ? quote(name) : `${quote(name)}::text as ${quote(name)}`,
  );
  return [
    `create schema if not exists ${quote(PARKED_SCHEMA)}`,
    // The Supabase CLI's transaction is not one in which PostgreSQL accepts `lock` outside of a block.
    `do $exai$ begin lock table only ${from} in access exclusive mode; end $exai$`,
    `create table ${to} as select ${[...key.map(quote), ...values].join(", ")} from only ${from}`,
    `alter table ${to} enable row level security`,
    `alter table ${to} force row level security`,
    `comment on table ${to} is ${pg.escapeLiteral(JSON.stringify(record))}`,
  ];
}

/** Changes of a type that keep every value. */
const WIDENED: readonly (readonly [RegExp, RegExp])[] = [
  [/^smallint$/, /^(integer|bigint|numeric|text)$/],
  [/^integer$/, /^(bigint|numeric|text)$/],
  [/^bigint$/, /^(numeric|text)$/],
  [/^real$/, /^double precision$/],
  [/^(character varying|character varying\(\d+\)|uuid)$/, /^text$/],
  [/^character varying\(\d+\)$/, /^character varying$/],
];

function holdsAll(from: string, to: string): boolean {
  return from === to || WIDENED.some(([before, after]) => before.test(from) && after.test(to));
}

/** `files_20261129143005`; PostgreSQL cuts names at 63 bytes. */
function storeName(table: string, version: string, taken: Set<string>): string {
  const short = Buffer.from(table).subarray(0, 40).toString("utf8").replaceAll("\uFFFD", "");
  const names = [
    `${short}_${version}`,
    ...Array.from({ length: 99 }, (_, index) => `${short}_${version}_${String(index + 2)}`),
  ];
  const name = names.find((each) => !taken.has(each)) ?? "";
  taken.add(name);
  return name;
}
