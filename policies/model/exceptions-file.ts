import { LineCounter, parseDocument, isMap, isSeq } from "yaml";
import type { z } from "zod";
import { UserError, UserErrors } from "../../contract/errors.ts";

/** A file of declared exceptions: one list under one key. */
export interface ExceptionsFile<Entry> {
  /** Path relative to the project's root. */
  readonly path: string;
  /** JSON Schema of the file, relative to the project's root, for the fix of an error. */
  readonly schemaPath: string;
  /** The key of the list. */
  readonly key: string;
  readonly schema: z.ZodType<Readonly<Record<string, readonly Entry[]>>>;
  /** What the schema cannot express about an entry: why it is wrong. */
  readonly faultOf: (entry: Entry) => string | undefined;
}

/** An entry and its line in the file. */
export type Lined<Entry> = Entry & { readonly line: number };

/**
 * Parses a file of exceptions. One malformed entry makes the whole file invalid.
 *
 * @throws UserErrors with the line of every malformed entry
 */
export function parseExceptions<Entry extends object>(text: string, file: ExceptionsFile<Entry>): Lined<Entry>[] {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const refuse = (line: number, problem: string) =>
    new UserError("invalid-file", `${file.path}:${line}`, problem, `correct it as described in ${file.schemaPath}`);
  const fault = document.errors[0];
  if (fault !== undefined)
    throw new UserErrors([
      refuse(fault.linePos?.[0].line ?? 1, `is not valid YAML: ${fault.message.split("\n")[0] ?? ""}`),
    ]);

  const list = isMap(document.contents) ? document.contents.get(file.key, true) : undefined;
  const lineOf = (index: number) => {
    const item = isSeq(list) ? list.items[index] : undefined;
    const range =
      typeof item === "object" && item !== null && "range" in item
        ? (item.range as readonly number[] | null | undefined)
        : undefined;
    return range?.[0] === undefined ? 1 : lines.linePos(range[0]).line;
  };
  let content: unknown;
  try {
    content = document.toJS();
  } catch (error) {
    // Aliases that expand to more than the parser allows, or that name no anchor.
    throw new UserErrors([
      refuse(1, `cannot be read as YAML: ${error instanceof Error ? error.message : String(error)}`),
    ]);
  }
  const parsed = file.schema.safeParse(content);
  if (!parsed.success)
    throw new UserErrors(
      parsed.error.issues.map((issue) => {
        const [, index, ...path] = issue.path;
        return refuse(
          typeof index === "number" ? lineOf(index) : 1,
          `${path.join(".")}${path.length > 0 ? ": " : ""}${issue.message}`,
        );
      }),
    );

  const entries = (parsed.data[file.key] ?? []).map((entry, index) => ({ ...entry, line: lineOf(index) }));
  const errors = entries.flatMap((entry) => {
    const wrong = file.faultOf(entry);
    return wrong === undefined ? [] : [refuse(entry.line, wrong)];
  });
  if (errors.length > 0) throw new UserErrors(errors);
  return entries;
}
