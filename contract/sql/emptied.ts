import type { Node } from "libpg-query";
import { ranBy, visit, type Bodies } from "./ran.ts";

// Names of the parser:
// cspell:ignore boolop lexpr rexpr sval

/** A table all rows of which a statement removes. */
export interface Emptied {
  /** With schema; `public` if the statement names none. */
  readonly table: string;
  /** Whether tables that refer to it are emptied too. */
  readonly cascade: boolean;
  readonly how: "truncate" | "delete";
}

/** The tables that a statement empties, wherever inside of it: lists, common table expressions, blocks and functions. */
export function emptiedBy(node: Node, bodies?: Bodies): readonly Emptied[] {
  return ranBy(node, bodies).nodes.flatMap(emptied);
}

/** The tables that one statement empties itself. */
export function emptied(node: Node): readonly Emptied[] {
  if ("TruncateStmt" in node) {
    const cascade = node.TruncateStmt.behavior === "DROP_CASCADE";
    return (node.TruncateStmt.relations ?? []).map((table) => ({ ...named(table), cascade, how: "truncate" }));
  }
  if ("DeleteStmt" in node && everyRow(node.DeleteStmt.whereClause))
    return [{ ...named({ RangeVar: node.DeleteStmt.relation ?? {} }), cascade: false, how: "delete" }];
  if ("MergeStmt" in node) {
    const { relation, joinCondition, mergeWhenClauses: clauses = [] } = node.MergeStmt;
    const deletes = clauses.some(
      (each) => "MergeWhenClause" in each && each.MergeWhenClause.commandType === "CMD_DELETE",
    );
    if (deletes && everyRow(joinCondition))
      return [{ ...named({ RangeVar: relation ?? {} }), cascade: false, how: "delete" }];
  }
  return [];
}

function named(node: Node): { readonly table: string } {
  const { schemaname = "public", relname = "" } = "RangeVar" in node ? node.RangeVar : {};
  return { table: `${schemaname}.${relname}` };
}

/** Whether a condition holds for every row, or is the same for all of them. */
function everyRow(where: Node | undefined): boolean {
  if (where === undefined) return true;
  if ("BoolExpr" in where) {
    const { boolop, args = [] } = where.BoolExpr;
    if (boolop === "OR_EXPR") return args.some(everyRow);
    if (boolop === "AND_EXPR") return args.every(everyRow);
  }
  if ("A_Expr" in where && where.A_Expr.lexpr !== undefined) {
    const { lexpr, rexpr, name = [] } = where.A_Expr;
    const equal = name.some((part) => "String" in part && ["=", ">=", "<="].includes(part.String.sval ?? ""));
    if (equal && shape(lexpr) === shape(rexpr)) return true;
  }
  let column = false;
  visit(where, (key) => {
    column ||= key === "ColumnRef" || key === "CurrentOfExpr";
    return true;
  });
  return !column;
}

/** A tree without the positions of its words. */
function shape(node: unknown): string {
  return JSON.stringify(node, (key, value: unknown) => (key === "location" ? undefined : value));
}
