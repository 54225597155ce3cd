import { stringify } from "yaml";
import { Secret, Unknown, type Inputs, type Resource, type ResourceGraph, type Value } from "../contract/graph.ts";
import { UserError } from "../contract/errors.ts";
import { holdsSecret, reveal, type Plain } from "./values.ts";

export interface ManifestOptions {
  /**
   * Writes the contents of Secret objects. Without it a Secret becomes a comment with the names of its entries, so that
   * what is applied cannot overwrite a real one. @default false
   */
  readonly withSecrets?: boolean;
  /**
   * Asked for each value that only the engine knows, e.g. `spec.template.spec.containers[0].image` of a resource. Without
   * an answer it is written as {@link PLACEHOLDER}.
   */
  readonly fill?: (resource: Resource, path: string) => string | undefined;
}

/** One object of the API, or the note that stands for a Secret. */
export interface Manifest {
  /** Kind, namespace where there is one, and name, e.g. `Deployment/exai-prod/server-blue`. */
  readonly id: string;
  /** Absent for a Secret whose content is not written. */
  readonly object?: Plain;
  /** Comment above the object, or instead of it. */
  readonly note?: string;
  /** Paths of the values that were not known. */
  readonly unknown: readonly string[];
}

/** What stands for a value that only the engine knows; no API server takes it for an image, a name or a number. */
export const PLACEHOLDER = "<known after the deployment>";

const SECRET = "kubernetes:core/v1:Secret";
const PREFIX = "kubernetes:";

/**
 * Order in which an empty cluster takes the objects: what others refer to comes first. Kinds that are not named come in
 * the middle.
 */
const ORDER = [
  ["Namespace"],
  ["ResourceQuota", "LimitRange", "NetworkPolicy"],
  ["ServiceAccount", "Role", "ClusterRole"],
  ["RoleBinding", "ClusterRoleBinding"],
  ["Secret", "ConfigMap", "PersistentVolumeClaim"],
  ["Service"],
  [],
  ["Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"],
  ["PodDisruptionBudget", "HorizontalPodAutoscaler"],
  ["EnvoyProxy"],
  ["Gateway"],
  ["ClientTrafficPolicy", "BackendTrafficPolicy", "EnvoyExtensionPolicy", "SecurityPolicy"],
  ["HTTPRoute"],
] as const;
const MIDDLE = ORDER.findIndex((kinds) => kinds.length === 0);

/**
 * Renders the Kubernetes resources of a captured graph, in the order in which they can be applied. Other resources
 * (Supabase, random passwords, images) are not the cluster's and are left out.
 *
 * @throws UserError if an object that is not a Secret carries a secret
 */
export function manifests(graph: ResourceGraph, options: ManifestOptions = {}): readonly Manifest[] {
  return graph.resources
    .filter((resource) => resource.custom && resource.type.startsWith(PREFIX))
    .map((resource) => ({
      rank: rank(kindOf(resource)),
      manifest: manifest(resource, secretFileNames(resource, graph), options),
    }))
    .sort((a, b) => a.rank - b.rank || (a.manifest.id < b.manifest.id ? -1 : 1))
    .map(({ manifest }) => manifest);
}

/** The manifests as one YAML stream for `kubectl apply --server-side -f`. */
export function manifestYaml(list: readonly Manifest[]): string {
  return list
    .map(({ object, note }) => {
      const comment = note === undefined ? "" : `${note.replaceAll(/^/gm, "# ")}\n`;
      return `${comment}${object === undefined ? "" : stringify(object, { lineWidth: 0, aliasDuplicateObjects: false })}`;
    })
    .join("---\n");
}

function manifest(resource: Resource, files: readonly string[], options: ManifestOptions): Manifest {
  const kind = kindOf(resource);
  const name = nameOf(resource);
  const namespace = metadataOf(resource.inputs, "namespace");
  const id = [kind, ...(namespace === undefined ? [] : [namespace]), name].join("/");
  if (resource.type === SECRET && options.withSecrets !== true)
    return { id, note: secretNote(name, resource.inputs, files), unknown: [] };
  if (resource.type !== SECRET && holdsSecret(resource.inputs))
    throw new UserError(
      "failed",
      resource.name,
      `the ${kind} ${name} carries a secret outside of a Secret object`,
      `mount it as a file (${resource.source?.file ?? "components"}:${resource.source?.line ?? 1})`,
    );

  const unknown: string[] = [];
  const filled = fill(withEntries(resource.inputs, files), "", (path) => {
    const answer = options.fill?.(resource, path);
    if (answer === undefined) unknown.push(path);
    return answer ?? PLACEHOLDER;
  });
  const object = ordered(reveal(filled, resource.name) as Record<string, Plain>);
  return {
    id,
    object,
    ...(unknown.length === 0 ? {} : { note: `${id}: known only after the deployment: ${unknown.join(", ")}` }),
    unknown,
  };
}

/** Replaces what is unknown; the path is in the API's own notation. */
function fill(value: Value, path: string, answer: (path: string) => string): Value {
  if (value instanceof Unknown) return answer(path);
  if (value instanceof Secret) return new Secret(fill(value.value, path, answer));
  if (Array.isArray(value))
    return (value as readonly Value[]).map((item, index) => fill(item, `${path}[${index}]`, answer));
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(
      Object.entries(value as Inputs).map(([key, item]) => [
        key,
        fill(item, path === "" ? key : `${path}.${key}`, answer),
      ]),
    );
  return value;
}

/**
 * Entries of a Secret object. Where one value is unknown the SDK makes the whole mapping unknown; the component that made
 * the Secret declares their names.
 */
function secretFileNames(resource: Resource, graph: ResourceGraph): readonly string[] {
  if (resource.type !== SECRET) return [];
  const data = bare(resource.inputs.stringData ?? resource.inputs.data ?? null);
  if (data !== null && typeof data === "object" && !(data instanceof Unknown)) return Object.keys(data).sort();
  const declared = graph.resources.find(({ urn }) => urn === resource.parent)?.inputs.files;
  return Array.isArray(declared) ? (declared as readonly Value[]).map(String) : [];
}

/** A Secret's inputs with a separate unknown for each entry, if the mapping is unknown as a whole. */
function withEntries(inputs: Inputs, files: readonly string[]): Inputs {
  if (files.length === 0 || !(bare(inputs.stringData ?? null) instanceof Unknown)) return inputs;
  const entries = files.map((file) => [file, new Unknown(`stringData.${file}`)] as const);
  return { ...inputs, stringData: new Secret(Object.fromEntries(entries)) };
}

function bare(value: Value): Value {
  return value instanceof Secret ? bare(value.value) : value;
}

function secretNote(name: string, inputs: Inputs, files: readonly string[]): string {
  return [
    `Secret ${name}: its values are not written here. Apply them with --with-secrets, or make it by hand:`,
    `kubectl -n ${metadataOf(inputs, "namespace") ?? "default"} create secret generic ${name} ${files.map((file) => `--from-file=${file}=…`).join(" ")}`,
  ].join("\n");
}

/** The order that readers of manifests know; null stands for absent. */
function ordered(object: Record<string, Plain>): Plain {
  const { apiVersion, kind, metadata, ...rest } = object;
  return {
    apiVersion: apiVersion ?? "",
    kind: kind ?? "",
    metadata: metadata ?? {},
    ...Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== null)),
  };
}

function kindOf(resource: Resource): string {
  return resource.type.slice(resource.type.lastIndexOf(":") + 1);
}

function nameOf(resource: Resource): string {
  return metadataOf(resource.inputs, "name") ?? resource.name;
}

function metadataOf(inputs: Inputs, key: string): string | undefined {
  const metadata = inputs.metadata;
  if (typeof metadata !== "object" || metadata === null) return undefined;
  const value = (metadata as Inputs)[key];
  return typeof value === "string" ? value : undefined;
}

function rank(kind: string): number {
  const found = ORDER.findIndex((kinds) => (kinds as readonly string[]).includes(kind));
  return found < 0 ? MIDDLE : found;
}
