import type * as library from "@kubernetes/client-node";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { PROJECT_ROOT } from "../../images/paths.ts";

/** What the Kubernetes client is used for here, of its hundreds of classes. */
export const USED_OF_CLIENT = [
  "ApiException",
  "KubeConfig",
  "KubernetesObjectApi",
  "Log",
  "PatchStrategy",
  "PortForward",
] as const satisfies readonly (keyof typeof library)[];

/**
 * The client in one file, made by `bundle-client.ts` when the launcher installs it: as its nearly thousand modules it takes
 * most of the start of a `./exai rollback`. It lies in node_modules, so that who installs the client anew is rid of it.
 */
export const CLIENT_BUNDLE = join(PROJECT_ROOT, "node_modules/.exai-bundles/kubernetes-client.mjs");

const client = existsSync(CLIENT_BUNDLE)
  ? ((await import(pathToFileURL(CLIENT_BUNDLE).href)) as Pick<typeof library, (typeof USED_OF_CLIENT)[number]>)
  : await import("@kubernetes/client-node");

export const { ApiException, KubeConfig, KubernetesObjectApi, Log, PatchStrategy, PortForward } = client;
