import type { Node } from "libpg-query";
import { ranBy } from "../../contract/sql/ran.ts";
import type { SqlStatement } from "../../contract/sql/statements.ts";

/** Why a statement is not run, although PostgreSQL would accept it from a superuser; undefined for others. */
export function refusalOf({ node }: SqlStatement): string | undefined {
  const { nodes } = ranBy(node);
  if (
    nodes.some(
      (each) => "CopyStmt" in each && (each.CopyStmt.is_program === true || each.CopyStmt.filename !== undefined),
    )
  )
    return "it reads or writes a file of the server, or runs a program there, which Supabase does not permit";
  if (nodes.some(isLeakproof))
    return "it makes a function leakproof, which Supabase does not permit: such a function gets rows before policies are applied";
  if (nodes.some((each) => "AlterSystemStmt" in each))
    return "it changes the settings of the server for all databases, which Supabase does not permit";
  if (nodes.some((each) => "AlterExtensionContentsStmt" in each))
    return "it changes which objects belong to an extension, and so hides whose they are";
  return undefined;
}

// cspell:ignore boolval Elem

function isLeakproof(node: Node): boolean {
  const options =
    "CreateFunctionStmt" in node
      ? node.CreateFunctionStmt.options
      : "AlterFunctionStmt" in node
        ? node.AlterFunctionStmt.actions
        : undefined;
  return (options ?? []).some((option) => {
    if (!("DefElem" in option)) return false;
    const { defname, arg } = option.DefElem;
    return defname === "leakproof" && arg !== undefined && "Boolean" in arg && arg.Boolean.boolval === true;
  });
}

/** The roles and servers whose password a statement has. */
export function passwordsOf(node: Node): { readonly passwords?: readonly string[] } {
  const passwords = ranBy(node).nodes.flatMap((each) => {
    const [statement = {}] = Object.values(each) as unknown as readonly Readonly<Record<string, unknown>>[];
    const has = /"defname":"password","arg":\{"String":\{"sval":"[^"]/.test(JSON.stringify(statement));
    if (!has) return [];
    const role = statement.role ?? statement.user;
    const name = (role as { readonly rolename?: string } | undefined)?.rolename ?? statement.servername;
    return [typeof name === "string" ? name : "a role"];
  });
  return passwords.length === 0 ? {} : { passwords };
}
