import { randomUUID } from "node:crypto";
import { linkSync, lstatSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { UserError } from "../errors.ts";
import { fix } from "../fix.ts";
import { makeFolder } from "./make-folder.ts";

/** The file that marks a folder as that of a local stack. Only a folder that has it is ever emptied. */
export const MARK_FILE = ".exai-stack.json";

const MARK = z.object({ schema: z.literal(1), id: z.string(), instance: z.string() });

/** The stack that a folder belongs to. */
export type StackMark = z.infer<typeof MARK>;

/**
 * Creates the folder of a local stack and marks it, if that has not been done. Of two processes that do so at the same time,
 * both get the mark of one.
 *
 * @throws UserError `state-conflict` if the folder has files of something else, or is that of another instance
 */
export function claimHome(home: string, instance: string): StackMark {
  try {
    makeFolder(home, 0o700);
    for (;;) {
      const mark = readMark(home);
      if (mark !== undefined) return ofInstance(mark, home, instance);
      const names = readdirSync(home).filter((name) => !name.startsWith(`${MARK_FILE}.`));
      if (names.includes(MARK_FILE)) continue; // another process has made it since
      const foreign = names.filter((name) => !isGeneratedSecrets(home, name));
      if (foreign.length > 0) throw notEmpty(home, foreign);
      placeMark(home, instance);
    }
  } catch (error) {
    if (error instanceof UserError || !(error instanceof Error) || !("code" in error)) throw error;
    throw new UserError(
      error.code === "EACCES" || error.code === "EPERM" ? "permission-denied" : "unavailable",
      home,
      `cannot be used for the state of the stack (${String(error.code)})`,
      "make room or correct its owner and mode, or set homeDirectory to a folder that you may write",
      { cause: error },
    );
  }
}

/** The mark of a folder; undefined if it has none. @throws UserError `invalid-file` if it is damaged or a link */
export function readMark(home: string): StackMark | undefined {
  const path = join(home, MARK_FILE);
  let text: string;
  try {
    // A link may point to the mark of another stack.
    if (!lstatSync(path).isFile()) throw damaged(path, "is not a regular file");
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR"))
      return undefined;
    throw error;
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw damaged(path, "is not JSON", cause);
  }
  const mark = MARK.safeParse(value);
  if (!mark.success) throw damaged(path, "is not the mark of a stack");
  return mark.data;
}

/** @throws UserError `state-conflict` if the folder is that of another instance */
export function ofInstance(mark: StackMark, home: string, instance: string): StackMark {
  if (mark.instance === instance) return mark;
  throw new UserError(
    "state-conflict",
    home,
    `is the folder of instance ${mark.instance}, not of ${instance}`,
    fix`give ${instance} its own: --set homeDirectory=.exai/${instance}; or use --set instance=${mark.instance}`,
  );
}

function placeMark(home: string, instance: string): void {
  const mark: StackMark = { schema: 1, id: randomUUID(), instance };
  const temporary = join(home, `${MARK_FILE}.${randomUUID()}`);
  try {
    writeFileSync(temporary, `${JSON.stringify(mark)}\n`, { mode: 0o600, flush: true });
    linkSync(temporary, join(home, MARK_FILE)); // fails if the name exists
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** Whether it is a generated `secrets.json`: a person may restore it into an empty folder. */
function isGeneratedSecrets(home: string, name: string): boolean {
  const path = join(home, name);
  if (name !== "secrets.json" || !lstatSync(path).isFile()) return false;
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    return typeof value === "object" && value !== null && "generated-postgres" in value;
  } catch {
    return false;
  }
}

function notEmpty(home: string, names: readonly string[]): UserError {
  const shown = `${[...names].sort().slice(0, 5).join(", ")}${names.length > 5 ? ", …" : ""}`;
  return new UserError(
    "state-conflict",
    home,
    `has files that are not of a stack (${shown}), and no ${MARK_FILE}`,
    "set homeDirectory to a folder that is empty or does not exist",
  );
}

function damaged(path: string, problem: string, cause?: unknown): UserError {
  return new UserError(
    "invalid-file",
    path,
    `${problem}; it says which stack the folder belongs to`,
    `restore it: {"schema":1,"id":"<any>","instance":"<name of the instance>"}`,
    { cause },
  );
}
