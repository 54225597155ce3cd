import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Libraries that a rollback loads, and what of them is used: absent means all. `bundle.ts` makes one file of each, since
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

/** What the files are made from, as paths from here. */
const SOURCES = ["../../package-lock.json", "libraries.ts", "bundle.ts"] as const;

/**
 * Where the files are: by the hash of what they are made from, so that other libraries are other files, and in
 * node_modules, so that `npm ci` removes them.
 */
export function bundlesDirectory(): string {
  const hash = createHash("sha256");
  for (const source of SOURCES) hash.update(readFileSync(join(import.meta.dirname, source)));
  return join(import.meta.dirname, "../../node_modules/.exai-bundles", hash.digest("hex").slice(0, 16));
}

/** The file of a library. */
export function bundleOf(library: string, directory: string): string {
  return join(directory, `${library.replaceAll("/", "+")}.mjs`);
}
