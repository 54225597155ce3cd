import { hostRoutesDirectory } from "../../contract/envoy/names.ts";
import type { LocalStack } from "./project.ts";

/** The router of a local stack, as a rollout reaches it. */
export interface LocalRouter {
  /** Where its container finds its route table on the host. */
  readonly routesDirectory: string;
  /** Its read-only view. */
  readonly observeUrl: string;
  /** Whose it is. */
  readonly instance: string;
}

export function localRouter({ home, settings }: LocalStack): LocalRouter {
  const { observePort, instance } = settings;
  return { routesDirectory: hostRoutesDirectory(home), observeUrl: `http://127.0.0.1:${observePort}`, instance };
}
