import { createHash } from "node:crypto";
import { FILES_LABEL } from "../components/core/files.ts";
import type { Resource, ResourceGraph, Value } from "../contract/graph.ts";
import { UserError } from "../contract/errors.ts";
import { LABELS } from "../contract/labels.ts";
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
  /** SHA-256 over everything that makes the container what it is, files included; also its label `LABELS.configHash`. */
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

const CONTAINER = "docker:index/container:Container";
const VOLUME = "docker:index/volume:Volume";
const NETWORK = "docker:index/network:Network";
const IMAGE = "docker:index/remoteImage:RemoteImage";
const PASSWORD = "random:index/randomPassword:RandomPassword";

/** Outputs that Compose knows without an engine: an image is its reference, a password comes from the given store. */
export function composeOutputs(password: (name: string, length: number) => string): OutputsOf {
  return ({ type, name, inputs }) => {
    if (type === IMAGE) return { imageId: inputs.name };
    if (type === PASSWORD) return { result: password(name, Number(inputs.length)) };
    return undefined;
  };
}

/**
 * Renders the docker resources of a captured graph as a Compose project. Uploads become files next to the Compose file,
 * mounted read-only; a secret never becomes part of the document.
 *
 * @throws UserError if a resource has a secret in its environment, labels or command
 * @throws UnknownValueError if a value is known only to an engine
 */
export function compose(graph: ResourceGraph): ComposeProject {
  const carriers = graph.resources.filter((resource) => resource.type === CONTAINER && resource.inputs.start === false);
  const filled = new Set(carriers.flatMap((carrier) => items(carrier, "volumes").map((volume) => volume.volumeName)));
  const containers = graph.resources
    .filter((resource) => resource.type === CONTAINER && !carriers.includes(resource))
    .map((container) => withFiles(container, carriers, filled));
  const serviceOf = new Map(containers.map((container) => [container.urn, serviceName(container)]));
  const rendered = containers.map((container) => service(container, serviceOf));
  rendered.sort((a, b) => (a.service.name < b.service.name ? -1 : 1));
  // The labels say which stack made it: nothing without them is ever removed.
  const named = (type: string) =>
    graph.resources
      .filter((resource) => resource.type === type && !filled.has(resource.inputs.name))
      .map((resource) => ({
        name: text(resource, "name"),
        labels: labelsOf(items(resource, "labels")),
        ...(type === NETWORK ? isolationOf(reveal(resource.inputs, resource.name) as unknown as NetworkInputs) : {}),
      }));

  return {
    document: {
      services: Object.fromEntries(rendered.map((item) => [item.service.name, item.definition])),
      networks: Object.fromEntries(named(NETWORK).map((network) => [network.name, network])),
      volumes: Object.fromEntries(named(VOLUME).map((volume) => [volume.name, volume])),
    },
    files: rendered.flatMap((item) => item.files),
    services: rendered.map((item) => item.service),
    images: [...new Set(rendered.map((item) => item.service.image))],
    volumes: named(VOLUME).map(({ name }) => name),
  };
}

/** What keeps an internal network to its members, as `components/platform/networks.ts` sets it. */
interface NetworkInputs {
  readonly internal?: boolean;
  readonly options?: Record<string, string>;
  readonly ipamConfigs?: { readonly subnet: string; readonly gateway: string }[];
}

function isolationOf({ internal, options, ipamConfigs }: NetworkInputs): Record<string, Plain> {
  if (internal !== true) return {};
  return { internal, driver_opts: options ?? {}, ipam: { config: ipamConfigs ?? [] } };
}

/**
 * A container with the files of its carriers as its own uploads: what never starts only brings files for the engine
 * (components/core/files.ts), and Compose mounts them itself.
 */
function withFiles(
  container: Resource,
  carriers: readonly Resource[],
  filled: ReadonlySet<Value | undefined>,
): Resource {
  const own = carriers.filter((carrier) => container.propertyDependencies.labels?.includes(carrier.urn));
  if (own.length === 0) return container;
  const inputs = {
    ...container.inputs,
    volumes: items(container, "volumes").filter((volume) => !filled.has(volume.volumeName)),
    labels: items(container, "labels").filter((label) => label.label !== FILES_LABEL),
    uploads: own.flatMap((carrier) => items(carrier, "uploads")),
  };
  return { ...container, inputs };
}

function items(resource: Resource, key: string): readonly Record<string, Value>[] {
  const value = resource.inputs[key];
  return Array.isArray(value) ? (value as readonly Record<string, Value>[]) : [];
}

/** Labels as Compose writes them. */
function labelsOf(labels: readonly Record<string, Value>[]): Readonly<Record<string, string>> {
  return Object.fromEntries(labels.map(({ label, value }) => [label as string, value as string]));
}

/** The inputs of a container that Compose needs, as `components/core/container.ts` sets them. */
interface ContainerInputs {
  readonly name: string;
  readonly hostname: string;
  readonly image: string;
  /** `uid:gid` */
  readonly user: string;
  readonly groupAdds?: string[];
  readonly entrypoints?: string[];
  readonly command?: string[];
  readonly envs: string[];
  readonly readOnly: boolean;
  readonly privileged: boolean;
  readonly capabilities: { readonly drops: string[] };
  readonly securityOpts: string[];
  readonly init: boolean;
  /** MiB. */
  readonly memory: number;
  readonly memorySwap: number;
  readonly cpus: string;
  readonly ulimits: readonly { readonly name: string; readonly hard: number }[];
  readonly restart: string;
  readonly maxRetryCount: number;
  readonly stopSignal: string;
  /** Seconds. */
  readonly stopTimeout: number;
  readonly healthcheck: {
    readonly tests: string[];
    readonly interval: string;
    readonly timeout: string;
    readonly retries: number;
    readonly startPeriod: string;
  };
  readonly logDriver: string;
  readonly logOpts: Record<string, string>;
  readonly tmpfs?: Readonly<Record<string, string>>;
  readonly ports: readonly { readonly ip: string; readonly external: number; readonly internal: number }[];
  readonly uploads: readonly { readonly file: string; readonly content: string }[];
  readonly volumes: readonly VolumeInputs[];
  /** `none`: no network. */
  readonly networkMode?: string;
  readonly networksAdvanced: readonly { readonly name: string; readonly aliases: string[] }[];
  readonly labels: readonly { readonly label: string; readonly value: string }[];
}

interface VolumeInputs {
  readonly volumeName?: string;
  readonly hostPath?: string;
  readonly containerPath: string;
  readonly readOnly?: boolean;
}

function service(container: Resource, serviceOf: ReadonlyMap<string, string>) {
  refuseSecretsInDefinition(container);
  const inputs = reveal(container.inputs, container.name) as unknown as ContainerInputs;
  const name = inputs.hostname;
  const files = filesOf(container, inputs);
  const labels: Record<string, string> = Object.fromEntries(inputs.labels.map(({ label, value }) => [label, value]));
  const dependencies = container.dependencies.flatMap((urn) => serviceOf.get(urn) ?? []).sort();
  const definition: Record<string, Plain> = {
    container_name: inputs.name,
    hostname: name,
    image: inputs.image,
    ...processOf(inputs),
    ...confinementOf(inputs),
    ...lifecycleOf(inputs),
    ports: inputs.ports.map((port) => `${port.ip}:${port.external}:${port.internal}/tcp`),
    volumes: [...files.map((file) => `./${file.path}:${inContainer(file, name)}:ro`), ...inputs.volumes.flatMap(mount)],
    ...networkOf(inputs),
    ...(dependencies.length === 0 ? {} : { depends_on: dependencies }),
    labels,
  };
  const hash = createHash("sha256")
    .update(JSON.stringify([definition, files.map((file) => [file.path, file.content])]))
    .digest("hex");
  labels[LABELS.configHash] = hash;
  return { definition, files, service: { name, container: inputs.name, image: inputs.image, hash } };
}

/** What runs, and as whom. */
function processOf(inputs: ContainerInputs): Record<string, Plain> {
  return {
    user: inputs.user,
    ...(inputs.groupAdds === undefined ? {} : { group_add: inputs.groupAdds }),
    ...(inputs.entrypoints === undefined ? {} : { entrypoint: inputs.entrypoints.map(escaped) }),
    ...(inputs.command === undefined ? {} : { command: inputs.command.map(escaped) }),
    environment: inputs.envs.map(escaped),
    init: inputs.init,
  };
}

/** Compose refuses a service that has both. */
function networkOf({ networkMode, networksAdvanced }: ContainerInputs): Record<string, Plain> {
  if (networkMode !== undefined) return { network_mode: networkMode };
  return { networks: Object.fromEntries(networksAdvanced.map(({ name, aliases }) => [name, { aliases }])) };
}

/** What it may not do, and how much it may take. */
function confinementOf(inputs: ContainerInputs): Record<string, Plain> {
  const processes = inputs.ulimits.find((limit) => limit.name === "nproc");
  return {
    read_only: inputs.readOnly,
    privileged: inputs.privileged,
    cap_drop: inputs.capabilities.drops,
    security_opt: inputs.securityOpts,
    mem_limit: `${inputs.memory}m`,
    memswap_limit: `${inputs.memorySwap}m`,
    cpus: Number(inputs.cpus),
    // Compose limits the container itself, where the Docker provider can only limit its user.
    ...(processes === undefined ? {} : { pids_limit: processes.hard }),
    ...(inputs.tmpfs === undefined
      ? {}
      : { tmpfs: Object.entries(inputs.tmpfs).map(([path, options]) => `${path}:${options}`) }),
  };
}

/** When it is well, when it is started again, and how it ends. */
function lifecycleOf(inputs: ContainerInputs): Record<string, Plain> {
  const check = inputs.healthcheck;
  return {
    restart: inputs.restart === "on-failure" ? `on-failure:${inputs.maxRetryCount}` : inputs.restart,
    stop_signal: inputs.stopSignal,
    stop_grace_period: `${inputs.stopTimeout}s`,
    healthcheck: {
      test: check.tests.map(escaped),
      interval: check.interval,
      timeout: check.timeout,
      retries: check.retries,
      start_period: check.startPeriod,
    },
    logging: { driver: inputs.logDriver, options: inputs.logOpts },
  };
}

function filesOf(container: Resource, inputs: ContainerInputs): readonly ComposeFile[] {
  const [uid = 0, gid = 0] = inputs.user.split(":").map(Number);
  const marked = items(container, "uploads");
  return inputs.uploads.map(({ file, content }, index) => ({
    path: `files/${inputs.hostname}${file}`,
    content,
    secret: holdsSecret(marked[index]?.content ?? null),
    uid,
    gid,
  }));
}

/** Where a file of `files/<service>/…` stands inside the container. */
function inContainer(file: ComposeFile, name: string): string {
  return file.path.slice(`files/${name}`.length);
}

/** @throws UserError if a secret stands in what `docker inspect` shows to everyone */
function refuseSecretsInDefinition(container: Resource): void {
  for (const key of ["envs", "labels", "command", "entrypoints"])
    if (holdsSecret(container.inputs[key] ?? null))
      throw new UserError(
        "failed",
        container.name,
        `its ${key} carry a secret`,
        `mount it as a file (files: in ${container.source?.file ?? "the component"})`,
      );
}

/** A volume or a folder of the host; a volume without either only makes room for uploads, which are files here. */
function mount(volume: VolumeInputs): string[] {
  const source = volume.volumeName ?? volume.hostPath;
  return source === undefined ? [] : [`${source}:${volume.containerPath}${volume.readOnly === true ? ":ro" : ""}`];
}

/** Compose substitutes `$NAME`; a doubled dollar is a dollar. */
function escaped(text: string): string {
  return text.replaceAll("$", "$$$$");
}

function serviceName(container: Resource): string {
  return text(container, "hostname");
}

function text(resource: Resource, key: string): string {
  const value = reveal(resource.inputs[key] ?? null, resource.name);
  if (typeof value !== "string") throw new TypeError(`${resource.name}: ${key} is not a string`);
  return value;
}
