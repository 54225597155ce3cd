import { join } from "node:path";
import { BACKUPS_KEY, generatedName } from "../../contract/engine/names.ts";
import { UserError } from "../../contract/errors.ts";
import { command, fix, onStack, type Command } from "../../contract/fix.ts";
import { volumesOf } from "../../operations/restore/scratch.ts";
import { containersOf, otherCheckout } from "./containers.ts";
import { ownedVolumes } from "./down.ts";
import { POSTGRES_PASSWORD, type DockerStack } from "./project.ts";

/** SQLSTATE of a wrong password. */
const INVALID_PASSWORD = "28P01";

/**
 * Refuses to start a stack on data that its folder has no passwords for: a new password opens neither a database nor a
 * repository that was made with another one. That is so in a second checkout, or if `secrets.json` was deleted. Nothing is
 * changed.
 *
 * @param known volumes whose passwords are elsewhere: the engine's state keeps them too
 * @throws UserError `state-conflict`
 */
export async function refuseLostSecrets(stack: DockerStack, known: readonly string[] = []): Promise<void> {
  await refuseOtherCheckout(stack);
  const { settings, state } = stack;
  const { data, repository } = volumesOf(settings.instance);
  const keys = [[data, POSTGRES_PASSWORD] as const, [repository, generatedName(BACKUPS_KEY)] as const];
  const closed = keys.filter(([volume, key]) => !known.includes(volume) && state.known(key) === undefined);
  if (closed.length === 0) return;
  const lost = await ownedVolumes(
    closed.map(([volume]) => volume),
    settings.instance,
  );
  if (lost.length > 0)
    throw lostSecrets(stack, lost, lost.length === 1 ? "has no password in" : "have no passwords in");
}

/** What to show instead of an error of the database: if it refuses the password, why `up` cannot correct that. */
export function explainedLogin(stack: DockerStack, error: unknown): unknown {
  if (!(error instanceof UserError)) return error;
  const { code } = (error.cause ?? {}) as { code?: unknown };
  if (code !== INVALID_PASSWORD) return error;
  return lostSecrets(
    stack,
    [volumesOf(stack.settings.instance).data],
    "was made with another password than that in",
    error,
  );
}

function lostSecrets(stack: DockerStack, volumes: readonly string[], problem: string, cause?: unknown): UserError {
  const path = secretsOf(stack);
  const of = stack.declared.name === "local" ? undefined : stack.declared.name;
  return new UserError(
    "state-conflict",
    `${volumes.length === 1 ? "volume" : "volumes"} ${volumes.join(", ")}`,
    `${problem} ${path}: another checkout made the data, or the file was deleted since`,
    fix`copy secrets.json of the checkout that made them to ${path}, then ${command(onStack("up", of))}; or make another stack: ${another(stack)}; or, if the data may be lost: ${command(onStack("down --volumes", of))}`,
    { cause },
  );
}

async function refuseOtherCheckout(stack: DockerStack): Promise<void> {
  const other = otherCheckout(await containersOf(stack.settings.instance), stack.home);
  if (other === undefined) return;
  throw new UserError(
    "state-conflict",
    `container ${other.container}`,
    `is of the stack in ${other.home}, which has the name of the one in ${stack.home}`,
    fix`use it from that checkout; or make another stack: ${another(stack)}; or move it here with its data: ${command("down")} there, then copy ${join(other.home, "secrets.json")} to ${secretsOf(stack)}`,
  );
}

function secretsOf({ home }: DockerStack): string {
  return join(home, "secrets.json");
}

/** The `up` of a separate stack. If its ports are in use, it names free ones. */
function another({ declared: { name }, settings: { instance } }: DockerStack): Command {
  const line = onStack("up", name === "local" ? undefined : name);
  return command(`${line} --set instance=${instance}-2 --set homeDirectory=.exai/${instance}-2`);
}
