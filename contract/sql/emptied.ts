import type { Node, SubLink } from "libpg-query";
import { columnOf, ranBy, relationOf, visit, type Bodies } from "./ran.ts";

// Names of the parser:
// cspell:ignore boolop lexpr nulltesttype rexpr subselect sval testexpr

/** A table all rows of which a statement removes. */
export interface Emptied {
  /** With schema; `public` if the statement names none. */
  readonly table: string;
  /** Whether tables that refer to it are emptied too. */
  readonly cascade: boolean;
  readonly how: "truncate" | "delete";
}

/** Whether a column of a table, which is named with its schema, never is null. */
export type Filled = (table: string, column: string) => boolean;

/** The tables that a statement empties, wherever inside of it: lists, common table expressions, blocks and functions. */
export function emptiedBy(node: Node, bodies?: Bodies, filled?: Filled): readonly Emptied[] {
  return ranBy(node, bodies).nodes.flatMap((each) => emptied(each, filled));
}

/** The tables that one statement empties itself. */
export function emptied(node: Node, filled: Filled = () => false): readonly Emptied[] {
  if ("TruncateStmt" in node) {
    const cascade = node.TruncateStmt.behavior === "DROP_CASCADE";
    return (node.TruncateStmt.relations ?? []).map((each) => {
      return { table: relationOf("RangeVar" in each ? each.RangeVar : undefined), cascade, how: "truncate" };
    });
  }
  if ("DeleteStmt" in node) {
    const table = relationOf(node.DeleteStmt.relation);
    return everyRow(node.DeleteStmt.whereClause, table, filled) ? [{ table, cascade: false, how: "delete" }] : [];
  }
  if ("MergeStmt" in node) {
    const { relation, joinCondition, mergeWhenClauses: clauses = [] } = node.MergeStmt;
    const deletes = clauses.some(
      (each) => "MergeWhenClause" in each && each.MergeWhenClause.commandType === "CMD_DELETE",
    );
    const table = relationOf(relation);
    if (deletes && everyRow(joinCondition, table, filled)) return [{ table, cascade: false, how: "delete" }];
  }
  return [];
}

/** A column of which a statement replaces the value of every row by values that do not come from the row. */
export interface Overwritten {
  /** With schema; `public` if the statement names none. */
  readonly table: string;
  readonly column: string;
}

/** The columns of which a statement overwrites every value, wherever inside of it. */
export function overwrittenBy(node: Node, bodies?: Bodies, filled: Filled = () => false): readonly Overwritten[] {
  return ranBy(node, bodies).nodes.flatMap((each) => {
    if ("UpdateStmt" in each) {
      const { relation, whereClause, targetList } = each.UpdateStmt;
      const table = relationOf(relation);
      return everyRow(whereClause, table, filled) ? replaced(table, targetList) : [];
    }
    if ("MergeStmt" in each) {
      const { relation, joinCondition, mergeWhenClauses = [] } = each.MergeStmt;
      const table = relationOf(relation);
      return everyRow(joinCondition, table, filled)
        ? mergeWhenClauses.flatMap((clause) =>
            "MergeWhenClause" in clause &&
            clause.MergeWhenClause.commandType === "CMD_UPDATE" &&
            clause.MergeWhenClause.condition === undefined
              ? replaced(table, clause.MergeWhenClause.targetList)
              : [],
          )
        : [];
    }
    if (!("AlterTableStmt" in each)) return [];
    const table = relationOf(each.AlterTableStmt.relation);
    return (each.AlterTableStmt.cmds ?? []).flatMap((part) => {
      if (!("AlterTableCmd" in part) || part.AlterTableCmd.subtype !== "AT_AlterColumnType") return [];
      const { name = "", def } = part.AlterTableCmd;
      const using = def !== undefined && "ColumnDef" in def ? def.ColumnDef.raw_default : undefined;
      return using !== undefined && !readsRow(using) ? [{ table, column: name }] : [];
    });
  });
}

/** The columns that get values without a column in them. A default of the column does not count. */
function replaced(table: string, targets: readonly Node[] = []): readonly Overwritten[] {
  return targets.flatMap((target) => {
    if (!("ResTarget" in target)) return [];
    const { name = "", val, indirection } = target.ResTarget;
    // A part of a value, such as an element of an array, leaves the others.
    return val === undefined || indirection !== undefined || readsRow(val) ? [] : [{ table, column: name }];
  });
}

/** Whether a value may be another one for each row, or comes from other rows. */
function readsRow(value: Node): boolean {
  let found = false;
  visit(value, (key) => {
    found ||= key === "ColumnRef" || key === "SetToDefault" || key === "SubLink";
    return true;
  });
  return found;
}

/** Whether a condition holds for every row, or is the same for all of them. */
function everyRow(where: Node | undefined, table: string, filled: Filled): boolean {
  if (where === undefined) return true;
  if ("BoolExpr" in where) {
    const { boolop, args = [] } = where.BoolExpr;
    if (boolop === "OR_EXPR") return args.some((each) => everyRow(each, table, filled));
    if (boolop === "AND_EXPR") return args.every((each) => everyRow(each, table, filled));
  }
  if ("NullTest" in where && where.NullTest.nulltesttype === "IS_NOT_NULL") {
    const tested = columnOf(where.NullTest.arg);
    if (tested !== undefined && filled(table, tested)) return true;
  }
  if ("SubLink" in where && isItself(where.SubLink, table)) return true;
  if ("A_Expr" in where && where.A_Expr.lexpr !== undefined) {
    const { lexpr, rexpr, name = [] } = where.A_Expr;
    const equal = name.some((part) => "String" in part && ["=", ">=", "<="].includes(part.String.sval ?? ""));
    if (equal && shape(lexpr) === shape(rexpr)) return true;
  }
  let column = false;
  visit(where, (key) => {
    // Which rows a cursor has, its query says: WHERE CURRENT OF leaves none of them out.
    column ||= key === "ColumnRef";
    return true;
  });
  return !column;
}

/** Whether it is `column in (select column from table)` for the same column of the same table, without a condition. */
function isItself({ subLinkType, testexpr, subselect }: SubLink, table: string): boolean {
  const select = subselect !== undefined && "SelectStmt" in subselect ? subselect.SelectStmt : undefined;
  const [target, ...targets] = select?.targetList ?? [];
  const [from, ...more] = select?.fromClause ?? [];
  if (subLinkType !== "ANY_SUBLINK" || target === undefined || from === undefined) return false;
  if (targets.length > 0 || more.length > 0 || select?.whereClause !== undefined || select?.limitCount !== undefined)
    return false;
  const column = columnOf(testexpr);
  return (
    "RangeVar" in from &&
    relationOf(from.RangeVar) === table &&
    "ResTarget" in target &&
    column !== undefined &&
    columnOf(target.ResTarget.val) === column
  );
}

/** A tree without the positions of its words. */
function shape(node: unknown): string {
  return JSON.stringify(node, (key, value: unknown) => (key === "location" ? undefined : value));
}
