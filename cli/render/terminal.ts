import pc from "picocolors";
import sliceAnsi from "slice-ansi";
import stringWidth from "string-width";
import wrapAnsi from "wrap-ansi";
import type { Text, Tone } from "../format/block.ts";

/** What a stream can show. */
export interface Terminal {
  /** Characters in a line; undefined for a log, whose lines have no limit. */
  readonly columns: number | undefined;
  readonly rows: number;
  /** Whether lines can be rewritten: a terminal that moves its cursor, and not a log of CI. */
  readonly live: boolean;
  readonly colours: ReturnType<typeof pc.createColors>;
}

/** A terminal that reports no size is taken for one of 80 by 24. */
export function terminalOf(stream: NodeJS.WritableStream, plain = false): Terminal {
  const { isTTY, columns, rows } = stream as Partial<NodeJS.WriteStream>;
  const { TERM, CI = "", NO_COLOR = "", FORCE_COLOR } = process.env;
  const capable = isTTY === true && TERM !== "dumb";
  const forced = FORCE_COLOR === undefined ? undefined : FORCE_COLOR !== "0" && FORCE_COLOR !== "false";
  return {
    columns: isTTY === true ? (columns === undefined || columns === 0 ? 80 : columns) : undefined,
    rows: rows === undefined || rows === 0 ? 24 : rows,
    live: capable && !plain && (CI === "" || CI === "false"),
    colours: pc.createColors(!plain && (forced ?? (capable && NO_COLOR === ""))),
  };
}

/** Text with the colour of its tone. */
export function toned(text: Text, { colours }: Pick<Terminal, "colours">): string {
  if (typeof text === "string") return text;
  const colour: Readonly<Record<Tone, (text: string) => string>> = {
    good: colours.green,
    bad: colours.red,
    warning: colours.yellow,
    quiet: colours.dim,
  };
  return colour[text.tone](text.text);
}

/** Columns that a text takes on a terminal. Only text that is not plain ASCII loads the tables of Unicode. */
export const widthOf = (text: string): number => (/^[ -~]*$/.test(text) ? text.length : stringWidth(text));

/** Cuts a line to the width, with an ellipsis at the end if something was cut. */
export function truncate(line: string, width: number | undefined): string {
  if (width === undefined || widthOf(line) <= width) return line;
  return width < 2 ? sliceAnsi(line, 0, width) : `${sliceAnsi(line, 0, width - 1).trimEnd()}…`;
}

/** The space between a figure and its unit. */
const BEFORE_UNIT = /(?<=\d) (?=(?:%|ms|s|min|h|[KMG]iB|MB)(?:\W|$))/g;

/** Wraps a line at words, but not between a figure and its unit; continued lines are indented by `indent`, or as the line itself plus two. */
export function wrap(line: string, width: number | undefined, indent?: number): readonly string[] {
  if (width === undefined || widthOf(line) <= width) return [line];
  const own = /^ */.exec(line)?.[0].length ?? 0;
  const hanging = Math.min(indent ?? own + 2, Math.max(0, width - 10));
  const text = line.slice(own).replaceAll(BEFORE_UNIT, "\u00a0");
  const wrapped = wrapAnsi(text, Math.max(1, width - hanging), { hard: true, trim: true }).split("\n");
  return wrapped.map((part, index) => `${" ".repeat(index === 0 ? own : hanging)}${part.replaceAll("\u00a0", " ")}`);
}
