import { join } from "node:path";
import { UserError } from "../contract/errors.ts";
import type { Verb } from "../contract/events.ts";
import { PROJECT_ROOT } from "../operations/images/paths.ts";
import { verifiedUrl } from "../operations/migrations/url.ts";
import type { ReleaseGuard } from "../operations/schema/apply.ts";
import type { ConfigSource } from "../stacks/settings/source.ts";
import { environmentOf } from "../stacks/settings/parse.ts";
import { stackFileSource } from "../synth/stackFile.ts";
import { alone } from "./local/alone.ts";
import { localDatabaseUrl } from "./local/database.ts";
import { localStack, type Overrides } from "./local/project.ts";
import { localGuard } from "./local/schema.ts";
import { writeDurably } from "./local/state.ts";

/** Variable with a connection string, for those who do not want it among a process's arguments. */
const VARIABLE = "EXAI_DATABASE_URL";

/** A stack's database, and what has to be asked before it is changed. */
export interface Database {
  readonly url: string;
  /** The releases that stand on it; undefined where none is known. */
  readonly guard: ReleaseGuard | undefined;
  /** Runs what changes it, and nothing else that changes the stack beside it. */
  readonly changed: (verb: string, work: () => Verb) => Verb;
}

export interface DatabaseOptions {
  readonly overrides: Overrides;
  /** Connection string that wins over the settings'. */
  readonly url?: string | undefined;
  readonly signal: AbortSignal;
}

/**
 * Finds a stack's database: `--url`, else EXAI_DATABASE_URL, else the one of the local stack, else `exai:databaseUrl`. A
 * connection to anywhere but this machine verifies the server.
 *
 * @throws UserError where there is none, or the connection would not be verified
 */
export async function databaseOf(stack: string, options: DatabaseOptions): Promise<Database> {
  const { overrides, signal } = options;
  const given = options.url ?? process.env[VARIABLE];
  const source = stackFileSource(PROJECT_ROOT, stack, { overrides, defers: true });
  if (environmentOf(stack, source) === "local") {
    const local = localStack(stack, overrides);
    return {
      url: given === undefined || given === "" ? localDatabaseUrl(local) : verifiedUrl(given),
      guard: localGuard(local, signal),
      changed: (verb, work) => alone({ stack, home: local.home }, verb, work),
    };
  }
  const settings = await settingsOf(stack, source, overrides, given);
  const folder = join(PROJECT_ROOT, ".exai", stack);
  return {
    url: verifiedUrl(settings.url, certificatesFile(folder, settings.certificates)),
    guard: undefined,
    changed: (_verb, work) => work(),
  };
}

/** Connection string and authorities; the engine is asked only for what is encrypted. */
async function settingsOf(
  stack: string,
  source: ConfigSource,
  overrides: Overrides,
  given: string | undefined,
): Promise<{ readonly url: string; readonly certificates: string | undefined }> {
  const read = async (key: string): Promise<string | undefined> => {
    const value = source.get(key);
    if (typeof value !== "symbol") return value === "" ? undefined : value;
    const { openEngine } = await import("./engine/open.ts");
    return (await (await openEngine(stack, overrides)).engine.config())[key];
  };
  const url = given === undefined || given === "" ? await read("databaseUrl") : given;
  if (url !== undefined) return { url, certificates: await read("databaseCa") };
  throw new UserError(
    "exai:databaseUrl",
    `is not set, and stack ${stack} has its database elsewhere`,
    `pulumi config set --secret --stack ${stack} exai:databaseUrl   # asks for it; or ${VARIABLE}, or --url`,
  );
}

/** The authorities as a file, which both PostgreSQL's client and the Supabase CLI want. */
function certificatesFile(folder: string, certificates: string | undefined): string | undefined {
  if (certificates === undefined) return undefined;
  const path = join(folder, "database-ca.pem");
  writeDurably(path, certificates, 0o644);
  return path;
}
