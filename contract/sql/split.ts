/** A part of a file that the Supabase CLI sends as one statement. */
export interface SentStatement {
  readonly text: string;
  /** Line of its first character, from 1. */
  readonly line: number;
}

/** A state of the tokenizer: takes a character and the text so far; undefined ends the statement. */
type State = (char: string, seen: string) => State | undefined;

const IDENTIFIER = /[\p{L}\p{Nd}_$]/u;
const TAG = /[\p{L}\p{Nd}_]/u;

const ready: State = (char, seen) => {
  switch (char) {
    case "$":
      return tag(seen.length - 1);
    case "'":
    case '"':
      return quoted(char);
    case "-":
      return (next, text) => (next === "-" ? until("\n") : ready(next, text));
    case "/":
      return comment();
    case "\\":
      return () => ready;
    case ";":
      return undefined;
    case "(":
      return within(")");
    case "c":
    case "C":
      return beginsAtomic(seen) ? within("END") : ready;
    default:
      return ready;
  }
};

/** The words BEGIN ATOMIC, of which the last letter was just read. */
function beginsAtomic(seen: string): boolean {
  const [, before] = /^([\s\S]*?)BEGIN\s+ATOMIC$/i.exec(seen) ?? [];
  return before !== undefined && !IDENTIFIER.test(before.at(-1) ?? " ");
}

/** Up to a text, without any escape. */
function until(end: string): State {
  const self: State = (_, seen) => (seen.endsWith(end) ? ready : self);
  return self;
}

function tag(start: number): State {
  const self: State = (char, seen) =>
    char === "$" ? until(seen.slice(start)) : TAG.test(char) ? self : ready(char, seen);
  return self;
}

function quoted(quote: string): State {
  let ended = false;
  const self: State = (char, seen) => {
    if (!ended) {
      ended = char === quote;
      return self;
    }
    if (char !== quote) return ready(char, seen);
    ended = false;
    return self;
  };
  return self;
}

function comment(): State {
  let depth = 0;
  const self: State = (char, seen) => {
    if (seen.endsWith("/*")) depth += 1;
    else if (depth === 0) return ready(char, seen);
    else if (seen.endsWith("*/")) depth -= 1;
    return depth === 0 ? ready : self;
  };
  return self;
}

/** Up to a word that is outside of quotes and comments; inner brackets are followed, semicolons end nothing. */
function within(end: string): State {
  let inner: State = ready;
  const self: State = (char, seen) => {
    inner = inner(char, seen) ?? inner;
    return inner === ready && seen.slice(-end.length).toUpperCase() === end ? ready : self;
  };
  return self;
}

/**
 * The statements of a file as the Supabase CLI 2.117 splits it: by its own tokenizer, which differs from PostgreSQL's
 * at a few places, such as the word `end` inside of a BEGIN ATOMIC body.
 */
export function splitStatements(sql: string): readonly SentStatement[] {
  const sent: SentStatement[] = [];
  let [state, seen, line]: [State, string, number] = [ready, "", 1];
  const emit = () => {
    const text = seen.replace(/;+$/, "").trim();
    const lead = seen.slice(0, seen.length - seen.trimStart().length);
    if (text !== "") sent.push({ text, line: line + lead.split("\n").length - 1 });
    line += seen.split("\n").length - 1;
    [state, seen] = [ready, ""];
  };
  for (const char of sql) {
    seen += char;
    const next = state(char, seen);
    if (next === undefined) emit();
    else state = next;
  }
  emit();
  return sent;
}
