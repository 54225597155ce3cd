import { dirname, join } from "node:path";
import ts from "typescript";

/** A JSON schema, as far as the events need it. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly format?: string;
  readonly description?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
}

/** What `JSON.stringify` makes of objects that have a `toJSON`. */
const SERIALIZED: Readonly<Record<string, Schema>> = {
  Date: { type: "string", format: "date-time" },
  Fix: {
    type: "array",
    description: "Text, and commands of this CLI without its program.",
    items: {
      anyOf: [
        { type: "string" },
        {
          type: "object",
          properties: { command: { type: "string" } },
          required: ["command"],
          additionalProperties: false,
        },
      ],
    },
  },
};

/**
 * The schemas of the members of an exported union of events, by `type` and `verb`, and of the named types below them: what
 * `JSON.stringify` makes of a value. The compiler's checker resolves the types, inferred and mapped ones too.
 *
 * @throws Error for what JSON cannot hold: functions, classes, maps
 */
export function schemaOf(
  file: string,
  name: string,
): { readonly events: Readonly<Record<string, Schema>>; readonly definitions: Readonly<Record<string, Schema>> } {
  const program = programOf(file);
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(file);
  const module = source === undefined ? undefined : checker.getSymbolAtLocation(source);
  const union =
    module === undefined ? undefined : checker.getExportsOfModule(module).find((each) => each.name === name);
  if (union === undefined) throw new Error(`${file} does not export ${name}`);
  const converter = new Converter(checker);
  const type = checker.getDeclaredTypeOfSymbol(union);
  const events: [string, Schema][] = (type.isUnion() ? type.types : [type]).map((member) => {
    const schema = converter.object(member, name);
    const { type: kind, verb } = schema.properties ?? {};
    return [[kind, verb].flatMap((each) => (each === undefined ? [] : [String(each.const)])).join(":"), schema];
  });
  return {
    events: Object.fromEntries(events.sort(([a], [b]) => a.localeCompare(b))),
    definitions: Object.fromEntries([...converter.definitions].sort(([a], [b]) => a.localeCompare(b))),
  };
}

function programOf(file: string): ts.Program {
  const path = ts.findConfigFile(dirname(file), (each) => ts.sys.fileExists(each));
  if (path === undefined) throw new Error("there is no tsconfig.json");
  const { options } = ts.parseJsonConfigFileContent(
    ts.readConfigFile(path, (each) => ts.sys.readFile(each)).config,
    ts.sys,
    join(path, ".."),
  );
  return ts.createProgram([file], options);
}

class Converter {
  readonly definitions = new Map<string, Schema>();
  readonly #checker: ts.TypeChecker;
  readonly #names = new Map<ts.Type, string>();

  constructor(checker: ts.TypeChecker) {
    this.#checker = checker;
  }

  /** The schema of a type; a named one becomes a definition. */
  convert(type: ts.Type, where: string): Schema {
    const symbol = type.aliasSymbol ?? type.getSymbol();
    const serialized = SERIALIZED[type.getSymbol()?.name ?? ""];
    if (serialized !== undefined && type.isClassOrInterface()) return serialized;
    const named = symbol !== undefined && this.#isNamed(type, symbol);
    if (!named) return this.#inline(type, where);
    const known = this.#names.get(type);
    if (known !== undefined) return reference(known);
    const name = this.#nameOf(symbol);
    this.#names.set(type, name);
    this.definitions.set(name, {}); // a type may contain itself
    const description = documentation(symbol, this.#checker);
    this.definitions.set(name, { ...described(description), ...this.#inline(type, name) });
    return reference(name);
  }

  /** The schema of an object. */
  object(type: ts.Type, where: string): Schema {
    const properties: [string, Schema][] = [];
    const required: string[] = [];
    for (const property of this.#checker.getPropertiesOfType(type)) {
      const place = `${where}.${property.name}`;
      const of = this.#checker.getTypeOfSymbol(property);
      const { type: present, optional } = this.#withoutUndefined(of);
      if (present === undefined) continue;
      const schema = this.convert(present, place);
      const description = documentation(property, this.#checker);
      properties.push([
        property.name,
        schema.$ref !== undefined && description !== ""
          ? { ...described(description), ...schema }
          : { ...schema, ...described(description) },
      ]);
      if (!optional && (property.flags & ts.SymbolFlags.Optional) === 0) required.push(property.name);
    }
    const index = this.#checker.getIndexInfoOfType(type, ts.IndexKind.String);
    const symbol = type.aliasSymbol ?? type.getSymbol();
    return {
      ...described(symbol === undefined || symbol.name.startsWith("__") ? "" : documentation(symbol, this.#checker)),
      type: "object",
      properties: Object.fromEntries(properties),
      ...(required.length === 0 ? {} : { required }),
      additionalProperties: index === undefined ? false : this.convert(index.type, `${where}.*`),
    };
  }

  #isNamed(type: ts.Type, symbol: ts.Symbol): boolean {
    if (type.aliasSymbol !== undefined) {
      // `Readonly<…>`, `Partial<…>` and the like are not separate names.
      if (type.aliasTypeArguments !== undefined) return false;
      return (type.flags & (ts.TypeFlags.Object | ts.TypeFlags.Union | ts.TypeFlags.Intersection)) !== 0;
    }
    return (symbol.flags & ts.SymbolFlags.Interface) !== 0 && !this.#checker.isArrayType(type);
  }

  #nameOf(symbol: ts.Symbol): string {
    let name = symbol.name;
    for (let number = 2; this.definitions.has(name); number += 1) name = `${symbol.name}${String(number)}`;
    return name;
  }

  #inline(type: ts.Type, where: string): Schema {
    const { flags } = type;
    if ((flags & (ts.TypeFlags.Any | ts.TypeFlags.Unknown)) !== 0) return {};
    if ((flags & ts.TypeFlags.Null) !== 0) return { type: "null" };
    if ((flags & ts.TypeFlags.BooleanLiteral) !== 0) return { const: this.#checker.typeToString(type) === "true" };
    if (type.isStringLiteral() || type.isNumberLiteral()) return { const: type.value };
    if ((flags & ts.TypeFlags.StringLike) !== 0) return { type: "string" };
    if ((flags & ts.TypeFlags.NumberLike) !== 0) return { type: "number" };
    if ((flags & ts.TypeFlags.BooleanLike) !== 0) return { type: "boolean" };
    if (type.isUnion()) return this.#union(type, where);
    if (this.#checker.isArrayType(type) || this.#checker.isTupleType(type)) {
      const items = this.#checker
        .getTypeArguments(type as ts.TypeReference)
        .map((item) => this.convert(item, `${where}[]`));
      return { type: "array", items: items.length === 1 ? (items[0] ?? {}) : { anyOf: distinct(items) } };
    }
    if (this.#checker.getSignaturesOfType(type, ts.SignatureKind.Call).length > 0)
      throw new Error(`${where} is a function`);
    const symbol = type.getSymbol();
    if (symbol !== undefined && (type.isClass() || ["Map", "Set", "ReadonlyMap", "ReadonlySet"].includes(symbol.name)))
      throw new Error(`${where} is a ${symbol.name}, which JSON cannot hold`);
    if ((flags & (ts.TypeFlags.Object | ts.TypeFlags.Intersection)) === 0)
      throw new Error(`${where}: ${this.#checker.typeToString(type)} has no schema`);
    return { ...this.object(type, where) };
  }

  #union(type: ts.UnionType, where: string): Schema {
    const members = type.types.filter((member) => (member.flags & ts.TypeFlags.Undefined) === 0);
    if (members.every((member) => (member.flags & ts.TypeFlags.BooleanLiteral) !== 0) && members.length === 2)
      return { type: "boolean" };
    const booleans = members.filter((member) => (member.flags & ts.TypeFlags.BooleanLiteral) !== 0);
    const others = members.filter((member) => booleans.length < 2 || !booleans.includes(member));
    const comments = memberComments(type);
    const schemas = others.map((member) => {
      const schema = this.convert(member, where);
      const text = schema.$ref === undefined ? comments.get(discriminator(schema) ?? "") : undefined;
      return text === undefined ? schema : { ...schema, description: text };
    });
    if (booleans.length === 2) schemas.push({ type: "boolean" });
    // The checker's order changes with unrelated types: that of the declaration, else of the alphabet, does not.
    const order = [...comments.keys()];
    const rank = (schema: Schema) => order.indexOf(discriminator(schema) ?? "");
    const name = (schema: Schema) => discriminator(schema) ?? schema.$ref ?? schema.type ?? "";
    const sorted = distinct(schemas).toSorted((a, b) => rank(a) - rank(b) || name(a).localeCompare(name(b)));
    if (sorted.every((schema) => schema.const !== undefined && schema.description === undefined))
      return { enum: sorted.map((schema) => schema.const) };
    return sorted.length === 1 ? (sorted[0] ?? {}) : { anyOf: sorted };
  }

  #withoutUndefined(type: ts.Type): { readonly type: ts.Type | undefined; readonly optional: boolean } {
    if ((type.flags & (ts.TypeFlags.Undefined | ts.TypeFlags.Never)) !== 0) return { type: undefined, optional: true };
    if (!type.isUnion() || !type.types.some((member) => (member.flags & ts.TypeFlags.Undefined) !== 0))
      return { type, optional: false };
    return {
      type: this.#checker.getNonNullableType(type) === type ? type : without(type, this.#checker),
      optional: true,
    };
  }
}

/** A union without `undefined`. Its members keep their names; `null` stays. */
function without(type: ts.UnionType, checker: ts.TypeChecker): ts.Type {
  const nullable = type.types.some((member) => (member.flags & ts.TypeFlags.Null) !== 0);
  return nullable ? type : checker.getNonNullableType(type);
}

/** What distinguishes the members of a union: a literal, or the first field that is one. */
function discriminator(schema: Schema): string | undefined {
  const value =
    schema.const ?? Object.values(schema.properties ?? {}).find((field) => field.const !== undefined)?.const;
  return value === undefined ? undefined : JSON.stringify(value).replaceAll('"', "");
}

/** The comments above the members of a union in its declaration, by the literal of each. */
function memberComments(type: ts.UnionType): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const [declaration] = type.aliasSymbol?.declarations ?? [];
  if (declaration === undefined || !ts.isTypeAliasDeclaration(declaration) || !ts.isUnionTypeNode(declaration.type))
    return found;
  const text = declaration.getSourceFile().text;
  for (const member of declaration.type.types) {
    const comments = ts.getLeadingCommentRanges(text, member.getFullStart()) ?? [];
    // The comment stands before the bar.
    const before = ts.getLeadingCommentRanges(text, declaration.type.getFullStart()) ?? [];
    const comment = comments.at(-1) ?? (member === declaration.type.types[0] ? before.at(-1) : undefined);
    const literal = /["']([\w-]+)["']/.exec(member.getText())?.[1];
    const previous = text.slice(0, member.getStart()).trimEnd().replace(/\|$/, "").trimEnd();
    const said =
      comment === undefined
        ? /\/\*\*((?:(?!\/\*\*)[\s\S])*?)\*\/$/.exec(previous)?.[1]
        : text.slice(comment.pos + 3, comment.end - 2);
    if (literal !== undefined && said !== undefined) found.set(literal, flat(said));
  }
  return found;
}

function documentation(symbol: ts.Symbol, checker: ts.TypeChecker): string {
  const text = ts.displayPartsToString(symbol.getDocumentationComment(checker));
  const fallback = symbol.getJsDocTags(checker).find((tag) => tag.name === "default")?.text;
  return flat(fallback === undefined ? text : `${text} Default: ${ts.displayPartsToString(fallback)}.`);
}

/** A comment on one line, its links as code. */
function flat(comment: string): string {
  return comment
    .replaceAll(/^\s*\*\s?/gm, "")
    .replaceAll(/\{@link \S+ ([^}]+)\}/g, "$1")
    .replaceAll(/\{@link ([^}]+)\}/g, "`$1`")
    .replaceAll(/\s+/g, " ")
    .trim();
}

function described(description: string): { readonly description?: string } {
  return description === "" ? {} : { description };
}

function reference(name: string): Schema {
  return { $ref: `#/definitions/${name}` };
}

function distinct(schemas: readonly Schema[]): readonly Schema[] {
  return [...new Map(schemas.map((schema) => [JSON.stringify(schema), schema])).values()];
}
