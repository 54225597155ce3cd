import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { UserError } from "../../contract/errors.ts";
import { registryOf } from "./registry.ts";

/** Longest wait for each answer of a registry, in milliseconds. */
const ANSWER_MS = 10_000;

const INDEXES = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
];
const MANIFESTS = [
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
];

interface Manifest {
  readonly mediaType?: string;
  readonly manifests?: readonly {
    readonly digest: string;
    readonly platform?: { readonly os?: string; readonly architecture?: string };
  }[];
  readonly config?: { readonly digest: string };
}

/** A registry has answered, and does not have the image; some say so of those that one may not see, too. */
export class NoSuchImageError extends UserError {
  constructor(reference: string) {
    super(
      "not-found",
      `image ${reference}`,
      `its registry has no such image (HTTP 404)`,
      `docker push it; where it is private: docker login ${registryOf(reference)}`,
    );
  }
}

export interface RegistryOptions {
  readonly signal?: AbortSignal;
  /** Docker's own configuration, for the logins in it. @default ~/.docker/config.json */
  readonly dockerConfig?: string;
  /** For registries that speak no TLS: those of a test on this machine. @default https */
  readonly scheme?: "https" | "http";
}

/**
 * Labels of an image as its registry has them, without pulling it: manifest and configuration by the distribution API,
 * version 2. Logins are Docker's.
 *
 * @throws UserError where the registry does not answer, or has no such image
 */
export async function registryLabels(
  reference: string,
  options: RegistryOptions = {},
): Promise<Readonly<Record<string, string>>> {
  const { base, name, version } = placeOf(reference, options.scheme ?? "https");
  const client = new RegistryClient(reference, base, options);
  let manifest = (await client.json(`${name}/manifests/${version}`, [...INDEXES, ...MANIFESTS])) as Manifest;
  if (manifest.manifests !== undefined) {
    // Attestations stand among the platforms as `unknown`; the labels are the same on all others.
    const one = manifest.manifests.find(({ platform }) => platform?.os === "linux") ?? manifest.manifests[0];
    if (one === undefined) throw client.fault("its index is empty");
    manifest = (await client.json(`${name}/manifests/${one.digest}`, MANIFESTS)) as Manifest;
  }
  if (manifest.config === undefined) throw client.fault("its manifest names no configuration");
  const config = (await client.json(`${name}/blobs/${manifest.config.digest}`, ["application/json"])) as {
    config?: { Labels?: Record<string, string> | null };
  };
  return config.config?.Labels ?? {};
}

/** Where a reference leads: `ghcr.io/org/name@sha256:…`, `name:tag`. */
function placeOf(reference: string, scheme: string): { base: string; name: string; version: string } {
  const registry = registryOf(reference);
  const rest = reference.startsWith(`${registry}/`) ? reference.slice(registry.length + 1) : reference;
  const [, path = "", tag, digest] = /^([^:@]+)(?::([^@]+))?(?:@(.+))?$/.exec(rest) ?? [];
  const host = registry === "docker.io" ? "registry-1.docker.io" : registry;
  const name = registry === "docker.io" && !path.includes("/") ? `library/${path}` : path;
  return { base: `${scheme}://${host}/v2/`, name, version: digest ?? tag ?? "latest" };
}

/** One image's registry: asks without a token first, and takes the one that the answer says where to get. */
class RegistryClient {
  readonly #reference: string;
  readonly #base: string;
  readonly #options: RegistryOptions;
  #authorization: string | undefined;

  constructor(reference: string, base: string, options: RegistryOptions) {
    this.#reference = reference;
    this.#base = base;
    this.#options = options;
  }

  fault(problem: string, cause?: unknown): UserError {
    return new UserError(
      "unavailable",
      `image ${this.#reference}`,
      problem,
      `docker login ${registryOf(this.#reference)}; or say the release's range by exai:blueSchema or exai:greenSchema`,
      { cause },
    );
  }

  async json(path: string, accept: readonly string[]): Promise<unknown> {
    let response = await this.#get(new URL(path, this.#base), accept);
    if (response.status === 401 && this.#authorization === undefined) {
      this.#authorization = await this.#login(response.headers.get("www-authenticate") ?? "");
      response = await this.#get(new URL(path, this.#base), accept);
    }
    if (response.status === 404) throw new NoSuchImageError(this.#reference);
    if (response.status !== 200) throw this.fault(`its registry answers HTTP ${String(response.status)}`);
    try {
      return await response.json();
    } catch (error) {
      throw this.fault("its registry does not answer with JSON", error);
    }
  }

  async #get(url: URL, accept: readonly string[], authorization = this.#authorization): Promise<Response> {
    const { signal } = this.#options;
    const timeout = AbortSignal.timeout(ANSWER_MS);
    try {
      return await fetch(url, {
        headers: { accept: accept.join(", "), ...(authorization === undefined ? {} : { authorization }) },
        signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
      });
    } catch (error) {
      signal?.throwIfAborted();
      throw this.fault(`its registry ${url.host} does not answer`, error);
    }
  }

  /** The answer to a challenge: a login of Docker's, or a token of the token service, with a login or anonymously. */
  async #login(challenge: string): Promise<string | undefined> {
    const basic = this.#dockerLogin();
    const realm = /realm="([^"]+)"/.exec(challenge)?.[1];
    if (!/^bearer\b/i.test(challenge) || realm === undefined) return basic;
    const url = new URL(realm);
    for (const name of ["service", "scope"]) {
      const value = new RegExp(`${name}="([^"]+)"`).exec(challenge)?.[1];
      if (value !== undefined) url.searchParams.set(name, value);
    }
    const response = await this.#get(url, ["application/json"], basic);
    if (response.status !== 200) throw this.fault(`its registry gives no token (HTTP ${String(response.status)})`);
    const { token, access_token: other } = (await response.json()) as { token?: string; access_token?: string };
    return `Bearer ${token ?? other ?? ""}`;
  }

  /** A login that Docker keeps in its own file; those in a keychain are Docker's alone. */
  #dockerLogin(): string | undefined {
    const path =
      this.#options.dockerConfig ?? join(process.env.DOCKER_CONFIG ?? join(homedir(), ".docker"), "config.json");
    const registry = registryOf(this.#reference);
    const key = registry === "docker.io" ? "https://index.docker.io/v1/" : registry;
    try {
      const { auths } = JSON.parse(readFileSync(path, "utf8")) as { auths?: Record<string, { auth?: string }> };
      const auth = auths?.[key]?.auth;
      return auth === undefined || auth === "" ? undefined : `Basic ${auth}`;
    } catch {
      return undefined; // no login is stored
    }
  }
}
