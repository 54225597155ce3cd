import type { AlterTableCmd, AlterTableType, Node, ObjectType, RangeVar } from "libpg-query";
import { emptied } from "./emptied.ts";
import { PARKED_SCHEMA } from "./parked.ts";
import { bodiesOf, ranBy } from "./ran.ts";
import { parseStatements } from "./statements.ts";

// Names of the parser:
// cspell:ignore CONSTR defnames MATVIEW objname Priv rolename ROLESPEC roletype sval targtype trigname typevar

/**
 * - `expand`: all earlier releases still work after it.
 * - `contract`: it removes what an earlier release may need, so it runs when no such release can get traffic.
 */
export type MigrationKind = "expand" | "contract";

/** In the name of the file, and thus in the history table of the database: `20261201090000_contract_drop_title.sql`. */
const CONTRACT = /(^|_)contract(_|$)/;

/** Kind of a migration, from its name with or without version and `.sql`. */
export function migrationKind(name: string): MigrationKind {
  return CONTRACT.test(name.replace(/\.sql$/, "").replace(/^\d+_/, "_")) ? "contract" : "expand";
}

/** A statement that can break a running release. */
export interface Breach {
  /** Line of the statement, from 1. */
  readonly line: number;
  /** What it does, e.g. `drops column title of public.conversations`. */
  readonly what: string;
}

/**
 * Statements of a migration that can break a release that runs at the same time: they remove, rename or retype what it reads,
 * or reject what it writes. Changes to objects that the file itself creates are allowed, and to those of files that are applied with it.
 *
 * This reads only the text, so that a rollout can check it before it changes anything. The policy rule
 * `migration-destructive` compares the catalogs of a real PostgreSQL; a migration must pass both.
 *
 * @param earlier what pending files before it create, by {@link createdIn}: no release runs that knows it
 * @throws SqlSyntaxError
 */
export async function breaches(sql: string, earlier: ReadonlySet<string> = new Set()): Promise<readonly Breach[]> {
  const statements = await parseStatements(sql);
  const created = new Set(statements.flatMap(({ node }) => createdBy(node)));
  const bodies = bodiesOf(statements);
  const isOwn = (name: string) => created.has(name) || earlier.has(name) || name.startsWith(`${PARKED_SCHEMA}.`);
  return statements.flatMap(({ line, node }, index) => {
    // A trigger that the same file switches on again is off for its transaction alone.
    const off = switchedTrigger(node, "AT_DisableTrig");
    const on = (each: Node) => switchedTrigger(each, "AT_EnableTrig") ?? switchedTrigger(each, "AT_EnableAlwaysTrig");
    if (off !== undefined && statements.slice(index).some((later) => on(later.node) === off)) return [];
    const { nodes, unread } = ranBy(node, bodies);
    const what = nodes.flatMap((each) => breachesOf(each, isOwn));
    return [...new Set([...what, ...unread.map(executes)])].map((each) => ({ line, what: each }));
  });
}

/** The objects that a migration creates, those with the name of their schema. @throws SqlSyntaxError */
export async function createdIn(sql: string): Promise<readonly string[]> {
  const names = (await parseStatements(sql)).flatMap(({ node }) => createdBy(node));
  return names.filter((name) => name.includes("."));
}

/** The trigger that a statement switches, and nothing else. */
function switchedTrigger(node: Node, how: AlterTableType): string | undefined {
  if (!("AlterTableStmt" in node) || node.AlterTableStmt.cmds?.length !== 1) return undefined;
  const [command] = node.AlterTableStmt.cmds;
  if (command === undefined || !("AlterTableCmd" in command) || command.AlterTableCmd.subtype !== how) return undefined;
  return `${relation(node.AlterTableStmt.relation)} ${command.AlterTableCmd.name ?? ""}`;
}

/** The statements that a block builds while it runs cannot be read: what it might do counts as done. */
function executes(expression: string): string {
  const text = expression.replaceAll(/\s+/g, " ");
  return `executes what cannot be read: ${text.length > 60 ? `${text.slice(0, 60)}…` : text}`;
}

/** Kinds of objects that releases do not name. */
const UNSEEN: ReadonlySet<ObjectType | undefined> = new Set([
  "OBJECT_INDEX",
  "OBJECT_ROLE",
  "OBJECT_RULE",
  "OBJECT_STATISTIC_EXT",
  "OBJECT_TRIGGER",
]);

/** The name of what a statement creates. */
function createdBy(node: Node): readonly string[] {
  if ("CreateStmt" in node) return [relation(node.CreateStmt.relation)];
  if ("CreateForeignTableStmt" in node) return [relation(node.CreateForeignTableStmt.base?.relation)];
  if ("CreateTableAsStmt" in node) return [relation(node.CreateTableAsStmt.into?.rel)];
  if ("ViewStmt" in node) return [relation(node.ViewStmt.view)];
  if ("CreateSeqStmt" in node) return [relation(node.CreateSeqStmt.sequence)];
  if ("CompositeTypeStmt" in node) return [relation(node.CompositeTypeStmt.typevar)];
  if ("CreateEnumStmt" in node) return [dotted(node.CreateEnumStmt.typeName)];
  if ("CreateRangeStmt" in node) return [dotted(node.CreateRangeStmt.typeName)];
  if ("CreateDomainStmt" in node) return [dotted(node.CreateDomainStmt.domainname)];
  if ("CreateFunctionStmt" in node) return [dotted(node.CreateFunctionStmt.funcname)];
  if ("DefineStmt" in node) return [dotted(node.DefineStmt.defnames)];
  if ("CreateSchemaStmt" in node) return [node.CreateSchemaStmt.schemaname ?? ""];
  if ("CreatePolicyStmt" in node) return [node.CreatePolicyStmt.policy_name ?? ""];
  if ("CreateTrigStmt" in node) return [node.CreateTrigStmt.trigname ?? ""];
  return [];
}

function breachesOf(node: Node, own: (name: string) => boolean): readonly string[] {
  const unlessOwn = (name: string, what: string) => (own(name) ? [] : [what]);
  if ("DropStmt" in node) {
    const { removeType, objects = [] } = node.DropStmt;
    if (UNSEEN.has(removeType)) return [];
    return objects.flatMap((object) => {
      const names = namesOf(object);
      const name = removeType === "OBJECT_POLICY" ? (names.at(-1) ?? "") : names.join(".");
      return unlessOwn(name, `drops ${kindOf(removeType)} ${name}`);
    });
  }
  if ("DropRoleStmt" in node) return (node.DropRoleStmt.roles ?? []).map((role) => `drops role ${roleOf(role)}`);
  const empties = emptied(node);
  if (empties.length > 0)
    return empties.flatMap(({ table, how }) => {
      const name = own(table) ? table : table.replace(/^public\./, "");
      return own(name) ? [] : [how === "truncate" ? `empties ${table}` : `deletes every row of ${table}`];
    });
  if ("IndexStmt" in node && node.IndexStmt.unique === true) {
    const name = relation(node.IndexStmt.relation);
    return unlessOwn(name, `refuses equal rows of ${name}`);
  }
  if ("GrantStmt" in node && node.GrantStmt.is_grant !== true) {
    const { objects = [], objtype, targtype, privileges = [], grantees = [] } = node.GrantStmt;
    const all = targtype === "ACL_TARGET_ALL_IN_SCHEMA" ? `all ${kindOf(objtype)}s in schema ` : "";
    const names = objects.map((object) => all + namesOf(object).join(".")).filter((name) => !own(name));
    const rights = privileges.map((right) => ("AccessPriv" in right ? (right.AccessPriv.priv_name ?? "all") : "all"));
    return names.length === 0
      ? []
      : [
          `revokes ${rights.length === 0 ? "all" : rights.join(", ")} on ${names.join(", ")} from ${grantees.map(roleOf).join(", ")}`,
        ];
  }
  if ("CreatePolicyStmt" in node && node.CreatePolicyStmt.permissive !== true) {
    const name = relation(node.CreatePolicyStmt.table);
    return unlessOwn(name, `restricts ${name}`);
  }
  if ("AlterPolicyStmt" in node) {
    const { policy_name: name = "" } = node.AlterPolicyStmt;
    return unlessOwn(name, `changes policy ${name}`);
  }
  if ("RenameStmt" in node) {
    const { renameType, relation: table, object, subname } = node.RenameStmt;
    if (UNSEEN.has(renameType)) return [];
    const name = table === undefined ? namesOf(object).join(".") : relation(table);
    return unlessOwn(
      name,
      subname === undefined ? `renames ${kindOf(renameType)} ${name}` : `renames a part of ${name}`,
    );
  }
  if ("AlterEnumStmt" in node && node.AlterEnumStmt.oldVal !== undefined) {
    const name = dotted(node.AlterEnumStmt.typeName);
    return unlessOwn(name, `renames a part of ${name}`);
  }
  if ("AlterObjectSchemaStmt" in node) {
    const { objectType, relation: table, object } = node.AlterObjectSchemaStmt;
    const name = table === undefined ? namesOf(object).join(".") : relation(table);
    return unlessOwn(name, `moves ${kindOf(objectType)} ${name} to another schema`);
  }
  if ("AlterDomainStmt" in node) {
    const name = dotted(node.AlterDomainStmt.typeName);
    if (node.AlterDomainStmt.subtype === "O") return unlessOwn(name, `refuses null in ${name}`);
    return node.AlterDomainStmt.subtype === "C" ? unlessOwn(name, addsConstraint(name)) : [];
  }
  if ("AlterTableStmt" in node) {
    const { relation: table, objtype, cmds = [] } = node.AlterTableStmt;
    const name = relation(table);
    return own(name)
      ? []
      : cmds.flatMap((cmd) => ("AlterTableCmd" in cmd ? alteration(cmd.AlterTableCmd, name, objtype) : []));
  }
  return [];
}

/** What a part of ALTER TABLE does. */
const ALTERATIONS: Partial<Record<AlterTableType, (table: string, column: string) => string>> = {
  AT_DropColumn: (table, column) => `drops column ${column} of ${table}`,
  AT_AlterColumnType: (table, column) => `changes the type of ${column} of ${table}`,
  AT_SetNotNull: (table, column) => `refuses null in ${column} of ${table}`,
  AT_ColumnDefault: (table, column) => `takes the default of ${column} of ${table}`,
  AT_AddConstraint: addsConstraint,
  AT_EnableRowSecurity: (table) => `closes the rows of ${table}`,
  AT_ForceRowSecurity: (table) => `closes the rows of ${table}`,
  AT_DisableTrig: (table) => `disables a trigger of ${table}`,
  AT_DisableTrigAll: (table) => `disables a trigger of ${table}`,
  AT_DisableTrigUser: (table) => `disables a trigger of ${table}`,
  AT_AddColumn: (table) => `adds a column to ${table} that must be given`,
};

function alteration({ subtype, name: column = "", def }: AlterTableCmd, table: string, kind?: ObjectType): string[] {
  if (kind === "OBJECT_TYPE") return subtype === "AT_DropColumn" ? [`drops attribute ${column} of ${table}`] : [];
  if (kind !== "OBJECT_TABLE" && kind !== "OBJECT_FOREIGN_TABLE") return [];
  if (subtype === undefined || (subtype === "AT_ColumnDefault" && def !== undefined)) return [];
  if (subtype === "AT_AddColumn" && !mustBeGiven(def)) return [];
  const what = ALTERATIONS[subtype]?.(table, column);
  return what === undefined ? [] : [what];
}

/** Whether a new column is not null and PostgreSQL has no value for it. */
function mustBeGiven(def: Node | undefined): boolean {
  if (def === undefined || !("ColumnDef" in def)) return false;
  const { constraints = [], typeName } = def.ColumnDef;
  const types = constraints.map((each) => ("Constraint" in each ? each.Constraint.contype : undefined));
  const filled = types.some((type) => ["CONSTR_DEFAULT", "CONSTR_IDENTITY", "CONSTR_GENERATED"].includes(type ?? ""));
  const required = types.includes("CONSTR_NOTNULL") || types.includes("CONSTR_PRIMARY");
  return required && !filled && !dotted(typeName?.names).endsWith("serial");
}

function addsConstraint(name: string): string {
  return `adds a constraint to ${name}, which may refuse what a release writes`;
}

/** `table` of `OBJECT_TABLE`. */
function kindOf(type: ObjectType | undefined): string {
  return type === "OBJECT_MATVIEW" ? "materialized view" : (type ?? "").replace("OBJECT_", "").toLowerCase();
}

function relation(range: RangeVar | undefined): string {
  return [range?.schemaname, range?.relname].filter((name) => name !== undefined).join(".");
}

function dotted(names: readonly Node[] | undefined): string {
  return (names ?? []).flatMap(namesOf).join(".");
}

/** The parts of the name of an object. */
function namesOf(node: Node | undefined): readonly string[] {
  if (node === undefined) return [];
  if ("String" in node) return [node.String.sval ?? ""];
  if ("List" in node) return (node.List.items ?? []).flatMap(namesOf);
  if ("TypeName" in node) return (node.TypeName.names ?? []).flatMap(namesOf);
  if ("ObjectWithArgs" in node) return (node.ObjectWithArgs.objname ?? []).flatMap(namesOf);
  return "RangeVar" in node ? [relation(node.RangeVar)] : [];
}

function roleOf(node: Node): string {
  if (!("RoleSpec" in node)) return "";
  const { roletype, rolename } = node.RoleSpec;
  return rolename ?? (roletype ?? "").replace("ROLESPEC_", "").toLowerCase();
}
