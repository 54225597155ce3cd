import { hostname } from "node:os";
import { tryDocker } from "../docker/cli.ts";
import { isGone, ownIdentity, type ProcessIdentity } from "../rollout/host/process-identity.ts";

/** Label of the containers of scratch servers: the process that started one, as JSON. */
const LABEL = "exai.scratch";

/** The process that started a server, and its machine: several may share one Docker. */
interface Owner extends ProcessIdentity {
  readonly host: string;
}

async function self(): Promise<Owner> {
  return { ...(await ownIdentity()), host: hostname() };
}

/** The label of what this process starts. */
export async function scratchLabel(): Promise<string> {
  return `${LABEL}=${JSON.stringify(await self())}`;
}

/** Removes the scratch servers of processes that have ended: a command that was killed could not. */
export async function removeOrphans(): Promise<void> {
  const format = `{{.ID}} {{.Label "${LABEL}"}}`;
  const { stdout } = await tryDocker(["ps", "--all", "--filter", `label=${LABEL}`, "--format", format]);
  const found = stdout.split("\n").filter(Boolean).map(startedBy);
  const here = await self();
  const gone = await Promise.all(found.map(async ({ owner }) => owner !== undefined && (await isOver(owner, here))));
  const orphans = found.filter((_, index) => gone[index]).map(({ container }) => container);
  if (orphans.length > 0) await tryDocker(["rm", "--force", "--volumes", ...orphans]);
}

/** Also after a restart of the machine, which no process survives. */
async function isOver(owner: Owner, { host, boot }: Owner): Promise<boolean> {
  if (owner.host !== host) return false;
  return (owner.boot !== "" && boot !== "" && owner.boot !== boot) || isGone(owner);
}

function startedBy(line: string): { readonly container: string; readonly owner?: Owner } {
  const [container = "", ...label] = line.split(" ");
  try {
    return { container, owner: JSON.parse(label.join(" ")) as Owner };
  } catch {
    return { container };
  }
}
