import { createHash } from "node:crypto";
import { FILES_LABEL } from "../components/core/files.ts";
import type { Resource, ResourceGraph, Value } from "../contract/graph.ts";
import { UserError } from "../contract/errors.ts";
import type { OutputsOf } from "./capture.ts";
import { holdsSecret, reveal, type Plain } from "./values.ts";

/** A file that a service mounts read-only. */
export interface ComposeFile {
  /** Path relative to the Compose file. */
  readonly path: string;
  readonly content: string;
  readonly secret: boolean;
  /** UID and GID that must be able to read it. */
  readonly uid: number;
  readonly gid: number;
}

/** One service of the rendered stack. */
export interface ComposeService {
  readonly name: string;
  readonly container: string;
  readonly image: string;
  /** SHA-256 over everything that makes the container what it is, files included; also its label {@link CONFIG_HASH}. */
  readonly hash: string;
}

export interface ComposeProject {
  /** Content of the Compose file, for `docker compose` v2 and `docker-compose` 1.29 alike. */
  readonly document: Record<string, Plain>;
  readonly files: readonly ComposeFile[];
  readonly services: readonly ComposeService[];
  /** Images that must be on the engine. */
  readonly images: readonly string[];
  /** Names of the volumes that hold data. */
  readonly volumes: readonly string[];
}

/** Label with the hash of a service's definition and files. */
export const CONFIG_HASH = "exai.config-hash";

const CONTAINER = "docker:index/container:Container";
const VOLUME = "docker:index/volume:Volume";
const NETWORK = "docker:index/network:Network";
const IMAGE = "docker:index/remoteImage:RemoteImage";
const PASSWORD = "random:index/randomPassword:RandomPassword";

/** Outputs that Compose knows without an engine: an image is its reference, a password comes from the given store. */
export function composeOutputs(password: (name: string, length: number) => string): OutputsOf {
  return ({ type, name, inputs }) => {
    if (type === IMAGE) return { imageId: inputs["name"] };
    if (type === PASSWORD) return { result: password(name, Number(inputs["length"])) };
    return undefined;
  };
}

/**
 * Renders the docker resources of a captured graph as a Compose project. Uploads become files beside the Compose file,
 * mounted read-only; a secret never becomes part of the document.
 *
 * @throws UserError where a resource has a secret in its environment, labels or command
 * @throws UnknownValueError where a value is known only to an engine
 */
export function compose(graph: ResourceGraph): ComposeProject {
  const carriers = graph.resources.filter(
    (resource) => resource.type === CONTAINER && resource.inputs["start"] === false,
  );
  const filled = new Set(
    carriers.flatMap((carrier) => items(carrier, "volumes").map((volume) => volume["volumeName"])),
  );
  const containers = graph.resources
    .filter((resource) => resource.type === CONTAINER && !carriers.includes(resource))
    .map((container) => withFiles(container, carriers, filled));
  const serviceOf = new Map(containers.map((container) => [container.urn, serviceName(container)]));
  const rendered = containers.map((container) => service(container, serviceOf));
  rendered.sort((a, b) => (a.service.name < b.service.name ? -1 : 1));
  const names = (type: string) =>
    graph.resources
      .filter((resource) => resource.type === type && !filled.has(resource.inputs["name"]))
      .map((resource) => text(resource, "name"));

  return {
    document: {
      services: Object.fromEntries(rendered.map((item) => [item.service.name, item.definition])),
      networks: Object.fromEntries(names(NETWORK).map((name) => [name, { name }])),
      volumes: Object.fromEntries(names(VOLUME).map((name) => [name, { name }])),
    },
    files: rendered.flatMap((item) => item.files),
    services: rendered.map((item) => item.service),
    images: [...new Set(rendered.map((item) => item.service.image))],
    volumes: names(VOLUME),
  };
}

/**
 * A container with the files of its carriers as its own uploads: what never starts only brings files for the engine
 * (components/core/files.ts), and Compose mounts them by itself.
 */
function withFiles(
  container: Resource,
  carriers: readonly Resource[],
  filled: ReadonlySet<Value | undefined>,
): Resource {
  const own = carriers.filter((carrier) => container.propertyDependencies["labels"]?.includes(carrier.urn));
  if (own.length === 0) return container;
  const inputs = {
    ...container.inputs,
    volumes: items(container, "volumes").filter((volume) => !filled.has(volume["volumeName"])),
    labels: items(container, "labels").filter((label) => label["label"] !== FILES_LABEL),
    uploads: own.flatMap((carrier) => items(carrier, "uploads")),
  };
  return { ...container, inputs };
}

function items(resource: Resource, key: string): readonly Record<string, Value>[] {
  const value = resource.inputs[key];
  return Array.isArray(value) ? (value as readonly Record<string, Value>[]) : [];
}

function service(container: Resource, serviceOf: ReadonlyMap<string, string>) {
  const name = serviceName(container);
  for (const key of ["envs", "labels", "command", "entrypoints"])
    if (holdsSecret(container.inputs[key] ?? null))
      throw new UserError(
        container.name,
        `its ${key} carry a secret`,
        `mount it as a file (files: in ${container.source?.file ?? "the component"})`,
      );

  const inputs = reveal(container.inputs, container.name) as Record<string, Plain>;
  const list = (key: string) => (inputs[key] ?? []) as Record<string, Plain>[];
  const [uid = 0, gid = 0] = String(inputs["user"]).split(":").map(Number);
  const secretUploads = uploadsThatAreSecret(container);
  const files: ComposeFile[] = list("uploads").map((upload) => ({
    path: `files/${name}${String(upload["file"])}`,
    content: String(upload["content"]),
    secret: secretUploads.has(String(upload["file"])),
    uid,
    gid,
  }));
  const healthcheck = inputs["healthcheck"] as Record<string, Plain>;
  const limits = list("ulimits").find((limit) => limit["name"] === "nproc");
  const restart = String(inputs["restart"]);
  const dependencies = container.dependencies.flatMap((urn) => serviceOf.get(urn) ?? []);

  const definition: Record<string, Plain> = {
    container_name: String(inputs["name"]),
    hostname: inputs["hostname"] ?? name,
    image: String(inputs["image"]),
    user: String(inputs["user"]),
    ...optional("group_add", inputs["groupAdds"]),
    ...optional("entrypoint", escaped(inputs["entrypoints"])),
    ...optional("command", escaped(inputs["command"])),
    environment: escaped(inputs["envs"] ?? []),
    read_only: inputs["readOnly"] === true,
    privileged: inputs["privileged"] === true,
    cap_drop: (inputs["capabilities"] as Record<string, Plain>)["drops"] ?? [],
    security_opt: inputs["securityOpts"] ?? [],
    init: inputs["init"] === true,
    mem_limit: `${Number(inputs["memory"])}m`,
    memswap_limit: `${Number(inputs["memorySwap"])}m`,
    cpus: Number(inputs["cpus"]),
    // Compose limits the container itself, where the Docker provider can only limit its user.
    ...(limits === undefined ? {} : { pids_limit: limits["hard"] ?? 0 }),
    restart: restart === "on-failure" ? `on-failure:${Number(inputs["maxRetryCount"] ?? 0)}` : restart,
    stop_signal: String(inputs["stopSignal"]),
    stop_grace_period: `${Number(inputs["stopTimeout"])}s`,
    healthcheck: {
      test: escaped(healthcheck["tests"] ?? []),
      interval: healthcheck["interval"] ?? "5s",
      timeout: healthcheck["timeout"] ?? "3s",
      retries: healthcheck["retries"] ?? 3,
      start_period: healthcheck["startPeriod"] ?? "0s",
    },
    logging: { driver: inputs["logDriver"] ?? "json-file", options: inputs["logOpts"] ?? {} },
    ...(inputs["tmpfs"] === undefined
      ? {}
      : {
          tmpfs: Object.entries(inputs["tmpfs"] as Record<string, string>).map(
            ([path, options]) => `${path}:${options}`,
          ),
        }),
    ports: list("ports").map(
      (port) => `${String(port["ip"])}:${Number(port["external"])}:${Number(port["internal"])}/tcp`,
    ),
    volumes: [
      ...files.map((file) => `./${file.path}:${file.path.slice(`files/${name}`.length)}:ro`),
      ...list("volumes").flatMap((volume) => mount(volume)),
    ],
    networks: Object.fromEntries(
      list("networksAdvanced").map((network) => [String(network["name"]), { aliases: network["aliases"] ?? [] }]),
    ),
    ...(dependencies.length === 0
      ? {}
      : {
          depends_on: Object.fromEntries(dependencies.sort().map((other) => [other, { condition: "service_healthy" }])),
        }),
    labels: Object.fromEntries(list("labels").map((label) => [String(label["label"]), String(label["value"])])),
  };
  const hash = createHash("sha256")
    .update(JSON.stringify([definition, files.map((file) => [file.path, file.content])]))
    .digest("hex");
  (definition["labels"] as Record<string, Plain>)[CONFIG_HASH] = hash;
  return {
    definition,
    files,
    service: { name, container: String(inputs["name"]), image: String(inputs["image"]), hash },
  };
}

/** A volume or a folder of the host; a volume without either only makes room for uploads, which are files here. */
function mount(volume: Record<string, Plain>): string[] {
  const source = volume["volumeName"] ?? volume["hostPath"];
  if (typeof source !== "string") return [];
  return [`${source}:${String(volume["containerPath"])}${volume["readOnly"] === true ? ":ro" : ""}`];
}

/** Compose substitutes `$NAME`; a doubled dollar is a dollar. */
function escaped(value: Plain | undefined): Plain {
  if (typeof value === "string") return value.replaceAll("$", "$$$$");
  if (Array.isArray(value)) return value.map((item) => escaped(item));
  return value ?? null;
}

function optional(key: string, value: Plain | undefined): Record<string, Plain> {
  return value === undefined || value === null ? {} : { [key]: value };
}

function uploadsThatAreSecret(container: Resource): ReadonlySet<string> {
  return new Set(
    items(container, "uploads")
      .filter((upload) => holdsSecret(upload["content"] ?? null))
      .map((upload) => String(upload["file"])),
  );
}

function serviceName(container: Resource): string {
  return text(container, "hostname");
}

function text(resource: Resource, key: string): string {
  return String(reveal(resource.inputs[key] ?? null, resource.name));
}
