import type { Inputs, Resource, ResourceGraph, Value } from "../../contract/graph.ts";
import type { Database } from "../../policies/database/facts.ts";
import { evaluate, type Outcome } from "../../policies/model/evaluate.ts";
import type { Rule } from "../../policies/model/rule.ts";
import { environmentOf } from "../../policies/model/environment.ts";

export const DIGEST = `sha256:${"0123456789abcdef".repeat(4)}`;

/** A resource of a stack. */
export function resource(type: string, inputs: Inputs, extra: Partial<Resource> = {}): Resource {
  const name = extra.name ?? "thing";
  return {
    urn: `urn:pulumi:prod::exai::${type}::${name}`,
    type,
    name,
    custom: !type.startsWith("exai:"),
    inputs,
    dependencies: [],
    propertyDependencies: {},
    options: { protect: false, ignoreChanges: [], deleteBeforeReplace: false, additionalSecretOutputs: [] },
    ...extra,
  };
}

export function graph(stack: string, ...resources: readonly Resource[]): ResourceGraph {
  return { project: "exai", stack, resources, outputs: {} };
}

/** What one rule says of some resources. */
export function outcome(rule: Rule, stack: string, ...resources: readonly Resource[]): Outcome {
  return outcomeIn(rule, graph(stack, ...resources));
}

export function outcomeIn(
  rule: Rule,
  whole: ResourceGraph,
  database: Database | Error = new Error("no database here"),
): Outcome {
  const [result] = evaluate([rule], { graph: whole, environment: environmentOf(whole) }, database);
  if (result === undefined) throw new Error("one rule gives one outcome");
  return result;
}

/** A container that satisfies every rule. */
export function soundContainer(name = "main"): Record<string, Value> {
  return {
    name,
    image: `ghcr.io/org/exai@${DIGEST}`,
    resources: { requests: { cpu: "100m", memory: "64Mi" }, limits: { cpu: "1", memory: "128Mi" } },
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      runAsNonRoot: true,
      runAsUser: 10001,
      capabilities: { drop: ["ALL"] },
      seccompProfile: { type: "RuntimeDefault" },
    },
    livenessProbe: { httpGet: { path: "/health", port: "http" } },
    readinessProbe: { httpGet: { path: "/ready", port: "http" } },
    lifecycle: { preStop: { sleep: { seconds: 5 } } },
  };
}

/** A pod that satisfies every rule, with a container in each list. */
export function soundPodSpec(): Record<string, Value> {
  return {
    automountServiceAccountToken: false,
    serviceAccountName: "server",
    terminationGracePeriodSeconds: 30,
    securityContext: { runAsNonRoot: true, runAsUser: 10001, seccompProfile: { type: "RuntimeDefault" } },
    initContainers: [soundContainer("before")],
    containers: [soundContainer()],
    ephemeralContainers: [soundContainer("debug")],
    volumes: [{ name: "scratch", emptyDir: { sizeLimit: "64Mi" } }],
  };
}

/** Every kind that makes pods, with the way to its pod template. */
export const POD_KINDS: readonly (readonly [type: string, wrap: (template: Inputs) => Inputs])[] = [
  ["kubernetes:core/v1:Pod", (template) => template],
  ["kubernetes:core/v1:PodTemplate", (template) => ({ template })],
  ["kubernetes:core/v1:ReplicationController", (template) => ({ spec: { template } })],
  ["kubernetes:apps/v1:Deployment", (template) => ({ spec: { template } })],
  ["kubernetes:apps/v1:StatefulSet", (template) => ({ spec: { template } })],
  ["kubernetes:apps/v1:DaemonSet", (template) => ({ spec: { template } })],
  ["kubernetes:apps/v1:ReplicaSet", (template) => ({ spec: { template } })],
  ["kubernetes:batch/v1:Job", (template) => ({ spec: { template } })],
  ["kubernetes:batch/v1:CronJob", (template) => ({ spec: { jobTemplate: { spec: { template } } } })],
  ["kubernetes:core/v1:PodList", (template) => ({ items: [template] })],
  ["kubernetes:example.com/v1:Rollout", (template) => ({ spec: { template } })],
];

/** A pod-bearing resource of one kind. */
export function podResource(kind: (typeof POD_KINDS)[number], spec: Inputs, metadata: Inputs = {}): Resource {
  const [type, wrap] = kind;
  return resource(type, { ...wrap({ metadata, spec }), metadata: { name: "thing", namespace: "exai", ...metadata } });
}

/** A Docker container that satisfies every rule. */
export function soundDocker(): Record<string, Value> {
  return {
    name: "exai-server-blue",
    image: `ghcr.io/org/exai@${DIGEST}`,
    user: "10001:10001",
    privileged: false,
    readOnly: true,
    networkMode: "none",
    capabilities: { drops: ["ALL"] },
    securityOpts: ["no-new-privileges:true"],
    memory: 512,
    memorySwap: 512,
    cpus: "0.5",
    ulimits: [{ name: "nproc", soft: 64, hard: 64 }],
    ports: [{ internal: 8080, external: 8080, ip: "127.0.0.1" }],
    volumes: [{ volumeName: "data", containerPath: "/data" }],
    healthcheck: { tests: ["CMD", "true"] },
    restart: "on-failure",
    maxRetryCount: 5,
    logDriver: "json-file",
    logOpts: { "max-size": "10m", "max-file": "3" },
    envs: ["LOG_LEVEL=info"],
    labels: [{ label: "exai.component", value: "server" }],
  };
}

export const DOCKER = "docker:index/container:Container";

/** A copy with another value at a path of keys and indexes; undefined removes. */
export function altered(root: Value, path: readonly (string | number)[], value: Value | undefined): Value {
  const [head, ...rest] = path;
  if (head === undefined) return value ?? null;
  if (Array.isArray(root)) {
    const list = root as readonly Value[];
    return list.flatMap((item, index) =>
      index !== head ? [item] : rest.length === 0 && value === undefined ? [] : [altered(item, rest, value)],
    );
  }
  const object = (typeof root === "object" && root !== null ? root : {}) as Record<string, Value>;
  const key = String(head);
  if (rest.length === 0 && value === undefined)
    return Object.fromEntries(Object.entries(object).filter(([name]) => name !== key));
  return { ...object, [key]: altered(object[key] ?? (typeof rest[0] === "number" ? [] : {}), rest, value) };
}

/** Every path to a leaf or to a container of leaves, the root left out. */
export function* pathsOf(
  root: Value,
  path: readonly (string | number)[] = [],
): Generator<readonly (string | number)[]> {
  if (path.length > 0) yield path;
  if (Array.isArray(root))
    for (const [index, item] of (root as readonly Value[]).entries()) yield* pathsOf(item, [...path, index]);
  else if (typeof root === "object" && root !== null && Object.getPrototypeOf(root) === Object.prototype)
    for (const [key, item] of Object.entries(root as Record<string, Value>)) yield* pathsOf(item, [...path, key]);
}
