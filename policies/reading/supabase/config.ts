import { existsSync, globSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { parse } from "smol-toml";
import { Unknown, type SourcePosition, type Value } from "../../../contract/graph.ts";
import { supabaseDirectory } from "../../../contract/sql/files.ts";
import { LineIndex } from "./lines.ts";

/** `supabase/config.toml`, as the Supabase CLI reads it. */
export interface SupabaseConfig {
  /** Relative to the project's root. */
  readonly file: string;
  /** Why it cannot be read. */
  readonly error?: string;
  /** The settings for every project, and those with what each `[remotes.*]` section changes. */
  readonly variants: readonly ConfigVariant[];
  readonly lines: LineIndex;
}

/** The settings that one project gets. A value `env(NAME)` is unknown. */
export interface ConfigVariant {
  /** Name of the `[remotes.*]` section; absent for the settings of every project. */
  readonly remote?: string;
  readonly values: ConfigSection;
}

export type ConfigSection = Readonly<Record<string, Value>>;

/** A bucket that `supabase start` and `supabase seed buckets` make. */
export interface SeededBucket {
  readonly name: string;
  readonly source: SourcePosition;
}

const CONFIG = "supabase/config.toml";
/** What the CLI runs without a setting. */
const SEEDS = ["./seed.sql"];

/** The settings of a project's Supabase CLI. Undefined if it has none. */
export function readConfig(root: string): SupabaseConfig | undefined {
  const path = join(root, CONFIG);
  if (!existsSync(path)) return undefined;
  const text = readFileSync(path, "utf8");
  const lines = new LineIndex(CONFIG, text);
  try {
    const whole = withUnknowns(parse(text) as Value, "") as ConfigSection;
    const { remotes, ...values } = whole;
    const variants: ConfigVariant[] = [{ values }];
    for (const [remote, changes] of Object.entries(sectionOf(remotes)))
      variants.push({ remote, values: merged(values, sectionOf(changes)) });
    return { file: CONFIG, variants, lines };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { file: CONFIG, error: message.split("\n")[0] ?? message, variants: [], lines };
  }
}

/** The buckets of all variants that are public, or may be. */
export function publicBucketsOf(config: SupabaseConfig | undefined): readonly SeededBucket[] {
  const found = new Map<string, SeededBucket>();
  for (const { remote, values } of config?.variants ?? [])
    for (const [name, bucket] of Object.entries(sectionOf(sectionOf(values.storage).buckets))) {
      const open = sectionOf(bucket).public;
      if (open === undefined || open === false || found.has(name)) continue;
      found.set(name, {
        name,
        source: config?.lines.at(["storage", "buckets", name, "public"], remote) ?? { file: CONFIG, line: 1 },
      });
    }
  return [...found.values()];
}

/**
 * The SQL files that the CLI runs after the migrations (`db reset`, `db push --include-seed`), in its order: those of the settings
 * for every project, then those of the remotes.
 */
export function seedFilesOf(root: string, config: SupabaseConfig | undefined): { file: string; text: string }[] {
  const directory = supabaseDirectory(root);
  const found = new Set<string>();
  for (const { values } of config?.variants ?? []) {
    const seed = sectionOf(sectionOf(values.db).seed);
    if (seed.enabled === false) continue;
    const paths = seed.sql_paths ?? SEEDS;
    for (const pattern of Array.isArray(paths) ? (paths as readonly Value[]) : [paths])
      if (typeof pattern === "string")
        for (const file of globSync(pattern, { cwd: directory }).sort()) found.add(join(directory, file));
  }
  return [...found]
    .filter((path) => statSync(path).isFile())
    .map((path) => ({ file: relative(root, path), text: readFileSync(path, "utf8") }));
}

/** A section; empty for another value. */
export function sectionOf(value: Value | undefined): ConfigSection {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Unknown)
    ? (value as ConfigSection)
    : {};
}

/** The CLI replaces `env(NAME)` by a variable of the machine on which it runs, also where a boolean stands. */
function withUnknowns(value: Value, path: string): Value {
  if (typeof value === "string") return /^env\(.*\)$/s.test(value.trim()) ? new Unknown(path) : value;
  if (typeof value === "bigint") return Number(value);
  if (value === null || typeof value !== "object") return value;
  if (value instanceof Date) return String(value);
  if (Array.isArray(value))
    return (value as readonly Value[]).map((item, index) => withUnknowns(item, `${path}[${index}]`));
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      withUnknowns(item as Value, path === "" ? key : `${path}.${key}`),
    ]),
  );
}

/** A section with the changes of a remote: tables are merged, other values replaced. */
function merged(section: ConfigSection, changes: ConfigSection): ConfigSection {
  const result: Record<string, Value> = { ...section };
  for (const [key, value] of Object.entries(changes)) {
    const below = sectionOf(value);
    result[key] = Object.keys(below).length > 0 ? merged(sectionOf(section[key]), below) : value;
  }
  return result;
}
