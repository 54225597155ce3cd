import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseDocument } from "yaml";
import { UserError } from "../contract/errors.ts";
import { PROJECT } from "../stacks/settings.ts";
import { DEFERRED, plainSource, type ConfigSource } from "../stacks/settings/source.ts";

export interface StackFileOptions {
  /** Values that win over the file's, keys with or without `exai:`. */
  readonly overrides?: Readonly<Record<string, string>>;
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
  const overrides = Object.entries(options.overrides ?? {}).map(([key, value]) => [split(key)[1], value] as const);
  return plainSource({ ...file, ...Object.fromEntries(overrides) }, { defers: options.defers ?? false });
}

/** Reads `Pulumi.<stack>.yaml`. @throws UserError if the file is missing or malformed */
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
  const document = parseDocument(readFileSync(path, "utf8"));
  const fault = document.errors[0];
  if (fault !== undefined)
    throw new UserError(
      "invalid-file",
      `${file}:${fault.linePos?.[0].line ?? 1}`,
      `is not YAML: ${fault.message.split("\n")[0] ?? ""}`,
      `edit ${file}`,
    );
  let content: { config?: unknown } | null;
  try {
    content = document.toJS() as { config?: unknown } | null;
  } catch (cause) {
    // Aliases that expand to more than the parser allows, or that name no anchor.
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UserError("invalid-file", file, `cannot be read as YAML: ${reason}`, `edit ${file}`, { cause });
  }
  const config: unknown = content?.config ?? {};
  if (typeof config !== "object" || config === null || Array.isArray(config))
    throw new UserError("invalid-file", file, "its config is not a mapping", `edit ${file}`);

  return Object.fromEntries(
    Object.entries(config).flatMap(([key, value]) => {
      const [namespace, name] = split(key);
      return namespace === PROJECT ? [[name, raw(value)] as const] : [];
    }),
  );
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
