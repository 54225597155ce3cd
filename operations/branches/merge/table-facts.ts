import type { Fact, FactBase, Plan, StableId } from "../../schema-facts/pg-delta.ts";

export type Action = Plan["actions"][number];

export interface ColumnId {
  readonly kind: "column";
  readonly schema: string;
  readonly table: string;
  readonly name: string;
}

export interface TableId {
  readonly kind: "table";
  readonly schema: string;
  readonly name: string;
}

export function tableOf({ schema, table }: { readonly schema: string; readonly table: string }): TableId {
  return { kind: "table", schema, name: table };
}

export function tablesIn(ids: readonly StableId[]): readonly TableId[] {
  return ids.flatMap((id) => (id.kind === "table" ? [{ kind: id.kind, schema: id.schema, name: id.name }] : []));
}

export function columnsIn(ids: readonly StableId[]): readonly ColumnId[] {
  return ids.flatMap((id) =>
    id.kind === "column" ? [{ kind: id.kind, schema: id.schema, table: id.table, name: id.name }] : [],
  );
}

/** The columns of a table that are stored, not generated. */
export function columnsOf(facts: FactBase, id: TableId): readonly Fact[] {
  return facts.childrenOf(id).filter((fact) => fact.id.kind === "column" && !isGenerated(fact));
}

export function isGenerated({ payload }: Fact): boolean {
  return typeof payload.generatedExpr === "string";
}

/** The columns of a primary key; none without one. */
export function keyOf(facts: FactBase, id: TableId): readonly string[] {
  const primary = facts.childrenOf(id).find((fact) => fact.id.kind === "constraint" && fact.payload.type === "p");
  const columns = /^PRIMARY KEY \(((?:"(?:[^"]|"")+"|[^")])+)\)/.exec(textOf(primary?.payload.def))?.[1] ?? "";
  return [...columns.matchAll(/"((?:[^"]|"")+)"|([^",\s]+)/g)].map(
    ([, quoted, plain = ""]) => quoted?.replaceAll('""', '"') ?? plain,
  );
}

/** A column whose type an action changes. */
export interface Retyped {
  readonly id: ColumnId;
  readonly from: Fact;
  readonly to: Fact;
}

/** The column whose type an action changes, if it does. */
export function retypedBy({ sql }: Action, from: FactBase, to: FactBase): Retyped | undefined {
  const name = '"((?:[^"]|"")+)"';
  const match = new RegExp(`^ALTER TABLE ${name}\\.${name} ALTER COLUMN ${name} TYPE `).exec(sql);
  if (match === null) return undefined;
  const [schema = "", table = "", column = ""] = match.slice(1).map((text) => text.replaceAll('""', '"'));
  const id: ColumnId = { kind: "column", schema, table, name: column };
  const [before, after] = [from.get(id), to.get(id)];
  return before === undefined || after === undefined ? undefined : { id, from: before, to: after };
}

/** Whether a type is PostgreSQL's own. The others may go with a migration, so their values are parked as text. */
export function isBuiltIn(type: string): boolean {
  return !/[."]/.test(type);
}

export function nameOf(id: StableId): string {
  return "name" in id ? id.name : "";
}

export function typeOf({ payload }: Fact): string {
  return textOf(payload.type);
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
