import { mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../../../contract/errors.ts";

/** Somebody with a newer token has taken over: whoever meets this must stop without a further write. */
export class FencedError extends Error {
  override readonly name = "FencedError";
}

const PREFIX = ".staging-";

/**
 * Replaces files of one directory, and only as long as no newer token has opened it.
 *
 * Files are staged in a directory of the token and moved into place. The next holder deletes the staging directories of
 * older tokens before it does anything else, so a holder that was asleep finds its rename refused by the file system:
 * there is no moment between a check and the write.
 */
export class FencedDirectory {
  readonly #directory: string;
  readonly #staging: string;

  private constructor(directory: string, staging: string) {
    this.#directory = directory;
    this.#staging = staging;
  }

  /**
   * Shuts older tokens out.
   *
   * @throws FencedError when a newer token has been here.
   */
  static async open(directory: string, token: number): Promise<FencedDirectory> {
    await mkdir(directory, { recursive: true });
    const staging = join(directory, `${PREFIX}${String(token)}`);
    // First the own directory, then the look: of two that do this at the same time, at least one sees the other.
    await mkdir(staging, { recursive: true });
    const tokens = (await readdir(directory)).flatMap((name) => {
      const other = name.startsWith(PREFIX) ? Number(name.slice(PREFIX.length)) : NaN;
      return Number.isInteger(other) ? [other] : [];
    });
    if (tokens.some((other) => other > token)) {
      await rm(staging, { recursive: true, force: true });
      throw new FencedError(`token ${String(token)} has been superseded by ${String(Math.max(...tokens))}`);
    }
    for (const other of tokens.filter((each) => each < token)) {
      await rm(join(directory, `${PREFIX}${String(other)}`), { recursive: true, force: true });
    }
    return new FencedDirectory(directory, staging);
  }

  /**
   * Replaces a file by rename; when it returns, the content survives a crash of the machine.
   *
   * @param visible `first` renames before the content is flushed, for a reader who waits: what a crash of the machine in
   * between leaves behind must be fixable from elsewhere.
   * @throws FencedError when a newer token has shut this one out.
   */
  async replace(name: string, content: string, visible: "first" | "when safe" = "when safe"): Promise<void> {
    const staged = join(this.#staging, name);
    try {
      const file = await open(staged, "w", 0o644);
      try {
        await file.writeFile(content);
        if (visible === "when safe") await file.sync();
        await rename(staged, join(this.#directory, name));
        if (visible === "first") await file.sync();
      } finally {
        await file.close();
      }
    } catch (error) {
      if (errorCode(error) === "ENOENT") throw new FencedError(`${name}: a newer holder of the lease has taken over`);
      throw error;
    }
    await syncDirectory(this.#directory);
  }

  /** Appends a line to a file and flushes it; checks the token just before. */
  async append(name: string, line: string): Promise<void> {
    if (!(await exists(this.#staging))) throw new FencedError(`${name}: a newer holder of the lease has taken over`);
    const file = await open(join(this.#directory, name), "a", 0o644);
    try {
      await file.writeFile(`${line}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
  }
}

/** Makes renames in a directory durable. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** `code` of a system error, e.g. ENOENT. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** What a person fixes, and not this program: no room, a quota, a read-only file system, a lack of permission. */
const UNWRITABLE = ["ENOSPC", "EDQUOT", "EROFS", "EACCES"];

/** The error of a file that cannot be written, as its reader fixes it; any other error as it is. */
export function unwritable(error: unknown, path: string, problem: (code: string) => string): unknown {
  const code = errorCode(error);
  if (code === undefined || !UNWRITABLE.includes(code)) return error;
  const fix = "make room or fix the permissions, then: ./exai rollout resume (or abort)";
  return new UserError("failed", path, problem(code), fix, { cause: error });
}

/** Whether it is an error of {@link unwritable}: the same write would meet it again. */
export function isUnwritable(error: unknown): boolean {
  return error instanceof UserError && UNWRITABLE.includes(errorCode(error.cause) ?? "");
}

async function exists(path: string): Promise<boolean> {
  return readdir(path).then(
    () => true,
    () => false,
  );
}
