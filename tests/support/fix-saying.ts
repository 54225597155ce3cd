import { expect } from "vitest";
import type { Fix } from "../../contract/fix.ts";

/** Matches a fix whose text, with commands as `exai up`, contains or matches the pattern. */
export function fixSaying(pattern: string | RegExp): Fix {
  const says = (fix: Fix): boolean =>
    typeof pattern === "string" ? String(fix).includes(pattern) : pattern.test(String(fix));
  return expect.toSatisfy(says, `fix says ${String(pattern)}`) as Fix;
}
