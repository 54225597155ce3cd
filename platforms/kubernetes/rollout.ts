import { join } from "node:path";
import { SLOTS, otherSlot } from "../../contract/slots.ts";
import { keyId } from "../../contract/jwt.ts";
import { UserError } from "../../contract/errors.ts";
import { PROJECT_ROOT } from "../../operations/images/paths.ts";
import { gateSettings } from "../../operations/rollout/gates/settings.ts";
import { planDefaults } from "../../operations/rollout/model/plan.ts";
import { Cluster } from "../../operations/rollout/kubernetes/cluster.ts";
import { kubernetesRollout, type OpenRollout } from "../../operations/rollout/kubernetes/context.ts";
import { KubernetesOutbox } from "../../operations/rollout/kubernetes/outbox.ts";
import { KubernetesSlots, type SlotImages } from "../../operations/rollout/kubernetes/slots.ts";
import { parseRotation } from "../../operations/secrets/record.ts";
import { unfinishedRotation, type Rotation } from "../../operations/secrets/rotation.ts";
import { parseSettings, type Settings } from "../../stacks/settings.ts";
import { stackFileSource } from "../../synth/stack-file.ts";
import type { Overrides } from "../compose/project.ts";
import { smokeToken } from "../compose/token.ts";
import { engineImages, type CheckSettings } from "./engine-images.ts";
import { checkKeys, JWT_KEY, slotSecret } from "./keys.ts";
import { clusterSchema } from "./schema.ts";
import { notifierOf } from "../notifications.ts";

/** Prometheus as the stack declares it. */
const PROMETHEUS = "prometheus:9090";

/**
 * All that a rollout touches on a cluster. The settings are read from the stack file alone: a rollback must not wait for
 * the engine, which only puts images into slots.
 */
export async function openClusterRollout(
  stack: string,
  overrides: Overrides,
  signal: AbortSignal,
  images?: SlotImages,
): Promise<OpenRollout> {
  const source = stackFileSource(PROJECT_ROOT, stack, { overrides, defers: true });
  const settings = parseSettings(stack, source);
  const cluster = clusterOf(settings);
  const announcer = await notifierOf(settings, source, new KubernetesOutbox(cluster), () => decrypted(stack, overrides));
  const schema = clusterSchema(settings, overrides);
  const check: CheckSettings = async (slot, config) => {
    checkKeys(stack, slot, config, await slotSecret(cluster, otherSlot(slot)));
  };
  return kubernetesRollout({
    cluster,
    gatewayNamespace: settings.gatewayNamespace,
    hostname: settings.hostname ?? "",
    tls: settings.tlsSecret !== undefined,
    wsPort: settings.wsPort,
    prometheus: PROMETHEUS,
    deployer: new KubernetesSlots({
      ...{ cluster, instance: settings.instance, replicas: settings.replicas },
      images: images ?? engineImages(stack, overrides, check),
    }),
    gates: gateSettings(settings),
    defaults: planDefaults(settings),
    deadlines: { graceSeconds: settings.graceSeconds },
    webSocketToken: async () => smokeToken(await jwtKey(cluster, rotationIn(stack, overrides))),
    ...(schema === undefined ? {} : { schema }),
    ...(announcer === undefined ? {} : { announcer }),
    signal,
  });
}

/** The stack's configuration with its secrets. The engine gets a folder of its own: another one may be deploying a slot. */
async function decrypted(stack: string, overrides: Overrides): Promise<Readonly<Record<string, string>>> {
  const { Engine } = await import("../pulumi/engine.ts");
  const folder = join(PROJECT_ROOT, ".exai", "rollout", stack, "engine");
  return (await Engine.open({ root: PROJECT_ROOT, stack, folder, overrides })).config();
}

/** The cluster of a stack, as its settings name it. */
export function clusterOf(settings: Settings): Cluster {
  const { kubeconfig, kubeContext: context, instance: namespace } = settings;
  return Cluster.open({ kubeconfig, context, namespace });
}

/** How far a rotation of the key is, which stands unencrypted in the stack file. */
function rotationIn(stack: string, overrides: Overrides): Rotation | undefined {
  const record = stackFileSource(PROJECT_ROOT, stack, { overrides, defers: true }).get("jwtRotation");
  return typeof record === "string" && record !== "" ? parseRotation(record, "exai:jwtRotation") : undefined;
}

/** The key to sign with: in a rotation the one that every slot accepts, else the slots' only one. */
async function jwtKey(cluster: Cluster, rotation: Rotation | undefined): Promise<string> {
  const secrets = await Promise.all(SLOTS.map((slot) => slotSecret(cluster, slot)));
  const keys = secrets.flatMap((secret) =>
    Object.entries(secret?.data ?? {}).flatMap(([entry, value]) =>
      entry.startsWith(JWT_KEY) ? [Buffer.from(value, "base64").toString("utf8")] : [],
    ),
  );
  const key = unfinishedRotation(rotation)
    ? keys.find((each) => (keyId(each) === rotation.kids.next) === (rotation.signing === "next"))
    : keys[0];
  if (key === undefined)
    throw new UserError(
      "failed",
      `Secrets of the slots in ${cluster.namespace}`,
      `have no entry ${JWT_KEY} to sign a token with`,
      "./exai up staging   (or prod)",
    );
  return key;
}
