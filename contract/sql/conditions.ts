import { argument, quoted } from "./ran.ts";
import { tokensOf, type SqlStatement } from "./statements.ts";

/** A condition of an IF or a CASE in a DO block. */
export interface Condition {
  readonly text: string;
  /**
   * - `surroundings`: it asks for the version, the time, the role, a setting or an extension
   * - `catalog`: it asks whether an object is there
   * - `data`: it asks for rows of tables, which are empty here
   * - `other`: it asks for none of these
   */
  readonly about: "surroundings" | "catalog" | "data" | "other";
}

/** A DO block in PL/pgSQL with its conditions. */
export interface ConditionalBlock {
  readonly conditions: readonly Condition[];
  /** A word that asks for the surroundings outside of a condition, e.g. in the query of a loop. */
  readonly elsewhere?: string;
  /** The statement with other conditions; `text` is that of the condition with this number. */
  with(condition: (text: string, index: number) => string): string;
}

const SURROUNDINGS =
  /\b(current_setting|version|server_version|pg_settings|pg_available_extensions?|pg_available_extension_versions|pg_extension|current_user|session_user|current_role|user|current_database|current_catalog|now|clock_timestamp|statement_timestamp|transaction_timestamp|current_date|current_time|current_timestamp|localtime|localtimestamp|timeofday|random|inet_server_addr|inet_client_addr|pg_is_in_recovery|pg_backend_pid|is_superuser)\b/i;
const CATALOG = /\bpg_[a-z_]+|\bto_reg[a-z]+|\binformation_schema\b|\bhas_\w+_privilege\b|::\s*reg[a-z]+/i;
const DATA = /(?<!\bdistinct\s+)\b(from|found)\b/i;
/** Of those, the ones that no migration writes for another purpose. */
const ONLY_SURROUNDINGS =
  /^(version|pg_settings|pg_available_extensions?|pg_available_extension_versions|pg_extension|current_setting|current_database|inet_server_addr|pg_is_in_recovery)$/i;
/** What can stand before a statement of PL/pgSQL. */
const BEFORE_STATEMENT: ReadonlySet<string> = new Set([";", "begin", "then", "else", "loop", ">>", ""]);

/** The conditions of a DO block; undefined for other statements, other languages and blocks without any. */
export function conditionsOf({ node }: SqlStatement): ConditionalBlock | undefined {
  if (!("DoStmt" in node)) return undefined;
  const language = argument(node.DoStmt, "language");
  if (language !== "" && language !== "plpgsql") return undefined;
  const body = argument(node.DoStmt, "as");
  const tokens = tokensOf(body);
  const ranges: { readonly start: number; readonly end: number }[] = [];
  const filled = filledBy(tokens.map(({ text }) => text.toLowerCase()));
  let handles = false;
  let elsewhere: string | undefined;
  for (let at = 0; at < tokens.length; at += 1) {
    const word = tokens[at]?.text.toLowerCase() ?? "";
    const before = tokens[at - 1]?.text.toLowerCase() ?? "";
    if (word === "exception" && before === ";") handles = true;
    if (word === "end") handles = false;
    const isBranch = word === "when" && !handles && (before === ";" || isCase(tokens, at - 1));
    const begins = (word === "if" && BEFORE_STATEMENT.has(before)) || word === "elsif" || word === "elseif" || isBranch;
    if (!begins) {
      if (ONLY_SURROUNDINGS.test(word)) elsewhere ??= word;
      continue;
    }
    const first = at + 1;
    let depth = 0;
    for (at = first; at < tokens.length; at += 1) {
      const inner = tokens[at]?.text.toLowerCase();
      if (inner === "case") depth += 1;
      else if (inner === "end") depth -= 1;
      else if (inner === "then" && depth === 0) break;
    }
    const [start, end] = [tokens[first]?.start, tokens[at - 1]?.end];
    if (start !== undefined && end !== undefined && end > start) ranges.push({ start, end });
  }
  if (ranges.length === 0 && elsewhere === undefined) return undefined;
  // The scanner counts bytes.
  const bytes = Buffer.from(body);
  const textAt = ({ start, end }: { readonly start: number; readonly end: number }) =>
    bytes.toString("utf8", start, end);
  return {
    conditions: ranges.map((range) => {
      const text = textAt(range);
      return { text, about: subjectOf(text, filled) };
    }),
    ...(elsewhere === undefined ? {} : { elsewhere }),
    with: (condition) => {
      let [made, from] = ["", 0];
      ranges.forEach((range, index) => {
        made += `${bytes.toString("utf8", from, range.start)}${condition(textAt(range), index)}`;
        from = range.end;
      });
      return `do ${quoted(made + bytes.toString("utf8", from))}`;
    },
  };
}

function subjectOf(text: string, filled: ReadonlySet<string>): Condition["about"] {
  if (SURROUNDINGS.test(text)) return "surroundings";
  if (CATALOG.test(text)) return "catalog";
  const words = text.toLowerCase().match(/[a-z_]\w*/g) ?? [];
  return DATA.test(text) || words.some((word) => filled.has(word)) ? "data" : "other";
}

/** The variables that queries fill: `select … into total`. */
function filledBy(words: readonly string[]): ReadonlySet<string> {
  const names = words.flatMap((word, at) => {
    if (word !== "into" || words[at - 1] === "insert" || words[at - 1] === "merge") return [];
    return words[at + 1] === "strict" ? (words[at + 2] ?? []) : (words[at + 1] ?? []);
  });
  return new Set(names);
}

/** Whether a word begins a CASE that is a statement, and not an expression. */
function isCase(tokens: readonly { readonly text: string }[], at: number): boolean {
  return tokens[at]?.text.toLowerCase() === "case" && BEFORE_STATEMENT.has(tokens[at - 1]?.text.toLowerCase() ?? "");
}
