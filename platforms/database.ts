import type { NoteEvent } from "../contract/events.ts";
import { PROJECT_ROOT } from "../operations/images/paths.ts";
import { verifiedUrl } from "../operations/migrations/url.ts";
import type { ReleaseGuard } from "../operations/schema/apply.ts";
import { parseSettings } from "../stacks/settings.ts";
import { environmentOf } from "../stacks/settings/parse.ts";
import { stackFileSource } from "../synth/stack-file.ts";
import { clusterGuard } from "./kubernetes/schema.ts";
import { environmentUrl, verifiedDatabase } from "./database-url.ts";
import { alone } from "./compose/stack-lock.ts";
import { localDatabaseUrl } from "./compose/database.ts";
import { localStack, type Overrides } from "./compose/project.ts";
import { localGuard } from "./compose/release-guard.ts";

/** A stack's database, and what has to be asked before it is changed. */
export interface Database {
  readonly url: string;
  /** The releases that stand on it. */
  readonly guard: ReleaseGuard;
  /** Runs what changes it, and nothing else that changes the stack beside it. */
  readonly changed: <Event, Result>(
    verb: string,
    work: () => AsyncGenerator<Event, Result, void>,
  ) => AsyncGenerator<Event | NoteEvent, Result, void>;
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
  const source = stackFileSource(PROJECT_ROOT, stack, { overrides, defers: true });
  if (environmentOf(stack, source) === "local") {
    const local = localStack(stack, overrides);
    const given = options.url ?? environmentUrl();
    return {
      url: given === undefined ? localDatabaseUrl(local) : verifiedUrl(given),
      guard: localGuard(local, signal),
      changed: (verb, work) => alone({ stack, home: local.home }, verb, work),
    };
  }
  return {
    url: await verifiedDatabase(stack, overrides, options.url),
    guard: clusterGuard(parseSettings(stack, source), overrides, signal),
    // The engine's own lock is for its resources; contract migrations take the rollout's lease.
    changed: (_verb, work) => work(),
  };
}
