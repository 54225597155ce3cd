import { LABELS } from "../../contract/labels.ts";
import { docker } from "../../operations/docker/cli.ts";
import type { StateResource } from "../pulumi/engine.ts";

const CONTAINER = "docker:index/container:Container";

/** Type of a volume in the engine's state. Its identifier is its name. */
export const VOLUME = "docker:index/volume:Volume";

/** Kinds of resources of the Docker provider, and the command that lists the identifiers of those that exist. */
const LISTS: Readonly<Record<string, readonly string[]>> = {
  [CONTAINER]: ["ps", "--all", "--no-trunc", "--quiet"],
  "docker:index/network:Network": ["network", "ls", "--no-trunc", "--quiet"],
  [VOLUME]: ["volume", "ls", "--quiet"],
};

/**
 * The resources of a local stack that Docker does not have any more. A container that was stopped is removed first: the engine
 * does not start one again.
 *
 * @param drained services that a rollout has stopped intentionally
 */
export async function absentFromDocker(
  resources: readonly StateResource[],
  drained: ReadonlySet<string>,
): Promise<readonly StateResource[]> {
  const stopped = (await stoppedContainers(drained)).filter((stopped) =>
    resources.some(({ type, id }) => type === CONTAINER && id === stopped),
  );
  if (stopped.length > 0) await docker(["rm", "--force", ...stopped]);
  const found = await Promise.all(
    Object.entries(LISTS).map(async ([type, list]) => {
      const present = new Set((await docker([...list])).split("\n"));
      return resources.filter((resource) => resource.type === type && !present.has(resource.id));
    }),
  );
  return found.flat();
}

/** Identifiers of the containers that have ended, without those of drained slots. Carriers of files have never started. */
async function stoppedContainers(drained: ReadonlySet<string>): Promise<readonly string[]> {
  const format = `{{.ID}} {{.Label "${LABELS.component}"}}`;
  const listed = await docker(["ps", "--all", "--no-trunc", "--filter", "status=exited", "--format", format]);
  return listed
    .split("\n")
    .map((line) => line.split(" "))
    .filter(([, component = ""]) => !drained.has(component))
    .flatMap(([id = ""]) => (id === "" ? [] : [id]));
}
