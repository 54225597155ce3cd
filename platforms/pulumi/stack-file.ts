import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseDocument, type Document } from "yaml";

/** Keys of a stack file that say how its secrets are encrypted. */
const ENCRYPTION = ["encryptionsalt", "encryptedkey", "secretsprovider"] as const;

/** Prefix of the project's own keys. */
const PREFIX = "exai:";

/** The engine's own copy of a stack file: that of the project with the values of this run. */
export interface EffectiveStackFile {
  readonly path: string;
  /** Folder of the copy, with its own project file, so that `pulumi stack init` writes to the copy. */
  readonly folder: string;
}

/**
 * Writes the copy of `Pulumi.<stack>.yaml` that the engine reads. The values of one run, and the encryption of this machine's
 * own backend, must not get into the file that the team shares.
 *
 * @param folder of the copy
 * @param overrides values that win, keys without `exai:`
 * @param ownPassphrase whether the passphrase is this machine's own. Then the team's encryption is left out, unless the file
 *   has an encrypted value
 */
export function effectiveStackFile(
  root: string,
  folder: string,
  stack: string,
  overrides: Readonly<Record<string, string>>,
  ownPassphrase: boolean,
): EffectiveStackFile {
  const path = join(folder, `Pulumi.${stack}.yaml`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const document = read(join(root, `Pulumi.${stack}.yaml`));
  const before = read(path);
  if (ownPassphrase && !holdsSecrets(document)) for (const key of ENCRYPTION) document.delete(key);
  if (!ENCRYPTION.some((key) => document.has(key)))
    for (const key of ENCRYPTION) if (before.has(key)) document.set(key, before.get(key));
  for (const [key, value] of Object.entries(overrides)) document.setIn(["config", `${PREFIX}${key}`], value);
  writeFileSync(path, document.toString(), { mode: 0o600 });
  writeFileSync(join(folder, "Pulumi.yaml"), "name: exai\nruntime: nodejs\n", { mode: 0o600 });
  return { path, folder };
}

function holdsSecrets(document: Document): boolean {
  const { config } = document.toJS() as { config?: Record<string, unknown> };
  return Object.values(config ?? {}).some((value) => typeof value === "object" && value !== null && "secure" in value);
}

function read(path: string): Document {
  return parseDocument(existsSync(path) ? readFileSync(path, "utf8") : "{}\n");
}
