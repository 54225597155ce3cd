import pg from "pg";
import { relation } from "../../migrations/relation.ts";
import type { Fact, FactBase } from "../../schema-facts/pg-delta.ts";
import { storeOf, type Parked } from "./parked.ts";
import {
  columnsIn,
  columnsOf,
  isBuiltIn,
  isGenerated,
  nameOf,
  retypedBy,
  tableOf,
  tablesIn,
  typeOf,
  type Action,
  type ColumnId,
  type TableId,
} from "./table-facts.ts";

const quote = pg.escapeIdentifier;

/** Values that are put back after an action. */
export interface PutBack {
  /** Index of the action. */
  readonly after: number;
  readonly parked: Parked;
  readonly columns: readonly string[];
  readonly statements: readonly string[];
  /** The text of the action, if it has to be another. */
  readonly action?: string;
}

/**
 * What is put back of parked values when actions make their tables and columns again. A column takes the values of rows that are still
 * there, by their key, before constraints and indexes are made. Values of another type than the column's stay parked.
 *
 * @param parked the newest first
 */
export function putBackBy(
  actions: readonly Action[],
  from: FactBase,
  to: FactBase,
  parked: readonly Parked[],
): readonly PutBack[] {
  const left = new Left(parked);
  const found: PutBack[] = [];
  const made = new Set<string>();
  for (const id of actions.flatMap((action) => tablesIn(action.produces))) {
    made.add(relation(id.schema, id.name));
    const columns = columnsOf(to, id);
    const each = left.whole(id, columns);
    if (each === undefined) continue;
    found.push({
      // A column whose type gets a value in the same migration comes later than its table.
      after: actions.findLastIndex(({ produces }) =>
        [...tablesIn(produces), ...columnsIn(produces).map(tableOf)].some(
          (part) => part.schema === id.schema && part.name === id.name,
        ),
      ),
      ...{ parked: each, columns: Object.keys(each.columns) },
      statements: [
        ...insert(each, columns),
        ...columns.flatMap((column) =>
          nextNumber(to, { kind: "column", schema: id.schema, table: id.name, name: nameOf(column.id) }, column),
        ),
        ...left.forget(each, Object.keys(each.columns)),
      ],
    });
  }
  for (const [after, action] of actions.entries()) {
    const retyped = retypedBy(action, from, to);
    const columns = [
      ...columnsIn(action.produces)
        .filter((id) => !made.has(relation(id.schema, id.table)))
        .map((id) => ({ id, column: to.get(id), before: undefined })),
      ...(retyped === undefined ? [] : [{ id: retyped.id, column: retyped.to, before: retyped.from }]),
    ];
    for (const { id, column, before } of columns) {
      if (column === undefined || isGenerated(column)) continue;
      const each = left.column(id, column, to);
      if (each === undefined) continue;
      // Rows are there already, so the column takes values before it refuses to be without.
      const strict = before === undefined && action.sql.endsWith(" NOT NULL") && column.payload.identity === null;
      found.push({
        ...{ after, parked: each, columns: [id.name] },
        statements: [
          ...update(each, id, column, before, firing(actions, from, to, id)),
          ...(strict
            ? [`alter table ${relation(id.schema, id.table)} alter column ${quote(id.name)} set not null`]
            : []),
          ...(before === undefined ? nextNumber(to, id, column) : []),
          ...left.forget(each, [id.name]),
        ],
        ...(strict ? { action: action.sql.replace(/ NOT NULL$/, "") } : {}),
      });
    }
  }
  return found;
}

/** What is parked and not put back yet. */
class Left {
  readonly #parked: readonly Parked[];
  readonly #columns: ReadonlyMap<Parked, Map<string, string>>;

  constructor(parked: readonly Parked[]) {
    this.#parked = parked;
    this.#columns = new Map(parked.map((each) => [each, new Map(Object.entries(each.columns))]));
  }

  /** The rows of a table with these columns. */
  whole({ schema, name }: TableId, columns: readonly Fact[]): Parked | undefined {
    const types = new Map(columns.map((column) => [nameOf(column.id), typeOf(column)]));
    return this.#parked.find(
      (each) =>
        each.whole &&
        each.schema === schema &&
        each.table === name &&
        this.#columns.get(each)?.size === Object.keys(each.columns).length &&
        Object.entries(each.columns).every(([column, type]) => types.get(column) === type),
    );
  }

  /** The values of a column, in a table that has their key. */
  column(id: ColumnId, column: Fact, to: FactBase): Parked | undefined {
    return this.#parked.find(
      (each) =>
        !each.whole &&
        each.schema === id.schema &&
        each.table === id.table &&
        this.#columns.get(each)?.get(id.name) === typeOf(column) &&
        each.key.every((name) => to.has({ ...id, name })),
    );
  }

  /** Counts columns as put back; returns the statements that remove them from the parked. */
  forget(parked: Parked, columns: readonly string[]): readonly string[] {
    const { store, ...record } = parked;
    const rest = this.#columns.get(parked) ?? new Map<string, string>();
    for (const column of columns) rest.delete(column);
    if (rest.size === 0) return [`drop table ${storeOf(store)}`];
    const comment = JSON.stringify({ ...record, columns: Object.fromEntries(rest) });
    return [
      ...columns.map((column) => `alter table ${storeOf(store)} drop column ${quote(column)}`),
      `comment on table ${storeOf(store)} is ${pg.escapeLiteral(comment)}`,
    ];
  }
}

/** @param before the column with the type that it had meanwhile: values that were changed since then stay */
function update(
  { store, key }: Parked,
  id: ColumnId,
  column: Fact,
  before: Fact | undefined,
  triggers: readonly Fact[],
): readonly string[] {
  const table = relation(id.schema, id.table);
  const [name, type] = [quote(id.name), typeOf(column)];
  const identity = column.payload.identity as { readonly generation?: string } | null;
  const generated = (how: string) =>
    identity?.generation === "a" ? [`alter table ${table} alter column ${name} set generated ${how}`] : [];
  const conditions = [
    ...key.map((each) => `t.${quote(each)} = p.${quote(each)}`),
    ...(before === undefined ? [] : [`t.${name} is not distinct from p.${name}::${typeOf(before)}::${type}`]),
  ];
  // A trigger would take it for a change by a user.
  const switched = (how: (trigger: Fact) => string) =>
    triggers.map((trigger) => `alter table ${table} ${how(trigger)} trigger ${quote(nameOf(trigger.id))}`);
  return [
    ...generated("by default"),
    ...switched(() => "disable"),
    `update only ${table} as t set ${name} = p.${name}${castOf(type)} from ${storeOf(store)} as p where ${conditions.join(" and ")}`,
    ...switched(({ payload }) => (payload.enabled === "A" ? "enable always" : "enable")),
    ...generated("always"),
  ];
}

function insert({ store, schema, table, columns }: Parked, facts: readonly Fact[]): readonly string[] {
  const own = facts.filter(({ id }) => nameOf(id) in columns);
  if (own.length === 0) return [];
  const names = own.map(({ id }) => quote(nameOf(id)));
  const values = own.map((fact, index) => `${names[index] ?? ""}${castOf(typeOf(fact))}`);
  return [
    `insert into ${relation(schema, table)} (${names.join(", ")}) overriding system value select ${values.join(", ")} from ${storeOf(store)}`,
  ];
}

function castOf(type: string): string {
  return isBuiltIn(type) ? "" : `::${type}`;
}

/** What makes the next number of a column greater than those that were put back. */
function nextNumber(to: FactBase, id: ColumnId, column: Fact): readonly string[] {
  const table = relation(id.schema, id.table);
  const expression = to.get({ ...id, kind: "default" })?.payload.expr;
  const named = /^nextval\(('(?:[^']|'')+'::regclass)\)$/.exec(typeof expression === "string" ? expression : "")?.[1];
  const identity = `pg_get_serial_sequence(${pg.escapeLiteral(table)}, ${pg.escapeLiteral(id.name)})`;
  const sequence = named ?? (column.payload.identity === null ? undefined : identity);
  if (sequence === undefined) return [];
  const highest = `max(${quote(id.name)})`;
  return [`select setval(${sequence}, ${highest}) from ${table} having ${highest} is not null`];
}

/** Triggers of a table that fire, before and after the actions. */
function firing(actions: readonly Action[], from: FactBase, to: FactBase, column: ColumnId): readonly Fact[] {
  const touched = new Set(
    actions.flatMap(({ produces, destroys }) =>
      [...produces, ...destroys].flatMap((id) =>
        id.kind === "trigger" && id.schema === column.schema && id.table === column.table ? [id.name] : [],
      ),
    ),
  );
  return from
    .childrenOf(tableOf(column))
    .filter(
      ({ id, payload }) =>
        id.kind === "trigger" &&
        (payload.enabled === "O" || payload.enabled === "A") &&
        to.has(id) &&
        !touched.has(id.name),
    );
}
