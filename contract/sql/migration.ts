import { plainText, splitStatements } from "./statements.ts";

/**
 * - `expand`: all earlier releases still work after it.
 * - `contract`: it removes what an earlier release may need, so it runs when no such release can get traffic.
 */
export type MigrationKind = "expand" | "contract";

/** In the name of the file, and thus in the history table of the database: `20261201090000_contract_drop_title.sql`. */
const CONTRACT = /(^|_)contract(_|$)/;

/** Kind of a migration, from its name with or without version and `.sql`. */
export function migrationKind(name: string): MigrationKind {
  return CONTRACT.test(name.replace(/\.sql$/, "").replace(/^\d+_/, "_")) ? "contract" : "expand";
}

/** A statement that can break a running release. */
export interface Breach {
  /** Line of the statement, from 1. */
  readonly line: number;
  /** What it does, e.g. `drops column title of public.conversations`. */
  readonly what: string;
}

/** What a statement makes or takes; names are as they are written, in lower case and without quotes. */
const NAME = String.raw`((?:"[^"]+"|[\w$]+)(?:\.(?:"[^"]+"|[\w$]+))*)`;
const MAKES = new RegExp(
  String.raw`^create (?:or replace )?(?:global |local |temp |temporary |unlogged |foreign |materialized |recursive |constraint |unlogged )*(table|view|schema|type|domain|sequence|function|procedure|policy|trigger)(?: if not exists)? ${NAME}`,
  "i",
);
const DROPS = new RegExp(
  String.raw`^drop (?:foreign |materialized )?(table|view|schema|type|domain|sequence|function|procedure|aggregate|policy|extension|role)(?: if exists)? ${NAME}`,
  "i",
);
const ALTERS = new RegExp(
  String.raw`^alter (?:foreign )?(table|type|domain|view|materialized view|sequence|function|procedure|schema|policy)(?: if exists)?(?: only)? ${NAME}\s*\*?(?:\([^)]*\))? (.*)$`,
  "is",
);

/**
 * Statements of a migration that a release which runs beside it may not survive: they remove, rename or retype what it
 * reads, or refuse what it writes. What the file itself makes may be changed at will.
 *
 * It is the text that is read and not a database, so that a rollout can ask before it changes anything; the policy rule
 * `migration-destructive` compares the catalogs of a real engine, and both have to agree before a file lands.
 */
export function breaches(sql: string): readonly Breach[] {
  const statements = splitStatements(sql).map(({ line, text }) => ({ line, text: plainText(text) }));
  const made = new Set(statements.flatMap(({ text }) => nameOf(MAKES.exec(text))));
  return statements.flatMap(({ line, text }) => breachesOf(text, made).map((what) => ({ line, what })));
}

function nameOf(match: RegExpExecArray | null): readonly string[] {
  return match === null ? [] : [plainName(match[2] ?? "")];
}

function plainName(name: string): string {
  return name.replaceAll('"', "").toLowerCase();
}

function breachesOf(text: string, made: ReadonlySet<string>): readonly string[] {
  const own = (name: string) => made.has(plainName(name));
  const dropped = DROPS.exec(text);
  // A file may drop an object and create it again: that replaces it.
  if (dropped !== null) return own(dropped[2] ?? "") ? [] : [`drops ${lower(dropped[1])} ${dropped[2] ?? ""}`];

  const emptied = new RegExp(String.raw`^(truncate)(?: table)?(?: only)? ${NAME}`, "i").exec(text);
  if (emptied !== null) return own(emptied[2] ?? "") ? [] : [`empties ${emptied[2] ?? ""}`];
  const deleted = new RegExp(String.raw`^(delete from)(?: only)? ${NAME}(?!.*\bwhere\b)`, "is").exec(text);
  if (deleted !== null) return own(deleted[2] ?? "") ? [] : [`deletes every row of ${deleted[2] ?? ""}`];

  const unique = new RegExp(
    String.raw`^create unique index(?: concurrently)?(?: if not exists)?(?: ${NAME})? on(?: only)? ${NAME}`,
    "i",
  ).exec(text);
  if (unique !== null) return own(unique[2] ?? "") ? [] : [`refuses equal rows of ${unique[2] ?? ""}`];

  const revoked = /^revoke (.*?) on (?:table |function |procedure |schema |sequence )?(.*?) from (.*)$/is.exec(text);
  if (revoked !== null) {
    const objects = topLevel((revoked[2] ?? "").replaceAll(/\([^)]*\)/g, "")).filter((name) => !own(name));
    return objects.length === 0
      ? []
      : [`revokes ${revoked[1] ?? ""} on ${objects.join(", ")} from ${revoked[3] ?? ""}`];
  }
  const restrictive = new RegExp(String.raw`^create policy ${NAME} on ${NAME} as restrictive`, "i").exec(text);
  if (restrictive !== null) return own(restrictive[2] ?? "") ? [] : [`restricts ${restrictive[2] ?? ""}`];

  const altered = ALTERS.exec(text);
  if (altered !== null) {
    const [, kind, name = "", actions = ""] = altered;
    return own(name) ? [] : topLevel(actions).flatMap((action) => alteration(lower(kind), name, action));
  }
  // The statements that a block builds are not there to be read: what it might do counts as done.
  if (/^do\b/i.test(text)) {
    const word = /\b(drop|truncate|rename|revoke)\b/i.exec(text)?.[1];
    return word === undefined ? [] : [`may ${word.toLowerCase()} something in a DO block`];
  }
  return [];
}

function alteration(kind: string, name: string, action: string): readonly string[] {
  const has = (pattern: RegExp) => pattern.test(action);
  const column = /^(?:alter|drop|rename)(?: column| attribute)?(?: if exists)? (\S+)/i.exec(action)?.[1] ?? "";
  if (kind === "policy") return [`changes policy ${name}`];
  if (has(/^rename\b/i)) return [has(/^rename to\b/i) ? `renames ${kind} ${name}` : `renames a part of ${name}`];
  if (has(/^set schema\b/i)) return [`moves ${kind} ${name} to another schema`];
  if (has(/^drop attribute\b/i)) return [`drops attribute ${column} of ${name}`];
  if (has(/^add constraint\b|^add (check|unique|primary key|foreign key|exclude)\b/i))
    return [`adds a constraint to ${name}, which may refuse what a release writes`];
  if (kind === "domain" && has(/^set not null\b/i)) return [`refuses null in ${name}`];
  if (kind !== "table") return [];
  if (has(/^drop(?! constraint\b)/i)) return [`drops column ${column} of ${name}`];
  if (has(/^alter\b.*\b(set data type|type)\b/is)) return [`changes the type of ${column} of ${name}`];
  if (has(/^alter\b.*\bset not null$/is)) return [`refuses null in ${column} of ${name}`];
  if (has(/^alter\b.*\bdrop default$/is)) return [`takes the default of ${column} of ${name}`];
  if (has(/^(enable|force) row level security$/i)) return [`closes the rows of ${name}`];
  if (has(/^disable trigger\b/i)) return [`disables a trigger of ${name}`];
  if (has(/^add\b/i) && has(/\bnot null\b/i) && !has(/\bdefault\b|\bgenerated\b|\bserial\b|\bbigserial\b/i))
    return [`adds a column to ${name} that must be given`];
  return [];
}

/** Splits at the commas outside of parentheses and strings. */
function topLevel(list: string): readonly string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  let quote = "";
  for (const [at, sign] of Array.from(list).entries()) {
    if (quote !== "") quote = sign === quote ? "" : quote;
    else if (sign === "'" || sign === '"') quote = sign;
    else if (sign === "(") depth += 1;
    else if (sign === ")") depth -= 1;
    else if (sign === "," && depth === 0) {
      parts.push(list.slice(start, at));
      start = at + 1;
    }
  }
  return [...parts, list.slice(start)].map((part) => part.trim()).filter((part) => part !== "");
}

function lower(text: string | undefined): string {
  return (text ?? "").toLowerCase();
}
