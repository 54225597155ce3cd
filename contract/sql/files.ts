import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../errors.ts";

/** One file under supabase/migrations. */
export interface MigrationFile {
  /** Digits, by convention the time `yyyymmddhhmmss`. */
  readonly version: string;
  /** The part of the file name after the version, without `.sql`. */
  readonly name: string;
  /** File name. */
  readonly file: string;
  /** Its text, without a byte order mark. */
  readonly sql: string;
}

/** A migration in messages: version and name. */
export function migrationLabel({ version, name }: { readonly version: string; readonly name: string }): string {
  return name === "" ? version : `${version}_${name}`;
}

/** Folder of the database's own files, in Supabase's layout, under a project's root. */
export function supabaseDirectory(root: string): string {
  return join(root, "supabase");
}

/** What the Supabase CLI takes for a migration. */
const NAME = /^(\d+)_(.*)\.sql$/;
/** The Supabase CLI takes the first file for a dump of an older version of itself, and skips it. */
const OLD_DUMP = /(\d{14})_init\.sql/;
const OLD_DUMP_BEFORE = 20211209000000;

/** The files of a folder, and why the Supabase CLI would not apply some of them as they are meant. */
export interface MigrationFolder {
  /** In the order of their application: by version, as text. Without those that the CLI skips or cannot read. */
  readonly files: readonly MigrationFile[];
  /** Code `invalid-file`; each names its file. */
  readonly problems: readonly UserError[];
}

/**
 * The migrations of a project in the order in which the Supabase CLI applies them. The plan, the rollout and the commands of
 * `migrate` all read them here.
 *
 * @throws UserError if there is none, or one of {@link MigrationFolder.problems}
 */
export function migrationFiles(root: string): readonly MigrationFile[] {
  const { files, problems } = readMigrations(root);
  const [problem] = problems;
  if (problem !== undefined) throw problem;
  return files;
}

/** All migrations of a project, with all problems. @throws UserError if there is none */
export function readMigrations(root: string): MigrationFolder {
  const directory = join(supabaseDirectory(root), "migrations");
  let names: string[];
  try {
    names = readdirSync(directory, { withFileTypes: true })
      .filter((entry) => !entry.isDirectory() && /\.sql$/i.test(entry.name))
      .map(({ name }) => name)
      .sort();
  } catch (cause) {
    throw new UserError("not-found", directory, "cannot be read", "run this in a checkout of the project", { cause });
  }
  if (names.length === 0)
    throw new UserError("not-found", directory, "contains no migration", "supabase migration new <name>");
  const problems: UserError[] = [];
  const problem = (file: string, message: string, fix: string) =>
    problems.push(new UserError("invalid-file", join(directory, file), message, fix));
  const files = names.flatMap((file, index): MigrationFile[] => {
    const [, version, name] = NAME.exec(file) ?? [];
    if (version === undefined || name === undefined) {
      const fix = `mv ${file} ${suggestion(file)}, or move it to another folder`;
      problem(
        file,
        "is not named <version>_<name>.sql with a version of digits, so the Supabase CLI would skip it",
        fix,
      );
      return [];
    }
    const dump = index === 0 ? OLD_DUMP.exec(file)?.[1] : undefined;
    if (dump !== undefined && Number(dump) < OLD_DUMP_BEFORE) {
      const why = `is the first file and a dump of an old version of the Supabase CLI (_init, before ${OLD_DUMP_BEFORE})`;
      problem(file, `${why}, so the CLI would skip it`, "give it another name");
      return [];
    }
    const bytes = readFileSync(join(directory, file));
    const encoding = encodingOf(bytes);
    if (encoding !== undefined) {
      const fix = encoding.startsWith("UTF") ? `iconv -f ${encoding} -t UTF-8 ${file}` : "save it as UTF-8";
      problem(file, `is encoded in ${encoding}, and the Supabase CLI reads it as UTF-8`, fix);
      return [];
    }
    return [{ version, name, file, sql: new TextDecoder().decode(bytes) }];
  });
  files.sort((one, other) => (one.version < other.version ? -1 : one.version > other.version ? 1 : 0));
  files.forEach((file, index) => {
    const before = files[index - 1];
    if (before === undefined) return;
    if (before.version === file.version)
      problem(
        file.file,
        `has the version of another migration, ${before.file}: a database records a version once, so the second one fails`,
        "give it a later version",
      );
    else if (BigInt(before.version) >= BigInt(file.version))
      problem(
        before.file,
        `is applied before ${file.file}, since the Supabase CLI compares versions as text, not as numbers`,
        "give both a version of fourteen digits, yyyymmddhhmmss",
      );
  });
  return { files, problems };
}

/** A name that the CLI takes. */
function suggestion(file: string): string {
  const words = file.replace(/\.sql$/i, "").replace(/^\d+/, "");
  const name = words.replaceAll(/[^a-z0-9]+/gi, "_").replaceAll(/^_+|_+$/g, "");
  return `<yyyymmddhhmmss>_${name === "" ? "migration" : name.toLowerCase()}.sql`;
}

/** The encoding of a file that is not UTF-8. */
function encodingOf(bytes: Buffer): string | undefined {
  const starts = (...mark: readonly number[]) => mark.every((byte, index) => bytes[index] === byte);
  if (starts(0xff, 0xfe, 0, 0) || starts(0, 0, 0xfe, 0xff)) return "UTF-32";
  if (starts(0xff, 0xfe) || starts(0xfe, 0xff)) return "UTF-16";
  // Without a mark, every second byte of ASCII text is null.
  if (bytes.includes(0)) return bytes[0] === 0 ? "UTF-16BE" : "UTF-16LE";
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return undefined;
  } catch {
    return "another encoding than UTF-8";
  }
}
