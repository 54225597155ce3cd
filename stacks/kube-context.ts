import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { kubeconfigFiles, noContext, noKubeconfig, unreadableKubeconfig } from "../contract/machine/kubeconfig.ts";
import type { Settings } from "./settings.ts";

/**
 * Checks that the kubeconfig has the context of a stack. Without it the provider of the engine previews a new stack, and an `up` makes
 * the part of it that is not on the cluster.
 *
 * @throws UserError if a file cannot be read, or there is none, or it does not have the context
 */
export function requireContext({ environment, kubeconfig, kubeContext = "" }: Settings): void {
  if (environment === "local") return;
  const files = kubeconfigFiles(kubeconfig);
  if (files.length === 0) throw noKubeconfig();
  const contexts = files.flatMap(contextsOf);
  if (!contexts.includes(kubeContext)) throw noContext(kubeContext, files, contexts);
}

/** Names of the contexts of a file. */
function contextsOf(file: string): readonly string[] {
  try {
    const { contexts } = (parse(readFileSync(file, "utf8")) ?? {}) as { contexts?: unknown };
    const list = contexts ?? [];
    if (!Array.isArray(list)) throw new Error("contexts is not a list");
    return list.map((each: { name?: unknown }) => String(each.name));
  } catch (cause) {
    throw unreadableKubeconfig(file, cause);
  }
}
