import { command } from "../../../contract/fix.ts";
import { typed } from "../../format/block.ts";

/** Hosted databases are changed after a question. */
export const YES = ["-y, --yes", "do not ask before a hosted database or branch is changed", false] as const;

export interface YesFlag {
  readonly yes: boolean;
}

/** The command that was typed, without its question. */
export function againWithYes(): string {
  return typed(command(`${process.argv.slice(2).join(" ")} --yes`));
}
