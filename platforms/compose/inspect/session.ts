import type { Slot } from "../../../contract/slots.ts";
import { UserError } from "../../../contract/errors.ts";
import { command, fix } from "../../../contract/fix.ts";
import { BRANCHES } from "../../../contract/labels.ts";
import { checkBranchName } from "../../../operations/branches/model.ts";
import type { Session } from "../../../operations/session.ts";
import { serverName } from "../../../stacks/settings.ts";
import { environmentUrl } from "../../database-url.ts";
import type { ExecOptions, PsqlOptions } from "../../platform.ts";
import { psqlSession } from "../../psql.ts";
import { databaseOf } from "../database.ts";
import { containersOf } from "../containers.ts";
import { POSTGRES_PASSWORD, type DockerStack } from "../project.ts";

const BRANCH_PSQL = `directory=/var/lib/exai-branches/branch-$0
[ -d "$directory" ] || { echo "psql: branch $0 does not exist" >&2; exit 2; }
export PSQL_HISTORY=/dev/null
exec psql --host=/tmp/branches --port="$(cat "$directory/port")" --username=postgres --dbname=postgres "$@"`;

/** A command in the container of a slot. */
export async function composeExec(stack: DockerStack, slot: Slot, options: ExecOptions): Promise<Session> {
  return inContainer(await running(stack, serverName(slot)), options.command, options.terminal);
}

/**
 * psql in the container of PostgreSQL, as the owner; this machine needs none. Docker takes the password from the environment of
 * its client. A database that EXAI_DATABASE_URL names gets this machine's psql.
 */
export async function composePsql(
  stack: DockerStack,
  { args, branch, terminal, signal }: PsqlOptions,
): Promise<Session> {
  if (branch !== undefined) {
    // Its socket is in the container alone, and needs no password.
    const container = await running(stack, BRANCHES);
    return inContainer(container, ["sh", "-c", BRANCH_PSQL, checkBranchName(branch), ...args], terminal);
  }
  if (environmentUrl() !== undefined) return psqlSession(databaseOf(stack, { signal }).url, args);
  const container = await running(stack, "postgres");
  const words = ["psql", "--username=postgres", "--dbname=postgres", ...args];
  // The container's files are read-only, so there is no place for a history.
  const env = { PGPASSWORD: stack.state.known(POSTGRES_PASSWORD) ?? "", PSQL_HISTORY: "/dev/null" };
  return { ...inContainer(container, words, terminal, Object.keys(env)), env };
}

function inContainer(id: string, words: readonly string[], terminal: boolean, env: readonly string[] = []): Session {
  const flags = ["--interactive", ...(terminal ? ["--tty"] : []), ...env.flatMap((name) => ["--env", name])];
  return { program: "docker", args: ["exec", ...flags, id, ...words], install: fix`${command("doctor --install")}` };
}

/** Identifier of the running container of a component. @throws UserError if it does not run */
async function running({ settings, declared }: DockerStack, component: string): Promise<string> {
  const container = (await containersOf(settings.instance, component)).get(component);
  if (container?.state === "running") return container.id;
  const state = container === undefined ? "has no container" : `is ${container.state}`;
  throw new UserError("not-found", `${component} of stack ${declared.name}`, state, fix`${command("up")}`);
}
