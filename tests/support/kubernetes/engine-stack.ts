import { randomBytes } from "node:crypto";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SLOTS, type Slot } from "../../../contract/slots.ts";
import { GATEWAY_API, ROUTING_NAMES } from "../../../contract/gateway.ts";
import { KUBERNETES_PROMETHEUS, IMAGE_LABELS, LOCAL_IMAGES } from "../../../contract/images.ts";
import { imageLabels } from "../../../operations/docker/cli.ts";
import { buildReferenceServer } from "../../../operations/images/reference.ts";
import { Cluster } from "../../../operations/rollout/kubernetes/cluster.ts";
import { Checkout } from "../checkout.ts";
import { gatewayOf, GATEWAY_NAMESPACE, gatewayAddress } from "./stack.ts";
import { loadImage, provideImages } from "./images.ts";
import { certificate } from "./stand-ins.ts";
import { KubernetesApi } from "./api.ts";
import { BRIEF_GATES } from "../local-instance.ts";
import { startPostgresStack, type PostgresStack } from "../postgres-stack.ts";
import { startPooler } from "../supabase-api/pooler.ts";
import { startSupabaseApi, type SupabaseApi } from "../supabase-api/server.ts";

/** The project that staging is a branch of. */
export const PARENT = "abcdefghijklmnopqrst";

/** The organization that prod makes its project in. */
const ORGANIZATION = "acme";

/** Stacks on a cluster. */
export type ClusterStack = "staging" | "prod";

/** What a stack needs to be brought up by the real engine on a real cluster, before anything is. */
export interface EngineStack {
  readonly stack: ClusterStack;
  readonly namespace: string;
  readonly hostname: string;
  readonly api: KubernetesApi;
  readonly supabase: SupabaseApi;
  /** The database of every project, which the stack reaches by the pooler. */
  readonly database: PostgresStack;
  readonly checkout: Checkout;
  /** Releases by digest, as the nodes know them: the first of the stack, and one that follows it. */
  readonly images: { readonly first: string; readonly second: string };
  /** Makes the stack in the engine's backend, with its secrets. */
  init(): Promise<void>;
  /** Makes the gateway's certificate, as its operator does once the namespace is there. */
  certify(): Promise<void>;
  /** Address of the gateway's Service. */
  address(): Promise<string>;
  /** Weights of blue and green, as the shared route has them. */
  weights(): Promise<readonly number[]>;
  /** Pods of a slot that are not going, by identifier. */
  pods(slot: Slot): Promise<readonly string[]>;
  down(): Promise<void>;
}

/** Prepares images, a checkout with its stack file, and a local server in the place of Supabase's Management API. */
export async function prepareEngineStack(kubeconfig: string, stack: ClusterStack): Promise<EngineStack> {
  const namespace = `exai-engine-${randomBytes(3).toString("hex")}`;
  const hostname = `${namespace}.exai.test`;
  const api = new KubernetesApi(kubeconfig);
  const cluster = Cluster.open({ kubeconfig, namespace });
  const images = await stagingImages();
  const gateway = await gatewayOf(cluster);
  const database = await startPostgresStack();
  const pooler = await startPooler(database.port);
  const supabase = await startSupabaseApi({
    database: {
      host: pooler.host,
      password: database.password,
      setPassword: (password) => database.setPassword(password),
    },
  });
  const volume = await provideVolume(api, namespace);
  supabase.world.addProject({ ref: PARENT, name: "exai", organization: ORGANIZATION, region: "eu-central-1" });
  const checkout = new Checkout();
  const init = () =>
    checkout.init(stack, {
      supabaseAccessToken: `sbp_${"0".repeat(40)}`,
      kimiApiKey: "kimi-key-of-the-test",
      glmApiKey: "glm-key-of-the-test",
    });
  checkout.configure(stack, {
    image: images.first,
    backupImage: images.postgres,
    prometheusImage: images.prometheus,
    alertmanagerImage: images.alertmanager,
    postgresExporterImage: images.postgresExporter,
    instance: namespace,
    hostname,
    productionUrl: `https://${hostname}`,
    kubeconfig,
    kubeContext: api.context,
    gatewayNamespace: GATEWAY_NAMESPACE,
    gatewayService: "ClusterIP",
    mcpSessionTags: String(gateway.lua),
    ...(gateway.image === undefined ? {} : { gatewayImage: gateway.image }),
    supabaseEndpoint: supabase.url,
    ...(stack === "prod" ? { supabaseOrganization: ORGANIZATION } : { supabaseProjectRef: PARENT }),
    // The node of a test cluster is small, and other tests keep it busy.
    replicas: "2",
    serverCpus: "0.6",
    serverMemory: "192",
    graceSeconds: "5",
    ...BRIEF_GATES,
    // It has no volumes for a pod that runs, and no place for Grafana's image.
    metricsStorage: "ephemeral",
    grafana: "false",
  });
  if (gateway.image !== undefined)
    checkout.waive({
      policy: "image-digests",
      stack,
      type: "kubernetes:gateway.envoyproxy.io/v1alpha1:EnvoyProxy",
      resource: "routing-proxy",
      reason: "The controller of the test cluster names the image of its proxies by a tag",
    });
  return {
    stack,
    namespace,
    hostname,
    api,
    supabase,
    database,
    checkout,
    init,
    images,
    certify: async () => {
      await cluster.apply(certificate(namespace, hostname), "exai-test");
    },
    address: () => gatewayAddress(cluster),
    weights: async () => {
      const route = await api.get(GATEWAY_API, "HTTPRoute", namespace, ROUTING_NAMES.shared.http);
      const rules = (route?.spec?.rules ?? []) as { backendRefs?: { weight: number }[] }[];
      // A rule before it may answer an evicted slot's sessions, with no backend.
      const shared = rules.find(({ backendRefs }) => backendRefs?.length === SLOTS.length);
      return shared?.backendRefs?.map(({ weight }) => weight) ?? [];
    },
    pods: async (slot) => {
      const pods = await api.list("v1", "Pod", namespace, { "exai.component": "server", "exai.slot": slot });
      const staying = pods.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
      return staying.map(({ metadata }) => String(metadata.uid)).sort();
    },
    down: async () => {
      await api.delete("v1", "Namespace", undefined, namespace);
      await volume.remove();
      await supabase.close();
      await pooler.close();
      await database.down();
      checkout.remove();
    },
  };
}

/** A volume for the backups, where the cluster makes none: a folder of its only node, which is this machine. */
export async function provideVolume(
  api: KubernetesApi,
  namespace: string,
): Promise<{ readonly folder?: string; remove(): Promise<void> }> {
  const classes = await api.send("GET", "/apis/storage.k8s.io/v1/storageclasses");
  if ((classes.body as { items: unknown[] }).items.length > 0) return { remove: () => Promise.resolve() };
  const folder = await mkdtemp(join(tmpdir(), `${namespace}-`));
  // A folder of the node does not get the pod's group.
  await chmod(folder, 0o777);
  await api.apply({
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name: namespace },
    spec: {
      accessModes: ["ReadWriteOnce"],
      capacity: { storage: "50Gi" },
      persistentVolumeReclaimPolicy: "Retain",
      claimRef: { namespace, name: "backup-repository" },
      hostPath: { path: folder, type: "Directory" },
    },
  });
  return {
    folder,
    remove: async () => {
      await api.delete("v1", "PersistentVolume", undefined, namespace);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Images on this machine and on the nodes, by digest. */
async function stagingImages() {
  const second = `${LOCAL_IMAGES.referenceServer}-second`;
  const { referenceServer, alertmanager, postgres, postgresExporter, prometheus } = LOCAL_IMAGES;
  await provideImages([referenceServer, alertmanager, postgres, postgresExporter, prometheus]);
  await buildReferenceServer({ tag: second, release: "second" });
  // Debian's Prometheus, which stands in on machines without a registry, cannot find a cluster's targets.
  const stoodIn = (await imageLabels(prometheus))?.[IMAGE_LABELS.standIn] !== undefined;
  if (stoodIn) await provideImages([KUBERNETES_PROMETHEUS]);
  return {
    first: load(referenceServer),
    second: load(second),
    alertmanager: load(alertmanager),
    postgres: load(postgres),
    postgresExporter: load(postgresExporter),
    prometheus: load(stoodIn ? KUBERNETES_PROMETHEUS : prometheus),
  };
}

/** Gives an image to the cluster's nodes; the result is its reference by digest. */
export function load(image: string): string {
  const printed = loadImage(image);
  if (/@sha256:[0-9a-f]{64}$/.test(printed)) return printed;
  throw new Error(`EXAI_TEST_LOAD_IMAGE printed "${printed}" for ${image}, which is not a reference by digest`);
}
