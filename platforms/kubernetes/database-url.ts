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
  const { name, source } = declared;
  const read = async (key: string): Promise<string | undefined> => {
    const value = source.get(key);
    if (typeof value !== "symbol") return value === "" ? undefined : value;
    const { openEngine } = await loadEngine();
    return (await openEngine(clusterTarget(declared))).config[key];
  };
  const url = given ?? environmentUrl() ?? (await read("databaseUrl"));
  if (url === undefined)
    throw new UserError(
      "invalid-setting",
      "exai:databaseUrl",
      `is not set, and the database of stack ${name} is not part of the stack`,
      `pulumi config set --secret --stack ${name} exai:databaseUrl   # asks for it; or ${DATABASE_URL_VARIABLE}, or --url`,
    );
  return verifiedUrl(url, certificatesFile(name, await read("databaseCa")));
}

/** Writes the certificate authorities to a file, as PostgreSQL's client and the Supabase CLI expect them. */
function certificatesFile(stack: string, certificates: string | undefined): string | undefined {
  if (certificates === undefined) return undefined;
  const path = join(PROJECT_ROOT, ".exai", stack, "database-ca.pem");
  writeDurably(path, certificates, 0o644);
  return path;
}
