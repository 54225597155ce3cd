import type { Fix } from "../../contract/fix.ts";
import type { ErrorEvent } from "../events.ts";
import { typed } from "./block.ts";

/** What ended a verb, for a person: where, what is wrong, and the fix; for a defect of this program its stack trace. */
export function errorLines({ code, where, message, fix, stack }: ErrorEvent): readonly string[] {
  if (code === "internal") return (stack ?? message).split("\n");
  const problem = code === "interrupted" ? message : `${where}: ${message}`;
  return [...problem.split("\n"), ...(fix === undefined ? [] : [`  ${fixLine(fix)}`])];
}

/** `fix: ./exai up`. */
export function fixLine(fix: Fix): string {
  return `fix: ${fix.render(typed)}`;
}
