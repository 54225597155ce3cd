import { accessSync, constants, existsSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { KubeConfig } from "@kubernetes/client-node";
import { UserError } from "../../../contract/errors.ts";
import { suggestion } from "../../../contract/nearest.ts";
import { errorCode } from "../host/durable-files.ts";

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
  const files = filesOf(path);
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
  else
    throw new UserError(
      "not-found",
      join(homedir(), ".kube/config"),
      "does not exist, and neither KUBECONFIG nor exai:kubeconfig names another kubeconfig",
      "export KUBECONFIG=<path of the kubeconfig>",
    );
  if (context === undefined) return config;
  if (config.getContextObject(context) === null) {
    const known = config.contexts.map(({ name }) => name);
    throw new UserError(
      "invalid-setting",
      `exai:kubeContext ${context}`,
      `${files.join(", ")} has no such context${suggestion(context, known)}; it has: ${known.join(", ") || "none"}`,
      "kubectl config get-contexts; then set exai:kubeContext to one of them, or export KUBECONFIG=<file that has it>",
    );
  }
  config.setCurrentContext(context);
  return config;
}

function filesOf(path: string | undefined): readonly string[] {
  if (path !== undefined) return [path.replace(/^~(?=\/)/, homedir())];
  const named = (process.env.KUBECONFIG ?? "").split(delimiter).filter(Boolean);
  if (named.length > 0) return named;
  const usual = join(homedir(), ".kube/config");
  return existsSync(usual) ? [usual] : [];
}

function load(config: KubeConfig, file: string): void {
  try {
    accessSync(file, constants.R_OK);
    config.loadFromFile(file);
  } catch (cause) {
    const [code, problem, fix] = faultOf(file, cause);
    throw new UserError(code, file, problem, fix, { cause });
  }
}

function faultOf(file: string, cause: unknown): readonly [UserError["code"], string, string] {
  switch (errorCode(cause)) {
    case "ENOENT":
      return ["not-found", "there is no such kubeconfig", "export KUBECONFIG=<path of the kubeconfig>"];
    case "EACCES":
      return ["permission-denied", "this user cannot read the kubeconfig", `sudo chown "$USER" ${file}`];
    default: {
      const why = cause instanceof Error ? (cause.message.split("\n")[0] ?? "") : String(cause);
      return ["invalid-file", `is not a kubeconfig (${why})`, `kubectl --kubeconfig ${file} config view`];
    }
  }
}
