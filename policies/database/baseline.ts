import { type Postgres, type Row, USER_SCHEMAS } from "./postgres.ts";

// Names of the catalog:
// cspell:ignore aclexplode attacl attname attrelid defaclacl nspacl nspname nspowner proacl proconfig proowner prosecdef prosqlbody prosrc relacl relowner relrowsecurity rulename setconfig setdatabase setrole viewdef

/**
 * The objects that exist before the migrations, by a letter for their kind and their identifier. The value is what must not
 * change, for relations and functions; empty for others.
 */
export type Baseline = ReadonlyMap<string, string>;

/** All current objects and privileges. */
export async function baselineOf(postgres: Postgres): Promise<Baseline> {
  // Names are printed with their schema.
  await postgres.run("set search_path = ''");
  const rows = await postgres.run(
    `select 'r' || oid as id from pg_class union all select 'f' || oid from pg_proc union all select 'u' || rolname from pg_roles union all select 'n' || oid from pg_namespace
     union all select 't' || oid from pg_trigger union all select 'w' || oid from pg_rewrite union all select 'e' || oid from pg_event_trigger union all select 'p' || oid from pg_publication
     union all select 'd' || d.oid || x.grantee || x.privilege_type from pg_default_acl d, aclexplode(d.defaclacl) x
     union all select 's' || s.setdatabase || ' ' || s.setrole || c from pg_db_role_setting s, unnest(s.setconfig) c`,
  );
  const everyone = "array(select 'public' union all select rolname::text from pg_roles)::text[]";
  const baseline = new Map([
    ...rows.map((row) => [String(row.id), ""] as const),
    ...(await grantsTo(postgres, everyone)).map((row) => [String(row.id), ""] as const),
    ...(await baselineState(postgres)).map((row) => [String(row.id), String(row.state)] as const),
  ]);
  await postgres.run("reset search_path");
  return baseline;
}

/** The parts of relations and functions that decide what they let through; `state` begins with the name. */
export function baselineState(postgres: Postgres): Promise<readonly Row[]> {
  return postgres.run(
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
  return postgres.run(
    `select object || ' ' || role || ' ' || privilege as id, * from (
       select 'r' || c.oid as object, c.oid::regclass::text as name, c.xmin::text as xmin, case when x.grantee = 0 then 'public' else pg_get_userbyid(x.grantee) end as role, x.privilege_type as privilege
       from pg_class c join pg_namespace n on n.oid = c.relnamespace, aclexplode(c.relacl) x where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') and ${USER_SCHEMAS} and x.grantee <> c.relowner
       union all
       select 'r' || c.oid, c.oid::regclass::text, a.xmin::text, case when x.grantee = 0 then 'public' else pg_get_userbyid(x.grantee) end, x.privilege_type || ' (' || quote_ident(a.attname) || ')'
       from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace, aclexplode(a.attacl) x where ${USER_SCHEMAS} and x.grantee <> c.relowner
       union all
       select 'f' || p.oid, 'function ' || p.oid::regprocedure, p.xmin::text, case when x.grantee = 0 then 'public' else pg_get_userbyid(x.grantee) end, x.privilege_type
       from pg_proc p, aclexplode(p.proacl) x where x.grantee <> p.proowner
       union all
       select 'n' || n.oid, 'schema ' || quote_ident(n.nspname), n.xmin::text, case when x.grantee = 0 then 'public' else pg_get_userbyid(x.grantee) end, x.privilege_type
       from pg_namespace n, aclexplode(n.nspacl) x where x.grantee <> n.nspowner) g where role = any (${grantees})`,
  );
}
