import { join } from "node:path";

/**
 * Libraries that a rollback loads, and what of them is used: absent means all. The launcher makes one file of each, since
 * most of their start was opening and linking module after module, nearly a thousand of the Kubernetes client alone.
 */
export const BUNDLED_LIBRARIES: Readonly<Record<string, readonly string[] | undefined>> = {
  "@kubernetes/client-node": [
    "ApiException",
    "KubeConfig",
    "KubernetesObjectApi",
    "Log",
    "PatchStrategy",
    "PortForward",
  ],
  commander: undefined,
  pg: undefined,
  yaml: undefined,
  zod: undefined,
};

/** Where the files are: in node_modules, so that whoever installs the libraries anew is rid of them. */
export const BUNDLES_DIRECTORY = join(import.meta.dirname, "../../node_modules/.exai-bundles");

/** The file of a library. */
export function bundleOf(library: string, directory = BUNDLES_DIRECTORY): string {
  return join(directory, `${library.replaceAll("/", "+")}.mjs`);
}
