import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Node } from "libpg-query";
import pg from "pg";
import type { Operation } from "../../contract/events.ts";
import { relationOf } from "../../contract/sql/ran.ts";
import { parseStatements } from "../../contract/sql/statements.ts";
import { PROJECT_ROOT } from "../images/paths.ts";
import { unreachable } from "./apply.ts";
import { withClient } from "./client.ts";
import { LOCK_WAIT, type LockWait } from "./locks.ts";
import { databaseUrl } from "./url.ts";

// Names of the parser:
// cspell:ignore idxname objname objtype Priv priv rolename schemaname sval targtype

/** Setting of the database that keeps the hash of the prelude that it has. It is part of no dump. */
const SETTING = "exai.prelude";

export interface PreludeOptions {
  /** Root of the project that holds supabase/prelude.sql. @default the checkout */
  readonly root?: string;
  readonly signal?: AbortSignal | undefined;
  /** How long it waits for a lock. @default LOCK_WAIT */
  readonly locks?: LockWait | undefined;
}

/**
 * Gives a database that is older than `supabase/prelude.sql` the objects that the file has gained, in one transaction. The image
 * runs the file when it makes the database; a hosted project has these objects from Supabase.
 *
 * What is there keeps its privileges, which migrations restrict: of the grants, only those run whose object was missing. If
 * PostgreSQL refuses a statement, nothing is changed and a note says why: a migration may have made an object of the same name.
 *
 * @param url of a superuser of the local image
 * @throws UserError `unavailable` if the database cannot be read
 */
export async function* applyPrelude(url: string, options: PreludeOptions = {}): Operation<void> {
  const { root = PROJECT_ROOT, signal, locks = LOCK_WAIT } = options;
  const text = readFileSync(join(root, "supabase/prelude.sql"), "utf8");
  const hash = createHash("sha256").update(text).digest("hex");
  const database = databaseUrl(url);
  const apply = async (client: pg.Client): Promise<string | undefined> => {
    const query = "select current_setting($1, true) as known";
    const { rows } = await client.query<{ known: string | null }>(query, [SETTING]);
    if (rows[0]?.known === hash) return undefined;
    const statements = await parseStatements(text);
    const present = await presentIn(client);
    signal?.throwIfAborted();
    let line = 0;
    try {
      await client.query(`begin; set local lock_timeout = '${locks.timeoutSeconds}s'`);
      for (const { node, text: statement, line: at } of statements) {
        line = at;
        if (adds(node, present)) await client.query(statement);
      }
      const remember = `alter database %I set ${SETTING} = ''${hash}''`;
      await client.query(`do $$ begin execute format('${remember}', current_database()); end $$`);
      await client.query("commit");
      return undefined;
    } catch (error) {
      await client.query("rollback").catch(() => undefined);
      if (error instanceof pg.DatabaseError) return `line ${line}: ${error.message}`;
      throw error;
    }
  };
  const refusal = await withClient(database, apply).catch((cause: unknown) => {
    throw unreachable(database, cause);
  });
  if (refusal === undefined) return;
  const message = `supabase/prelude.sql is newer than the database, and was not applied: ${refusal}`;
  yield { type: "note", level: "warning", message };
}

/** What a database has, as {@link objectsOf} names it. */
async function presentIn(client: pg.Client): Promise<ReadonlySet<string>> {
  const { rows } = await client.query<{ name: string }>(
    `select 'schema ' || nspname as name from pg_namespace
     union all select 'role ' || rolname from pg_roles
     union all select 'relation ' || nspname || '.' || relname from pg_class join pg_namespace n on n.oid = relnamespace
     union all select 'function ' || nspname || '.' || proname from pg_proc join pg_namespace n on n.oid = pronamespace`,
  );
  return new Set(rows.map(({ name }) => name));
}

/**
 * Whether a statement adds something to what is there. Those that make an object do so where it is missing; the others run only
 * if one of their objects was missing. A default privilege is for a database without migrations: they have restricted it.
 */
function adds(node: Node, present: ReadonlySet<string>): boolean {
  const objects = objectsOf(node);
  return objects === "always" || objects.some((object) => !present.has(object));
}

function objectsOf(node: Node): "always" | readonly string[] {
  if ("GrantStmt" in node) {
    const { objtype, targtype, objects = [] } = node.GrantStmt;
    if (targtype !== "ACL_TARGET_OBJECT") return []; // all objects of a schema: most were there
    const kind = objtype === "OBJECT_SCHEMA" ? "schema" : objtype === "OBJECT_FUNCTION" ? "function" : "relation";
    return objects.map((object) => `${kind} ${nameOf(object)}`);
  }
  if ("GrantRoleStmt" in node) {
    const { granted_roles: granted = [], grantee_roles: grantees = [] } = node.GrantRoleStmt;
    return [...granted, ...grantees].map((role) => `role ${nameOf(role)}`);
  }
  if ("AlterDefaultPrivilegesStmt" in node) return [];
  // They would lock a table that is in use.
  if ("IndexStmt" in node) {
    const { idxname = "", relation } = node.IndexStmt;
    return [`relation ${relation?.schemaname ?? "public"}.${idxname}`];
  }
  if ("AlterTableStmt" in node) {
    const { cmds = [], relation } = node.AlterTableStmt;
    const rowSecurity = (each: Node) =>
      "AlterTableCmd" in each && each.AlterTableCmd.subtype === "AT_EnableRowSecurity";
    if (cmds.every(rowSecurity)) return [`relation ${relationOf(relation)}`];
  }
  return "always";
}

/** Name of an object or a role in a grant, with its schema. */
function nameOf(node: Node): string {
  if ("String" in node) return node.String.sval ?? "";
  if ("RangeVar" in node) return relationOf(node.RangeVar);
  if ("RoleSpec" in node) return node.RoleSpec.rolename ?? "";
  if ("AccessPriv" in node) return node.AccessPriv.priv_name ?? "";
  if ("ObjectWithArgs" in node) return (node.ObjectWithArgs.objname ?? []).map(nameOf).join(".");
  return "";
}
