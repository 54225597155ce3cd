import type { Command, Fix } from "../../contract/fix.ts";

/** How a piece of text is meant: a terminal colours it. */
export type Tone = "good" | "bad" | "warning" | "quiet";

/** Text, with its tone if it has one. */
export type Text = string | { readonly text: string; readonly tone: Tone };

/** A part of a result as a person reads it. The formatters of `cli/format` make blocks; `cli/render` fits them to the terminal. */
export type Block =
  /** The result in one sentence. A result has one. */
  | { readonly type: "heading"; readonly text: Text }
  | {
      readonly type: "table";
      readonly title?: string;
      readonly columns: readonly Column[];
      readonly rows: readonly (readonly Text[])[];
    }
  /** Sentences, or names with their values. Long ones are wrapped. */
  | { readonly type: "lines"; readonly lines: readonly Text[] }
  | { readonly type: "warning"; readonly text: string }
  /** A file's content, printed unchanged. */
  | { readonly type: "document"; readonly text: string }
  /** What corrects the problem before it. */
  | { readonly type: "fix"; readonly fix: Fix }
  /** What a user may run next, most useful first. */
  | { readonly type: "next"; readonly commands: readonly NextCommand[] };

export interface Column {
  readonly title: string;
  /** Where a table is too wide, the column with the highest number is left out first; 0 always stays. @default 0 */
  readonly priority?: number;
  /** Characters below which the column is not made narrower. @default its widest cell; 20 for a last column that stays */
  readonly minimum?: number;
  readonly align?: "left" | "right";
}

/** A command of this CLI, or a line for a shell. */
export type NextCommand = (Command | { readonly shell: string }) & {
  /** What it is for, where the command alone does not say. */
  readonly comment?: string;
};

/** What a formatter may know besides the data. */
export interface FormatContext {
  /** When the result came, milliseconds since 1970. */
  readonly at: number;
}

/** Puts data into words; pure. */
export type Formatter<Data> = (data: Data, context: FormatContext) => readonly Block[];

/** How a view is shown: `blocks` on a terminal; in a log `line`, each time that `change` differs. */
export interface ViewFormatter<Data> {
  readonly blocks: Formatter<Data>;
  readonly line: (data: Data, at: string) => string;
  readonly change: (data: Data) => string;
}

/** A command of this CLI as a person types it. */
export function typed({ command }: Command): string {
  return `./exai ${command}`;
}

/** A heading. */
export function heading(text: string, tone?: Tone): Block {
  return { type: "heading", text: tone === undefined ? text : { text, tone } };
}

/** The next commands. */
export function next(...commands: readonly NextCommand[]): Block {
  return { type: "next", commands };
}

/** Lines. */
export function lines(...texts: readonly Text[]): Block {
  return { type: "lines", lines: texts };
}

/** Names with their values, one a line, the values aligned. */
export function pairs(entries: Readonly<Record<string, string>>): Block {
  const width = Math.max(0, ...Object.keys(entries).map((name) => name.length));
  return lines(...Object.entries(entries).map(([name, value]) => `  ${name.padEnd(width)}  ${value}`));
}
