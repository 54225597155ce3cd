import type { Command } from "../../contract/fix.ts";

/** A part of a result as a person reads it. The formatters of `cli/format` make blocks; `cli/render` draws them. */
export type Block =
  /** The result in one sentence. A result has one. */
  | { readonly type: "heading"; readonly text: string }
  | {
      readonly type: "table";
      readonly title?: string;
      readonly columns: readonly Column[];
      readonly rows: readonly (readonly string[])[];
    }
  | { readonly type: "lines"; readonly lines: readonly string[] }
  | { readonly type: "warning"; readonly text: string }
  /** What a user may run next. */
  | { readonly type: "next"; readonly commands: readonly NextCommand[] };

export interface Column {
  readonly title: string;
  /** Where a table is too wide, the column with the highest number is left out first; 0 always stays. @default 0 */
  readonly priority?: number;
  readonly align?: "left" | "right";
}

export interface NextCommand extends Command {
  /** What it is for, where the command alone does not say. */
  readonly comment?: string;
}

/** A command of this CLI as a person types it. */
export function typed({ command }: Command): string {
  return `./exai ${command}`;
}
