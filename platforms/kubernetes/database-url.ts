import { join } from "node:path";
import { UserError } from "../../contract/errors.ts";
import { PROJECT_ROOT } from "../../operations/images/paths.ts";
import { verifiedUrl } from "../../operations/migrations/url.ts";
import { writeDurably } from "../../operations/rollout/host/durable-files.ts";
import { DATABASE_URL_VARIABLE, environmentUrl } from "../database-url.ts";
import type { DeclaredStack } from "../declared.ts";
import { loadEngine } from "../pulumi/lazy.ts";
import { clusterTarget } from "./engine-target.ts";

/** Whether the environment or the settings say where the database of a stack on a cluster is. */
export function declaredDatabase({ source }: DeclaredStack): boolean {
  return environmentUrl() !== undefined || (source.get("databaseUrl") ?? "") !== "";
}

/**
 * Connection string of the database of a stack on a cluster, which verifies the server: `given`, else EXAI_DATABASE_URL, else
 * `exai:databaseUrl`. Asks the engine only for encrypted values.
 *
 * @throws UserError if there is none, or the connection would not be verified
 */
export async function verifiedDatabase(declared: DeclaredStack, given?: string): Promise<string> {
  const { name } = declared;
  const url = given ?? environmentUrl() ?? (await readSetting(declared, "databaseUrl"));
  if (url === undefined)
    throw new UserError(
      "invalid-setting",
      "exai:databaseUrl",
      `is not set, and the database of stack ${name} is not part of the stack`,
      `pulumi config set --secret --stack ${name} exai:databaseUrl   # asks for it; or ${DATABASE_URL_VARIABLE}, or --url of migrate`,
    );
  return (await verifierOf(declared))(url);
}

/** Makes a connection string of the stack's project verify the server, as {@link verifiedDatabase} does. */
export async function verifierOf(declared: DeclaredStack): Promise<(url: string) => string> {
  const file = certificatesFile(declared.name, await readSetting(declared, "databaseCa"));
  return (url) => verifiedUrl(url, file);
}

/** A setting, by the engine if it is encrypted. */
async function readSetting(declared: DeclaredStack, key: string): Promise<string | undefined> {
  const value = declared.source.get(key);
  if (typeof value !== "symbol") return value === "" ? undefined : value;
  const { openEngine } = await loadEngine();
  return (await openEngine(clusterTarget(declared))).config[key];
}

/** Writes the certificate authorities to a file, as PostgreSQL's client and the Supabase CLI expect them. */
function certificatesFile(stack: string, certificates: string | undefined): string | undefined {
  if (certificates === undefined) return undefined;
  const path = join(PROJECT_ROOT, ".exai", stack, "database-ca.pem");
  writeDurably(path, certificates, 0o644);
  return path;
}
