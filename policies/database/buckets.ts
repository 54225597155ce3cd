import type { Node } from "libpg-query";
import type { SourcePosition } from "../../contract/graph.ts";
import type { SeededBucket } from "../reading/supabase/config.ts";
import { ranBy, relationOf, type Bodies } from "../../contract/sql/ran.ts";
import { text } from "./catalog.ts";
import type { DeclaredAccess, Opening } from "./facts.ts";
import { literal, type Postgres } from "./postgres.ts";

// cspell:ignore boolval

/** Buckets that are public without a declaration, by SQL or by the settings of the CLI, and functions that make buckets public. */
export async function publicBuckets(
  postgres: Postgres,
  declarations: readonly DeclaredAccess[],
  bodies: Bodies,
  at: (xmin: string) => SourcePosition | undefined,
  seeded: readonly SeededBucket[] = [],
): Promise<readonly Opening[]> {
  const [there] = await postgres.run("select to_regclass('storage.buckets') is not null as there");
  if (there?.there !== true) return [];
  const found: Opening[] = [];
  for (const row of await postgres.run("select id, xmin::text as xmin from storage.buckets where public order by id")) {
    const id = text(row, "id");
    if (await isDeclared(postgres, id, declarations)) continue;
    const source = at(text(row, "xmin"));
    found.push({
      kind: "bucket",
      name: `bucket ${id}`,
      message: "it is public: everyone reads its files by their URL, past the policies of storage.objects",
      fix: `update storage.buckets set public = false where id = ${literal(id)}; -- or, if it is meant, the line: -- storage.objects: readable by anyone when bucket_id = ${literal(id)}`,
      ...(source === undefined ? {} : { source }),
    });
  }
  for (const { name, source } of seeded)
    if (!(await isDeclared(postgres, name, declarations)))
      found.push({
        kind: "bucket",
        name: `bucket ${name}`,
        message:
          "the Supabase CLI makes it public: everyone reads its files by their URL, past the policies of storage.objects",
        fix: `set public = false in [storage.buckets.${JSON.stringify(name)}]; or, if it is meant, the line in a migration: -- storage.objects: readable by anyone when bucket_id = ${literal(name)}`,
        source,
      });
  for (const [name, { node }] of bodies) {
    if (!("CreateFunctionStmt" in node)) continue;
    const { nodes } = ranBy({ FuncCall: { funcname: node.CreateFunctionStmt.funcname ?? [] } }, bodies);
    if (!nodes.some(makesPublic)) continue;
    const [row] = await postgres.run(
      `select p.xmin::text as xmin, p.oid::regprocedure::text as signature from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname || '.' || p.proname = ${literal(name)}`,
    );
    const source = at(text(row ?? {}, "xmin"));
    found.push({
      kind: "bucket",
      name: `function ${name}`,
      message: "it can make buckets public, and their files are then read by everyone",
      fix: `drop function ${text(row ?? {}, "signature")} cascade;`,
      ...(source === undefined ? {} : { source }),
    });
  }
  return found;
}

/** Whether all files of a bucket are declared to be readable by anyone. */
async function isDeclared(postgres: Postgres, id: string, declarations: readonly DeclaredAccess[]): Promise<boolean> {
  for (const { table, commands, roles, when = "true", error } of declarations) {
    if (table !== "storage.objects" || error !== undefined || !commands.includes("select") || !roles.includes("anon"))
      continue;
    const [row] = await postgres.run(
      `select (${when}) is true as holds from jsonb_populate_record(null::storage.objects, jsonb_build_object('bucket_id', ${literal(id)})) objects`,
    );
    if (row?.holds === true) return true;
  }
  return false;
}

/** Whether a statement writes something else than false into the column. */
function makesPublic(node: Node): boolean {
  if ("UpdateStmt" in node && relationOf(node.UpdateStmt.relation) === "storage.buckets")
    return (node.UpdateStmt.targetList ?? []).some(
      (target) => "ResTarget" in target && target.ResTarget.name === "public" && !isFalse(target.ResTarget.val),
    );
  if (!("InsertStmt" in node) || relationOf(node.InsertStmt.relation) !== "storage.buckets") return false;
  const { cols = [], selectStmt } = node.InsertStmt;
  const place = cols.findIndex((column) => "ResTarget" in column && column.ResTarget.name === "public");
  if (place < 0) return cols.length === 0;
  const select = selectStmt !== undefined && "SelectStmt" in selectStmt ? selectStmt.SelectStmt : undefined;
  const rows = (select?.valuesLists ?? []).map((list) => ("List" in list ? list.List.items?.[place] : undefined));
  return rows.length === 0 || rows.some((value) => !isFalse(value));
}

function isFalse(value: Node | undefined): boolean {
  return (
    value !== undefined &&
    "A_Const" in value &&
    value.A_Const.boolval !== undefined &&
    value.A_Const.boolval.boolval !== true
  );
}
