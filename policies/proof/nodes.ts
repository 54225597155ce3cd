import type { A_Const, A_Expr, Node, TypeCast } from "libpg-query";
import type { Term } from "./terms.ts";

// cspell:ignore boolval bsval fval ival sval

/** A name of PostgreSQL's tree; `*` for a star. */
export function nameIn(node: Node | undefined): string {
  if (node !== undefined && "String" in node) return node.String.sval ?? "";
  return node !== undefined && "A_Star" in node ? "*" : "";
}

export function constantOf({ isnull, sval, ival, fval, boolval, bsval }: A_Const): Term {
  if (isnull === true) return { kind: "null" };
  if (boolval !== undefined) return { kind: "constant", value: String(boolval.boolval === true) };
  return {
    kind: "constant",
    value: sval?.sval ?? fval?.fval ?? bsval?.bsval ?? (sval === undefined ? String(ival?.ival ?? 0) : ""),
  };
}

/** A type of pg_catalog. */
export function typeOf({ typeName }: TypeCast): string | undefined {
  return ofCatalog((typeName?.names ?? []).map(nameIn));
}

/** An operator of pg_catalog. */
export function operatorOf({ name = [] }: A_Expr): string | undefined {
  return ofCatalog(name.map(nameIn));
}

function ofCatalog(names: readonly string[]): string | undefined {
  return names.length === 1 || names[0] === "pg_catalog" ? names.at(-1) : undefined;
}

/** A constant of type boolean. */
export function booleanOf(node: Node): boolean | undefined {
  if (
    "TypeCast" in node &&
    node.TypeCast.arg !== undefined &&
    "A_Const" in node.TypeCast.arg &&
    typeOf(node.TypeCast) === "bool"
  ) {
    const value = constantOf(node.TypeCast.arg.A_Const);
    return value.kind === "constant" ? truthOf(value.value) : undefined;
  }
  return "A_Const" in node && node.A_Const.boolval !== undefined ? node.A_Const.boolval.boolval === true : undefined;
}

/** How PostgreSQL reads a text as a boolean; undefined for any other text. */
export function truthOf(text: string): boolean | undefined {
  if (/^(t|true|y|yes|on|1)$/i.test(text)) return true;
  return /^(f|false|n|no|off|0)$/i.test(text) ? false : undefined;
}
