import { readFileSync } from "node:fs";
import { z } from "zod";
import { UserError } from "../errors.ts";
import { command, fix, type Fix } from "../fix.ts";

/** Texts by name, as JSON files of a local stack's folder have them. */
export type Texts = Readonly<Record<string, string>>;

const TEXTS = z.record(z.string(), z.string());

/**
 * The content of a file of texts; empty if there is none. The file is not changed.
 *
 * @param restore how to correct a damaged content
 * @throws UserError `invalid-file` if it is not an object of strings, `permission-denied` if it cannot be read
 */
export function readTexts(path: string, restore: Fix): Texts {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return {};
    throw unreadable(path, error);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw damaged(path, "is not JSON", restore, cause);
  }
  const texts = TEXTS.safeParse(value);
  if (!texts.success) throw damaged(path, "is not an object of strings", restore);
  return texts.data;
}

/** How to correct `secrets.json`. */
export function secretsFix(path: string): Fix {
  return fix`restore ${path} from a copy: nothing else opens the data. If the data may be lost: rm ${path}, then ${command("down --volumes")}`;
}

/** How to correct `slots.json`. */
export function slotsFix(path: string): Fix {
  return fix`write {"blue": "<image>", "green": "<image>"} to ${path}, with the images that \`docker ps\` shows`;
}

function damaged(path: string, problem: string, restore: Fix, cause?: unknown): UserError {
  const message = `${problem}; it holds the state of the local stack, and has not been changed`;
  return new UserError("invalid-file", path, message, restore, { cause });
}

const OWNER = (path: string) => fix`run the command as the owner of the file: ls -l ${path}`;

const REMEDIES: Readonly<Record<string, (path: string) => Fix>> = {
  EACCES: OWNER,
  EPERM: OWNER,
  EISDIR: () => fix`a folder has the file's name: move it away, and restore the file from a copy`,
  ENOTDIR: () => fix`a part of the path is a file: set homeDirectory to a folder`,
  EIO: () => fix`check the disk (dmesg); the file may still be intact`,
};

/** A file that is there but cannot be read is not damaged: nothing may be generated in its place, and nothing be deleted. */
function unreadable(path: string, cause: unknown): unknown {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === undefined) return cause;
  return new UserError(
    code === "EACCES" || code === "EPERM" ? "permission-denied" : "invalid-file",
    path,
    `cannot be read (${code}); it holds the state of the local stack, and has not been changed`,
    REMEDIES[code]?.(path) ?? fix`check the file: ls -l ${path}`,
    { cause },
  );
}
