import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { UserError, UserErrors } from "../contract/errors.ts";
import { PROJECT } from "../stacks/settings.ts";
import { DEFERRED, plainSource, type ConfigSource, type Origin } from "../stacks/settings/source.ts";
import { SETTINGS } from "../stacks/settings/table.ts";
import { Rewritten, readEngineYaml } from "./engine-yaml.ts";
import { keyProblem, plainProblem, rewrittenProblem, sectionProblem, splitKey } from "./stack-file-problems.ts";

export interface StackFileOptions {
  /** Values that win over the file's, keys with or without `exai:`. */
  readonly overrides?: Readonly<Record<string, string>>;
  /** Where overrides come from that the user did not type. */
  readonly origins?: Readonly<Record<string, Origin>>;
  /** Whether secrets and the release's image may be absent; see {@link ConfigSource.defers}. */
  readonly defers?: boolean;
}

/** What a stack file says. */
export interface StackFile {
  /** The values by key without `exai:`. An encrypted value is deferred: only the engine can read it. */
  readonly values: Readonly<Record<string, string | typeof DEFERRED>>;
  /** Values of the project's file Pulumi.yaml, for keys that the stack's file does not have. */
  readonly inherited: Readonly<Record<string, string | typeof DEFERRED>>;
  /** Environments of Pulumi ESC that the file imports. They may set what it does not; only the engine reads them. */
  readonly imports: readonly string[];
}

/** The file of a stack that needs none. */
export const EMPTY_FILE: StackFile = { values: {}, inherited: {}, imports: [] };

/**
 * The configuration of a stack: the values of its file `Pulumi.<stack>.yaml` and the overrides.
 *
 * @throws UserError if the file is missing or malformed
 */
export function stackFileSource(root: string, stack: string, options: StackFileOptions = {}): ConfigSource {
  return layered(readStackFile(root, stack), options);
}

/** The values of a stack file that was read, and the overrides. */
export function layered(file: StackFile, options: StackFileOptions = {}): ConfigSource {
  const { overrides = {}, origins = {}, defers = false } = options;
  const given = Object.fromEntries(Object.entries(overrides).map(([key, value]) => [splitKey(key)[1], value]));
  const typed = Object.fromEntries(Object.keys(given).map((key) => [key, "typed" as const]));
  return plainSource(
    { ...file.inherited, ...file.values, ...given },
    {
      defers,
      origins: { ...typed, ...origins },
      imports: file.imports,
      written: { ...file.inherited, ...file.values },
    },
  );
}

/**
 * Reads `Pulumi.<stack>.yaml` as the engine does. What nothing would read is refused, such as an unknown key of any namespace, and so
 * is a value that the engine would replace.
 *
 * @throws UserError or UserErrors if the file is missing or malformed
 */
export function readStackFile(root: string, stack: string): StackFile {
  const file = `Pulumi.${stack}.yaml`;
  const path = join(root, file);
  if (!existsSync(path))
    throw new UserError(
      "not-found",
      file,
      "does not exist",
      `use one of the stacks of this project, or: pulumi stack init ${stack}`,
    );
  const { content, anchored } = readEngineYaml(file, readFileSync(path, "utf8"));
  const sections = mappingOf(file, file, content);
  const config = mappingOf(file, `${file}: config`, sections.config);
  const errors = [
    ...Object.keys(sections).flatMap((name) => (anchored.includes(name) ? [] : sectionProblem(file, name))),
    ...Object.entries(config).flatMap(([key, value]) => [
      ...keyProblem(file, key),
      ...(value instanceof Rewritten ? rewrittenProblem(file, key, value) : []),
      ...plainProblem(file, key, raw(value)),
    ]),
  ];
  if (errors.length > 0) throw new UserErrors(errors);
  const values = ownValues(config);
  const inherited = Object.entries(inheritedValues(root)).filter(([key]) => !Object.hasOwn(values, key));
  return { values, inherited: Object.fromEntries(inherited), imports: importsOf(sections.environment) };
}

function ownValues(config: Readonly<Record<string, unknown>>): Record<string, string | typeof DEFERRED> {
  return Object.fromEntries(
    Object.entries(config).flatMap(([key, value]) => {
      const [namespace, name] = splitKey(key);
      return namespace === PROJECT ? [[name, raw(value)]] : [];
    }),
  );
}

/** The values that the project's file gives every stack: `value`, or `default`, or a value without a schema. */
function inheritedValues(root: string): Record<string, string | typeof DEFERRED> {
  const path = join(root, "Pulumi.yaml");
  if (!existsSync(path)) return {};
  const config = mappingOf("Pulumi.yaml", "Pulumi.yaml: config", configOfProject(readFileSync(path, "utf8")));
  const given = Object.entries(config).flatMap(([key, value]) => {
    const declared = typeof value === "object" && value !== null && !(value instanceof Rewritten);
    const content = declared
      ? ((value as Record<string, unknown>).value ?? (value as Record<string, unknown>).default)
      : value;
    return content === undefined || content === null || content === "" ? [] : [[key, content] as const];
  });
  const values = ownValues(Object.fromEntries(given));
  // The generated declarations repeat the defaults of the table.
  return Object.fromEntries(Object.entries(values).filter(([key, value]) => value !== defaultOf(key)));
}

function defaultOf(key: string): unknown {
  const fallback = Object.hasOwn(SETTINGS, key) ? SETTINGS[key as keyof typeof SETTINGS] : undefined;
  return fallback !== undefined && "fallback" in fallback ? fallback.fallback : undefined;
}

/** The text that was parsed last, with its section: all stacks of a project share it, and it is long. */
let project: { readonly text: string; readonly config: unknown } | undefined;

function configOfProject(text: string): unknown {
  if (project?.text !== text) {
    const content = readEngineYaml("Pulumi.yaml", text).content as { readonly config?: unknown } | null;
    project = { text, config: content?.config };
  }
  return project.config;
}

/** The names of imported environments; `environment` itself where a definition in the file may set values. */
function importsOf(section: unknown): readonly string[] {
  if (section === undefined || section === null || section === "") return [];
  if (typeof section === "string") return [section];
  const list = Array.isArray(section) ? section : (section as { readonly imports?: unknown }).imports;
  const names = (Array.isArray(list) ? list : []).map((each: unknown) =>
    typeof each === "object" && each !== null ? (Object.keys(each)[0] ?? "") : String(each),
  );
  const own = !Array.isArray(section) && Object.keys(section).some((key) => key !== "imports");
  return [...names, ...(own ? ["environment of the file itself"] : [])];
}

function mappingOf(file: string, where: string, value: unknown): Readonly<Record<string, unknown>> {
  if (value === undefined || value === null) return {};
  if (typeof value === "object" && !Array.isArray(value) && !(value instanceof Rewritten))
    return value as Record<string, unknown>;
  throw new UserError("invalid-file", where, "is not a mapping", `edit ${file}`);
}

/** A value as the program gets it. Nothing and `null` are an empty text, which counts as not set. */
function raw(value: unknown): string | typeof DEFERRED {
  if (value === null || value === undefined) return "";
  if (typeof value === "string") return value;
  if (value instanceof Rewritten) return value.text;
  if (typeof value === "object" && Object.keys(value).length === 1 && "secure" in value) return DEFERRED;
  return JSON.stringify(value);
}
