import type { Slot } from "../../../contract/slots.ts";
import { UserError } from "../../../contract/errors.ts";
import { command, fix } from "../../../contract/fix.ts";
import type { Session } from "../../../operations/session.ts";
import { serverName } from "../../../stacks/settings.ts";
import { environmentUrl } from "../../database-url.ts";
import type { ExecOptions, PsqlOptions } from "../../platform.ts";
import { psqlSession } from "../../psql.ts";
import { databaseOf } from "../database.ts";
import { containersOf } from "../containers.ts";
import { POSTGRES_PASSWORD, type DockerStack } from "../project.ts";

/** A command in the container of a slot. */
export async function composeExec(stack: DockerStack, slot: Slot, options: ExecOptions): Promise<Session> {
  return inContainer(await running(stack, serverName(slot)), options.command, options.terminal);
}

/**
 * psql in the container of PostgreSQL, as the owner; this machine needs none. Docker takes the password from the environment of
 * its client. A database that EXAI_DATABASE_URL names gets this machine's psql.
 */
export async function composePsql(stack: DockerStack, { args, terminal, signal }: PsqlOptions): Promise<Session> {
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
  const container = (await containersOf(settings.instance)).get(component);
  if (container?.state === "running") return container.id;
  const state = container === undefined ? "has no container" : `is ${container.state}`;
  throw new UserError("not-found", `${component} of stack ${declared.name}`, state, fix`${command("up")}`);
}
