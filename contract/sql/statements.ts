/** A statement of a SQL file. */
export interface SqlStatement {
  /** Line of its first word, from 1. */
  readonly line: number;
  readonly text: string;
}

/**
 * Splits SQL into statements at the semicolons that end them: not those in strings, quoted names, dollar quotes,
 * comments, parentheses, or in the body of `begin atomic … end`.
 */
export function splitStatements(sql: string): SqlStatement[] {
  const statements: SqlStatement[] = [];
  let start = -1;
  let depth = 0;
  let atomic = 0;
  for (let at = 0; at < sql.length;) {
    const end = skip(sql, at);
    if (end !== at && (sql.startsWith("--", at) || sql.startsWith("/*", at) || /\s/.test(sql[at] ?? ""))) {
      at = end;
      continue;
    }
    if (start === -1) start = at;
    if (end !== at) {
      at = end;
      continue;
    }
    const sign = sql[at];
    if (sign === "(") depth += 1;
    else if (sign === ")") depth -= 1;
    else if (sign === ";" && depth <= 0 && atomic === 0) {
      push(start, at);
      start = -1;
      depth = 0;
    } else if (/[A-Za-z_]/.test(sign ?? "")) {
      const word = /^[A-Za-z_][\w$]*/.exec(sql.slice(at, at + 80))?.[0] ?? "";
      const rest = sql.slice(at + word.length);
      if (/^begin$/i.test(word) && /^\s+atomic\b/i.test(rest)) atomic += 1;
      else if (atomic > 0 && /^case$/i.test(word)) atomic += 1;
      else if (atomic > 0 && /^end$/i.test(word)) atomic -= 1;
      at += Math.max(1, word.length);
      continue;
    }
    at += 1;
  }
  if (start !== -1) push(start, sql.length);
  return statements;

  function push(from: number, to: number): void {
    const text = sql.slice(from, to).trim();
    if (text !== "") statements.push({ line: sql.slice(0, from).split("\n").length, text });
  }
}

/** Text without comments, with white space collapsed outside of strings. */
export function plainText(sql: string): string {
  let plain = "";
  for (let at = 0; at < sql.length;) {
    const end = skip(sql, at);
    if (end === at) {
      plain += sql[at] ?? "";
      at += 1;
      continue;
    }
    const piece = sql.slice(at, end);
    plain += /^(--|\/\*|\s)/.test(piece) ? " " : piece;
    at = end;
  }
  return plain.replaceAll(/ {2,}/g, " ").trim();
}

/** End of the white space, comment, string, quoted name or dollar quote that starts here; `at` itself if none does. */
function skip(sql: string, at: number): number {
  const sign = sql[at] ?? "";
  if (/\s/.test(sign)) return at + (/^\s+/.exec(sql.slice(at))?.[0].length ?? 1);
  if (sql.startsWith("--", at)) return indexAfter(sql, "\n", at);
  if (sql.startsWith("/*", at)) return commentEnd(sql, at);
  if (sign === "'")
    return quoteEnd(
      sql,
      at,
      "'",
      /[eE]$/.test(sql.slice(Math.max(0, at - 1), at)) && !/\w[eE]$/.test(sql.slice(Math.max(0, at - 2), at)),
    );
  if (sign === '"') return quoteEnd(sql, at, '"', false);
  if (sign === "$") {
    const tag = /^\$(?:[A-Za-z_]\w*)?\$/.exec(sql.slice(at, at + 80))?.[0];
    // `a$1$` is a name, not a quote.
    if (tag !== undefined && !/[\w$]/.test(sql[at - 1] ?? " ")) return indexAfter(sql, tag, at + tag.length);
  }
  return at;
}

function indexAfter(sql: string, text: string, from: number): number {
  const index = sql.indexOf(text, from);
  return index === -1 ? sql.length : index + text.length;
}

/** Comments nest in PostgreSQL. */
function commentEnd(sql: string, from: number): number {
  let depth = 0;
  for (let at = from; at < sql.length; at += 1) {
    if (sql.startsWith("/*", at)) {
      depth += 1;
      at += 1;
    } else if (sql.startsWith("*/", at)) {
      depth -= 1;
      at += 1;
      if (depth === 0) return at + 1;
    }
  }
  return sql.length;
}

function quoteEnd(sql: string, from: number, quote: string, escapes: boolean): number {
  for (let at = from + 1; at < sql.length; at += 1) {
    if (escapes && sql[at] === "\\") at += 1;
    else if (sql[at] === quote) {
      if (sql[at + 1] !== quote) return at + 1;
      at += 1;
    }
  }
  return sql.length;
}
