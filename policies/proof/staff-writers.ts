import type { Node } from "libpg-query";
import { ranBy, relationOf, type Bodies } from "../../contract/sql/ran.ts";
import type { StaffMark } from "../database/facts.ts";

// cspell:ignore boolval defresult

/** A function that lets a new user choose what policies take for a mark of staff. */
export interface StaffWriter {
  /** Name with schema. */
  readonly name: string;
  readonly mark: StaffMark;
}

/** What people say of themselves when they sign up. */
const OWN_WORDS = /raw_user_meta_data|"user_metadata"/;

/**
 * Functions that write metadata of users into a column by which policies recognize staff: typically a trigger on auth.users that
 * makes the profile. A `case` whose results are constants other than the mark limits what users can choose.
 */
export function staffWriters(bodies: Bodies, marks: readonly StaffMark[]): readonly StaffWriter[] {
  const found: StaffWriter[] = [];
  for (const [name, { node, text }] of bodies) {
    if (!("CreateFunctionStmt" in node) || !/raw_user_meta_data|user_metadata/.test(text)) continue;
    const { nodes } = ranBy({ FuncCall: { funcname: node.CreateFunctionStmt.funcname ?? [] } }, bodies);
    const words = variablesOf(text);
    const mark = marks.find((each) =>
      nodes.some((statement) => writtenTo(statement, each).some((value) => follows(value, each.value, words))),
    );
    if (mark !== undefined) found.push({ name, mark });
  }
  return found;
}

/** Variables that a text fills from metadata of users. */
function variablesOf(sql: string): ReadonlySet<string> {
  return new Set(
    [
      ...sql.matchAll(/(\w+)(?:\s+[\w.]+)?\s*:?=[^;=]*\braw_user_meta_data\b/gi),
      ...sql.matchAll(/\braw_user_meta_data\b[^;]*?\binto\s+(?:strict\s+)?(\w+)/gi),
    ].map(([, variable = ""]) => variable.toLowerCase()),
  );
}

/** The expressions that a statement writes into the column of a mark. */
function writtenTo(node: Node, { table, column }: StaffMark): readonly Node[] {
  const assigned = (targets: readonly Node[] = []) =>
    targets.flatMap((target) =>
      "ResTarget" in target && target.ResTarget.name === column && target.ResTarget.val !== undefined
        ? [target.ResTarget.val]
        : [],
    );
  if ("UpdateStmt" in node)
    return relationOf(node.UpdateStmt.relation) === table ? assigned(node.UpdateStmt.targetList) : [];
  if (!("InsertStmt" in node) || relationOf(node.InsertStmt.relation) !== table) return [];
  const { cols = [], selectStmt, onConflictClause } = node.InsertStmt;
  const place = cols.findIndex((each) => "ResTarget" in each && each.ResTarget.name === column);
  const updated = assigned(onConflictClause?.targetList);
  if (selectStmt === undefined || !("SelectStmt" in selectStmt)) return updated;
  const { valuesLists = [], targetList = [] } = selectStmt.SelectStmt;
  const rows = [
    ...valuesLists.map((list) => ("List" in list ? (list.List.items ?? []) : [])),
    targetList.flatMap((target) =>
      "ResTarget" in target && target.ResTarget.val !== undefined ? [target.ResTarget.val] : [],
    ),
  ];
  // Without names of columns, any value may be that of this one.
  return [
    ...updated,
    ...rows.flatMap((row) => (cols.length === 0 ? row : row.slice(place, place < 0 ? 0 : place + 1))),
  ];
}

/** Whether a value that users choose can become the mark. */
function follows(value: Node, mark: string, variables: ReadonlySet<string>): boolean {
  if ("TypeCast" in value) return value.TypeCast.arg !== undefined && follows(value.TypeCast.arg, mark, variables);
  if ("CoalesceExpr" in value) return (value.CoalesceExpr.args ?? []).some((each) => follows(each, mark, variables));
  if ("CaseExpr" in value) {
    const { args = [], defresult, arg } = value.CaseExpr;
    const chosen = JSON.stringify([arg, args.map((each) => ("CaseWhen" in each ? each.CaseWhen.expr : undefined))]);
    const results = [
      ...args.flatMap((each) =>
        "CaseWhen" in each && each.CaseWhen.result !== undefined ? [each.CaseWhen.result] : [],
      ),
      ...(defresult === undefined ? [] : [defresult]),
    ];
    return results.some(
      (result) => follows(result, mark, variables) || (isOwn(chosen, variables) && constantOf(result) === mark),
    );
  }
  return isOwn(JSON.stringify(value), variables);
}

function isOwn(json: string, variables: ReadonlySet<string>): boolean {
  return (
    OWN_WORDS.test(json) ||
    [...json.matchAll(/"sval":"(\w+)"/g)].some(([, name = ""]) => variables.has(name.toLowerCase()))
  );
}

/** The text of a constant, under casts. */
function constantOf(node: Node): string | undefined {
  if ("TypeCast" in node) return node.TypeCast.arg === undefined ? undefined : constantOf(node.TypeCast.arg);
  if (!("A_Const" in node)) return undefined;
  const { sval, boolval, ival } = node.A_Const;
  return sval?.sval ?? (boolval === undefined ? ival?.ival?.toString() : String(boolval.boolval === true));
}
