import { accessSync, constants, existsSync } from "node:fs";
import { KubeConfig } from "@kubernetes/client-node";
import {
  kubeconfigFiles,
  noContext,
  noKubeconfig,
  unreadableKubeconfig,
} from "../../../contract/machine/kubeconfig.ts";

/** Kubernetes puts it into every pod that has an account. */
const POD_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/**
 * The kubeconfig of a stack: the given file, those of KUBECONFIG, `~/.kube/config`, or the pod's own account.
 *
 * Without a file the client alone would continue, with its own context at localhost:8080.
 *
 * @throws UserError if a file cannot be read, or there is none, or it does not have the context
 */
export function kubeConfig(path: string | undefined, context: string | undefined): KubeConfig {
  const config = new KubeConfig();
  const files = kubeconfigFiles(path);
  const [first, ...others] = files;
  if (first !== undefined) {
    load(config, first);
    for (const file of others) {
      const next = new KubeConfig();
      load(next, file);
      // Of two entries of a name, and of two current contexts, the first counts, as for kubectl.
      next.clusters = next.clusters.filter(({ name }) => config.getCluster(name) === null);
      next.users = next.users.filter(({ name }) => config.getUser(name) === null);
      next.contexts = next.contexts.filter(({ name }) => config.getContextObject(name) === null);
      config.mergeConfig(next, config.getCurrentContext() !== "");
    }
  } else if (existsSync(POD_TOKEN)) config.loadFromCluster();
  else throw noKubeconfig();
  if (context === undefined) return config;
  if (config.getContextObject(context) === null) {
    const known = config.contexts.map(({ name }) => name);
    throw noContext(context, files, known);
  }
  config.setCurrentContext(context);
  return config;
}

function load(config: KubeConfig, file: string): void {
  try {
    accessSync(file, constants.R_OK);
    config.loadFromFile(file);
  } catch (cause) {
    throw unreadableKubeconfig(file, cause);
  }
}
