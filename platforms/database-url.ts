import { join } from "node:path";
import { UserError } from "../contract/errors.ts";
import { PROJECT_ROOT } from "../operations/images/paths.ts";
import { verifiedUrl } from "../operations/migrations/url.ts";
import { stackFileSource } from "../synth/stack-file.ts";
import type { Overrides } from "./compose/project.ts";
import { writeDurably } from "../operations/rollout/host/durable-files.ts";

/** Variable with a connection string, for those who do not want it among a process's arguments. */
const VARIABLE = "EXAI_DATABASE_URL";

/** The connection string that the environment gives; undefined where it gives none. */
export function environmentUrl(): string | undefined {
  const url = process.env[VARIABLE];
  return url === "" ? undefined : url;
}

/** Whether somebody has said where the database of a stack on a cluster is. */
export function declaredDatabase(stack: string, overrides: Overrides): boolean {
  const source = stackFileSource(PROJECT_ROOT, stack, { overrides, defers: true });
  return environmentUrl() !== undefined || (source.get("databaseUrl") ?? "") !== "";
}

/**
 * Connection string of the database of a stack on a cluster, which verifies who answers: `given`, else EXAI_DATABASE_URL,
 * else `exai:databaseUrl`. The engine is asked only for what is encrypted.
 *
 * @throws UserError where there is none, or the connection would not be verified
 */
export async function verifiedDatabase(stack: string, overrides: Overrides, given?: string): Promise<string> {
  const source = stackFileSource(PROJECT_ROOT, stack, { overrides, defers: true });
  const read = async (key: string): Promise<string | undefined> => {
    const value = source.get(key);
    if (typeof value !== "symbol") return value === "" ? undefined : value;
    const { openEngine } = await import("./pulumi/open.ts");
    return (await (await openEngine(stack, overrides)).engine.config())[key];
  };
  const url = given ?? environmentUrl() ?? (await read("databaseUrl"));
  if (url === undefined)
    throw new UserError(
      "invalid-setting",
      "exai:databaseUrl",
      `is not set, and stack ${stack} has its database elsewhere`,
      `pulumi config set --secret --stack ${stack} exai:databaseUrl   # asks for it; or ${VARIABLE}, or --url`,
    );
  return verifiedUrl(url, certificatesFile(stack, await read("databaseCa")));
}

/** The authorities as a file, which both PostgreSQL's client and the Supabase CLI want. */
function certificatesFile(stack: string, certificates: string | undefined): string | undefined {
  if (certificates === undefined) return undefined;
  const path = join(PROJECT_ROOT, ".exai", stack, "database-ca.pem");
  writeDurably(path, certificates, 0o644);
  return path;
}
