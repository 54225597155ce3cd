import { mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { errorCode, syncDirectory } from "../host/durable-files.ts";
import { FencedError } from "../ports/lease.ts";

const PREFIX = ".staging-";

/**
 * Replaces files of one directory as long as no newer token has opened it.
 *
 * Files are staged in a directory per token and renamed. A new holder first deletes the staging directories of older
 * tokens, so the file system itself rejects the rename of a holder that was suspended: no gap between a check and a write.
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
   * @throws FencedError if a newer token has opened the directory
   */
  static async open(directory: string, token: number): Promise<FencedDirectory> {
    await mkdir(directory, { recursive: true });
    const staging = join(directory, `${PREFIX}${String(token)}`);
    // Create the directory before reading: of two processes that do this concurrently, at least one sees the other.
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
   * Replaces a file by rename. When it returns, the content survives a crash of the machine.
   *
   * @param visible `first` renames before the content is flushed, for a reader that waits. A crash of the machine may then
   * lose the content, so it must be recoverable.
   * @throws FencedError if a newer token has opened the directory
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

async function exists(path: string): Promise<boolean> {
  return readdir(path).then(
    () => true,
    () => false,
  );
}
