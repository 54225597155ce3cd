import type { StableId } from "./pg-delta.ts";

/** Kind of an object in PostgreSQL's words, such as `materialized view` of `materializedView`. */
export function kindName(id: StableId): string {
  if (id.kind === "acl") return id.column === undefined ? "grant" : "column grant";
  if (id.kind === "extensionIntent") return id.intentKind;
  return KINDS[id.kind] ?? id.kind.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

/** Kinds that PostgreSQL calls otherwise. */
const KINDS: Readonly<Record<string, string>> = {
  fdw: "foreign-data wrapper",
  typeAttribute: "attribute",
  publicationRel: "published table",
  publicationSchema: "published schema",
};

/** Kind and name of an object, such as `column public.files.name` or `policy files_read on public.files`. */
export function objectName(id: StableId): string {
  return `${kindName(id)} ${bareName(id)}`;
}

function bareName(id: StableId): string {
  switch (id.kind) {
    case "column":
    case "default":
      return `${id.schema}.${id.table}.${id.name}`;
    case "constraint":
    case "trigger":
    case "rule":
    case "policy":
      return `${id.name} on ${id.schema}.${id.table}`;
    case "function":
    case "procedure":
    case "aggregate":
      return `${id.schema}.${id.name}(${id.args.join(", ")})`;
    case "membership":
      return `of ${id.member} in ${id.role}`;
    case "userMapping":
      return `of ${id.role} on ${id.server}`;
    case "typeAttribute":
      return `${id.schema}.${id.type}.${id.name}`;
    case "publicationRel":
      return `${id.schema}.${id.table} of ${id.publication}`;
    case "publicationSchema":
      return `${id.schema} of ${id.publication}`;
    case "comment":
      return `on ${objectName(id.target)}`;
    case "acl":
      return `to ${id.grantee} on ${objectName(id.target)}${id.column === undefined ? "" : ` (${id.column})`}`;
    case "securityLabel":
      return `of ${id.provider} on ${objectName(id.target)}`;
    case "defaultPrivilege":
      return `of ${id.role} for ${id.grantee} on ${OBJECT_TYPES[id.objtype] ?? id.objtype}${id.schema === null ? "" : ` in ${id.schema}`}`;
    case "extensionIntent":
      return `${id.key} of ${id.ext}`;
    default:
      return "schema" in id ? `${id.schema}.${id.name}` : id.name;
  }
}

/** `pg_default_acl.defaclobjtype`. */
const OBJECT_TYPES: Readonly<Record<string, string>> = {
  r: "tables",
  S: "sequences",
  f: "functions",
  T: "types",
  n: "schemas",
};
