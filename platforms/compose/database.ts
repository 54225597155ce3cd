import { lockWaitOf } from "../../operations/migrations/locks.ts";
import { verifiedUrl } from "../../operations/migrations/url.ts";
import { environmentUrl } from "../database-url.ts";
import type { Database, DatabaseOptions } from "../platform.ts";
import type { DockerStack } from "./project.ts";
import { localGuard } from "./rollout/release-guard.ts";
import { withStackLock } from "./stack-lock.ts";
import { localDatabaseUrl, placeOf } from "./project.ts";

/** The database of a local stack, or the one that the user names. */
export function databaseOf(stack: DockerStack, { url, signal }: DatabaseOptions): Database {
  const given = url ?? environmentUrl();
  return {
    url: given === undefined ? localDatabaseUrl(stack) : verifiedUrl(given),
    guard: localGuard(stack, signal),
    locks: lockWaitOf(stack.settings),
    exclusively: (verb, work) => withStackLock(placeOf(stack), verb, work),
  };
}
