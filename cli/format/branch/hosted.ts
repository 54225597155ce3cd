import type { SchemaChange } from "../../../operations/branches/merge/change.ts";
import { count } from "../units.ts";

/** Statements that a question shows. */
const SHOWN = 10;

/** What `branch reset` and `branch delete` of a hosted branch ask before they begin. */
export function removalQuestion(name: string): string {
  return `This has Supabase delete the project of branch ${name} with its data.`;
}

/** What `branch merge` and `branch revert` ask before they change a hosted database. */
export function changeQuestion({ stack = "local", steps }: SchemaChange): string {
  const shown = steps.slice(0, SHOWN).map(({ sql }) => `${sql.replaceAll(/\s+/g, " ").slice(0, 200)};`);
  const more = steps.length > SHOWN ? ` and ${String(steps.length - SHOWN)} more.` : "";
  return `This runs ${count(steps.length, "statement")} on the database of stack ${stack}: ${shown.join(" ")}${more}`;
}
