import { relative } from "node:path";

/** A path for people: relative to the working directory if it is below it. */
export function shownPath(path: string): string {
  const short = relative(process.cwd(), path);
  return short.startsWith("..") ? path : short;
}
