import { hostRoutesDirectory } from "../../../contract/envoy/names.ts";
import type { DockerStack } from "../project.ts";

/** How a rollout reaches the router of a local stack. */
export interface DockerRouter {
  /** The folder of the host that the router's container reads its route table from. */
  readonly routesDirectory: string;
  /** URL of its read-only admin interface. */
  readonly observeUrl: string;
  readonly instance: string;
}

export function localRouter({ home, settings }: DockerStack): DockerRouter {
  const { observePort, instance } = settings;
  return { routesDirectory: hostRoutesDirectory(home), observeUrl: `http://127.0.0.1:${observePort}`, instance };
}
