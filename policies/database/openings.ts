import type { SourcePosition } from "../../contract/graph.ts";
import type { Bodies } from "../../contract/sql/ran.ts";
import { baselineState, grantsTo, type Baseline } from "./baseline.ts";
import { list, qualified, text } from "./catalog.ts";
import { definerTriggers, promotes, textFunctions } from "./bodies.ts";
import { openingEventTriggers } from "./event-triggers.ts";
import { staffWriters } from "../proof/staff-writers.ts";
import type { Opening, OpeningKind, StaffMark, Statement } from "./facts.ts";
import { identifier, literal, type Postgres, type Row, USER_SCHEMAS } from "./postgres.ts";

// Names of the catalog:
// cspell:ignore fdwacl fdwname lanacl lanname srvacl srvname typacl prokind roleid
// cspell:ignore paracl parname typnamespace typowner typtype aclexplode attrelid classid conrelid datacl defaclacl defaclnamespace defaclobjtype defaclrole deptype nspacl nspname nspowner objid objtype objtypes prosecdef proacl proowner puballtables pubname refclassid refobjid relacl relowner relrowsecurity rulename setconfig setdatabase setrole

/** Settings that change no rights. */
const HARMLESS_SETTING =
  /^(statement_timeout|lock_timeout|transaction_timeout|idle_\w+|log_\w+|\w*work_mem|search_path|timezone|datestyle|intervalstyle|default_transaction_\w+|deadlock_timeout|plan_cache_mode|jit\w*|enable_\w+|random_page_cost|(auto_explain|pg_stat_statements|pgaudit|plpgsql)\.\w+|pgrst\.(db_max_rows|db_aggregates_enabled|db_plan_enabled|db_prepared_statements|db_tx_end|log_level|server_timing_enabled|db_timezone_enabled))$/i;
/** Settings that are dangerous for any role. */
const DANGEROUS_SETTING = /^(row_security|role|session_authorization|session_replication_role|request\..*|pgrst\..*)$/i;
/** Schemas that the API of a project may expose. */
const API_SCHEMAS = /^\s*(public|graphql_public)(\s*,\s*(public|graphql_public))*\s*$/;

/** The rights that roles may pass on, of every kind of object that has rights. */
const GRANTABLE = `select a.name, a.xmin::text as xmin, pg_get_userbyid(x.grantee) as role, string_agg(lower(x.privilege_type), ', ' order by x.privilege_type) as privilege,
    string_agg(lower(x.privilege_type) || a.part, ', ' order by x.privilege_type) as option
  from (select case c.relkind when 'S' then 'sequence ' else 'table ' end || c.oid::regclass as name, '' as part, c.relacl as acl, c.xmin from pg_class c
    union all select 'table ' || t.attrelid::regclass, ' (' || quote_ident(t.attname) || ')', t.attacl, t.xmin from pg_attribute t
    union all select case p.prokind when 'p' then 'procedure ' else 'function ' end || p.oid::regprocedure, '', p.proacl, p.xmin from pg_proc p
    union all select 'schema ' || quote_ident(n.nspname), '', n.nspacl, n.xmin from pg_namespace n
    union all select 'type ' || t.oid::regtype, '', t.typacl, t.xmin from pg_type t
    union all select 'foreign server ' || quote_ident(s.srvname), '', s.srvacl, s.xmin from pg_foreign_server s
    union all select 'foreign data wrapper ' || quote_ident(w.fdwname), '', w.fdwacl, w.xmin from pg_foreign_data_wrapper w
    union all select 'language ' || quote_ident(l.lanname), '', l.lanacl, l.xmin from pg_language l
    union all select 'database ' || quote_ident(d.datname), '', d.datacl, d.xmin from pg_database d where d.datname = current_database()) a, aclexplode(a.acl) x
  where a.acl is not null and x.is_grantable and x.grantee <> 0 group by 1, a.xmin::text, 3, a.part
  union all select 'role ' || quote_ident(pg_get_userbyid(m.roleid)), m.xmin::text, pg_get_userbyid(m.member), 'member', '' from pg_auth_members m where m.admin_option order by 1, 3, 4`;

/** The ways to rights that a caller does not have, apart from tables, policies, views and functions that are called. */
export async function readOpenings(
  postgres: Postgres,
  baseline: Baseline,
  apiRoles: readonly string[],
  bodies: Bodies,
  statements: readonly Statement[],
  at: (xmin: string) => SourcePosition | undefined,
): Promise<Opening[]> {
  const roles = `array[${apiRoles.map(literal).join(", ")}]::text[]`;
  const grantees = `array[${["public", ...apiRoles].map(literal).join(", ")}]::text[]`;
  const openings: Opening[] = [];
  const add = (kind: OpeningKind, row: Row, message: string, fix: string) => {
    const source = at(text(row, "xmin"));
    openings.push({ kind, name: text(row, "name"), message, fix, ...(source === undefined ? {} : { source }) });
  };
  const fresh = async (prefix: string, sql: string) =>
    (await postgres.run(sql)).filter((row) => !baseline.has(prefix + text(row, "oid")));

  // Functions with their owner's rights that something else than a policy or a trigger calls.
  for (const row of await fresh(
    "f",
    `select p.oid::text as oid, p.oid::regprocedure::text as name, p.xmin::text as xmin, string_agg(distinct pg_describe_object(d.classid, d.objid, 0), ', ') as by,
       array(select r from unnest(${roles}) r where has_function_privilege(r, p.oid, 'execute')) as callers
     from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_depend d on d.refclassid = 'pg_proc'::regclass and d.refobjid = p.oid
     where p.prosecdef and ${USER_SCHEMAS} and d.deptype in ('n', 'a', 'i') and d.classid not in ('pg_policy'::regclass, 'pg_trigger'::regclass)
       and exists (select from unnest(${roles}) r where has_function_privilege(r, p.oid, 'execute')
         or (d.classid = 'pg_proc'::regclass and exists (select from pg_aggregate a where a.aggfnoid = d.objid) and has_function_privilege(r, d.objid, 'execute')))
     group by p.oid order by 2`,
  ))
    add(
      "definer",
      row,
      `${text(row, "name")} runs with its owner's privileges, and ${text(row, "by")} calls it`,
      `alter function ${text(row, "name")} security invoker;`,
    );
  for (const row of await definerTriggers(postgres, baseline, apiRoles, bodies))
    add(
      "trigger",
      row,
      `trigger ${text(row, "trigger")} of ${text(row, "table")} runs ${text(row, "name")} with its owner's privileges: ${text(row, "why")}`,
      `drop trigger ${identifier(text(row, "trigger"))} on ${text(row, "table")};`,
    );
  for (const row of await fresh(
    "w",
    `select r.oid::text as oid, r.rulename as name, r.xmin::text as xmin, c.oid::regclass::text as table, pg_get_ruledef(r.oid) ~* 'do instead nothing;?$' as drops from pg_rewrite r join pg_class c on c.oid = r.ev_class join pg_namespace n on n.oid = c.relnamespace
     where r.ev_type <> '1' and ${USER_SCHEMAS} and (pg_get_ruledef(r.oid) !~* 'do instead nothing;?$' or (r.ev_type = '3' and c.relkind in ('r', 'p') and r.ev_qual::text = '<>')) order by 2`,
  ))
    add(
      "rule",
      row,
      row.drops === true
        ? `rule ${text(row, "name")} of ${text(row, "table")} drops every row that is inserted, and the statement succeeds`
        : `rule ${text(row, "name")} of ${text(row, "table")} acts with the privileges of the table's owner`,
      `drop rule ${identifier(text(row, "name"))} on ${text(row, "table")};`,
    );
  for (const row of await openingEventTriggers(postgres, baseline, bodies))
    add(
      "event-trigger",
      row,
      `event trigger ${text(row, "name")} runs ${text(row, "function")} as the role that changes the schema: ${text(row, "why")}`,
      `drop event trigger ${identifier(text(row, "name"))};`,
    );
  for (const row of await postgres.run(
    `select p.oid::text as oid, p.pubname as name, p.xmin::text as xmin, p.puballtables as all,
       array(select t.schemaname || '.' || t.tablename from pg_publication_tables t where t.pubname = p.pubname and t.schemaname in ('auth', 'vault', 'storage', 'supabase_migrations', 'cron', 'net')) as theirs from pg_publication p order by 2`,
  )) {
    const name = text(row, "name");
    const theirs = list(row, "theirs");
    if (row.all === true)
      add("publication", row, `publication ${name} publishes the tables of all schemas`, `drop publication ${name};`);
    else if (!baseline.has(`p${text(row, "oid")}`))
      add("publication", row, `publication ${name} publishes rows past the policies`, `drop publication ${name};`);
    else if (theirs.length > 0)
      add(
        "publication",
        row,
        `publication ${name} publishes ${theirs.join(", ")}`,
        `alter publication ${name} drop table ${theirs.map(qualified).join(", ")};`,
      );
  }
  const grantsDefaults = statements.some(({ text: sql }) => /alter default privileges .*\bgrant\b/i.test(sql));
  for (const row of await postgres.run(
    `select string_agg(d.oid::text || x.grantee || x.privilege_type, ',' order by x.privilege_type) as oid, coalesce(n.nspname, '') as schema, d.xmin::text as xmin, pg_get_userbyid(d.defaclrole) as owner, case d.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions' when 'n' then 'schemas' else 'types' end as name,
       case when x.grantee = 0 then 'public' else pg_get_userbyid(x.grantee) end as role, string_agg(lower(x.privilege_type), ', ' order by x.privilege_type) as privilege
     from pg_default_acl d left join pg_namespace n on n.oid = d.defaclnamespace, aclexplode(d.defaclacl) x where x.grantee <> d.defaclrole group by d.oid, n.nspname, x.grantee order by 2, 5, 6`,
  )) {
    const role = text(row, "role");
    if (!["public", ...apiRoles].includes(role) || at(text(row, "xmin")) === undefined) continue;
    const known = text(row, "oid")
      .split(",")
      .every((oid) => baseline.has(`d${oid}`));
    if (known && !grantsDefaults) continue;
    const schema = text(row, "schema") === "" ? "" : ` in schema ${identifier(text(row, "schema"))}`;
    add(
      "default-privilege",
      row,
      `${role} gets ${text(row, "privilege")} on all future ${text(row, "name")}${schema}`,
      `alter default privileges for role ${identifier(text(row, "owner"))}${schema} revoke ${text(row, "privilege")} on ${text(row, "name")} from ${role};`,
    );
  }
  for (const row of await postgres.run(
    `select s.setdatabase::text || ' ' || s.setrole::text || c as oid, case when s.setrole = 0 then '' else pg_get_userbyid(s.setrole) end as role, current_database() as database, s.setdatabase <> 0 as here, s.xmin::text as xmin, split_part(c, '=', 1) as name, substr(c, strpos(c, '=') + 1) as value
     from pg_db_role_setting s, unnest(s.setconfig) c where s.setdatabase in (0, (select oid from pg_database where datname = current_database())) order by 1`,
  )) {
    const [name, role] = [text(row, "name"), text(row, "role")];
    if (baseline.has(`s${text(row, "oid")}`)) continue;
    const api = role === "" || role === "authenticator" || apiRoles.includes(role);
    if (!(api ? !HARMLESS_SETTING.test(name) : DANGEROUS_SETTING.test(name))) continue;
    if (name === "pgrst.db_schemas" && API_SCHEMAS.test(text(row, "value"))) continue;
    const target =
      role === ""
        ? `database ${identifier(text(row, "database"))}`
        : `role ${identifier(role)}${row.here === true ? ` in database ${identifier(text(row, "database"))}` : ""}`;
    const shown = /secret|key|password|token/i.test(name) ? "a value that every role can read" : text(row, "value");
    add("setting", row, `${target} has ${name} = ${shown}`, `alter ${target} reset ${name};`);
  }
  for (const { name, source, message, fix } of await textFunctions(postgres, baseline, apiRoles, at))
    openings.push({ kind: "claims", name, message, fix, ...(source === undefined ? {} : { source }) });
  // A function that does this is found when it is read; seeds make accounts of a new database.
  for (const { source, text: sql } of statements)
    if (/^\s*(?:update|insert|merge|with|do)\b/i.test(sql) && source.file.includes("migrations/") && promotes(sql))
      openings.push({
        kind: "claims",
        name: sql.slice(0, 60),
        message: "the statement copies metadata that users choose into metadata that policies trust",
        fix: "remove the statement, and set the metadata from a table that users cannot write",
        source,
      });
  for (const row of await postgres.run(
    `select 'relation' as kind, 'table ' || c.oid::regclass::text as name, c.xmin::text as xmin, pg_get_userbyid(c.relowner) as owner from pg_class c join pg_namespace n on n.oid = c.relnamespace where ${USER_SCHEMAS} and c.relkind in ('r', 'p', 'v', 'm', 'f') and pg_get_userbyid(c.relowner) = any (${roles})
     union all select 'function', 'function ' || p.oid::regprocedure::text, p.xmin::text, pg_get_userbyid(p.proowner) from pg_proc p join pg_namespace n on n.oid = p.pronamespace where ${USER_SCHEMAS} and pg_get_userbyid(p.proowner) = any (${roles})
     union all select 'type', 'type ' || t.oid::regtype::text, t.xmin::text, pg_get_userbyid(t.typowner) from pg_type t join pg_namespace n on n.oid = t.typnamespace where ${USER_SCHEMAS} and t.typtype in ('e', 'd') and pg_get_userbyid(t.typowner) = any (${roles})
     union all select 'schema', 'schema ' || quote_ident(n.nspname), n.xmin::text, pg_get_userbyid(n.nspowner) from pg_namespace n where ${USER_SCHEMAS} and pg_get_userbyid(n.nspowner) = any (${roles}) order by 2`,
  ))
    add(
      "owner",
      row,
      `${text(row, "owner")} owns ${text(row, "name")}, and may change it`,
      `alter ${text(row, "name")} owner to postgres;`,
    );
  for (const row of await postgres.run(
    `select 'schema ' || quote_ident(n.nspname) as name, n.xmin::text as xmin, case when x.grantee = 0 then 'public' else pg_get_userbyid(x.grantee) end as role from pg_namespace n, aclexplode(n.nspacl) x where ${USER_SCHEMAS} and x.privilege_type = 'CREATE' and x.grantee <> n.nspowner
     union all select 'database ' || quote_ident(datname), xmin::text, case when x.grantee = 0 then 'public' else pg_get_userbyid(x.grantee) end from pg_database, aclexplode(datacl) x where datname = current_database() and x.privilege_type = 'CREATE' and x.grantee <> datdba order by 1`,
  ))
    if (["public", ...apiRoles].includes(text(row, "role")))
      add(
        "owner",
        row,
        `${text(row, "role")} may create objects in ${text(row, "name")}`,
        `revoke create on ${text(row, "name")} from ${text(row, "role")};`,
      );
  for (const row of await postgres.run(GRANTABLE)) {
    const [role, privilege, option] = [text(row, "role"), text(row, "privilege"), text(row, "option")];
    if (apiRoles.includes(role))
      add(
        "owner",
        row,
        `${role} may give ${privilege === "member" ? "membership of" : `${privilege} on`} ${text(row, "name")} to every other role`,
        privilege === "member"
          ? `revoke admin option for ${text(row, "name").replace(/^role /, "")} from ${role};`
          : `revoke grant option for ${option} on ${text(row, "name")} from ${role};`,
      );
  }
  const [parameters] = await postgres.run("select to_regclass('pg_catalog.pg_parameter_acl') is not null as there");
  if (parameters?.there === true)
    for (const row of await postgres.run(
      `select p.parname as name, p.xmin::text as xmin, case when x.grantee = 0 then 'public' else pg_get_userbyid(x.grantee) end as role, lower(x.privilege_type) as privilege from pg_parameter_acl p, aclexplode(p.paracl) x order by 1, 3, 4`,
    ))
      if (["public", ...apiRoles].includes(text(row, "role")))
        add(
          "setting",
          row,
          `${text(row, "role")} may ${text(row, "privilege")} ${text(row, "name")}`,
          `revoke ${text(row, "privilege")} on parameter ${text(row, "name")} from ${text(row, "role")};`,
        );
  openings.push(...(await changedBaseline(postgres, baseline, grantees, at)));
  for (const { source, text: sql, passwords = [] } of statements)
    for (const of of passwords)
      openings.push({
        kind: "password",
        name: sql.slice(0, 60).replaceAll(/'[^']*'?/g, "'…'"),
        message: `it has the password of ${of}, which the repository then has too`,
        fix: "remove it, and set it in the database: \\password",
        source,
      });
  return openings;
}

/** Functions with which new users give themselves a mark by which policies recognize staff. */
export async function staffOpenings(
  postgres: Postgres,
  bodies: Bodies,
  marks: readonly StaffMark[],
  at: (xmin: string) => SourcePosition | undefined,
): Promise<Opening[]> {
  const openings: Opening[] = [];
  for (const { name, mark } of staffWriters(bodies, marks)) {
    const [row] = await postgres.run(
      `select p.xmin::text as xmin, p.oid::regprocedure::text as signature from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname || '.' || p.proname = ${literal(name)}`,
    );
    const source = at(text(row ?? {}, "xmin"));
    openings.push({
      kind: "claims",
      name: text(row ?? {}, "signature"),
      message: `${name} writes metadata that users choose into ${mark.table}.${mark.column}, and policies take ${literal(mark.value)} there for staff`,
      fix: `drop function ${text(row ?? {}, "signature")} cascade; -- and create it with a constant for ${mark.column}`,
      ...(source === undefined ? {} : { source }),
    });
  }
  return openings;
}

/** What the migrations changed of the objects that Supabase brings. */
async function changedBaseline(
  postgres: Postgres,
  baseline: Baseline,
  grantees: string,
  at: (xmin: string) => SourcePosition | undefined,
): Promise<Opening[]> {
  const openings: Opening[] = [];
  const add = (row: Row, message: string, fix: string) => {
    const source = at(text(row, "xmin"));
    openings.push({
      kind: "supabase",
      name: text(row, "name"),
      message,
      fix,
      ...(source === undefined ? {} : { source }),
    });
  };
  const state = await baselineState(postgres);
  const now = new Map(state.map((row) => [text(row, "id"), row]));
  for (const [id, before] of baseline) {
    const row = now.get(id);
    if (before === "") continue;
    if (row === undefined) {
      const name = before.split("|")[0] ?? "";
      openings.push({
        kind: "supabase",
        name,
        message: `${name} ${baseline.originOf(id)} is removed or renamed`,
        fix: "keep it",
      });
    } else if (text(row, "state") !== before)
      add(row, `${text(row, "name")} ${baseline.originOf(id)} is changed`, text(row, "undo"));
  }
  for (const row of await grantsTo(postgres, grantees)) {
    const [object, privilege] = [text(row, "object"), text(row, "privilege")];
    // What Supabase gives to every user does not open anything for another role of the API.
    const usual = ["public", "anon", "authenticated"].some((role) => baseline.has(`${object} ${role} ${privilege}`));
    if (baseline.has(object) && !baseline.has(text(row, "id")) && !(usual && text(row, "role") !== "public"))
      add(
        row,
        `${text(row, "role")} gets ${text(row, "privilege").toLowerCase()} on ${text(row, "name")} ${baseline.originOf(object)}`,
        `revoke ${text(row, "privilege").toLowerCase()} on ${text(row, "name")} from ${text(row, "role")};`,
      );
  }
  return openings;
}
