// Names of PostgreSQL's catalogue:
// cspell:disable
import type { Client } from "pg";
import { PLATFORM_EXTENSIONS, PLATFORM_ROLES, PLATFORM_SCHEMAS } from "./platform.ts";

/** Privileges as sorted text, with the default written out: `null` and its default are the same. */
function privileges(acl: string, kind: string, owner: string): string {
  return `(select coalesce(string_agg(format('%s %s%s', coalesce(grantee.rolname, 'public'), item.privilege_type,
      case when item.is_grantable then ' grantable' else '' end), ', ' order by grantee.rolname nulls first, item.privilege_type), '')
    from aclexplode(coalesce(${acl}, acldefault(${kind}, ${owner}))) as item
    left join pg_roles as grantee on grantee.oid = item.grantee)`;
}

const owner = (id: string) => `pg_get_userbyid(${id})`;

/**
 * One row for each object that the project manages: its kind, its name, and everything that makes it what it is. Of a column's
 * options only those that a user can set: servers keep internal numbers among them (`pg_attver` of PostgreSQL 15.20).
 */
const QUERY = `
with member as (select classid, objid from pg_depend where deptype = 'e'),
space as (
  select n.* from pg_namespace as n
  where n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and n.nspname <> all ($1::text[])
    and not exists (select from member where classid = 'pg_namespace'::regclass and objid = n.oid)
),
relation as (
  select c.*, s.nspname, format('%I.%I', s.nspname, c.relname) as name from pg_class as c join space as s on s.oid = c.relnamespace
  where not exists (select from member where classid = 'pg_class'::regclass and objid = c.oid)
),
routine as (
  select p.*, format('%I.%I(%s)', s.nspname, p.proname, pg_get_function_identity_arguments(p.oid)) as name
  from pg_proc as p join space as s on s.oid = p.pronamespace
  where not exists (select from member where classid = 'pg_proc'::regclass and objid = p.oid)
),
kind as (
  select t.*, format('%I.%I', s.nspname, t.typname) as name from pg_type as t join space as s on s.oid = t.typnamespace
  where (t.typtype in ('d', 'e', 'r') or (t.typtype = 'c' and exists (select from pg_class where oid = t.typrelid and relkind = 'c')))
    and not exists (select from member where classid = 'pg_type'::regclass and objid = t.oid)
)
select 'schema' as kind, quote_ident(nspname) as name,
  concat_ws(E'\\n', ${owner("nspowner")}, ${privileges("nspacl", "'n'", "nspowner")}) as definition
from space
union all
select 'extension', e.extname, n.nspname from pg_extension as e join pg_namespace as n on n.oid = e.extnamespace
where e.extname <> all ($2::text[])
union all
select case relkind when 'v' then 'view' when 'm' then 'materialized view' when 'S' then 'sequence' else 'table' end, name,
  concat_ws(E'\\n', relkind, relpersistence, relrowsecurity, relforcerowsecurity, relreplident, ${owner("relowner")},
    (select string_agg(option, ', ' order by option) from unnest(reloptions) as option),
    pg_get_partkeydef(oid), pg_get_expr(relpartbound, oid),
    case when relkind in ('v', 'm') then pg_get_viewdef(oid) end,
    (select concat_ws(' ', q.seqtypid::regtype, q.seqstart, q.seqincrement, q.seqmax, q.seqmin, q.seqcache, q.seqcycle)
     from pg_sequence as q where q.seqrelid = relation.oid),
    ${privileges("relacl", "case relkind when 'S' then 's'::\"char\" else 'r'::\"char\" end", "relowner")})
from relation where relkind in ('r', 'p', 'f', 'v', 'm', 'S')
union all
select 'column', format('%s.%I', r.name, a.attname),
  concat_ws(E'\\n', format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
    (select quote_ident(collname) from pg_collation where oid = a.attcollation and a.attcollation <> 100),
    pg_get_expr(d.adbin, d.adrelid), a.attstorage, a.attcompression, 
    (select string_agg(option, ', ' order by option) from unnest(a.attoptions) as option where option ~ '^n_distinct'),
    case when a.attacl is not null then ${privileges("a.attacl", "'c'", "r.relowner")} end)
from relation as r join pg_attribute as a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
where r.relkind in ('r', 'p', 'f', 'v', 'm')
union all
select 'constraint', format('%I on %s', c.conname, coalesce(r.name, k.name)),
  concat_ws(E'\\n', pg_get_constraintdef(c.oid), c.condeferrable, c.condeferred, c.convalidated)
from pg_constraint as c left join relation as r on r.oid = c.conrelid left join kind as k on k.oid = c.contypid
where c.contype <> 't' and (r.oid is not null or k.oid is not null)
union all
select 'index', r.name, concat_ws(E'\\n', pg_get_indexdef(i.indexrelid), i.indisvalid, i.indisreplident, i.indisclustered)
from pg_index as i join relation as r on r.oid = i.indexrelid
union all
select 'policy', format('%I on %s', p.polname, r.name),
  concat_ws(E'\\n', p.polcmd, p.polpermissive,
    (select string_agg(coalesce(o.rolname, 'public'), ', ' order by o.rolname)
     from unnest(p.polroles) as id left join pg_roles as o on o.oid = id),
    pg_get_expr(p.polqual, p.polrelid), 'check', pg_get_expr(p.polwithcheck, p.polrelid))
from pg_policy as p join relation as r on r.oid = p.polrelid
union all
select 'trigger', format('%I on %s', t.tgname, t.tgrelid::regclass), concat_ws(E'\\n', pg_get_triggerdef(t.oid), t.tgenabled)
from pg_trigger as t
where not t.tgisinternal and (t.tgrelid in (select oid from relation) or t.tgfoid in (select oid from routine))
union all
select 'rule', format('%I on %s', u.rulename, r.name), concat_ws(E'\\n', pg_get_ruledef(u.oid), u.ev_enabled)
from pg_rewrite as u join relation as r on r.oid = u.ev_class where u.rulename <> '_RETURN'
union all
select 'function', name,
  concat_ws(E'\\n', case when prokind = 'a' then
      (select concat_ws(' ', aggtransfn, aggfinalfn, aggtranstype::regtype, agginitval) from pg_aggregate where aggfnoid = routine.oid)
    else pg_get_functiondef(oid) end, ${owner("proowner")}, ${privileges("proacl", "'f'", "proowner")})
from routine
union all
select 'type', name,
  concat_ws(E'\\n', typtype, ${owner("typowner")},
    (select string_agg(quote_literal(enumlabel), ', ' order by enumsortorder) from pg_enum where enumtypid = kind.oid),
    (select string_agg(format('%I %s', attname, format_type(atttypid, atttypmod)), ', ' order by attnum)
     from pg_attribute where attrelid = kind.typrelid and kind.typtype = 'c' and not attisdropped),
    (select rngsubtype::regtype::text from pg_range where rngtypid = kind.oid),
    case when typtype = 'd' then concat_ws(' ', format_type(typbasetype, typtypmod), typnotnull, typdefault) end,
    ${privileges("typacl", "'T'", "typowner")})
from kind
union all
select 'default privileges', concat_ws(' ', ${owner("d.defaclrole")}, n.nspname, d.defaclobjtype),
  ${privileges("d.defaclacl", "'r'", "d.defaclrole")}
from pg_default_acl as d left join pg_namespace as n on n.oid = d.defaclnamespace
where (n.nspname is null or n.nspname <> all ($1::text[])) and ${owner("d.defaclrole")} !~ '^supabase_'
union all
select 'comment', concat_ws(' ', o.type, o.identity), c.description
from pg_description as c cross join lateral pg_identify_object(c.classoid, c.objoid, c.objsubid) as o
where c.objoid >= 16384 and o.type <> 'extension' and (o.schema is null or o.schema in (select nspname from space))
  and coalesce(substring(o.identity from ' on ([^. ]+)\\.'), '') <> all ($1::text[])
  and not (o.type = 'schema' and o.identity = any ($1::text[]))
  and not exists (select from member where classid = c.classoid and objid = c.objoid)
union all
select 'statistics', format('%I.%I', s.nspname, x.stxname), pg_get_statisticsobjdef(x.oid)
from pg_statistic_ext as x join space as s on s.oid = x.stxnamespace
union all
select 'event trigger', evtname, concat_ws(' ', evtevent, evtfoid::regproc, evtenabled, array_to_string(evttags, ','))
from pg_event_trigger where ${owner("evtowner")} !~ '^supabase_'
  and not exists (select from member where classid = 'pg_event_trigger'::regclass and objid = pg_event_trigger.oid)
union all
select 'published table', format('%I of %I', t.tablename, p.pubname), concat_ws('.', t.schemaname, t.tablename)
from pg_publication as p join pg_publication_tables as t using (pubname) where t.schemaname in (select nspname from space)
union all
select 'role', r.rolname, concat_ws(' ', rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolbypassrls,
    array_to_string(rolconfig, ', '),
    (select string_agg(g.rolname, ', ' order by g.rolname) from pg_auth_members as m join pg_roles as g on g.oid = m.roleid
     where m.member = r.oid))
from pg_roles as r where r.rolname !~ $3`;

/**
 * The objects of a database by kind and name, with their definitions, from PostgreSQL's catalogue itself. Independent of
 * libraries and of `pg_dump`.
 */
export async function readCatalogue(client: Client): Promise<ReadonlyMap<string, string>> {
  await client.query("begin read only");
  try {
    return await catalogueInTransaction(client);
  } finally {
    await client.query("rollback");
  }
}

/** The same within a transaction, with what it has changed. */
export async function catalogueInTransaction(client: Client): Promise<ReadonlyMap<string, string>> {
  // Without schemas on the path, PostgreSQL writes all names with their schema.
  await client.query("set local search_path = ''");
  const { rows } = await client.query<{ kind: string; name: string; definition: string | null }>(QUERY, [
    PLATFORM_SCHEMAS,
    PLATFORM_EXTENSIONS,
    PLATFORM_ROLES,
  ]);
  return new Map(rows.map(({ kind, name, definition }) => [`${kind} ${name}`, definition ?? ""]));
}
