import { realpathSync } from "node:fs";
import { dirname, join, posix } from "node:path";

/** Directories of the system, with all that is below them. */
const SYSTEM =
  /^\/(bin|boot|dev|etc|lib\w*|proc|root|run|sbin|snap|sys|usr|var|private\/(etc|var\/(?!folders\/))|System|Library)(\/|$)/;

/** Directories with credentials or with the control of a container runtime, wherever they are. */
const SENSITIVE =
  /\/\.(ssh|gnupg|aws|azure|kube|docker|config|password-store|netrc|npmrc|pgpass|pulumi|git-credentials|vault-token)(\/|$)|\/\.exai(\/[^/]+)?$|\.sock$|\/(docker|containerd|podman|crio)(\.sock)?$/;

/** Paths of temporary directories that are below one of {@link SYSTEM}. */
const TEMPORARY = /^\/var\/(tmp|folders)\/[^/]+/;

/**
 * Why a directory of the host must not be mounted: it belongs to the system, is too high in the tree, or contains credentials.
 * Dots, slashes and the symbolic links of this machine are resolved, as the Docker daemon resolves them.
 */
export function refusedHostPath(path: string): string | undefined {
  if (!path.startsWith("/")) return /^[A-Za-z]:[\\/]/.test(path) ? "is not a path of Linux" : "is not an absolute path";
  for (const one of [clean(path), real(clean(path))]) {
    if (SYSTEM.test(one) && !TEMPORARY.test(one)) return "belongs to the system";
    if (/^\/[^/]*$/.test(one) || /^\/(home|Users)\/[^/]+$/.test(one))
      return "contains what does not belong to the stack";
    if (SENSITIVE.test(one)) return "contains credentials, or controls a container runtime";
  }
  return undefined;
}

/** The path without dots and without repeated or final slashes. */
function clean(path: string): string {
  const normal = posix.normalize(path.replace(/^\/+/, "/"));
  return normal.length > 1 ? normal.replace(/\/$/, "") : normal;
}

/** The path with the symbolic links of its deepest directory that exists resolved. */
function real(path: string): string {
  for (let head = path, tail = ""; head !== "/"; tail = join(posix.basename(head), tail), head = dirname(head))
    try {
      return clean(join(realpathSync(head), tail));
    } catch {
      // It does not exist: the daemon, or the stack, creates it.
    }
  return path;
}
