import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../contract/errors.ts";

/** One file under supabase/migrations. */
export interface MigrationFile {
  /** Fourteen digits, `yyyymmddhhmmss`. */
  readonly version: string;
  /** The part of the file name after the version, without `.sql`. */
  readonly name: string;
  /** File name. */
  readonly file: string;
}

/** A migration in messages: version and name. */
export function migrationLabel({ version, name }: { readonly version: string; readonly name: string }): string {
  return name === "" ? version : `${version}_${name}`;
}

/** Folder of the database's own files, in Supabase's layout, under a project's root. */
export function supabaseDirectory(root: string): string {
  return join(root, "supabase");
}

/**
 * The migrations of a project in the order in which they apply.
 *
 * @throws UserError if there is none, or the name of a file keeps it from ever being applied
 */
export function migrationFiles(root: string): readonly MigrationFile[] {
  const directory = join(supabaseDirectory(root), "migrations");
  let names: string[];
  try {
    names = readdirSync(directory).filter((name) => name.endsWith(".sql"));
  } catch (cause) {
    throw new UserError("not-found", directory, "cannot be read", "run this in a checkout of the project", { cause });
  }
  if (names.length === 0)
    throw new UserError("not-found", directory, "contains no migration", "supabase migration new <name>");
  const files = names.sort().map((file) => {
    const [, version, name] = /^(\d{14})_([a-z0-9_]+)\.sql$/.exec(file) ?? [];
    if (version === undefined || name === undefined)
      throw new UserError(
        "invalid-file",
        join(directory, file),
        "is not named <yyyymmddhhmmss>_<name>.sql, so the Supabase CLI would skip it",
        `supabase migration new ${file
          .replace(/\.sql$/, "")
          .replaceAll(/[^a-z0-9]+/gi, "_")
          .toLowerCase()}`,
      );
    return { version, name, file };
  });
  const twice = files.find((file, index) => file.version === files[index - 1]?.version);
  if (twice !== undefined)
    throw new UserError(
      "invalid-file",
      join(directory, twice.file),
      "has the version of another migration",
      "give it a later version",
    );
  return files;
}

/** Text of a migration. */
export function migrationSql(root: string, migration: MigrationFile): string {
  return readFileSync(join(supabaseDirectory(root), "migrations", migration.file), "utf8");
}
