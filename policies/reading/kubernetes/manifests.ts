import { globSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseAllDocuments } from "yaml";
import {
  Secret,
  Unknown,
  type Inputs,
  type Resource,
  type ResourceGraph,
  type Value,
} from "../../../contract/graph.ts";
import { Reader } from "../../model/reader.ts";
import { bearsPods, kindOf } from "./pods.ts";

/** Resources whose objects the provider reads from text, files or charts. */
const MANIFESTS =
  /^kubernetes:(yaml\/v2:(ConfigGroup|ConfigFile)|helm\.sh\/v\d:(Release|Chart)|kustomize(\/v2)?:Directory)$/;

/** Whether a resource stands for objects that are read from text, files or charts. */
export function isManifest(resource: Resource): boolean {
  return MANIFESTS.test(resource.type);
}

/**
 * The graph with the objects of manifests and lists in their place. A resource of which something cannot be read stays,
 * next to the objects that can.
 *
 * @param root of the project, where the program runs
 */
export function withManifests(graph: ResourceGraph, root: string): ResourceGraph {
  if (!graph.resources.some((resource) => isManifest(resource) || isList(resource))) return graph;
  const resources = graph.resources.flatMap((resource) => {
    if (!isManifest(resource) && !isList(resource)) return [resource];
    const { objects, whole } = isList(resource) ? itemsOf(resource) : objectsOf(resource, root);
    // Under the engine, the provider has registered the same objects.
    const registered = new Set(graph.resources.filter(({ parent }) => parent === resource.urn).map(keyOf));
    const made = objects.flatMap((object) => itemResources(resource, object));
    return [...(whole ? [] : [resource]), ...made.filter((object) => !registered.has(keyOf(object)))];
  });
  return { ...graph, resources };
}

/** Whether it is a list of objects that the rules about pods do not read. */
function isList(resource: Resource): boolean {
  return kindOf(resource)?.endsWith("List") === true && !bearsPods(resource);
}

interface Objects {
  readonly objects: readonly Inputs[];
  /** Whether these are all of them. */
  readonly whole: boolean;
}

function itemsOf(resource: Resource): Objects {
  const kind = (kindOf(resource) ?? "").replace(/List$/, "");
  const items = Reader.of(resource.inputs).at("items");
  const apiVersion = resource.type.split(":")[1]?.replace(/^core\//, "") ?? "";
  const objects = plainObjects(valueAt(resource.inputs, "items"));
  return {
    objects: objects.map((item) => ({ apiVersion, kind, ...item })),
    whole: items.each().length === objects.length,
  };
}

function objectsOf(resource: Resource, root: string): Objects {
  if (!resource.type.startsWith("kubernetes:yaml/v2:")) return { objects: [], whole: false };
  const { inputs } = resource;
  const text = valueAt(inputs, "yaml");
  const objects = plainObjects(valueAt(inputs, "objs"));
  const listed = Reader.of(inputs).at("objs").each().length;
  const files = [valueAt(inputs, "files"), valueAt(inputs, "file")].flatMap((value) =>
    value === undefined || value === null ? [] : Array.isArray(value) ? (value as readonly Value[]) : [value],
  );
  const texts = [
    ...(text === undefined || text === null ? [] : [typeof text === "string" ? text : undefined]),
    ...files.flatMap((file) => (typeof file === "string" ? filesOf(file, root) : [undefined])),
  ];
  const parsed = texts.map((one) => (one === undefined ? undefined : documentsOf(one)));
  return {
    objects: [...objects, ...parsed.flatMap((documents) => documents ?? [])],
    whole: listed === objects.length && parsed.every((documents) => documents !== undefined),
  };
}

/** The texts of the local files of a path or a pattern; undefined for what cannot be read. */
function filesOf(pattern: string, root: string): readonly (string | undefined)[] {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(pattern)) return [undefined];
  const paths = globSync(pattern, { cwd: root });
  if (paths.length === 0) return [undefined];
  return paths.map((path) => {
    try {
      return readFileSync(resolve(root, path), "utf8");
    } catch {
      return undefined;
    }
  });
}

/** The objects of YAML documents; undefined if it is not YAML, or has a document that is not an object. */
function documentsOf(text: string): readonly Inputs[] | undefined {
  try {
    const documents = parseAllDocuments(text);
    if (!Array.isArray(documents) || documents.some((document) => document.errors.length > 0)) return undefined;
    const values = documents.map((document) => document.toJS() as Value).filter((value) => value !== null);
    const objects = plainObjects(values);
    return objects.length === values.length ? objects : undefined;
  } catch {
    return undefined;
  }
}

/** One resource for an object, or one for each item of a list. */
function itemResources(group: Resource, object: Inputs): readonly Resource[] {
  const apiVersion = textAt(object, "apiVersion");
  const kind = textAt(object, "kind");
  if (kind.endsWith("List")) {
    const items = plainObjects(valueAt(object, "items"));
    const base = kind === "List" ? {} : { apiVersion, kind: kind.slice(0, -4) };
    return items.flatMap((item) => itemResources(group, { ...base, ...item }));
  }
  const type = `kubernetes:${apiVersion.includes("/") ? apiVersion : `core/${apiVersion}`}:${kind}`;
  const name = `${group.name}/${kind}/${Reader.of(object).at("metadata", "name").text ?? ""}`;
  const [urn = "", project = "", types = ""] = group.urn.split("::");
  return [
    {
      ...group,
      urn: `${urn}::${project}::${types}$${type}::${name}`,
      type,
      name,
      custom: true,
      inputs: object,
      parent: group.urn,
    },
  ];
}

/** Type and object name, by which an object of a manifest is the one that the provider registered. */
function keyOf(resource: Resource): string {
  return `${resource.type} ${Reader.of(resource.inputs).at("metadata", "name").text ?? ""}`;
}

function plainObjects(value: Value | undefined): readonly Inputs[] {
  if (!Array.isArray(value)) return [];
  return (value as readonly Value[])
    .map(unmarked)
    .filter(
      (item): item is Inputs =>
        typeof item === "object" && item !== null && !Array.isArray(item) && !(item instanceof Unknown),
    );
}

function valueAt(inputs: Inputs, key: string): Value | undefined {
  return Object.hasOwn(inputs, key) ? unmarked(inputs[key]) : undefined;
}

function unmarked(value: Value | undefined): Value | undefined {
  return value instanceof Secret ? unmarked(value.value) : value;
}

function textAt(inputs: Inputs, key: string): string {
  const value = valueAt(inputs, key);
  return typeof value === "string" ? value : "";
}
