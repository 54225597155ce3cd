import { isCollection, isMap, parseDocument, visit, type Document } from "yaml";
import { UserError } from "../contract/errors.ts";

/**
 * An unquoted scalar that the engine replaces. Its YAML library (gopkg.in/yaml.v3) resolves numbers and dates before the configuration
 * becomes text: `1.10` is the number 1.1, and `017` is 15.
 */
export class Rewritten {
  /** As it is written. */
  readonly source: string;
  /** As the program gets it. */
  readonly text: string;
  readonly #json: unknown;

  constructor(source: string, text: string, json: unknown) {
    this.source = source;
    this.text = text;
    this.#json = json;
  }

  /** As a part of a list or an object, which the program gets as JSON. */
  toJSON(): unknown {
    return this.#json;
  }
}

/** The content of a YAML file as the engine reads it. */
export interface EngineYaml {
  /** With merge keys. Scalars that the engine replaces are {@link Rewritten}. */
  readonly content: unknown;
  /** Keys at the top whose value carries an anchor, and so may be there for other values alone. */
  readonly anchored: readonly string[];
}

/**
 * Reads a YAML file as the engine does.
 *
 * @throws UserError if it is not YAML, or has a key twice or several documents
 */
export function readEngineYaml(file: string, text: string): EngineYaml {
  // All scalars are text; what they stand for is the engine's choice, not this parser's.
  const document = parseDocument(text, { schema: "failsafe", merge: true, logLevel: "error" });
  const fault = document.errors[0];
  if (fault !== undefined)
    throw new UserError(
      "invalid-file",
      `${file}:${fault.linePos?.[0].line ?? 1}`,
      fault.code === "MULTIPLE_DOCS"
        ? "has a second document, which the engine ignores"
        : `is not YAML: ${fault.message.split("\n")[0] ?? ""}`,
      `edit ${file}`,
    );
  resolveScalars(document);
  try {
    return { content: document.toJS(), anchored: anchoredKeys(document) };
  } catch (cause) {
    // Aliases that expand to more than the parser allows, or that name no anchor.
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UserError("invalid-file", file, `cannot be read as YAML: ${reason}`, `edit ${file}`, { cause });
  }
}

function anchoredKeys({ contents }: Document): readonly string[] {
  if (!isMap(contents)) return [];
  return contents.items.flatMap(({ key, value }) =>
    isCollection(value) && value.anchor !== undefined ? [String(key)] : [],
  );
}

function resolveScalars(document: Document): void {
  visit(document, {
    Scalar(key, node) {
      if (key === "key" || node.type !== "PLAIN" || node.tag?.endsWith(":str") === true) return;
      if (typeof node.value === "string") node.value = resolved(node.value);
    },
  });
}

const NULLS = ["", "~", "null", "Null", "NULL"];
const TRUES = ["true", "True", "TRUE"];
const NEGATIVES = ["false", "False", "FALSE"];

/** What yaml.v3 makes of a plain scalar. `yes`, `on` and times such as `12:30:45` stay text. */
function resolved(source: string): unknown {
  if (NULLS.includes(source)) return null;
  if (TRUES.includes(source)) return true;
  if (NEGATIVES.includes(source)) return false;
  if (/^[-+]?\.inf$/i.test(source) || /^\.nan$/i.test(source)) return new Rewritten(source, "no valid number", null);
  if (!/^[-+.\d]/.test(source)) return source;
  if (/^\d{4}-\d{1,2}-\d{1,2}(?:$|[Tt ]\d)/.test(source)) {
    const date = new Date(/^[\d-]+$/.test(source) ? `${source}T00:00:00Z` : source);
    const text = Number.isNaN(date.getTime())
      ? "a date"
      : `${date.toISOString().slice(0, 19).replace("T", " ")} +0000 UTC`;
    return new Rewritten(source, text, text);
  }
  const number = integer(source.replaceAll("_", "")) ?? float(source.replaceAll("_", ""));
  if (number === undefined) return source;
  const json = typeof number === "bigint" ? Number(number) : number;
  // An integer of the engine's 64 bits is not rounded; as text it is what it was.
  if (String(number) === source && !Number.isSafeInteger(json) && typeof number === "bigint") return source;
  return String(number) === source ? json : new Rewritten(source, String(number), json);
}

/** As Go's `strconv.ParseInt(text, 0, 64)` has it: 0x, 0o, 0b, and octal with a leading zero. */
function integer(text: string): bigint | undefined {
  const match = /^([-+]?)(?:(0x[\da-f]+|0b[01]+|0o[0-7]+)|0([0-7]+)|(0|[1-9]\d*))$/i.exec(text);
  if (match === null) return undefined;
  const [, sign, prefixed, octal, decimal] = match;
  const value = BigInt(prefixed ?? (octal === undefined ? (decimal ?? "0") : `0o${octal}`));
  // Larger ones become floating-point numbers.
  if (value >= 2n ** 64n) return undefined;
  return sign === "-" ? -value : value;
}

function float(text: string): number | undefined {
  return /^[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:e[-+]?\d+)?$/i.test(text) ? Number(text) : undefined;
}
