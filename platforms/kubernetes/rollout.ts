import { createPrivateKey, type KeyObject } from "node:crypto";
import { join } from "node:path";
import { SLOTS, otherSlot } from "../../contract/slots.ts";
import { ACCESS_SECRET } from "../../contract/gateway.ts";
import { keyId } from "../../contract/jwt.ts";
import { UserError } from "../../contract/errors.ts";
import { command, fix } from "../../contract/fix.ts";
import { PROJECT_ROOT } from "../../operations/images/paths.ts";
import { gateSettings } from "../../operations/rollout/gates/settings.ts";
import { planDefaults } from "../../operations/rollout/model/plan.ts";
import { KubernetesAuditStore } from "../../operations/rollout/kubernetes/audit-store.ts";
import { Cluster } from "../../operations/rollout/kubernetes/cluster.ts";
import { kubernetesRollout, type OpenRollout } from "../../operations/rollout/kubernetes/context.ts";
import { SlotAccess } from "../../operations/rollout/ports/access.ts";
import type { Secret } from "../../operations/rollout/kubernetes/api-types.ts";
import { KubernetesCursorStore } from "../../operations/rollout/kubernetes/delivery-cursors.ts";
import { KubernetesSlots, type SlotImages } from "../../operations/rollout/kubernetes/slots.ts";
import { parseRotation } from "../../operations/secrets/record.ts";
import { unfinishedRotation, type Rotation } from "../../operations/secrets/rotation.ts";
import type { Settings } from "../../stacks/settings.ts";
import type { ConfigSource } from "../../stacks/settings/source.ts";
import type { DeclaredStack } from "../declared.ts";
import { smokeToken } from "../compose/token.ts";
import { loadEngine } from "../pulumi/lazy.ts";
import { engineImages, type CheckSettings } from "./engine-images.ts";
import { checkKeys, JWT_KEY, slotSecret } from "./keys.ts";
import { clusterSchema } from "./schema.ts";
import { hookRunner } from "../hooks.ts";
import { notifierOf } from "../notifications.ts";

/** The Prometheus that the stack declares. */
const PROMETHEUS = "prometheus:9090";

/**
 * Opens the rollout of a stack on a cluster. The settings come from the stack file only: a rollback must not wait for the
 * engine, which is needed for deployments.
 */
export async function openKubernetesRollout(
  declared: DeclaredStack,
  signal: AbortSignal,
  images?: SlotImages,
): Promise<OpenRollout> {
  const { name, settings, source } = declared;
  const cluster = clusterOf(settings);
  const announcer = notifierOf(settings, source, new KubernetesCursorStore(cluster), () => decrypted(declared));
  const hooks = hookRunner(settings, source, () => decrypted(declared));
  const schema = clusterSchema(declared);
  const check: CheckSettings = async (slot, config) => {
    checkKeys(name, slot, config, await slotSecret(cluster, otherSlot(slot)));
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
      images: images ?? engineImages(declared, check),
    }),
    access: new SlotAccess(`https://${settings.hostname ?? ""}`, () => accessSecret(name, cluster)),
    gates: gateSettings(settings),
    defaults: planDefaults(settings),
    deadlines: { graceSeconds: settings.graceSeconds },
    webSocketToken: async () => smokeToken(await jwtKey(name, cluster, rotationIn(source))),
    ...(schema === undefined ? {} : { schema }),
    ...(announcer === undefined ? {} : { announcer }),
    ...(hooks === undefined ? {} : { hooks }),
    signal,
  });
}

/** The stack's configuration with its secrets. The engine gets its own folder: another one may be deploying a slot. */
async function decrypted({ name, overrides }: DeclaredStack): Promise<Readonly<Record<string, string>>> {
  const { Engine } = await loadEngine();
  const folder = join(PROJECT_ROOT, ".exai", "rollout", name, "engine");
  return (await Engine.open({ root: PROJECT_ROOT, stack: name, folder, overrides })).config();
}

/** The audit log of a stack, in its namespace. */
export function clusterAudit({ settings }: DeclaredStack): KubernetesAuditStore {
  return new KubernetesAuditStore(clusterOf(settings));
}

/** The cluster of a stack, as its settings name it. */
export function clusterOf(settings: Settings): Cluster {
  const { kubeconfig, kubeContext: context, instance: namespace } = settings;
  return Cluster.open({ kubeconfig, context, namespace });
}

/** The record of a rotation, which is not encrypted in the stack file. */
function rotationIn(source: ConfigSource): Rotation | undefined {
  const record = source.get("jwtRotation");
  return typeof record === "string" && record !== "" ? parseRotation(record, "exai:jwtRotation") : undefined;
}

/** The key for access to the slots. */
async function accessSecret(stack: string, cluster: Cluster): Promise<KeyObject> {
  const secret = await cluster.read<Secret>({ apiVersion: "v1", kind: "Secret", name: ACCESS_SECRET.name });
  const key = secret?.data?.[ACCESS_SECRET.entry];
  if (key !== undefined) return createPrivateKey(Buffer.from(key, "base64"));
  throw new UserError(
    "not-found",
    `Secret ${cluster.namespace}/${ACCESS_SECRET.name}`,
    "does not exist, and probes need its key to reach a slot",
    fix`${command(`up ${stack}`)}`,
  );
}

/** The key to sign with: during a rotation the one that every slot accepts, else the only one. */
async function jwtKey(stack: string, cluster: Cluster, rotation: Rotation | undefined): Promise<string> {
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
      "not-found",
      `Secrets of the slots in ${cluster.namespace}`,
      `have no entry ${JWT_KEY} to sign a token with`,
      fix`${command(`up ${stack}`)}`,
    );
  return key;
}
