import type { Fix } from "../../contract/fix.ts";
import type { ErrorEvent } from "../events.ts";
import { typed } from "./block.ts";

/** What ended a verb, for a person: where, and what is wrong; for a defect of this program its stack trace. */
export function errorLines({ code, where, message, stack }: ErrorEvent): readonly string[] {
  if (code === "internal") return (stack ?? message).split("\n");
  return (code === "interrupted" ? message : `${where}: ${message}`).split("\n");
}

/** `fix: ./exai up`. */
export function fixLine(fix: Fix): string {
  return `fix: ${fix.render(typed)}`;
}
