import { existsSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../contract/errors.ts";
import { command, fix } from "../../contract/fix.ts";
import { containersOf } from "./containers.ts";
import { BRANCHES } from "../../contract/labels.ts";
import type { DockerStack } from "./project.ts";

/** Whether the engine made a local stack, or a part of it: its containers have no mark of Compose. */
export async function madeByEngine(instance: string): Promise<boolean> {
  return [...(await containersOf(instance)).values()].some(
    // The branches are made by a command, and not by the tool that made the stack.
    ({ component, hash }) => hash === "" && component !== BRANCHES,
  );
}

/**
 * Refuses an `up` by another tool than the one that made the stack: each would leave resources behind that only the other one
 * knows. A `down` hands the stack over, with its data and the keys that open it.
 *
 * @throws UserError
 */
export async function refuseOtherMaker({ declared, settings, home }: DockerStack, engine: boolean): Promise<void> {
  const { name } = declared;
  const composeFile = join(home, "compose.yaml");
  const made = engine ? existsSync(composeFile) : await madeByEngine(settings.instance);
  if (!made) return;
  const [keep, other] = engine
    ? [command(`up ${name}`), command(`up ${name} --engine`)]
    : [command(`up ${name} --engine`), command(`up ${name}`)];
  throw new UserError(
    "state-conflict",
    `stack ${name}`,
    engine ? `was made by Docker Compose (${composeFile})` : "was made by the Pulumi engine",
    fix`keep it so: ${keep}; or hand it over with its data: ${command(`down ${name}`)}, then ${other}`,
  );
}
