import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { UserError } from "../errors.ts";
import { suggestion } from "../nearest.ts";

/** The files of a kubeconfig: the given one, those of KUBECONFIG, or `~/.kube/config`; empty if there is none of the home. */
export function kubeconfigFiles(path: string | undefined): readonly string[] {
  if (path !== undefined) return [path.replace(/^~(?=\/)/, homedir())];
  const named = (process.env.KUBECONFIG ?? "").split(delimiter).filter(Boolean);
  // Of several files, kubectl leaves out those that do not exist.
  const present = named.filter((file) => existsSync(file));
  if (named.length > 0) return present.length > 0 ? present : named;
  const usual = join(homedir(), ".kube/config");
  return existsSync(usual) ? [usual] : [];
}

export function noKubeconfig(): UserError {
  return new UserError(
    "not-found",
    join(homedir(), ".kube/config"),
    "does not exist, and neither KUBECONFIG nor exai:kubeconfig names another kubeconfig",
    "export KUBECONFIG=<path of the kubeconfig>",
  );
}

/** The error of files that do not have a context. */
export function noContext(context: string, files: readonly string[], known: readonly string[]): UserError {
  return new UserError(
    "invalid-setting",
    `exai:kubeContext ${context}`,
    `${files.join(", ")} has no such context${suggestion(context, known)}; it has: ${known.join(", ") || "none"}`,
    "kubectl config get-contexts; then set exai:kubeContext to one of them, or export KUBECONFIG=<file that has it>",
  );
}

/** The error of a file that cannot be read as a kubeconfig. */
export function unreadableKubeconfig(file: string, cause: unknown): UserError {
  const [code, problem, fix] = faultOf(file, cause as Partial<NodeJS.ErrnoException>);
  return new UserError(code, file, problem, fix, { cause });
}

function faultOf(file: string, { code, message = "" }: Partial<NodeJS.ErrnoException>) {
  switch (code) {
    case "ENOENT":
      return ["not-found", "there is no such kubeconfig", "export KUBECONFIG=<path of the kubeconfig>"] as const;
    case "EACCES":
      return ["permission-denied", "this user cannot read the kubeconfig", `sudo chown "$USER" ${file}`] as const;
    default: {
      const why = message.split("\n")[0] ?? "";
      return ["invalid-file", `is not a kubeconfig (${why})`, `kubectl --kubeconfig ${file} config view`] as const;
    }
  }
}
