/** The parts of an image reference, as the container runtime and Docker read them. */
export interface ImageName {
  /** Host and port; `docker.io` for Docker Hub under each of its names. */
  readonly registry: string;
  /** Path in the registry, with `library/` for an official image of Docker Hub. */
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: string;
}

const HUB = "docker.io";

/** Parses a reference; undefined if it is none, e.g. with upper case in the repository. */
export function imageName(reference: string): ImageName | undefined {
  const [, written = "", tag, digest] =
    /^([^@\s]+?)(?::([A-Za-z0-9_][\w.-]{0,127}))?(?:@([a-z0-9]+:[0-9a-f]+))?$/.exec(reference) ?? [];
  const slash = written.indexOf("/");
  const first = written.slice(0, Math.max(0, slash));
  // A host has a dot, a port or an upper-case letter, which no repository has, or is localhost.
  const isHost = /[.:A-Z]/.test(first) || first === "localhost";
  const host = first.toLowerCase().replace(/:443$/, ""); // The port that is used without one.
  const registry = !isHost || host === "index.docker.io" ? HUB : host;
  const path = isHost ? written.slice(slash + 1) : written;
  const repository = registry === HUB && !path.includes("/") ? `library/${path}` : path;
  if (!/^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$/.test(repository))
    return undefined;
  return {
    registry,
    repository,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}
