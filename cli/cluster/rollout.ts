import { join } from "node:path";
import type { Colour } from "../../contract/colours.ts";
import { slotHost } from "../../contract/envoy/names.ts";
import { UserError } from "../../contract/errors.ts";
import { PROJECT_ROOT } from "../../operations/images/paths.ts";
import { FileOutbox } from "../../operations/notify/outbox.ts";
import { gateSettings } from "../../operations/rollout/gates.ts";
import { planDefaults } from "../../operations/rollout/plan.ts";
import { Cluster } from "../../operations/rollout/kubernetes/cluster.ts";
import { clusterRollout, type OpenRollout } from "../../operations/rollout/kubernetes/context.ts";
import type { Secret } from "../../operations/rollout/kubernetes/objects.ts";
import { ClusterSlots } from "../../operations/rollout/kubernetes/slots.ts";
import { parseSettings, type Settings } from "../../stacks/settings.ts";
import { stackFileSource } from "../../synth/stackFile.ts";
import type { Overrides } from "../local/project.ts";
import { smokeToken } from "../local/token.ts";
import { notifierOf } from "../notifications.ts";

/** Makes a slot's Deployment have an image, and touches nothing else. */
export type PutImage = (colour: Colour, image: string, signal: AbortSignal) => Promise<void>;

/** Prometheus as the stack declares it. */
const PROMETHEUS = "prometheus:9090";

/** Entry of a slot's Secret with the key that signs its tokens. Each slot accepts the other's tokens. */
const JWT_KEY = "jwt-token";

/**
 * All that a rollout touches on a cluster. The settings are read from the stack file alone: a rollback must not wait for
 * the engine, which only puts images into slots.
 */
export async function openClusterRollout(
  stack: string,
  overrides: Overrides,
  signal: AbortSignal,
  putImage: PutImage = engineImages(stack, overrides),
): Promise<OpenRollout> {
  const source = stackFileSource(PROJECT_ROOT, stack, { overrides, defers: true });
  const settings = parseSettings(stack, source);
  const cluster = clusterOf(settings);
  const outbox = new FileOutbox(join(PROJECT_ROOT, ".exai", "rollout", settings.instance, "notified"));
  const announcer = notifierOf(settings, source, outbox);
  return clusterRollout({
    cluster,
    gatewayNamespace: settings.gatewayNamespace,
    hostname: settings.hostname ?? "",
    tls: settings.tlsSecret !== undefined,
    wsPort: settings.wsPort,
    prometheus: PROMETHEUS,
    deployer: new ClusterSlots({ cluster, instance: settings.instance, replicas: settings.replicas, putImage }),
    gates: gateSettings(settings),
    defaults: planDefaults(settings),
    deadlines: { graceSeconds: settings.graceSeconds },
    webSocketToken: async () => smokeToken(await jwtKey(cluster)),
    ...(announcer === undefined ? {} : { announcer }),
    signal,
  });
}

/** The cluster of a stack, as its settings name it. */
function clusterOf(settings: Settings): Cluster {
  const { kubeconfig, kubeContext: context, instance: namespace } = settings;
  return Cluster.open({ kubeconfig, context, namespace });
}

/** An `up` by the engine that is confined to the slot's Deployment. */
function engineImages(stack: string, overrides: Overrides): PutImage {
  return async (colour, image, signal) => {
    const { openEngine } = await import("../engine/open.ts");
    const { engine } = await openEngine(stack, { ...overrides, [`${colour}Image`]: image });
    const events = engine.up({ signal, target: [`**Deployment::${slotHost(colour)}`] });
    while ((await events.next()).done !== true); // its progress is the rollout's own
  };
}

async function jwtKey(cluster: Cluster): Promise<string> {
  const name = `${slotHost("blue")}-secrets`;
  const secret = await cluster.read<Secret>({ apiVersion: "v1", kind: "Secret", name });
  const value = secret?.data?.[JWT_KEY];
  if (value === undefined)
    throw new UserError(
      `Secret ${cluster.namespace}/${name}`,
      `has no entry ${JWT_KEY}`,
      "./exai up staging   (or prod)",
    );
  return Buffer.from(value, "base64").toString("utf8");
}
