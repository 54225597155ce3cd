import type { SourcePosition } from "../../contract/graph.ts";
import { loadParser } from "../proof/bodies.ts";
import { readsPerRow } from "../proof/per-row.ts";
import type { Baseline } from "./baseline.ts";
import { identifier, literal, type Postgres, type Row, USER_SCHEMAS } from "./postgres.ts";
import type { Command, ForeignKey, Function, Grant, Membership, Policy, Table, View } from "./facts.ts";

/** The catalog after all migrations. */
export interface Catalog {
  readonly tables: readonly Table[];
  readonly policies: readonly Policy[];
  readonly views: readonly View[];
  readonly functions: readonly Function[];
  readonly grants: readonly Grant[];
  readonly memberships: readonly Membership[];
  readonly foreignKeys: readonly ForeignKey[];
  /** Roles that requests from outside take on. */
  readonly apiRoles: readonly string[];
}

/**
 * Roles that a request can get: those that `authenticator`, `anon` and `authenticated` can become, directly or through others.
 * Not `service_role`, which is the back end's, unless a request can become one of its members.
 */
export async function apiRolesOf(postgres: Postgres): Promise<readonly string[]> {
  const rows = await postgres.run(
    `with recursive reach(id) as (
       select oid from pg_roles where rolname in ('anon', 'authenticated', 'authenticator')
       union
       select m.roleid from reach join pg_auth_members m on m.member = reach.id join pg_roles r on r.oid = m.roleid
       where r.rolname <> 'service_role' and r.rolname !~ '^pg_'
     )
     select r.rolname as role from pg_roles r join reach on reach.id = r.oid where r.rolname <> 'authenticator' order by 1`,
  );
  return rows.map((row) => text(row, "role"));
}

/** Reads all facts that the rules need. `at` returns the statement that wrote a row, by its `xmin`. */
export async function readCatalog(
  postgres: Postgres,
  baseline: Baseline,
  at: (xmin: string) => SourcePosition | undefined,
): Promise<Catalog> {
  const apiRoles = await apiRolesOf(postgres);
  const located = (row: Row, key = "xmin"): { name: string; source?: SourcePosition } => {
    const source = at(text(row, key));
    return { name: text(row, "name"), ...(source === undefined ? {} : { source }) };
  };
  const fresh = (row: Row, kind: "r" | "f") => !baseline.has(`${kind}${text(row, "oid")}`);
  const can = (privilege: string, of: string) =>
    `array(select r from unnest(${roles(apiRoles)}) r where ${privilege}(r, ${of}))`;

  const relations = await postgres.run(
    `select c.oid::text as oid, n.nspname || '.' || c.relname as name, c.relkind as kind, c.relispartition as partition, c.relrowsecurity as rls, c.relforcerowsecurity as forced,
       pg_get_userbyid(c.relowner) as owner, a.xmin::text as xmin, coalesce(array_to_string(c.reloptions, ','), '') as options,
       ${can("has_schema_privilege", "n.oid, 'usage'")} as exposed_to,
       ${can("has_table_privilege", "c.oid, 'select'")} as readers,
       array(select r from unnest(array_append(${roles(apiRoles)}, 'public')) r where has_table_privilege(r, c.oid, 'select, insert, update, delete, truncate') or has_any_column_privilege(r, c.oid, 'select, insert, update')) as any
     from pg_class c join pg_namespace n on n.oid = c.relnamespace left join pg_attribute a on a.attrelid = c.oid and a.attnum = (case when c.relkind in ('v') then 1 else -6 end)
     where c.relkind in ('r', 'p', 'f', 'v', 'm') and ${USER_SCHEMAS} order by name`,
  );
  const own = relations.filter((row) => fresh(row, "r"));
  const tables = own
    .filter((row) => ["r", "p", "f"].includes(text(row, "kind")))
    .map((row): Table => ({
      ...located(row),
      kind: row.partition === true ? "partition" : (TABLE_KINDS.get(text(row, "kind")) ?? "table"),
      rowSecurity: row.rls === true,
      forced: row.forced === true,
      owner: text(row, "owner"),
      exposed: list(row, "exposed_to").length > 0,
      readers: list(row, "any"),
    }));
  const views = own
    .filter((row) => ["v", "m"].includes(text(row, "kind")))
    .map((row): View => ({
      ...located(row),
      kind: text(row, "kind") === "v" ? "view" : "materialized view",
      invoker: /(^|,)security_invoker=(t|tr|tru|true|on|y|ye|yes|1)(,|$)/i.test(text(row, "options")),
      // A view or a function of another schema may read it for them.
      readers: list(row, "readers"),
    }));

  const procedures = await postgres.run(
    `select p.oid::text as oid, n.nspname || '.' || p.proname as name, p.prosecdef as definer, p.prokind as kind, format('%I.%I(%s)', n.nspname, p.proname, oidvectortypes(p.proargtypes)) as signature, p.xmin::text as xmin, p.prosrc as body, p.prorettype in ('trigger'::regtype, 'event_trigger'::regtype) as trigger,
       (select split_part(s, '=', 2) from unnest(p.proconfig) s where s like 'search_path=%') as path,
       ${can("has_schema_privilege", "n.oid, 'usage'")} as exposed_to, ${can("has_function_privilege", "p.oid, 'execute'")} as callers, has_function_privilege('public', p.oid, 'execute') as public,
       array(select distinct d.refobjid::text from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.refclassid = 'pg_proc'::regclass) as calls
     from pg_proc p join pg_namespace n on n.oid = p.pronamespace where ${USER_SCHEMAS}
       and not exists (select from pg_depend e where e.classid = 'pg_proc'::regclass and e.objid = p.oid and e.deptype = 'i') order by name`,
  );
  const functions = procedures
    .filter((row) => fresh(row, "f"))
    .map((row): Function => ({
      ...located(row),
      kind: FUNCTION_KINDS.get(text(row, "kind")) ?? "function",
      signature: text(row, "signature"),
      definer: row.definer === true,
      ...(row.path === null ? {} : { searchPath: text(row, "path") }),
      callers: list(row, "callers").filter((role) => list(row, "exposed_to").includes(role)),
      public: row.public === true,
      exposed: list(row, "exposed_to").length > 0,
      trigger: row.trigger === true,
    }));

  return {
    tables,
    views,
    functions,
    policies: await policiesOf(postgres, baseline, procedures, located),
    grants: await grantsOf(postgres, baseline, located),
    memberships: await membershipsOf(postgres, baseline, apiRoles),
    foreignKeys: await foreignKeysOf(postgres, baseline, located),
    apiRoles,
  };
}

const FUNCTION_KINDS: ReadonlyMap<string, Function["kind"]> = new Map([
  ["a", "aggregate"],
  ["p", "procedure"],
]);

const TABLE_KINDS: ReadonlyMap<string, Table["kind"]> = new Map([
  ["p", "partitioned table"],
  ["f", "foreign table"],
]);

/** Commands of a policy, by `pg_policy.polcmd`. */
export const COMMANDS: Readonly<Record<string, readonly Command[]>> = {
  r: ["select"],
  a: ["insert"],
  w: ["update"],
  d: ["delete"],
  "*": ["select", "insert", "update", "delete"],
};

async function policiesOf(
  postgres: Postgres,
  baseline: Baseline,
  procedures: readonly Row[],
  located: (row: Row) => { name: string; source?: SourcePosition },
): Promise<Policy[]> {
  await loadParser();
  const byOid = new Map(procedures.map((row) => [text(row, "oid"), row]));
  const rows = await postgres.run(
    `select 'o' || p.oid as id, p.polname as name, p.xmin::text as xmin, n.nspname || '.' || c.relname as table, p.polcmd as command, p.polpermissive as permissive,
       array(select case when r = 0 then 'public' else pg_get_userbyid(r) end from unnest(p.polroles) r) as roles,
       pg_get_expr(p.polqual, p.polrelid) as using, pg_get_expr(p.polwithcheck, p.polrelid) as check,
       array(select distinct a.attname::text from pg_depend d join pg_attribute a on a.attrelid = c.oid and a.attnum = d.refobjsubid
         where d.classid = 'pg_policy'::regclass and d.objid = p.oid and d.refclassid = 'pg_class'::regclass and d.refobjid = c.oid and d.refobjsubid > 0) as columns,
       array(select distinct a.attname::text from pg_depend d join pg_attribute a on a.attrelid = c.oid and a.attnum = d.refobjsubid
         where d.classid = 'pg_policy'::regclass and d.objid = p.oid and d.refclassid = 'pg_class'::regclass and d.refobjid = c.oid and d.refobjsubid > 0
           and not exists (select from pg_index i where i.indrelid = c.oid and i.indisvalid and i.indkey[0] = a.attnum)) as unindexed,
       array(select distinct d.refobjid::text from pg_depend d where d.classid = 'pg_policy'::regclass and d.objid = p.oid and d.refclassid = 'pg_proc'::regclass) as calls
     from pg_policy p join pg_class c on c.oid = p.polrelid join pg_namespace n on n.oid = c.relnamespace order by 3, 1`,
  );
  return rows.flatMap((row): Policy[] => {
    if (baseline.has(text(row, "id"))) return [];
    const reached = callsFrom(list(row, "calls"), byOid);
    return [
      {
        ...located(row),
        table: text(row, "table"),
        commands: COMMANDS[text(row, "command")] ?? [],
        permissive: row.permissive === true,
        roles: list(row, "roles"),
        ...(row.using === null ? {} : { using: text(row, "using") }),
        ...(row.check === null ? {} : { check: text(row, "check") }),
        columns: list(row, "columns"),
        unindexed: list(row, "unindexed"),
        calls: reached.map((called) => text(called, "name")),
        bodies: reached.map((called) => text(called, "body")),
        perRow: [text(row, "using"), text(row, "check")].some(
          (expression) => expression !== "" && readsPerRow(expression),
        ),
        evaluations: [],
      },
    ];
  });
}

/** The functions that expressions call, directly or through other functions, as far as the catalog shows. */
function callsFrom(oids: readonly string[], byOid: ReadonlyMap<string, Row>): Row[] {
  const seen = new Map<string, Row>();
  const open = [...oids];
  for (let oid = open.pop(); oid !== undefined; oid = open.pop()) {
    const row = byOid.get(oid);
    if (row === undefined || seen.has(oid)) continue;
    seen.set(oid, row);
    open.push(...list(row, "calls"));
    // The catalog stores a PL/pgSQL body as text, so every function that it names counts as called.
    for (const [other, candidate] of byOid)
      if (!seen.has(other) && text(row, "body").includes(text(candidate, "name"))) open.push(other);
  }
  return [...seen.values()];
}

async function grantsOf(
  postgres: Postgres,
  baseline: Baseline,
  located: (row: Row) => { name: string; source?: SourcePosition },
): Promise<Grant[]> {
  const rows = await postgres.run(
    `select c.oid::text as oid, n.nspname || '.' || c.relname as name, c.xmin::text as xmin, case when c.relkind = 'S' then 'sequence' else 'table' end as kind,
       case when x.grantee = 0 then 'public' else pg_get_userbyid(x.grantee) end as role, array_agg(lower(x.privilege_type) order by x.privilege_type) as privileges
     from pg_class c join pg_namespace n on n.oid = c.relnamespace, aclexplode(coalesce(c.relacl, acldefault(case when c.relkind = 'S' then 's'::"char" else 'r'::"char" end, c.relowner))) x
     where c.relkind in ('r', 'p', 'f', 'v', 'm', 'S') and ${USER_SCHEMAS} and x.grantee <> c.relowner group by 1, 2, 3, 4, 5
     union all
     select c.oid::text, n.nspname || '.' || c.relname, a.xmin::text, 'table', case when x.grantee = 0 then 'public' else pg_get_userbyid(x.grantee) end, array_agg(lower(x.privilege_type) || ' (' || a.attname || ')')
     from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace, aclexplode(a.attacl) x
     where ${USER_SCHEMAS} and x.grantee <> c.relowner group by 1, 2, 3, 5 order by 2, 5`,
  );
  return rows
    .filter((row) => !baseline.has(`r${text(row, "oid")}`))
    .map((row) => ({
      ...located(row),
      role: text(row, "role"),
      privileges: list(row, "privileges"),
      kind: text(row, "kind") as Grant["kind"],
    }));
}

/** Roles of Supabase that own its objects. */
const THEIRS = [
  "postgres",
  "supabase_admin",
  "supabase_auth_admin",
  "supabase_storage_admin",
  "supabase_realtime_admin",
  "supabase_functions_admin",
  "supabase_replication_admin",
  "supabase_read_only_user",
  "dashboard_user",
  "pgbouncer",
];

/** Privileged roles that API roles, and roles of the migrations, can assume through memberships. */
async function membershipsOf(
  postgres: Postgres,
  baseline: Baseline,
  apiRoles: readonly string[],
): Promise<Membership[]> {
  const rows = await postgres.run(
    `with recursive reach(start, role, path) as (
       select oid, oid, array[rolname::text] from pg_roles where rolname !~ '^pg_'
       union all
       select r.start, m.roleid, r.path || pg_get_userbyid(m.roleid)::text from reach r join pg_auth_members m on m.member = r.role where not pg_get_userbyid(m.roleid)::text = any (r.path)
     )
     select pg_get_userbyid(r.start) as role, r.path, p.power, p.anyone from reach r join pg_roles g on g.oid = r.role,
       lateral (values (g.rolname, g.rolname = any (array[${THEIRS.map(literal).join(", ")}]::text[]), false), ('superuser', g.rolsuper, true), ('bypassrls', g.rolbypassrls, true), ('createrole', g.rolcreaterole, true), ('replication', g.rolreplication, true), ('login', g.rolcanlogin, false),
         (g.rolname, g.rolname in ('pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program'), true),
         (g.rolname, g.rolname ~ '^pg_(read_all_data|write_all_data|maintain|signal_backend|signal_autovacuum_worker|create_subscription|read_all_settings|monitor|stat_scan_tables|checkpoint)$', false)) p(power, has, anyone)
     where p.has and not (p.power = pg_get_userbyid(r.start) and cardinality(r.path) = 1) order by 1, 2`,
  );
  // A role of the back end may log in and read everything; a role of a request may not.
  return rows
    .filter(
      (row) => apiRoles.includes(text(row, "role")) || (row.anyone === true && !baseline.has(`u${text(row, "role")}`)),
    )
    .map((row) => ({ role: text(row, "role"), path: list(row, "path"), power: text(row, "power") }));
}

async function foreignKeysOf(
  postgres: Postgres,
  baseline: Baseline,
  located: (row: Row) => { name: string; source?: SourcePosition },
): Promise<ForeignKey[]> {
  const rows = await postgres.run(
    `select c.oid::text as oid, k.conname as name, k.xmin::text as xmin, n.nspname || '.' || c.relname as table,
       exists (select from pg_index i where i.indrelid = c.oid and i.indisvalid and i.indpred is null
         and (select array_agg(x order by x) from unnest((i.indkey::int2[])[0:cardinality(k.conkey) - 1]) x) = (select array_agg(x order by x) from unnest(k.conkey) x)) as indexed
     from pg_constraint k join pg_class c on c.oid = k.conrelid join pg_namespace n on n.oid = c.relnamespace where k.contype = 'f' and k.conparentid = 0 and ${USER_SCHEMAS} order by 3, 1`,
  );
  return rows
    .filter((row) => !baseline.has(`r${text(row, "oid")}`))
    .map((row) => ({ ...located(row), table: text(row, "table"), indexed: row.indexed === true }));
}

function roles(names: readonly string[]): string {
  return `array[${names.map(literal).join(", ")}]::text[]`;
}

/** A schema-qualified name of the catalog, quoted as SQL. */
export function qualified(name: string): string {
  const dot = name.indexOf(".");
  return `${identifier(name.slice(0, dot))}.${identifier(name.slice(dot + 1))}`;
}

/** A column of a result as text; empty if it is null. */
export function text(row: Row, key: string): string {
  const value = row[key];
  return typeof value === "string"
    ? value
    : typeof value === "number" || typeof value === "boolean"
      ? String(value)
      : "";
}

/** A text array, as the drivers return it: a list, or PostgreSQL's notation for types that they do not support. */
export function list(row: Row, key: string): string[] {
  const value = row[key];
  if (Array.isArray(value)) return value.map(String);
  if (typeof value !== "string" || value === "{}") return [];
  return [...value.slice(1, -1).matchAll(/"((?:[^"\\]|\\.)*)"|([^,]+)/g)].map(
    (match) => match[1]?.replaceAll(/\\(.)/g, "$1") ?? match[2] ?? "",
  );
}
