import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { parse } from "yaml";
import { UserError } from "../contract/errors.ts";
import type { Settings } from "./settings.ts";

/**
 * Checks that the kubeconfig has the context of a stack. Without it the provider of the engine previews a new stack, and an `up` makes
 * the part of it that is not on the cluster.
 *
 * @throws UserError
 */
export function requireContext({ environment, kubeconfig, kubeContext = "" }: Settings): void {
  if (environment === "local") return;
  const contexts = contextsOf(kubeconfig);
  if (contexts.includes(kubeContext)) return;
  throw new UserError(
    "invalid-setting",
    `exai:kubeContext ${kubeContext}`,
    `the kubeconfig has no such context; it has: ${contexts.length === 0 ? "none" : contexts.join(", ")}`,
    "export KUBECONFIG=<path of the kubeconfig that has it>",
  );
}

/** Names of the contexts, in the order in which kubectl looks for the file. */
function contextsOf(kubeconfig: string | undefined): readonly string[] {
  const home = (path: string) => path.replace(/^~(?=\/)/, homedir());
  const variable = process.env.KUBECONFIG ?? "";
  const paths =
    kubeconfig === undefined
      ? variable === ""
        ? [join(homedir(), ".kube/config")]
        : variable.split(delimiter).filter((path) => path !== "")
      : [home(kubeconfig)];
  return paths.flatMap((path) => {
    if (!existsSync(path)) return [];
    const file = parse(readFileSync(path, "utf8")) as { contexts?: readonly { name?: unknown }[] } | null;
    return (file?.contexts ?? []).map(({ name }) => String(name));
  });
}
