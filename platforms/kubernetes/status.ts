import { LABELS } from "../../contract/labels.ts";
import type { CronJob, Deployment, Found } from "../../operations/rollout/kubernetes/api-types.ts";
import { SLOTS } from "../../contract/slots.ts";
import { serverName } from "../../stacks/settings.ts";
import { loadProgram } from "../../synth/lazy.ts";
import type { DeclaredStack } from "../declared.ts";
import type { ServiceStatus, StackStatus } from "../results.ts";
import { clusterOf } from "./rollout.ts";

/** Kinds of objects that run something. */
const KINDS = ["Deployment", "StatefulSet", "CronJob"];

/** States in which nothing is wrong. */
const HEALTHY: readonly string[] = ["healthy", "drained", "scheduled"];

/** The services of a stack on a cluster: those that its program declares, and those that the cluster has. */
export async function clusterStatus(declared: DeclaredStack): Promise<StackStatus> {
  const { name, settings } = declared;
  const cluster = clusterOf(settings);
  const labels = { [LABELS.instance]: settings.instance };
  const [expected, deployments, sets, jobs] = await Promise.all([
    declaredServices(declared),
    cluster.list<Deployment>("apps/v1", "Deployment", labels),
    // What is read of a StatefulSet is the same as of a Deployment.
    cluster.list<Deployment>("apps/v1", "StatefulSet", labels),
    cluster.list<CronJob>("batch/v1", "CronJob", labels),
  ]);
  const found = new Map(
    [...[...deployments, ...sets].map(workloadStatus), ...jobs.map(cronJobStatus)].map((each) => [each.service, each]),
  );
  const services = [...new Set([...expected, ...found.keys()])]
    .sort()
    .map((service): ServiceStatus => found.get(service) ?? { service, state: "absent", ports: [] });
  return {
    stack: name,
    services,
    unhealthy: services.flatMap(({ service, state }) => (HEALTHY.includes(state) ? [] : [service])),
    up: found.size > 0,
    // `--set` applies to one run only.
    overrides: {},
  };
}

/** A slot without replicas is one that a rollout has drained. */
export function workloadStatus({ metadata, spec, status }: Found<Deployment>): ServiceStatus {
  const wanted = spec?.replicas ?? 1;
  const { readyReplicas: ready = 0, observedGeneration = 0 } = status ?? {};
  const current = observedGeneration >= (metadata.generation ?? 0);
  const drained = wanted === 0 && SLOTS.some((slot) => serverName(slot) === metadata.name);
  const image = spec?.template.spec?.containers[0]?.image;
  return {
    service: metadata.name,
    state: drained ? "drained" : wanted > 0 && ready >= wanted && current ? "healthy" : `${ready} of ${wanted} ready`,
    ...(image === undefined ? {} : { image }),
    ...(metadata.creationTimestamp === undefined
      ? {}
      : { startedAt: new Date(metadata.creationTimestamp).toISOString() }),
    ports: [],
  };
}

function cronJobStatus({ metadata, spec }: Found<CronJob>): ServiceStatus {
  const image = spec.jobTemplate.spec?.template.spec?.containers[0]?.image;
  return {
    service: metadata.name,
    state: spec.suspend === true ? "suspended" : "scheduled",
    ...(image === undefined ? {} : { image }),
    ports: [],
  };
}

/** Names of the objects that run something, from the program. */
async function declaredServices({ name, source }: DeclaredStack): Promise<readonly string[]> {
  const { capture, manifests } = await loadProgram();
  const identifiers = manifests(await capture(name, source)).map(({ id }) => id.split("/"));
  return identifiers.flatMap((parts) => (KINDS.includes(parts[0] ?? "") ? [parts.at(-1) ?? ""] : []));
}
