import { parseExpression, selectOf } from "./bodies.ts";
import { nameIn } from "./nodes.ts";

// cspell:ignore funcname subselect

/**
 * Whether a condition reads a claim for each row. PostgreSQL evaluates `(select …)` without a table once for each statement; a
 * call anywhere else, and in a subquery over a table, once for each row.
 */
export function readsPerRow(condition: string): boolean {
  return calls(parseExpression(condition));
}

function calls(node: unknown): boolean {
  if (typeof node !== "object" || node === null) return false;
  if (Array.isArray(node)) return node.some(calls);
  if ("SubLink" in node) {
    const link = node.SubLink as { readonly subLinkType?: string; readonly subselect?: Parameters<typeof selectOf>[0] };
    const select = selectOf(link.subselect);
    if (link.subLinkType === "EXPR_SUBLINK" && select?.fromClause === undefined && !readsColumns(select)) return false;
  }
  if ("FuncCall" in node) {
    const names = (node.FuncCall as { readonly funcname?: readonly Parameters<typeof nameIn>[0][] }).funcname ?? [];
    const parts = names.map(nameIn);
    if (parts.at(-1) === "current_setting" || (parts.length === 2 && parts[0] === "auth")) return true;
  }
  return Object.values(node).some(calls);
}

function readsColumns(node: unknown): boolean {
  if (typeof node !== "object" || node === null) return false;
  return Array.isArray(node) ? node.some(readsColumns) : "ColumnRef" in node || Object.values(node).some(readsColumns);
}
