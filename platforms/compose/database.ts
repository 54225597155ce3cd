import { lockWaitOf } from "../../operations/migrations/locks.ts";
import { UserError } from "../../contract/errors.ts";
import { BACKUPS_KEY, generatedName } from "../../contract/engine/names.ts";
import { command, fix } from "../../contract/fix.ts";
import { LOCAL_IMAGES } from "../../contract/images.ts";
import { applyPrelude } from "../../operations/migrations/prelude.ts";
import { verifiedUrl } from "../../operations/migrations/url.ts";
import type { RestorePlace } from "../../operations/restore/scratch.ts";
import { environmentUrl } from "../database-url.ts";
import type { Database, DatabaseOptions } from "../platform.ts";
import type { DockerStack } from "./project.ts";
import { localGuard } from "./rollout/release-guard.ts";
import { withStackLock } from "./stack-lock.ts";
import { localDatabaseUrl, placeOf } from "./project.ts";

/** The database of a local stack, or the one that the user names. */
export function databaseOf(stack: DockerStack, { url, signal }: DatabaseOptions): Database {
  const own = localDatabaseUrl(stack);
  const given = url ?? environmentUrl();
  const locks = lockWaitOf(stack.settings);
  return {
    ...(given === undefined
      ? { url: own, prelude: () => applyPrelude(own, { signal, locks }) }
      : { url: verifiedUrl(given) }),
    guard: localGuard(stack, signal),
    locks,
    exclusively: (verb, work) => withStackLock(placeOf(stack), verb, work),
  };
}

/** The repository of a local stack's backups. @throws UserError without the passphrase of the repository */
export function restorePlaceOf(stack: DockerStack): RestorePlace {
  const { instance } = stack.settings;
  const passphrase = stack.state.known(generatedName(BACKUPS_KEY));
  if (passphrase === undefined)
    throw new UserError(
      "not-found",
      `stack ${stack.declared.name}`,
      "has no passphrase of its backups in secrets.json",
      fix`${command("up")} makes a stack; to read the backups of another machine, copy its secrets.json with its volumes`,
    );
  return {
    stack: stack.declared.name,
    instance,
    image: LOCAL_IMAGES.postgres,
    passphrase,
    url: localDatabaseUrl(stack),
  };
}
