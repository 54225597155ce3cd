import { literal, type Postgres, type Row, rowsAsJson, USER_SCHEMAS } from "./postgres.ts";

// Names of the catalog:
// cspell:ignore aclexplode attacl attname attrelid classid defaclacl deptype extname nspacl nspname nspowner objid polrelid proacl proconfig proowner prosecdef prosqlbody prosrc refclassid refobjid relacl relowner relrowsecurity rulename setconfig setdatabase setrole tgrelid viewdef

/**
 * The objects that Supabase and extensions bring, by a letter for their kind and their identifier. The value is what must not
 * change, for relations and functions; empty for others.
 */
export class Baseline extends Map<string, string> {
  /** The extension of an object that came with one, by the same key. */
  readonly extensions = new Map<string, string>();
  /** The extensions that are there. */
  noted: ReadonlySet<string> = new Set();

  /** Who brings an object, in messages. */
  originOf(id: string): string {
    const extension = this.extensions.get(id);
    return extension === undefined ? "of Supabase" : `of extension ${extension}`;
  }
}

/** All current objects and privileges. */
export async function baselineOf(postgres: Postgres): Promise<Baseline> {
  const baseline = new Baseline(await currentObjects(postgres));
  baseline.noted = await extensionsIn(postgres);
  return baseline;
}

/**
 * To be called when the extensions of the database have changed: what a new one brings is not the project's. What the project has since
 * given away of an earlier one is.
 */
export async function noteExtensions(postgres: Postgres, baseline: Baseline): Promise<void> {
  const members = await postgres.run(
    `select case d.classid when 'pg_class'::regclass then 'r' when 'pg_proc'::regclass then 'f' when 'pg_namespace'::regclass then 'n' else 'p' end || d.objid as id, e.extname as extension
     from pg_depend d join pg_extension e on e.oid = d.refobjid where d.refclassid = 'pg_extension'::regclass and d.deptype = 'e' and d.classid in ('pg_class'::regclass, 'pg_proc'::regclass, 'pg_namespace'::regclass, 'pg_publication'::regclass)
     union all select 'o' || o.oid, e.extname from pg_policy o join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = o.polrelid and d.deptype = 'e' join pg_extension e on d.refclassid = 'pg_extension'::regclass and e.oid = d.refobjid
     union all select 't' || t.oid, e.extname from pg_trigger t join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = t.tgrelid and d.deptype = 'e' join pg_extension e on d.refclassid = 'pg_extension'::regclass and e.oid = d.refobjid`,
  );
  const extensions = new Map(members.map((row) => [String(row.id), String(row.extension)]));
  const now = new Map(await currentObjects(postgres));
  const there = await extensionsIn(postgres);
  const earlier = baseline.noted;
  baseline.noted = there;
  for (const [id, extension] of baseline.extensions)
    if (!there.has(extension)) {
      baseline.delete(id);
      baseline.extensions.delete(id);
    }
  for (const [id, state] of now) {
    // The key of a privilege begins with that of its object.
    const extension = extensions.get(id.split(" ")[0] ?? "");
    if (extension === undefined || earlier.has(extension) || baseline.has(id)) continue;
    baseline.set(id, state);
    baseline.extensions.set(id, extension);
  }
}

async function extensionsIn(postgres: Postgres): Promise<ReadonlySet<string>> {
  const rows = await postgres.run("select extname as name from pg_extension");
  return new Set(rows.map((row) => String(row.name)));
}

async function currentObjects(postgres: Postgres): Promise<readonly (readonly [string, string])[]> {
  const [path] = await postgres.run("select current_setting('search_path') as path");
  // Names are printed with their schema.
  await postgres.run("set search_path = ''");
  const rows = await rowsAsJson(
    postgres,
    `select 'r' || oid as id from pg_class union all select 'f' || oid from pg_proc union all select 'u' || rolname from pg_roles union all select 'n' || oid from pg_namespace
     union all select 't' || oid from pg_trigger union all select 'w' || oid from pg_rewrite union all select 'e' || oid from pg_event_trigger union all select 'p' || oid from pg_publication
     union all select 'o' || oid from pg_policy
     union all select 'd' || d.oid || x.grantee || x.privilege_type from pg_default_acl d, aclexplode(d.defaclacl) x
     union all select 's' || s.setdatabase || ' ' || s.setrole || c from pg_db_role_setting s, unnest(s.setconfig) c`,
  );
  const everyone = "array(select 'public' union all select rolname::text from pg_roles)::text[]";
  const all = [
    ...rows.map((row) => [String(row.id), ""] as const),
    ...(await grantsTo(postgres, everyone)).map((row) => [String(row.id), ""] as const),
    ...(await baselineState(postgres)).map((row) => [String(row.id), String(row.state)] as const),
  ];
  await postgres.run(`select set_config('search_path', ${literal(String(path?.path))}, false)`);
  return all;
}

/** The parts of relations and functions that decide what they let through; `state` begins with the name. */
export function baselineState(postgres: Postgres): Promise<readonly Row[]> {
  return rowsAsJson(
    postgres,
    `select 'r' || c.oid as id, 'table ' || c.oid::regclass as name, c.xmin::text as xmin, concat_ws('|', 'table ' || c.oid::regclass, c.relrowsecurity, c.relowner::text, case when c.relkind in ('v', 'm') then md5(pg_get_viewdef(c.oid)) end) as state,
       case when c.relrowsecurity then 'restore it' else 'alter table ' || c.oid::regclass || ' enable row level security;' end as undo
     from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind in ('r', 'p', 'v', 'm') and ${USER_SCHEMAS}
     union all
     select 'f' || p.oid, 'function ' || p.oid::regprocedure, p.xmin::text, concat_ws('|', 'function ' || p.oid::regprocedure, md5(concat(p.prosrc, p.prosqlbody, p.proconfig::text)), p.prosecdef, p.proowner::text), 'keep the function of Supabase'
     from pg_proc p join pg_namespace n on n.oid = p.pronamespace where ${USER_SCHEMAS}`,
  );
}

/** Privileges on objects, one a row; `id` names object, role and privilege. */
export function grantsTo(postgres: Postgres, grantees: string): Promise<readonly Row[]> {
  return rowsAsJson(
    postgres,
    `select object || ' ' || role || ' ' || privilege as id, * from (
       select 'r' || c.oid as object, c.oid::regclass::text as name, c.xmin::text as xmin, case when x.grantee = 0 then 'public' else pg_get_userbyid(x.grantee) end as role, x.privilege_type as privilege
       from pg_class c, aclexplode(c.relacl) x where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') and x.grantee <> c.relowner
       union all
       select 'r' || c.oid, c.oid::regclass::text, a.xmin::text, case when x.grantee = 0 then 'public' else pg_get_userbyid(x.grantee) end, x.privilege_type || ' (' || quote_ident(a.attname) || ')'
       from pg_attribute a join pg_class c on c.oid = a.attrelid, aclexplode(a.attacl) x where x.grantee <> c.relowner
       union all
       select 'f' || p.oid, 'function ' || p.oid::regprocedure, p.xmin::text, case when x.grantee = 0 then 'public' else pg_get_userbyid(x.grantee) end, x.privilege_type
       from pg_proc p, aclexplode(p.proacl) x where x.grantee <> p.proowner
       union all
       select 'n' || n.oid, 'schema ' || quote_ident(n.nspname), n.xmin::text, case when x.grantee = 0 then 'public' else pg_get_userbyid(x.grantee) end, x.privilege_type
       from pg_namespace n, aclexplode(n.nspacl) x where x.grantee <> n.nspowner) g where role = any (${grantees})`,
  );
}
