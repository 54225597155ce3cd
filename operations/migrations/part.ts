import { copyFile, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { migrationFiles, supabaseDirectory } from "../../contract/sql/files.ts";

/**
 * Runs work on a project whose migrations end with a version. The Supabase CLI applies every file that it finds, so it gets
 * a temporary copy of the folder without the later files.
 */
export async function* withMigrationsUpTo<Event, Result>(
  root: string,
  upTo: string | undefined,
  work: (root: string) => AsyncGenerator<Event, Result, void>,
): AsyncGenerator<Event, Result, void> {
  const files = migrationFiles(root);
  if (upTo === undefined || files.every(({ version }) => version <= upTo)) return yield* work(root);
  const part = await mkdtemp(join(tmpdir(), "exai-migrations-"));
  try {
    const [from, to] = [supabaseDirectory(root), supabaseDirectory(part)];
    await mkdir(join(to, "migrations"), { recursive: true });
    await copyFile(join(from, "config.toml"), join(to, "config.toml"));
    for (const { version, file } of files)
      if (version <= upTo) await copyFile(join(from, "migrations", file), join(to, "migrations", file));
    return yield* work(part);
  } finally {
    await rm(part, { recursive: true, force: true });
  }
}
