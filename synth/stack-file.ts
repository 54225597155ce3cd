import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseDocument } from "yaml";
import { UserError, UserErrors } from "../contract/errors.ts";
import { PROJECT } from "../stacks/settings.ts";
import { nearest, suggestion } from "../contract/nearest.ts";
import { DEFERRED, plainSource, type ConfigSource, type Origin } from "../stacks/settings/source.ts";
import { SETTINGS } from "../stacks/settings/table.ts";

export interface StackFileOptions {
  /** Values that win over the file's, keys with or without `exai:`. */
  readonly overrides?: Readonly<Record<string, string>>;
  /** Where overrides come from that the user did not type. */
  readonly origins?: Readonly<Record<string, Origin>>;
  /** Whether secrets and the release's image may be absent; see {@link ConfigSource.defers}. */
  readonly defers?: boolean;
}

/** The values of a stack file, by key without `exai:`. An encrypted value is deferred: only the engine can read it. */
export type StackFile = Readonly<Record<string, string | typeof DEFERRED>>;

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
  const given = Object.fromEntries(Object.entries(overrides).map(([key, value]) => [split(key)[1], value]));
  const typed = Object.fromEntries(Object.keys(given).map((key) => [key, "typed" as const]));
  return plainSource({ ...file, ...given }, { defers, origins: { ...typed, ...origins } });
}

/** Sections of a stack file that Pulumi knows. */
const SECTIONS = ["config", "environment", "secretsprovider", "encryptionsalt", "encryptedkey"];

/** Namespaces of `config`: this project's, Pulumi's own, and those of the providers that the program uses. */
const NAMESPACES = [PROJECT, "pulumi", "docker", "kubernetes", "random", "supabase"];

/**
 * Reads `Pulumi.<stack>.yaml`. What nothing would read is refused, such as a key without namespace or of an unknown one.
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
  const sections = mappingOf(file, file, contentOf(file, readFileSync(path, "utf8")));
  const config = mappingOf(file, `${file}: config`, sections.config);
  const errors = [
    ...Object.keys(sections).flatMap((name) => sectionProblem(file, name)),
    ...Object.keys(config).flatMap((key) => keyProblem(file, key)),
  ];
  if (errors.length > 0) throw new UserErrors(errors);
  return Object.fromEntries(
    Object.entries(config).flatMap(([key, value]) => {
      const [namespace, name] = split(key);
      return namespace === PROJECT ? [[name, raw(value)]] : [];
    }),
  );
}

/** The file's content, with merge keys as the engine reads them. A key that is there twice is refused. */
function contentOf(file: string, text: string): unknown {
  const document = parseDocument(text, { merge: true });
  const fault = document.errors[0];
  if (fault !== undefined)
    throw new UserError(
      "invalid-file",
      `${file}:${fault.linePos?.[0].line ?? 1}`,
      `is not YAML: ${fault.message.split("\n")[0] ?? ""}`,
      `edit ${file}`,
    );
  try {
    return document.toJS();
  } catch (cause) {
    // Aliases that expand to more than the parser allows, or that name no anchor.
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UserError("invalid-file", file, `cannot be read as YAML: ${reason}`, `edit ${file}`, { cause });
  }
}

function mappingOf(file: string, where: string, value: unknown): Readonly<Record<string, unknown>> {
  if (value === undefined || value === null) return {};
  if (typeof value === "object" && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new UserError("invalid-file", where, "is not a mapping", `edit ${file}`);
}

function sectionProblem(file: string, name: string): readonly UserError[] {
  if (SECTIONS.includes(name)) return [];
  const setting = settingName(name);
  const advice = setting === undefined ? `edit ${file}` : `move it below config: as exai:${setting}`;
  return [
    new UserError(
      "invalid-file",
      `${file}: ${name}`,
      `is ignored: it is not a section${suggestion(name, SECTIONS)}`,
      advice,
    ),
  ];
}

function keyProblem(file: string, key: string): readonly UserError[] {
  const refused = (problem: string, advice: string) => [
    new UserError("invalid-file", `${file}: ${key}`, problem, advice),
  ];
  if (!key.includes(":")) {
    const name = settingName(key) ?? nearest(key, Object.keys(SETTINGS)) ?? key;
    return refused("has no namespace", `write exai:${name}`);
  }
  const [namespace, name] = split(key);
  if (NAMESPACES.includes(namespace)) return [];
  const near = nearest(namespace, NAMESPACES) ?? (settingName(name) === undefined ? undefined : PROJECT);
  return refused(
    `is ignored: nothing reads the namespace "${namespace}"`,
    near === undefined ? `remove it from ${file}` : `write ${near}:${name}`,
  );
}

/** The setting of that name, in any case. */
function settingName(name: string): string | undefined {
  return Object.keys(SETTINGS).find((key) => key.toLowerCase() === name.replace(/^.*:/, "").toLowerCase());
}

function split(key: string): [namespace: string, name: string] {
  const colon = key.indexOf(":");
  return colon < 0 ? [PROJECT, key] : [key.slice(0, colon), key.slice(colon + 1)];
}

function raw(value: unknown): string | typeof DEFERRED {
  if (typeof value === "string") return value;
  if (typeof value === "object" && value !== null && "secure" in value) return DEFERRED;
  return JSON.stringify(value);
}
