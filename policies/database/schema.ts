import type { SourcePosition } from "../../contract/graph.ts";
import { loadParser } from "../proof/bodies.ts";
import { declarationsIn } from "../proof/declarations.ts";
import type { Clause, Relation, Routine, Schema } from "../proof/schema.ts";
import type { SqlFile } from "./apply.ts";
import { COMMANDS, qualified } from "./catalog.ts";
import type { DeclaredAccess } from "./facts.ts";
import { literal, type Postgres, rowsAsJson, USER_SCHEMAS } from "./postgres.ts";

// cspell:ignore attidentity proconfig proisstrict sqlbody adbin adnum adrelid attrdef convalidated indexprs indimmediate lanname oprnamespace oprleft oprright castmethod castsource casttarget proallargtypes proargmodes proargnames prokind prolang pronargs proretset provolatile viewdef

/** A declaration for a table of Supabase: `-- storage.objects: readable by anyone when bucket_id = 'avatars'`. */
const SUPABASE_LINE = /^\s*--\s*((?:auth|realtime|storage)\.\w+):(.+)$/gm;

type Located = (xmin: string) => SourcePosition | undefined;

/** Reads what the proof needs. Names are printed under an empty search_path, so that each has its schema. */
export async function readSchema(
  postgres: Postgres,
  apiRoles: readonly string[],
  at: Located,
  baseline: ReadonlyMap<string, string> = new Map(),
): Promise<Schema> {
  const roles = `array[${apiRoles.map(literal).join(", ")}]::text[]`;
  const may = (privilege: string) =>
    `array(select r from unnest(${roles}) r where has_column_privilege(r, c.oid, a.attnum, '${privilege}'))`;
  await loadParser();
  await postgres.run("begin; set local search_path = ''");
  try {
    const columns = `(select coalesce(json_agg(json_build_object('name', a.attname,
        'notNull', a.attnotnull and c.relkind <> 'f' and not exists (select from pg_constraint k where k.conrelid = c.oid and k.contype = 'n' and k.conkey = array[a.attnum] and not k.convalidated),
        'default', pg_get_expr(d.adbin, d.adrelid), 'computed', a.attgenerated <> '' or a.attidentity = 'a', 'insert', ${may("insert")}, 'update', ${may("update")}) order by a.attnum), '[]')
      from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped)`;
    const named = (relation: string, numbers: string) =>
      `(select json_agg(a.attname order by u.i) from unnest(${numbers}) with ordinality u(n, i) join pg_attribute a on a.attrelid = ${relation} and a.attnum = u.n)`;
    const relations = await rowsAsJson<Omit<Relation, "source">>(
      postgres,
      `select n.nspname || '.' || c.relname as name, c.relrowsecurity as "rowSecurity", ${columns} as columns,
         (select coalesce(json_agg(${named("c.oid", "i.indkey::int2[]")}), '[]') from pg_index i where i.indrelid = c.oid and i.indisunique and i.indisvalid and i.indimmediate and i.indpred is null and i.indexprs is null) as unique,
         (select coalesce(json_agg(json_build_object('columns', ${named("k.conrelid", "k.conkey")}, 'target', tn.nspname || '.' || t.relname, 'targetColumns', ${named("k.confrelid", "k.confkey")})), '[]')
          from pg_constraint k join pg_class t on t.oid = k.confrelid join pg_namespace tn on tn.oid = t.relnamespace where k.conrelid = c.oid and k.contype = 'f' and k.convalidated) as references,
         case when c.relkind in ('v', 'm') then pg_get_viewdef(c.oid) end as definition, obj_description(c.oid, 'pg_class') as comment
       from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind in ('r', 'p', 'f', 'v', 'm') and ${USER_SCHEMAS} order by 1`,
    );
    const kept = await keptRows(postgres, relations);
    const clauses = await rowsAsJson<
      Omit<Clause, "commands" | "source" | "given"> & { id: string; command: string; xmin: string }
    >(
      postgres,
      `select 'o' || p.oid as id, p.polname as policy, n.nspname || '.' || c.relname as table, p.polcmd as command, p.polpermissive as permissive, p.xmin::text as xmin,
         array(select r from unnest(${roles}) r where exists (select from unnest(p.polroles) o where o = 0 or pg_has_role(r, o, 'usage'))) as roles,
         pg_get_expr(p.polqual, p.polrelid) as using, pg_get_expr(p.polwithcheck, p.polrelid) as check
       from pg_policy p join pg_class c on c.oid = p.polrelid join pg_namespace n on n.oid = c.relnamespace order by 2, 1`,
    );
    const routines = await rowsAsJson<Omit<Routine, "own"> & { xmin: string }>(
      postgres,
      `select n.nspname || '.' || p.proname as name, l.lanname as language, coalesce(pg_get_function_sqlbody(p.oid), p.prosrc) as body, p.xmin::text as xmin,
         (select coalesce(json_agg(coalesce(p.proargnames[i], '') order by i), '[]') from generate_series(1, coalesce(cardinality(p.proallargtypes), p.pronargs)) i where p.proargmodes is null or p.proargmodes[i] in ('i', 'b', 'v')) as parameters,
         (select coalesce(json_agg(p.proargnames[i] order by i), '[]') from generate_series(1, cardinality(p.proallargtypes)) i where p.proargmodes[i] in ('o', 't')) as returns,
         p.proretset as set, p.proisstrict as strict, p.prosecdef as definer,
         coalesce((select bool_or(s !~ '^search_path=') from unnest(p.proconfig) s), false) as configured,
         (select substr(s, 13) from unnest(p.proconfig) s where s like 'search_path=%') as "searchPath"
       from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_language l on l.oid = p.prolang where p.prokind = 'f' and ${USER_SCHEMAS}`,
    );
    const [catalog] = await rowsAsJson<Pick<Schema, "builtIn" | "aggregates" | "enums" | "ownOperators">>(
      postgres,
      `select (select json_agg(json_build_object('name', proname, 'volatility', volatility)) from (
           select proname, case when bool_and(provolatile = 'i' and not proretset) then 'immutable' when bool_or(provolatile = 'v') then 'volatile' else 'stable' end as volatility
           from pg_proc where pronamespace = 'pg_catalog'::regnamespace group by 1) f) as "builtIn",
         array(select distinct proname from pg_proc where prokind = 'a') as aggregates,
         array(select n.nspname || '.' || t.typname from pg_type t join pg_namespace n on n.oid = t.typnamespace where t.typtype = 'e' and ${USER_SCHEMAS}
           and not exists (select from pg_cast k where t.oid in (k.castsource, k.casttarget) and k.castmethod = 'f')
           and not exists (select from pg_operator o where t.oid in (o.oprleft, o.oprright))) as enums,
         exists (select from pg_operator o join pg_namespace n on n.oid = o.oprnamespace where ${USER_SCHEMAS} and not exists (select from pg_type t where t.oid in (o.oprleft, o.oprright) and t.oid >= 16384 and t.typtype <> 'd')
             and not exists (select from pg_depend e where e.classid = 'pg_operator'::regclass and e.objid = o.oid and e.deptype = 'e'))
           or exists (select from pg_cast k where k.oid >= 16384 and k.castmethod = 'f' and k.castsource < 16384 and k.casttarget < 16384) as "ownOperators"`,
    );
    return {
      apiRoles,
      relations: relations.map((relation) => {
        const rows = kept.get(relation.name);
        return rows === undefined ? relation : { ...relation, rows };
      }),
      clauses: clauses.map(({ id, command, xmin, ...clause }) => ({
        ...clause,
        given: baseline.has(id),
        commands: COMMANDS[command] ?? [],
        ...sourceOf(at(xmin)),
      })),
      routines: routines.map(({ xmin, ...routine }) => ({ ...routine, own: at(xmin) !== undefined })),
      builtIn: catalog?.builtIn ?? [],
      aggregates: catalog?.aggregates ?? [],
      enums: catalog?.enums ?? [],
      ownOperators: catalog?.ownOperators ?? true,
    };
  } finally {
    await postgres.run("rollback");
  }
}

/** A table with more rows is not a list of permissions. */
const MOST_ROWS = 200;

/** The rows that the migrations left in tables that no API role can write. */
async function keptRows(
  postgres: Postgres,
  relations: readonly Omit<Relation, "source">[],
): Promise<ReadonlyMap<string, NonNullable<Relation["rows"]>>> {
  const closed = relations
    .filter(({ columns, definition }) => {
      const written = columns.some(({ insert, update }) => insert.length > 0 || update.length > 0);
      return (definition ?? null) === null && !written;
    })
    .map(({ name }) => name);
  if (closed.length === 0) return new Map();
  // Foreign tables have no rows here.
  const there = await rowsAsJson<{ name: string }>(
    postgres,
    `select n.nspname || '.' || c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind in ('r', 'p')
       and n.nspname || '.' || c.relname in (${closed.map(literal).join(", ")})
       and (c.relkind = 'p' or pg_relation_size(c.oid) > 0)`,
  );
  const found = new Map<string, NonNullable<Relation["rows"]>>();
  for (const { name } of there) {
    const rows = await rowsAsJson<{ row: Record<string, unknown> }>(
      postgres,
      `select to_jsonb(t) as row from ${qualified(name)} t limit ${MOST_ROWS + 1}`,
    );
    if (rows.length > 0 && rows.length <= MOST_ROWS)
      found.set(
        name,
        rows.map(({ row }) => Object.fromEntries(Object.entries(row).map(([key, value]) => [key, textOf(value)]))),
      );
  }
  return found;
}

function textOf(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  return typeof value === "string" ? value : JSON.stringify(value);
}

/**
 * The declarations in the comments of tables and, for tables of Supabase, on which a project may not comment, in lines of the
 * migrations. PostgreSQL checks their conditions, and prints them as it prints policies.
 */
export async function readDeclarations(
  postgres: Postgres,
  { relations, apiRoles }: Schema,
  migrations: readonly SqlFile[] = [],
): Promise<readonly DeclaredAccess[]> {
  const lines = migrations.flatMap(({ text }) => [...text.matchAll(SUPABASE_LINE)]);
  const all: DeclaredAccess[] = [];
  for (const { name: table, comment } of relations) {
    const own = lines.flatMap(([, of = "", line = ""]) => (of === table ? [line.trim()] : []));
    const { declarations, errors } = declarationsIn(table, [comment ?? "", ...new Set(own)].join("\n"), apiRoles);
    for (const text of errors)
      all.push({
        table,
        text,
        commands: [],
        roles: [],
        error: "it is not of the form `readable by anyone when CONDITION`",
      });
    for (const declaration of declarations)
      all.push(
        declaration.when === undefined
          ? declaration
          : { ...declaration, ...(await printed(postgres, table, declaration.when)) },
      );
  }
  return all;
}

async function printed(postgres: Postgres, table: string, when: string): Promise<{ when: string } | { error: string }> {
  try {
    await postgres.run(
      `begin; create policy exai_declared on ${qualified(table)} using (\n${when}\n); set local search_path = ''`,
    );
    const [row] = await postgres.run(
      `select pg_get_expr(polqual, polrelid) as when from pg_policy where polrelid = ${literal(qualified(table))}::regclass and polname = 'exai_declared'`,
    );
    return { when: String(row?.when) };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  } finally {
    await postgres.run("rollback");
  }
}

function sourceOf(source: SourcePosition | undefined): { readonly source?: SourcePosition } {
  return source === undefined ? {} : { source };
}
